"""The scan of a log: check what was asked, count rows by what they are, return the state."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import narwhals as nw
import polars as pl

from evenhand.engine.by_score import count_by_score
from evenhand.engine.by_unit import Exact, count_by_unit
from evenhand.engine.counts import BadCodeError, Counts
from evenhand.engine.dense import (
    MOST_CELLS,
    UnseenValueError,
    Values,
    Watch,
    cells,
    count_dense,
    ignore,
)
from evenhand.engine.facts import Facts
from evenhand.engine.frequent import Kept, frequent, named
from evenhand.engine.identity import identity_of
from evenhand.engine.items import count_items
from evenhand.engine.lower import ROWS, Lowered, SumColumn, lower, tabulate
from evenhand.engine.plan import ScanPlan
from evenhand.engine.ranked import UNFILTERED, Filled, Reader
from evenhand.engine.refusal import bad_values, check_size, no_rows
from evenhand.engine.relational import collect, count_relational
from evenhand.engine.requests import ScatteredError, read_requests
from evenhand.engine.state import State
from evenhand.engine.table import Table, group_column
from evenhand.engine.view import View
from evenhand.errors import EvenhandError, ValueInLogError
from evenhand.logs.group import Group
from evenhand.logs.log import ITEM, ROW, Log
from evenhand.logs.source import failure
from evenhand.logs.unit import BUCKET, REGISTER

Trials = Mapping[tuple[str, ...], Sequence[SumColumn]]

COUNTED_EXACTLY = 1_000_000
"""Logs of up to this many rows have their units counted exactly."""

_SAMPLE = 100_000
"""Rows looked at before the scan, to refuse what is too large and to learn the groups' values."""


def scan(
    plan: ScanPlan,
    log: Log,
    watch: Watch = ignore,
    *,
    dense: bool = True,
    empty: bool = False,
    kept: Kept | None = None,
    exact: bool = True,
) -> State:
    """Return the state of a log: sums by bucket and groups for every stage of the plan.

    Args:
        plan: What is summed.
        log: The log.
        watch: Told the number of rows as they are counted, where the engine tells.
        empty: Whether there may be no rows in scope, as in a slice of a log that has some.
        dense: Whether the fast path may be taken where it fits; the state is the same without.
        kept: The values that groups with a rule ``top`` keep, where the log is a part of another;
            None to find them here.
        exact: Whether units of a small log are counted exactly too.

    Raises:
        StateSizeError: A set of groups has too many values; refused after a look at the first
            rows, or where only later rows show them, after the count.
        ValueInLogError: A role has a value that it does not allow.
        SourceError: The rows cannot be read, or there are none.

    """
    if plan.views:
        return _scan_ranked(plan, log, watch, empty=empty, kept=kept, exact=exact)
    groups = groups_of(plan, log)
    lowered = lower(log, plan.roles, groups, plan.amounts, plan.limits)
    trials = {by: stage.trial_columns for by, stage in plan.stages.items()}
    try:
        log.source.verify()
        kept = frequent(lowered, groups) if kept is None else kept
        lowered = named(lowered, groups, kept)
        sample = _sample(lowered)
        for by in plan.stages:
            check_size(by, sample, lowered.unit.kind, "among the first rows")
        dense = dense and log.source.engine == "polars"
        counts = _count(lowered, trials, sample, watch if dense else None)
        rows = int(next(iter(counts.values())).rows[ROWS].sum())
        distinct = None
        if exact and lowered.unit != ROW and rows <= COUNTED_EXACTLY:
            distinct = _distinct(lowered, plan)
        values = _values(sample, lowered) if dense else None
        scores = {
            by: {
                role: count_by_score(
                    lowered,
                    log.kind.role(role),
                    by,
                    [stage.sums[key] for key in keys],
                    values,
                )
                for role, keys in stage.by_score.items()
            }
            for by, stage in plan.stages.items()
            if stage.by_score
        }
    except EvenhandError:
        raise
    except BadCodeError:
        raise bad_values(lowered) from None
    except (Exception, pl.exceptions.PanicException) as error:
        # Polars panics on some files that are broken, and that is no Exception.
        raise failure(log.source.name, error) from error
    if rows == 0 and not empty:
        raise no_rows(log)
    sums, units = {}, {}
    for by, stage in plan.stages.items():
        keys = [BUCKET, *map(group_column, by)]
        columns, amounts = stage.sums.values(), stage.amounts.values()
        table = tabulate(counts[by].rows, lowered, columns, keys, amounts)
        sums[by] = Table(tuple(keys), "sum", table)
        marks = counts[by].marks
        if marks is not None:
            keys = [*map(group_column, by), REGISTER]
            units[by] = Table(tuple(keys), "max", marks.sort(keys))
    identity = identity_of(plan, log)
    return State(identity, log.source.engine, rows, sums, units, distinct, scores, kept)


