"""Views of ranked lists: tables of numbers, which are logs with roles of their own.

A view has a row for each request, query or item of a list, with the numbers that measures make of
it and the conditions that must hold. What is independent and who is compared is told as in any log,
so that the ordinary scan counts it (docs/design/rankings.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import narwhals as nw
import polars as pl

from evenhand.logs.expression import Expression
from evenhand.logs.group import Group
from evenhand.logs.log import ITEM, PROVIDER, UNITS, Log, members_type
from evenhand.logs.role import Kind, Role
from evenhand.logs.source import Source
from evenhand.logs.unit import Unit
from evenhand.measures.figure import Figure
from evenhand.measures.items import PerItem
from evenhand.measures.measure import RoleColumns, Sums, TermSums
from evenhand.measures.ranking import Condition, Ranking

SOUND = "sound"
"""The condition that a request is consistent."""

UNSOUND = "the request is inconsistent: a slot or an item twice, or several users"
UNSOUND_QUERY = "a ranking of the query is inconsistent, or they are of several units"
SPREAD = "item:"
"""The column of what sums are spread over."""

BEYOND = "not in the catalogue: "
"""Prefix of what sums are spread over and the catalogue lacks."""

GROUP_OF = "of:"
"""Prefix of a view's columns of groups."""

LISTS = ("requests", "queries")
"""Views of whole lists, whose rows belong to no item."""


ITEMS = "items"
"""The view of rows that are summed by item too."""


def view_of(measure: Ranking, by: Sequence[str], log: Log) -> str:
    """Return the name of the view that a measure by these groups is counted in."""
    if measure.view in LISTS:
        return measure.view
    if isinstance(measure, PerItem):
        return ITEMS if measure.over is None else f"{ITEMS} by {ITEM}{measure.over}"
    soft = [name for name in by if name.startswith(ITEM) and is_soft(name, log)]
    return f"rows by {soft[0]}" if soft else "rows"


def is_soft(name: str, log: Log) -> bool:
    """Return whether an item may belong to several groups of an attribute."""
    group = log.item_group(name.removeprefix(ITEM))
    return members_type(group, log.schema) is not None


@dataclass(frozen=True, repr=False)
class Counted(Sums):
    """A measure of ranked lists as one of a view's rows."""

    measure: Ranking

    name = "counted"
    better = None
    tags = ()
    cites = ""
    reads = "numbers"

    def __post_init__(self) -> None:
        names = tuple(condition.name for condition in self.measure.every_condition)
        object.__setattr__(self, "needs", (SOUND, *names, *self.measure.counted))

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        """Return what is counted: every row of the view."""
        return self.measure.terms(log)

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        """Return the measure's numbers, which are columns of the view."""
        return self.measure.amounts(log)

    def finalise(self, s: TermSums) -> Figure:
        """Return the figure that the sums define."""
        return self.measure.finalise(s)

    def __str__(self) -> str:
        return str(self.measure)


def view_log(name: str, measures: Iterable[Ranking], by: Iterable[str], log: Log) -> Log:
    """Return a view without rows: the roles that measures read there, units and groups.

    Args:
        name: The view.
        measures: The measures that are counted in it.
        by: The groups.
        log: The log of items.

    """
    conditions: dict[str, Condition] = {}
    numbers: dict[str, None] = {}
    for measure in measures:
        for condition in measure.every_condition:
            known = conditions.setdefault(condition.name, condition)
            if known.reason != condition.reason:
                raise TypeError(f"two conditions are called '{condition.name}'")
        numbers |= dict.fromkeys(measure.counted)
    unsound = UNSOUND_QUERY if name == "queries" else UNSOUND
    roles = [Role(SOUND, "number", "exclude", "", unsound)]
    roles += [
        Role(one.name, "number", "keep" if one.unobserved else "exclude", "", one.reason)
        # In one order, whichever measures ask: each is asked of the rows that those before leave.
        for _, one in sorted(conditions.items())
    ]
    roles += [Role(one, "plain", "keep", "") for one in numbers]
    unit = log.unit if name.startswith("rows") else unit_of_lists(log)
    groups = {one: _as_labelled(one, log) for one in by}
    schema: dict[str, nw.dtypes.DType] = {column: log.schema[column] for column in unit.columns}
    schema |= {group.expression.text: nw.String() for group in groups.values()}
    schema |= {role.name: nw.Float64() for role in roles}
    if name.startswith(ITEMS):
        schema[SPREAD] = nw.String()
    empty = pl.LazyFrame(schema=nw.Schema(schema).to_polars())
    source = Source(log.source.name, "polars", nw.from_native(empty))
    kind = Kind(log.kind.name, log.kind.about, tuple(roles))
    named = {role.name: Expression(role.name) for role in roles}
    return Log(source, schema, kind, named, groups, unit, top=log.top)


def unit_of_lists(log: Log) -> Unit:
    """Return what is independent among requests: of two columns the one that a request has."""
    if log.unit.kind == "column":
        return log.unit
    names = [log.roles[role].text for role in UNITS if role in log.roles]
    kept = [column for column in log.unit.columns if column in names]
    # An item is in many lists, and a list has many items.
    of_items = [log.roles[role].text for role in ("item", PROVIDER) if role in log.roles]
    others = [column for column in log.unit.columns if column not in of_items]
    return Unit("column", (*kept, *others, *log.unit.columns)[:1])


def _as_labelled(name: str, log: Log) -> Group:
    return replace(
        log.group(name), name=name, expression=Expression(f"{GROUP_OF}{name}"), labelled=True
    )


@dataclass(frozen=True)
class View:
    """One table of numbers of requests, or of rows, that is counted.

    Attributes:
        name: Its name.
        log: Its roles, units and groups, without rows.
        measures: The measures that are counted in it.
        by: The groups that its rows have.

    """

    name: str
    log: Log
    measures: tuple[Ranking, ...]
    by: tuple[str, ...]

    @property
    def over(self) -> str | None:
        """The attribute of whose groups an item may have several, each with a row of its own."""
        _, by, name = self.name.partition(f" by {ITEM}")
        return name if by else None

    @property
    def spread(self) -> bool:
        """Whether its rows are summed by item, or by the groups of `over`."""
        return self.name.startswith(ITEMS)


def views_of(requests: Iterable[tuple[Ranking, tuple[str, ...]]], log: Log) -> Iterator[View]:
    """Yield the views in which measures by sets of groups are counted."""
    found: dict[str, tuple[dict[Ranking, None], dict[str, None]]] = {}
    for measure, by in requests:
        measures, names = found.setdefault(view_of(measure, by, log), ({}, {}))
        measures[measure] = None
        names |= dict.fromkeys(by)
    for name, (measures, names) in found.items():
        yield View(name, view_log(name, measures, names, log), (*measures,), (*names,))


def measures_of(views: Iterable[View]) -> list[Ranking]:
    """Return the measures that are counted in views, each once."""
    return [*dict.fromkeys(one for view in views for one in view.measures)]


def attributes_of(views: Iterable[View]) -> list[str]:
    """Return the attributes of items that measures read or views group by."""
    views = [*views]
    read = [name for one in measures_of(views) for name in one.attributes]
    grouped = [name for view in views for name in view.by if name.startswith(ITEM)]
    return [*dict.fromkeys([*read, *(name.removeprefix(ITEM) for name in grouped)])]
