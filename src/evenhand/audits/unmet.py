"""What a log lacks for a question: roles, groups, attributes of items and columns of attention."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import narwhals as nw

from evenhand.engine import role_columns
from evenhand.engine.facts import without_catalogue
from evenhand.engine.view import is_soft
from evenhand.errors import NotationError, Problem, RoleError, did_you_mean, listed
from evenhand.logs.kinds import kinds
from evenhand.logs.log import ITEM, Log
from evenhand.logs.role import Kind
from evenhand.measures.items import PerItem
from evenhand.measures.measure import CLASSIFIED, Measure
from evenhand.measures.ranking import Ranking

if TYPE_CHECKING:
    from evenhand.audits.question import Question


def unmet(question: Question, log: Log) -> list[Problem]:
    """Return what the log lacks for this question: roles and groups."""
    misplaced = _misplaced(question, log)
    if misplaced:
        return misplaced
    measure = question.measure
    problems = []
    for role in measure.roles() if isinstance(measure, Ranking) else measure.needs:
        if role not in log.roles:
            columns = listed(log.schema)
            problems.append(
                Problem(
                    f"'{question.key}'",
                    f"{question.measure.name} needs role '{role}', which no column plays.",
                    f"Columns: {columns}. Say which one: --{role} COLUMN, or {role}='COLUMN'.",
                )
            )
    problems += _misread(question, log)
    if isinstance(measure, Ranking):
        problems += _unread(question, measure, log)
    proxies = proxies_among((*question.by, *question.given), log)
    if proxies and (len(question.by) > 1 or question.given):
        what = f"{listed(proxies)} is known as a probability only, and cannot be combined."
        hint = f"Compare by={proxies[0]} alone."
        problems.append(Problem(f"'{question.key}'", what, hint))
    for name in (*question.by, *question.given):
        try:
            log.group(name)
        except RoleError as error:
            problems += error.problems
    return problems


def _misplaced(question: Question, log: Log) -> list[Problem]:
    """Return that a measure is of ranked lists and the log is not, or the other way round."""
    ranked = isinstance(question.measure, Ranking)
    if ranked == log.kind.ranked:
        return []
    fits = [kind.name for kind in kinds().values() if kind.ranked == ranked]
    what = f"{question.measure.name} is not about logs of kind '{log.kind.name}'."
    return [Problem(f"'{question.key}'", what, f"Kinds it is about: {listed(fits)}.")]


def _unread(question: Question, measure: Ranking, log: Log) -> list[Problem]:
    """Return which attributes of items and columns of attention the log lacks."""
    problems: list[Problem] = []
    for name in measure.attributes:
        try:
            log.item_group(name)
        except RoleError as error:
            problems += error.problems
    if measure.aim is not None and measure.aim.needs_catalogue and not problems:
        problems += [p for name in measure.attributes for p in without_catalogue(name, log)]
    if isinstance(measure, PerItem) and measure.over and log.catalogue is not None and not problems:
        problems += without_catalogue(measure.over, log)
    reads = [(str(one), c) for one in measure.models for c in (*one.columns, *one.averaged)]
    reads += [(measure.name, c) for c in measure.columns if c not in {c for _, c in reads}]
    numbers = [n for n, t in log.schema.items() if t.is_numeric() or t == nw.Boolean]
    for reader, column in reads:
        if column not in numbers:
            what = f"{reader} needs a column of numbers '{column}'."
            hint = did_you_mean(column, numbers)
            problems.append(Problem(f"'{question.key}'", what, hint))
    of_items = [name for name in question.by if name.startswith(ITEM)]
    if dict(question.parameters).get("target") == "catalogue" and not problems:
        problems += [p for one in of_items for p in without_catalogue(one.removeprefix(ITEM), log)]
    if isinstance(measure, PerItem) and question.contrast is not None:
        what = f"{measure.name} is of a whole log, and larger or smaller by chance in a small one."
        hint = f"Measure {measure} of logs or slices that are as large; groups of items: of= in it."
        return [*problems, Problem(f"'{question.key}'", what, hint)]
    if of_items and measure.view != "rows":
        what = f"{measure.name} is a figure of whole lists, which belong to no group of items."
        hint = "Contrast it by=GROUP of users; of= is for figures of items, such as exposure."
        problems.append(Problem(f"'{question.key}'", what, hint))
    soft = [name for name in of_items if is_soft(name, log)]
    if soft and len(question.by) > 1:
        what = f"{soft[0].removeprefix(ITEM)} may have several values for an item."
        hint = f"Compare of={soft[0].removeprefix(ITEM)} alone."
        problems.append(Problem(f"'{question.key}'", what, hint))
    return problems


def _misread(question: Question, log: Log) -> list[Problem]:
    """Return why roles that the log has are not what the measure reads, or which class it means."""
    measure = question.measure
    problems = []
    wanted = {"classes": "binary", "numbers": "number"}[measure.reads]
    for role in log.kind.roles:
        if role.name not in measure.needs or role.name not in CLASSIFIED or role.values == wanted:
            continue
        what = f"{measure.name} reads {measure.reads}, but a {role.name} of kind "
        what += f"'{log.kind.name}' is {'a class' if role.values == 'binary' else 'a number'}."
        fits = [kind.name for kind in kinds().values() if _fits(kind, measure)]
        hint = f"Kinds with such a {role.name}: {listed(fits)}."
        problems.append(Problem(f"'{question.key}'", what, hint))
    if not problems and {*measure.needs} <= {*log.roles}:
        try:
            role_columns(measure, log)
        except NotationError as error:
            problems += error.problems
    return problems


def _fits(kind: Kind, measure: Measure) -> bool:
    wanted = {"classes": "binary", "numbers": "number"}[measure.reads]
    return all(
        role.values == wanted
        for role in kind.roles
        if role.name in measure.needs and role.name in CLASSIFIED
    )


def proxies_among(names: Iterable[str], log: Log) -> list[str]:
    """Return the groups among these that are known as probabilities only."""
    return [name for name in names if name in log.groups and log.groups[name].proxy is not None]
