"""Ranked lists: from rows of items to rows of requests with numbers, and from there as ever.

The measures that were asked for see blocks of whole requests as arrays and give numbers of
requests, or of rows. These make two or more tables, *views*, which are logs with roles of their
own: numbers to sum, and conditions that must hold. The ordinary scan counts them, so that units,
groups, weights of buckets, merging and intervals are those of every other measure
(docs/design/rankings.md).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.engine.relational import collect
from evenhand.engine.requests import REQUEST, RUN
from evenhand.engine.sound import faults
from evenhand.errors import Problem, ValueInLogError, listed
from evenhand.logs.backend import Frame
from evenhand.logs.expression import Expression
from evenhand.logs.grammar import Schema
from evenhand.logs.group import OTHER, UNKNOWN, Group
from evenhand.logs.log import ITEM, UNITS, Log, members_type
from evenhand.logs.role import Kind, Role
from evenhand.logs.source import Source
from evenhand.logs.unit import Unit
from evenhand.measures.figure import Figure
from evenhand.measures.items import PerItem
from evenhand.measures.lists import Flags, Floats, Indices, Lists, Membership
from evenhand.measures.measure import RoleColumns, Sums, TermSums
from evenhand.measures.ranking import Condition, Ranking

ALL, INCONSISTENT, UNFILTERED = "all", "inconsistent", "rows whose filter is missing"
"""Names of the numbers of requests, of those that are left out, and of rows left out before."""

SOUND = "sound"
"""The condition that a request is consistent."""

UNSOUND = "the request is inconsistent: a slot or an item twice, or several users"
UNSOUND_QUERY = "a ranking of the query is inconsistent, or they are of several units or groups"
SPREAD = "item:"
"""The column of what sums are spread over."""

SAMPLED_ROWS = 2**20
"""Rows of a log up to which all requests are put in random and in best order."""

GROUP_OF = "of:"
"""Prefix of a view's columns of groups."""

_LARGEST = 1e30


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
        names = tuple(condition.name for condition in self.measure.conditions)
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
        for condition in measure.conditions:
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
    unit = log.unit if name.startswith("rows") else _unit_of_requests(log)
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


def _unit_of_requests(log: Log) -> Unit:
    """Return what is independent among requests: of two columns the one that a request has."""
    if log.unit.kind == "column":
        return log.unit
    names = [log.roles[role].text for role in UNITS if role in log.roles]
    kept = [column for column in log.unit.columns if column in names]
    return Unit("column", (*kept, *log.unit.columns)[:1])


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


@dataclass(frozen=True)
class Facts:
    """What must be known of the whole log before its requests are read.

    Attributes:
        catalogue: For each attribute the share of each group in what could be shown.
        by_slot: For each column its mean at each slot.
        sizes: For each view that is summed by item, the number of items in the catalogue; 0 where
            none is named.
        every: Of so many requests one is taken where a sample is enough.

    """

    catalogue: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    by_slot: Mapping[str, Floats] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    every: int = 1


@dataclass(frozen=True)
class Filled:
    """What a block of whole requests gives.

    Attributes:
        tables: The rows of each view.
        rows: Number of rows in the block.
        requests: Number of requests, of those that are inconsistent, and of those by reason.

    """

    tables: Mapping[str, pl.DataFrame]
    rows: int
    requests: Mapping[str, int]


