"""Finding measures: ours by walking the package, other packages' by entry point."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
from importlib.metadata import entry_points

import evenhand.measures
from evenhand.errors import NotationError, Problem, did_you_mean, listed
from evenhand.measures.measure import Measure
from evenhand.notation import Term

ENTRY_POINTS = "evenhand.measures"
"""Entry-point group whose modules or classes join the registry."""


@functools.cache
def measures() -> dict[str, type[Measure]]:
    """Return every known measure by name, sorted."""
    walk = pkgutil.walk_packages(evenhand.measures.__path__, "evenhand.measures.")
    found: list[object] = [importlib.import_module(module.name) for module in walk]
    found += [point.load() for point in entry_points(group=ENTRY_POINTS)]
    classes: dict[str, type[Measure]] = {}
    for thing in found:
        members = [thing] if inspect.isclass(thing) else vars(thing).values()
        for member in members:
            if not (inspect.isclass(member) and issubclass(member, Measure)):
                continue
            if vars(member).get("listed"):
                other = classes.setdefault(member.name, member)
                if other is not member:
                    raise TypeError(f"two measures are called '{member.name}': {other}, {member}")
    return dict(sorted(classes.items()))


def measure_named(term: Term) -> Measure:
    """Return the measure that a term writes.

    Raises:
        NotationError: There is no such measure, or it has no such parameter.

    """
    known = measures()
    where = f"'{term}'"
    if term.name not in known:
        hint = did_you_mean(term.name, [*known])
        raise NotationError(Problem(where, f"there is no measure '{term.name}'.", hint))
    cls = known[term.name]
    fields = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    problems = [
        Problem(
            where,
            f"{term.name} has no parameter '{key}'.",
            did_you_mean(key, fields) if fields else f"{term.name} takes no parameters.",
        )
        for key, _ in term.params
        if key not in fields
    ]
    if term.args:
        values = listed(str(arg) for arg in term.args)
        problems.append(Problem(where, f"parameters are given by name, not as '{values}'."))
    if term.cutoff is not None:
        problems.append(Problem(where, f"{term.name} has no cutoff '@{term.cutoff}'."))
    if problems:
        raise NotationError(problems)
    chosen = cls(**dict(term.params))
    wrong = chosen.problem()
    if wrong:
        raise NotationError(Problem(where, wrong, f"See evenhand measures {term.name}."))
    return chosen