def _scan_ranked(
    plan: ScanPlan, log: Log, watch: Watch, *, empty: bool, kept: Kept | None, exact: bool
) -> State:
    """Return the state of ranked lists: that of every view, block after block of requests."""
    reader = Reader(log, tuple(view for view, _ in plan.views))
    try:
        log.source.verify()
        kept = _kept_of_lists(plan, log) if kept is None else kept
        facts, unfiltered = reader.facts(), reader.unfiltered()
        try:
            found = _count_views(plan, reader, facts, watch, kept, scattered=False, exact=exact)
        except ScatteredError:
            found = _count_views(plan, reader, facts, watch, kept, scattered=True, exact=exact)
    except ValueInLogError as error:
        # One block was refused: the whole log says how many rows are wrong, and of which roles.
        wrong = reader.wrong_values()
        told = {problem.where for problem in wrong}
        others = [problem for problem in error.problems if problem.where not in told]
        raise ValueInLogError([*wrong, *others]) from None
    except EvenhandError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        raise failure(log.source.name, error) from error
    states, rows, requests = found
    if rows == 0 and not empty:
        raise no_rows(log)
    identity = identity_of(plan, log)
    return State(
        identity,
        log.source.engine,
        rows,
        {},
        {},
        kept=kept,
        views=states,
        requests={**requests, UNFILTERED: unfiltered},
        catalogue=facts.catalogue,
    )


def _kept_of_lists(plan: ScanPlan, log: Log) -> Kept:
    """Return the most frequent values of the groups of who is served."""
    names = dict.fromkeys(name for view, _ in plan.views for name in view.by)
    groups = {name: log.group(name) for name in names if not name.startswith(ITEM)}
    sized = {name: group for name, group in groups.items() if group.by_size}
    return frequent(lower(log, (), sized), sized) if sized else {}


VIEW_ROWS = 1_500_000
"""Rows of a view that are counted at once."""


def _count_views(
    plan: ScanPlan,
    reader: Reader,
    facts: Facts,
    watch: Watch,
    kept: Kept,
    *,
    scattered: bool,
    exact: bool,
) -> tuple[dict[str, State], int, dict[str, int]]:
    """Return the state of each view, the rows read, and numbers of requests."""
    counts = {
        view.name: _Counting(view, inner, kept, facts.sizes.get(view.name, 0))
        for view, inner in plan.views
    }
    rows, requests = 0, Counter[str]()
    source = reader.log.source
    blocks = read_requests(reader.frame(), source.engine, watch, scattered=scattered)
    for filled in _at_once(lambda block: reader.fill(block, facts), blocks):
        rows += filled.rows
        requests.update(filled.requests)
        for name, table in filled.tables.items():
            counts[name].add(table)
    states = {name: counting.finished(exact=exact) for name, counting in counts.items()}
    return states, rows, dict(requests)


