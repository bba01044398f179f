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
from collections.abc import Mapping
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.engine.allowed import ROLE, wrong_values
from evenhand.engine.facts import Facts, facts_of
from evenhand.engine.membership import membership
from evenhand.engine.relational import collect
from evenhand.engine.requests import REQUEST, RUN
from evenhand.engine.sound import faults
from evenhand.engine.view import (
    BEYOND,
    GROUP_OF,
    LISTS,
    SOUND,
    SPREAD,
    View,
    attributes_of,
    measures_of,
    unit_of_lists,
)
from evenhand.errors import Problem, ValueInLogError
from evenhand.logs.group import UNKNOWN
from evenhand.logs.log import ITEM, Log
from evenhand.measures.lists import Flags, Floats, Indices, Lists, Membership
from evenhand.measures.ranking import Ranking

ALL, INCONSISTENT, UNFILTERED = "all", "inconsistent", "rows whose filter is missing"
"""Names of the numbers of requests, of those that are left out, and of rows left out before."""


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
        return measures_of(self.views)

    @property
    def attributes(self) -> list[str]:
        """The attributes of items that measures read or views group by."""
        return attributes_of(self.views)

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

    def wrong_values(self) -> list[Problem]:
        """Return what roles and chances do not allow in the whole log, with the number of rows."""
        roles = self._lowered()
        frame = self.frame().with_columns(*self._as_roles(roles))
        return wrong_values(frame, roles, self._chances())

    def facts(self) -> Facts:
        """Return what must be known of the whole log first; as `evenhand.engine.facts.facts_of`."""
        return facts_of(self.log, self.views, self.frame())

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

    def _lowered(self) -> list[str]:
        """Return the roles whose values are read from expressions."""
        read = self._roles()
        return [role for role in ("rank", "relevance", "item", "propensity") if role in read]

    def _as_roles(self, roles: list[str]) -> list[nw.Expr]:
        log = self.log
        return [log.roles[role].lower(log.schema).alias(f"{ROLE}{role}") for role in roles]

    def _chances(self) -> list[str]:
        """Return the columns of chances under other policies."""
        return [column for one in self.measures for column in one.shown_by.columns]

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
        tables = {view.name: self._filled(view, rows, lists, facts) for view in self.views}
        counts = {ALL: lists.requests, INCONSISTENT: int((~lists.sound).sum())}
        counts |= {reason: int(bad.sum()) for reason, bad in wrong.items()}
        return Filled(tables, len(rows), counts)

    def _normalised(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return a block with slots and relevance as numbers, sorted inside each request."""
        lowered = self._lowered()
        frame = nw.from_native(block).with_columns(*self._as_roles(lowered))
        rows: pl.DataFrame = frame.to_native()
        problems = wrong_values(frame, lowered, self._chances())
        if problems:
            raise ValueInLogError(problems)
        rows = rows.with_columns(pl.col("role:rank").cast(pl.Int64).fill_null(0))
        if "relevance" in lowered:
            rows = rows.with_columns(pl.col("role:relevance").cast(pl.Float64))
        if "propensity" in lowered:
            rows = rows.with_columns(pl.col("role:propensity").cast(pl.Float64).fill_nan(None))
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
        propensity = None
        if "role:propensity" in rows.columns:
            propensity = rows["role:propensity"].fill_null(np.nan).to_numpy()
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
            items={
                name: membership(rows, self.log.item_group(name), self.log.schema)
                for name in self.attributes
            },
            sound=~functools.reduce(operator.or_, wrong.values(), np.zeros(len(starts) - 1, bool)),
            catalogue=facts.catalogue,
            by_slot=facts.by_slot,
            item=item,
            key=self._keys(rows, starts),
            every=facts.every,
            query=query,
            propensity=propensity,
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

    def _constant(self, rows: pl.DataFrame) -> list[str]:
        """Return the columns that have one value in a request."""
        log = self.log
        names = log.roles["user"].columns(log.schema) if "user" in log.roles else []
        names = [*names, *unit_of_lists(log).columns]
        return [name for name in dict.fromkeys(names) if name in rows.columns]

    def _filled(self, view: View, rows: pl.DataFrame, lists: Lists, facts: Facts) -> pl.DataFrame:
        """Return the rows of a view."""
        own, sound = self._own(view, rows, lists)
        numbers: dict[str, Floats] = {}
        conditions: dict[str, Flags] = {SOUND: sound}
        for measure in view.measures:
            for condition in measure.every_condition:
                if condition.name not in conditions:
                    conditions[condition.name] = condition.holds(lists)
            missing = [name for name in measure.counted if name not in numbers]
            if missing:
                numbers |= measure.numbers(lists)
        for measure in view.measures:
            _check(measure, numbers, conditions)
        members = None
        if view.over is not None:
            members = lists.items[view.over]
            own = own[members.row]
        table: dict[str, pl.Series] = {}
        for column in view.log.unit.columns:
            table[column] = own[column]
        for name in view.by:
            labels = self._labels(name, own, lists)
            if view.name in LISTS:
                labels = self._of_whole_lists(view, name, labels, rows, lists)
            table[f"{GROUP_OF}{name}"] = labels
        for name, holds in conditions.items():
            found = holds if members is None else holds[members.row]
            table[name] = pl.Series(np.where(found, 1.0, np.nan)).fill_nan(None)
        for name, values in numbers.items():
            of_rows = values if members is None else values[members.row] * members.share
            table[name] = pl.Series(np.where(np.isfinite(of_rows), of_rows, 0.0))
        if view.spread:
            items = self._spread_over(rows, lists, members)
            table[SPREAD] = _told_apart(items, facts.items.get(view.name))
        return pl.DataFrame(table).select([*view.log.schema])

    def _of_whole_lists(
        self, view: View, name: str, labels: pl.Series, rows: pl.DataFrame, lists: Lists
    ) -> pl.Series:
        """Return the groups of lists: unknown where rows of one list are of several."""
        of_row = lists.request
        if view.name == "queries":
            of_row = lists.query_of[lists.request]
        several = np.zeros(len(labels), np.bool_)
        for column in self.log.group(name).expression.columns(self.log.schema):
            several |= _changes(rows[column], of_row, len(labels))
        if not several.any():
            return labels
        frame = pl.DataFrame({"of": labels, "several": several})
        unknown = pl.when("several").then(pl.lit(UNKNOWN)).otherwise(pl.col("of"))
        return frame.select(unknown.alias("of"))["of"]

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
            for name in view.log.unit.columns:
                unsound |= _changes(rows[name], of_row, lists.queries)
            return rows[lists.starts[:-1][first]], ~unsound
        return rows, lists.sound[lists.request]

    def _labels(self, name: str, own: pl.DataFrame, lists: Lists) -> pl.Series:
        if name.startswith(ITEM):
            members = lists.items[name.removeprefix(ITEM)]
            return pl.Series(members.names, dtype=pl.String).gather(members.group)
        frame = nw.from_native(own).select(self.log.group(name).lower(self.log.schema).alias("x"))
        labels: pl.DataFrame = frame.to_native()
        return labels["x"]


def _told_apart(items: pl.Series, known: pl.Series | None) -> pl.Series:
    """Return items with those that the catalogue lacks told apart; all where none is named."""
    if known is None:
        return items
    inside = items.is_in(known.implode()) | (items == UNKNOWN)
    if inside.all():
        return items
    frame = pl.DataFrame({"item": items, "inside": inside})
    beyond = pl.concat_str(pl.lit(BEYOND), pl.col("item"))
    return frame.select(pl.when("inside").then("item").otherwise(beyond).alias("item"))["item"]


def _changes(column: pl.Series, of_row: Indices, size: int) -> Flags:
    """Return which lists have rows of several values of a column."""
    changes = np.diff(column.rle_id().to_numpy()) != 0
    found = np.zeros(size, np.bool_)
    found[of_row[1:][changes & (np.diff(of_row) == 0)]] = True
    return found


def _check(
    measure: Ranking, numbers: Mapping[str, Floats], conditions: Mapping[str, Flags]
) -> None:
    """Check that a measure's numbers are finite wherever its conditions hold."""
    inside = conditions[SOUND]
    for condition in measure.every_condition:
        inside = inside & conditions[condition.name]
    for name in measure.counted:
        if not np.isfinite(numbers[name][inside]).all():
            raise TypeError(f"{measure}: '{name}' is not finite where its conditions hold")


_INNER = "ranking:"
"""The column that numbers the rankings of a block, where a query has several."""