@dataclass(frozen=True)
class Reader:
    """What turns blocks of rows into views.

    Attributes:
        log: The log of items.
        views: The views to fill.

    """

    log: Log
    views: tuple[View, ...]

    @property
    def measures(self) -> list[Ranking]:
        """All measures, each once."""
        return [*dict.fromkeys(one for view in self.views for one in view.measures)]

    @property
    def attributes(self) -> list[str]:
        """The attributes of items that measures read or views group by."""
        read = [name for one in self.measures for name in one.attributes]
        grouped = [name for view in self.views for name in view.by if name.startswith(ITEM)]
        return [*dict.fromkeys([*read, *(name.removeprefix(ITEM) for name in grouped)])]

    def frame(self) -> nw.LazyFrame:  # type: ignore[type-arg]
        """Return the rows in scope with the columns that are read, and the request."""
        log = self.log
        frame = log.source.frame
        if log.where is not None:
            frame = frame.filter(log.where.lower(log.schema))
        columns = self._columns()
        request = log.roles.get("query", log.roles.get("request"))
        keys = [] if request is None else [request.lower(log.schema).alias(REQUEST)]
        return frame.select(*(nw.col(name) for name in columns), *keys)

    def unfiltered(self) -> int:
        """Return for how many rows the filter is missing: they are neither in scope nor out."""
        log = self.log
        if log.where is None:
            return 0
        missing = log.source.frame.filter(log.where.lower(log.schema).is_null())
        return int(collect(missing.select(nw.len().cast(nw.Int64))).item())

    def _columns(self) -> list[str]:
        log = self.log
        written = [log.roles[role] for role in self._roles()]
        groups = {name for view in self.views for name in view.by if not name.startswith(ITEM)}
        written += [log.group(name).expression for name in sorted(groups)]
        written += [log.item_group(name).expression for name in self.attributes]
        named = [column for one in written for column in one.columns(log.schema)]
        named += [column for one in self.measures for column in one.columns]
        named += [c for view in self.views for c in view.log.unit.columns]
        return list(dict.fromkeys(named))

    def _roles(self) -> list[str]:
        needs = dict.fromkeys(role for one in self.measures for role in one.roles())
        also = ("user", "request", "query", "item", "rank")
        return [role for role in dict.fromkeys([*also, *needs]) if role in self.log.roles]

    def facts(self) -> Facts:
        """Return what must be known of the whole log first; rows are read only where it must.

        Raises:
            ValueInLogError: A catalogue is needed and not there, or lacks an attribute.

        """
        aims = [(one.aim, name) for one in self.measures for name in one.attributes]
        known = [(aim, name) for aim, name in aims if aim is not None and aim.from_catalogue]
        needed = dict.fromkeys(name for _, name in known)
        by_catalogue = {name for aim, name in known if aim.needs_catalogue}
        found = {name: self._catalogue(name, required=name in by_catalogue) for name in needed}
        grouped = [name for name in self.attributes if name not in found]
        # Shares of exposure may be held against the catalogue when no row is read any more.
        found |= {
            n: catalogue_shares(n, self.log) for n in grouped if not without_catalogue(n, self.log)
        }
        columns = dict.fromkeys(
            column for one in self.measures for model in one.models for column in model.averaged
        )
        sizes = {view.name: self._size(view) for view in self.views if view.spread}
        means = {column: self._means(column) for column in columns}
        return Facts(found, means, sizes, self._every())

    def _every(self) -> int:
        """Return of how many requests one stands for all in what chance and the best order give."""
        if not any(one.landmarks for one in self.measures):
            return 1
        rows = int(collect(self.log.source.frame.select(nw.len().cast(nw.Int64))).item())
        return 1 << (rows // SAMPLED_ROWS).bit_length()

    def _size(self, view: View) -> int:
        """Return how many items, or groups of them, the catalogue has; 0 where none is named."""
        log = self.log
        if log.catalogue is None:
            return 0
        if view.over is not None:
            return len({*catalogue_shares(view.over, log)} - {UNKNOWN})
        schema = dict(log.catalogue.frame.collect_schema())
        item = log.roles.get("item")
        wrong = [] if item is None else item.problems(schema, "catalogue")
        if item is None or wrong:
            raise ValueInLogError(wrong or [Problem("role 'item'", "no column plays it.")])
        items = log.catalogue.frame.select(item.lower(schema).alias(SPREAD)).unique(SPREAD)
        return int(collect(items.select(nw.len().cast(nw.Int64))).item())

    def _catalogue(self, name: str, *, required: bool) -> Mapping[str, float]:
        """Return the shares of groups in the catalogue, or where there is none in the log."""
        log, group = self.log, self.log.item_group(name)
        if log.catalogue is not None:
            return catalogue_shares(name, log)
        if required:
            raise ValueInLogError(without_catalogue(name, log))
        return _shares_in(self.frame(), log.schema, group)

    def _means(self, column: str) -> Floats:
        """Return the mean of a column at every slot from 1."""
        log = self.log
        slot = log.roles["rank"].lower(log.schema).cast(nw.Float64).floor().cast(nw.Int64)
        value = Expression(column).lower(log.schema).cast(nw.Float64)
        frame = log.source.frame
        if log.where is not None:
            frame = frame.filter(log.where.lower(log.schema))
        frame = frame.select(slot.alias("slot"), value.alias("value"))
        means = collect(
            frame.filter(~nw.col("slot").is_null()).group_by("slot").agg(nw.col("value").mean())
        ).sort("slot")
        if means["value"].null_count():
            slots = listed(map(str, means.filter(pl.col("value").is_null())["slot"][:3]))
            what = f"'{column}' is missing at every impression of slot {slots}."
            raise ValueInLogError([Problem(f"empirical({column})", what)])
        found = np.zeros(int(means["slot"][-1] or 0) if len(means) else 0)
        found[means["slot"].to_numpy() - 1] = means["value"].to_numpy()
        return found

    def fill(self, block: pl.DataFrame, facts: Facts) -> Filled:
        """Return the rows of each view that a block of whole requests gives.

        Args:
            block: Rows of whole requests with their number in ``run:``.
            facts: What is known of the whole log.

        Raises:
            ValueInLogError: A role has a value that it does not allow.

        """
        rows = self._normalised(block)
        lists, wrong = self._lists(rows, facts)
        tables = {view.name: self._filled(view, rows, lists) for view in self.views}
        counts = {ALL: lists.requests, INCONSISTENT: int((~lists.sound).sum())}
        counts |= {reason: int(bad.sum()) for reason, bad in wrong.items()}
        return Filled(tables, len(rows), counts)

    def _normalised(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return a block with slots and relevance as numbers, sorted inside each request."""
        log = self.log
        lowered = {
            role: log.roles[role].lower(log.schema)
            for role in ("rank", "relevance", "item")
            if role in self._roles()
        }
        frame = nw.from_native(block).with_columns(
            expression.alias(f"role:{role}") for role, expression in lowered.items()
        )
        rows: pl.DataFrame = frame.to_native()
        slot = rows["role:rank"]
        if slot.dtype.is_float():
            _refuse(slot.is_not_null() & (slot != slot.floor()), slot, "rank", _SLOT)
        whole = slot if slot.dtype.is_float() else slot.cast(pl.Int64)
        _refuse((whole < 1) | (whole > _LAST), slot, "rank", _SLOT)
        rows = rows.with_columns(slot.cast(pl.Int64).fill_null(0).alias("role:rank"))
        if "relevance" in lowered:
            relevance = rows["role:relevance"].cast(pl.Float64)
            advice = f"Relevance is from 0 to {_LARGEST:g}."
            _refuse((relevance < 0) | (relevance > _LARGEST), relevance, "relevance", advice)
            rows = rows.with_columns(relevance.alias("role:relevance"))
        if "item" in lowered and (missing := rows["role:item"].null_count()):
            what = f"the item is missing for {missing:,} rows."
            hint = "Filter such rows with where, or give them an id."
            raise ValueInLogError([Problem("role 'item'", what, hint)])
        place = rows["role:rank"].to_numpy()
        place = np.where(place == 0, np.iinfo(np.int64).max, place)
        run = rows[RUN].to_numpy()
        inner = self._ranking(rows)
        if inner is not None:
            run = inner.to_numpy()
            rows = rows.with_columns(inner.alias(_INNER))
        if ((np.diff(place) < 0) & (np.diff(run) == 0)).any() or (np.diff(run) < 0).any():
            rows = rows[np.lexsort((place, run))]
        return rows

    def _ranking(self, rows: pl.DataFrame) -> pl.Series | None:
        """Return the number of each row's request, where a query has several."""
        if "query" not in self.log.roles or "request" not in self.log.roles:
            return None
        request = self.log.roles["request"].lower(self.log.schema).alias("request")
        frame = nw.from_native(rows).select(request, nw.col(RUN))
        both: pl.DataFrame = frame.to_native()
        return both.select(pl.struct(RUN, "request").rank("dense").cast(pl.Int64) - 1).to_series()

    def _lists(self, rows: pl.DataFrame, facts: Facts) -> tuple[Lists, Mapping[str, Flags]]:
        query = None
        if _INNER in rows.columns:
            run = rows[_INNER].to_numpy()
            first = np.flatnonzero(np.diff(run, prepend=-1))
            query = rows[RUN].to_numpy()[first]
        else:
            run = rows[RUN].to_numpy()
        starts = np.flatnonzero(np.diff(run, prepend=-1, append=int(run[-1]) + 1))
        slot = rows["role:rank"].to_numpy()
        item = rows["role:item"].hash(seed=2).to_numpy() if "role:item" in rows.columns else None
        relevance = None
        if "role:relevance" in rows.columns:
            relevance = rows["role:relevance"].fill_null(np.nan).to_numpy()
        columns = {
            column: rows[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
            for one in self.measures
            for column in one.columns
        }
        wrong = faults(rows, run, slot, item, self._constant(rows))
        lists = Lists(
            starts=starts,
            slot=slot,
            relevance=relevance,
            columns=columns,
            items={name: self._members(rows, name) for name in self.attributes},
            sound=~functools.reduce(operator.or_, wrong.values(), np.zeros(len(starts) - 1, bool)),
            catalogue=facts.catalogue,
            by_slot=facts.by_slot,
            item=item,
            key=self._keys(rows, starts),
            every=facts.every,
            query=query,
        )
        return lists, wrong

    def _keys(self, rows: pl.DataFrame, starts: Indices) -> NDArray[np.uint64] | None:
        """Return a number of what each request answers, where a measure draws at random."""
        if REQUEST not in rows.columns or not any(one.landmarks for one in self.measures):
            return None
        import polars_hash

        requests = rows[[REQUEST]][starts[:-1]].select(pl.col(REQUEST).cast(pl.String))
        keys = requests.select(polars_hash.col(REQUEST).nchash.xxhash64(seed=3))
        found: NDArray[np.uint64] = keys[REQUEST].to_numpy()
        return found

    def _members(self, rows: pl.DataFrame, name: str) -> Membership:
        group = self.log.item_group(name)
        if members_type(group, self.log.schema) is not None:
            return _soft(rows[group.expression.text])
        lowered = nw.from_native(rows).select(group.lower(self.log.schema).alias("of"))
        # Values that are not named are as if they were not known.
        text: pl.Series = lowered.to_native()["of"].replace(OTHER, UNKNOWN)
        names = text.unique().sort().to_list()
        codes = text.cast(pl.Enum(names)).to_physical().to_numpy().astype(np.intp)
        return Membership(tuple(names), np.arange(len(rows)), codes, np.ones(len(rows)))

    def _constant(self, rows: pl.DataFrame) -> list[str]:
        """Return the columns that have one value in a request."""
        log = self.log
        names = [log.roles["user"].text] if "user" in log.roles else []
        names += [n for view in self.views if view.name in LISTS for n in self._of_lists(view)]
        return [name for name in dict.fromkeys(names) if name in rows.columns]

    def _of_lists(self, view: View) -> list[str]:
        """Return the columns that say whose the lists of a view are, and in which groups."""
        written = [self.log.group(group).expression for group in view.by]
        columns = [column for one in written for column in one.columns(self.log.schema)]
        return [*view.log.unit.columns, *columns]

    def _filled(self, view: View, rows: pl.DataFrame, lists: Lists) -> pl.DataFrame:
        """Return the rows of a view."""
        own, sound = self._own(view, rows, lists)
        numbers: dict[str, Floats] = {}
        conditions: dict[str, Flags] = {SOUND: sound}
        for measure in view.measures:
            for condition in measure.conditions:
                if condition.name not in conditions:
                    conditions[condition.name] = condition.holds(lists)
            missing = [name for name in measure.counted if name not in numbers]
            if missing:
                numbers |= measure.numbers(lists)
        hold = functools.reduce(operator.and_, conditions.values())
        for measure in view.measures:
            self._check(measure, numbers, conditions, hold)
        members = None
        if view.over is not None:
            members = lists.items[view.over]
            own = own[members.row]
        table: dict[str, pl.Series] = {}
        for column in view.log.unit.columns:
            table[column] = own[column]
        for name in view.by:
            table[f"{GROUP_OF}{name}"] = self._labels(name, own, lists)
        for name, holds in conditions.items():
            found = holds if members is None else holds[members.row]
            table[name] = pl.Series(np.where(found, 1.0, np.nan)).fill_nan(None)
        for name, values in numbers.items():
            of_rows = values if members is None else values[members.row] * members.share
            table[name] = pl.Series(np.where(np.isfinite(of_rows), of_rows, 0.0))
        if view.spread:
            table[SPREAD] = self._spread_over(rows, lists, members)
        return pl.DataFrame(table).select([*view.log.schema])

    def _spread_over(
        self, rows: pl.DataFrame, lists: Lists, members: Membership | None
    ) -> pl.Series:
        """Return the item of each row, or its group where rows are summed by that."""
        if members is not None:
            return pl.Series(members.names, dtype=pl.String).gather(members.group)
        if "role:item" in rows.columns:
            return rows["role:item"].cast(pl.String)
        return pl.int_range(lists.rows, eager=True).cast(pl.String)

    def _own(self, view: View, rows: pl.DataFrame, lists: Lists) -> tuple[pl.DataFrame, Flags]:
        """Return the rows that stand for those of a view, and which are consistent."""
        if view.name == "requests":
            return rows[lists.starts[:-1]], lists.sound
        if view.name == "queries":
            first = np.flatnonzero(np.diff(lists.query_of, prepend=-1))
            of_row = lists.query_of[lists.request]
            unsound = np.bincount(lists.query_of, ~lists.sound, lists.queries) > 0
            for name in self._of_lists(view):
                changes = np.diff(rows[name].rle_id().to_numpy()) != 0
                unsound[of_row[1:][changes & (np.diff(of_row) == 0)]] = True
            return rows[lists.starts[:-1][first]], ~unsound
        return rows, lists.sound[lists.request]

    def _check(
        self,
        measure: Ranking,
        numbers: Mapping[str, Floats],
        conditions: Mapping[str, Flags],
        hold: Flags,
    ) -> None:
        inside = hold
        for condition in measure.conditions:
            inside = inside & conditions[condition.name]
        for name in measure.counted:
            if not np.isfinite(numbers[name][inside]).all():
                raise TypeError(f"{measure}: '{name}' is not finite where its conditions hold")

    def _labels(self, name: str, own: pl.DataFrame, lists: Lists) -> pl.Series:
        if name.startswith(ITEM):
            members = lists.items[name.removeprefix(ITEM)]
            return pl.Series(members.names, dtype=pl.String).gather(members.group)
        frame = nw.from_native(own).select(self.log.group(name).lower(self.log.schema).alias("x"))
        labels: pl.DataFrame = frame.to_native()
        return labels["x"]


def catalogue_shares(name: str, log: Log) -> Mapping[str, float]:
    """Return the shares of the groups of an attribute in what could be shown.

    Raises:
        ValueInLogError: No catalogue is named, or it lacks the attribute.

    """
    wrong = without_catalogue(name, log)
    if log.catalogue is None or wrong:
        raise ValueInLogError(wrong)
    frame = log.catalogue.frame
    return _shares_in(frame, dict(frame.collect_schema()), log.item_group(name))


def without_catalogue(name: str, log: Log) -> list[Problem]:
    """Return why the shares of an attribute's groups in the catalogue are not known."""
    if log.catalogue is None:
        what = "target=catalogue needs the table of what could be shown."
        hint = "Name it (--catalogue items.parquet), or use target=candidates."
        return [Problem(f"of={name}", what, hint)]
    schema = dict(log.catalogue.frame.collect_schema())
    return log.item_group(name).expression.problems(schema, f"catalogue, of={name}")


def _shares_in(frame: Frame, schema: Schema, group: Group) -> Mapping[str, float]:
    if members_type(group, schema) is not None:
        rows = collect(frame.select(nw.col(group.expression.text)))
        members = _soft(rows[group.expression.text])
        totals = np.bincount(members.group, members.share, len(members.names))
        return dict(zip(members.names, (totals / totals.sum()).tolist(), strict=True))
    text = group.lower(schema)
    text = nw.when(text != OTHER).then(text).otherwise(nw.lit(UNKNOWN)).alias(GROUP_OF)
    counts = collect(frame.select(text).group_by(GROUP_OF).agg(nw.len().alias("n")))
    counts = counts.with_columns(pl.col("n") / pl.col("n").sum()).sort(GROUP_OF)
    return dict(counts.select(GROUP_OF, "n").iter_rows())


_INNER = "ranking:"
"""The column that numbers the rankings of a block, where a query has several."""

_SLOT = "A slot is a whole number from 1; leave it empty for an item that was not shown."
_LAST = 2**53
"""A larger slot, such as an infinite one, is no number of places."""
_SHOWN = 5


def _refuse(bad: pl.Series, values: pl.Series, role: str, advice: str) -> None:
    """Refuse values that a role does not allow."""
    rows = int(bad.fill_null(value=False).sum())
    if not rows:
        return
    wrong = values.filter(bad).unique().sort().head(_SHOWN)
    shown = ", ".join(f"{value:g}" for value in wrong)
    holds = "1 row holds" if rows == 1 else f"{rows:,} rows hold"
    raise ValueInLogError([Problem(f"role '{role}'", f"{holds} {shown}.", advice)])


def _soft(lists: pl.Series) -> Membership:
    """Return the groups of items that may have several, each entry an equal part of its item."""
    rows = pl.DataFrame({"row": pl.int_range(len(lists), eager=True), "of": lists})
    filled = rows.with_columns(
        pl.when(pl.col("of").list.len().fill_null(0) == 0)
        .then(pl.lit([UNKNOWN], dtype=pl.List(pl.String)))
        .otherwise(pl.col("of").cast(pl.List(pl.String)))
        .alias("of")
    )
    entries = filled.explode("of").with_columns(pl.col("of").fill_null(UNKNOWN))
    counted = (
        entries.group_by("row", "of")
        .agg(pl.len().alias("n"))
        .with_columns(share=pl.col("n") / pl.col("n").sum().over("row"))
        .sort("row", "of")
    )
    names = sorted(counted["of"].unique())
    codes = counted["of"].cast(pl.Enum(names)).to_physical().cast(pl.Int64).to_numpy()
    return Membership(
        tuple(names), counted["row"].to_numpy(), codes, counted["share"].to_numpy(), soft=True
    )


def views_of(requests: Iterable[tuple[Ranking, tuple[str, ...]]], log: Log) -> Iterator[View]:
    """Yield the views in which measures by sets of groups are counted."""
    found: dict[str, tuple[dict[Ranking, None], dict[str, None]]] = {}
    for measure, by in requests:
        measures, names = found.setdefault(view_of(measure, by, log), ({}, {}))
        measures[measure] = None
        names |= dict.fromkeys(by)
    for name, (measures, names) in found.items():
        yield View(name, view_log(name, measures, names, log), (*measures,), (*names,))