def _at_once(
    work: Callable[[pl.DataFrame], Filled], blocks: Iterator[pl.DataFrame]
) -> Iterator[Filled]:
    """Yield what becomes of blocks, in their order, several at once."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Filled]] = deque()
        try:
            for block in blocks:
                waiting.append(pool.submit(work, block))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class _Counting:
    """A view that is counted as its rows come."""

    def __init__(self, view: View, plan: ScanPlan, kept: Kept, size: int) -> None:
        self._view, self._plan, self._kept, self._items = view, plan, kept, size
        self._rows: list[pl.DataFrame] = []
        self._size = 0
        self._state: State | None = None

    def add(self, table: pl.DataFrame) -> None:
        """Add rows; they are counted when there are many."""
        self._rows.append(table)
        self._size += len(table)
        if self._size >= VIEW_ROWS:
            self._merge(exact=False)

    def finished(self, *, exact: bool) -> State:
        """Return the state of all rows; with ``exact`` units are counted exactly if few."""
        if self._rows or self._state is None:
            self._merge(exact=exact and self._state is None)
        if self._state is None:
            raise TypeError("nothing was counted")
        return self._state

    def _merge(self, *, exact: bool) -> None:
        log = self._view.log
        if self._rows:
            table = pl.concat(self._rows).lazy()
            log = replace(log, source=replace(log.source, frame=nw.from_native(table)))
        self._rows, self._size = [], 0
        own = {name: self._kept[name] for name in self._view.by if name in self._kept}
        state = scan(self._plan, log, empty=True, kept=own, exact=exact)
        if self._view.spread:
            items = count_items(self._view, log, own)
            state = replace(state, items=items, size=self._items)
        self._state = state if self._state is None else self._state.merge(state)


def groups_of(plan: ScanPlan, log: Log) -> dict[str, Group]:
    """Return the groups that a plan counts by, by name."""
    names = dict.fromkeys(name for by in plan.stages for name in by)
    return {name: log.group(name) for name in names}


def exact_units(plan: ScanPlan, log: Log, kept: Kept) -> Exact | None:
    """Return exact numbers of units of a log whose parts were scanned; None where rows are units.

    Raises:
        EvenhandError: The rows cannot be read.

    """
    if log.unit == ROW:
        return None
    groups = groups_of(plan, log)
    lowered = named(lower(log, plan.roles, groups, plan.amounts, plan.limits), groups, kept)
    try:
        return _distinct(lowered, plan)
    except Exception as error:
        raise failure(log.source.name, error) from error


def _distinct(lowered: Lowered, plan: ScanPlan) -> Exact:
    """Return exact numbers of units for every set of groups that was asked for, and for none."""
    trials = {c.key: c for stage in plan.stages.values() for c in stage.trial_columns}
    columns = {key: c for stage in plan.stages.values() for key, c in stage.sums.items()}
    left = dict.fromkeys([(), *plan.sets])
    found: Exact = {}
    for by in plan.stages:
        sets = [subset for subset in left if {*subset} <= {*by} and subset not in found]
        found |= count_by_unit(lowered, by, sets, [*trials.values()], columns)
    return found


def _sample(lowered: Lowered) -> pl.DataFrame:
    """Return the groups of the first rows, one row per combination."""
    if not lowered.groups:
        return pl.DataFrame()
    columns = [*map(group_column, lowered.groups)]
    return collect(lowered.frame.select(*columns).head(_SAMPLE).unique(columns))


def _count(
    lowered: Lowered, trials: Trials, sample: pl.DataFrame, watch: Watch | None
) -> dict[tuple[str, ...], Counts]:
    """Return counts; with ``watch``, which only Polars has, by the fast path where it fits."""
    counts = None if watch is None else _count_dense(lowered, trials, sample, watch)
    if counts is None:
        counts = {by: count_relational(lowered, by, trials[by]) for by in trials}
    for by, counted in counts.items():
        check_size(by, counted.rows, lowered.unit.kind)
    return counts


def _count_dense(
    lowered: Lowered, trials: Trials, sample: pl.DataFrame, watch: Watch
) -> dict[tuple[str, ...], Counts] | None:
    """Return counts by the fast path, or None where its arrays would be too large."""
    values = _values(sample, lowered)
    for _ in range(2):
        if sum(cells(lowered, by, values) for by in trials) > MOST_CELLS:
            return None
        try:
            return count_dense(lowered, trials, values, watch)
        except UnseenValueError:
            values = _all_values(lowered)
    return None


def _values(sample: pl.DataFrame, lowered: Lowered) -> Values:
    return {name: _sorted_values(sample, name) for name in lowered.groups}


def _all_values(lowered: Lowered) -> Values:
    columns = {name: lowered.frame.select(group_column(name)).unique() for name in lowered.groups}
    return {name: _sorted_values(collect(column), name) for name, column in columns.items()}


def _sorted_values(frame: pl.DataFrame, name: str) -> list[str]:
    return sorted(frame[group_column(name)].unique().to_list())
