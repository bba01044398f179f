"""Problems of logs and questions at the places of the plan that they are about."""

from __future__ import annotations

import re

from evenhand.audits.plan.lines import Located, Place
from evenhand.errors import EvenhandError, Problem

_NAMED = re.compile(r"(role|group) '(.*)'")
_TABLE = re.compile(r"tables\[(\d+)\](\.(\w+))?")


def placed(problem: Problem, places: Located) -> Problem:
    """Return a problem of a log at the place of the plan that it is about."""
    named = _NAMED.fullmatch(problem.where)
    place: Place = ("log", "source")
    beside = _TABLE.fullmatch(problem.where)
    if beside:
        place = ("tables", int(beside[1]), *([beside[3]] if beside[3] else []))
    elif named and named[1] == "role":
        place = ("roles", named[2])
    elif named:
        place = ("groups", named[2])
    elif problem.where in {"unit", "classes", "groups"}:
        place = (problem.where,)
    elif problem.where in {"where", "kind", "top"}:
        place = ("log", problem.where)
    elif problem.where == "engine":
        return problem
    what = problem.what
    if place == ("log", "source"):
        what = f"{problem.where}: {what}"
    return Problem(places.where(place), what, _hint(problem.hint, places))


def _hint(text: str, places: Located) -> str:
    """Return a hint as a plan's author can follow it: keys of a plan, not flags."""
    if not places.name:
        return text
    text = re.sub(r"--(\w+) COLUMN, or \1='COLUMN'", r"roles: {\1: COLUMN}", text)
    return re.sub(r"--(\w+) (\".*\")", r"roles: {\1: \2}", text)


def at_place(places: Located, place: Place, error: EvenhandError) -> list[Problem]:
    """Return the problems of an error, all at one place."""
    where = places.where(place)
    return [
        Problem(where, f"{_said(problem)}{problem.what}", _hint(problem.hint, places))
        for problem in error.problems
    ]


def _said(problem: Problem) -> str:
    return "" if problem.where in {"where", ""} else f"{problem.where}: "
