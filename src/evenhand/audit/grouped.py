"""The sums of one measure by bucket and group, read off a state, with all that qualifies them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.audit.finding import Exclusion, GroupFinding
from evenhand.engine import MeasureColumns, State, columns_of, count_units
from evenhand.engine.lower import ROWS, SQUARE_OF, WEIGHT, WEIGHT_OF
from evenhand.engine.score import SCORE, SCORE_BUCKETS, SCORE_SUM, ScoreTable, binned
from evenhand.engine.table import group_column
from evenhand.logs.group import OTHER, UNKNOWN
from evenhand.logs.log import ROW, Log
from evenhand.logs.unit import BUCKET, BUCKETS
from evenhand.measures.figure import Figure, Share
from evenhand.measures.histogram import Histogram
from evenhand.measures.measure import Keyed, Measure, Sums, TermSums
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.figure import Figures

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Units:
    """How many independent units have a trial.

    Attributes:
        by_group: Units of each group, shape (groups,).
        total: Units in all; one that is in two groups counts once.
        exact: False when the numbers are estimates.
        dependent: Whether some unit has several trials, so that rows cannot be taken alone.
        note: How dependence was judged, for the reader; empty when the unit is the row.

    """

    by_group: Floats
    total: float
    exact: bool
    dependent: bool
    note: str = ""

    def among(self, index: Indices) -> tuple[int, bool]:
        """Return the number of units of several groups, and whether it is exact."""
        together = float(self.by_group[index].sum())
        if len(index) == len(self.by_group):
            return round(self.total), self.exact
        # Where units are in one group each, the groups' numbers add up to the total.
        adds_up = len(index) == 1 or float(self.by_group.sum()) == self.total
        return round(min(together, self.total)), self.exact and adds_up


@dataclass(frozen=True)
class Grouped:
    """One measure in every group of a contrast; a single nameless group for the whole log.

    Attributes:
        groups: Value of each attribute in each group.
        figure: The measure's sums by bucket and group.
        units: The units among the trials.
        reasons: Why a group's figure is undefined, None where it is defined.
        excluded: Rows left out, by reason.
        apart: Groups that stand for missing or left-over values, which are shown, not compared.
        notes: What qualifies the figures, by topic.

    """

    groups: tuple[Mapping[str, str], ...]
    figure: Figure
    units: Units
    reasons: tuple[str | None, ...]
    excluded: tuple[Exclusion, ...]
    apart: NDArray[np.bool_]
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The measure's trials in each group, shape (groups,)."""
        trials: NDArray[np.int64] = self.figure.rows.sum(axis=0).astype(np.int64)
        return trials

    @property
    def compared(self) -> Indices:
        """Indices of the groups that a contrast compares: defined, and not apart."""
        return np.flatnonzero(self._defined & ~self.apart)

    @property
    def _defined(self) -> NDArray[np.bool_]:
        return np.array([reason is None for reason in self.reasons])

    def left_out(self) -> tuple[Exclusion, ...]:
        """Return the rows that a contrast leaves out, those of groups apart among them."""
        shown = [
            Exclusion(f"{name} is {value}", int(self.rows[index]))
            for index in np.flatnonzero(self.apart)
            for name, value in self.groups[index].items()
            if value in {UNKNOWN, OTHER}
        ]
        return (*self.excluded, *(part for part in shown if part.rows))

    def figures(self, *sets: Indices) -> Figures:
        """Return the figures of sets of groups, each of which adds up the rows of its members."""
        members = np.zeros((len(self.groups), len(sets)))
        for place, index in enumerate(sets):
            members[index, place] = 1
        return self.figure.figures(members, dependent=self.units.dependent)

    def compare(self, index: Indices) -> Figures:
        """Return the figures of these groups, all of which are defined."""
        return self.figures(*index[:, None])

    def share_of(self, index: int) -> tuple[float, float]:
        """Return the share of a group among the trials of all groups compared, and its variance."""
        if not isinstance(self.figure, Share):
            raise TypeError("only the trials of a share weigh its groups")
        sums = self.figure.sums
        trials = sums.trials[:, self.compared].sum(axis=1)
        total = trials.sum()
        share = float(sums.trials[:, index].sum() / total)
        if self.units.dependent:
            occupied = np.count_nonzero(trials)
            residual = sums.trials[:, index] - share * trials
            square = np.square(residual).sum() * occupied / max(occupied - 1, 1)
        else:
            square = share * (1 - share) * sums.square_trials[:, self.compared].sum()
        return share, float(square / total**2)

    def outcomes(self, level: float) -> list[Outcome]:
        """Return each group's figure with its own interval."""
        outcomes: list[Outcome] = [Undefined(reason or "") for reason in self.reasons]
        defined = np.flatnonzero(self._defined)
        if defined.size:
            found = self.compare(defined)
            limits, methods = found.limits(level), found.methods()
            for i, value, low, high, method in zip(
                defined, found.value, *limits, methods, strict=True
            ):
                outcomes[i] = Estimate(float(value), float(low), float(high), level, method)
        return outcomes

    def findings(self, level: float) -> tuple[GroupFinding, ...]:
        """Return each group as it is shown beside a contrast."""
        return tuple(
            GroupFinding(
                group,
                outcome,
                int(rows),
                round(float(units)),
                units_exact=self.units.exact,
                compared=not apart,
            )
            for group, outcome, rows, units, apart in zip(
                self.groups,
                self.outcomes(level),
                self.rows,
                self.units.by_group,
                self.apart,
                strict=True,
            )
        )


def gather(measure: Measure, by: Sequence[str], state: State, log: Log) -> Grouped:
    """Return the sums of a measure by these groups from a state of this log."""
    cells = _Cells(state.sums_by(by).frame, by, log)
    columns = columns_of(measure, log)
    figure = _figure(measure, columns, cells, state, log)
    rows = cells.of(columns.rows).sum(axis=0)
    unobserved = {role: cells.of(key).sum(axis=0) for role, key in columns.unobserved.items()}
    left_out = [Exclusion(why, int(cells.of(key).sum())) for why, key in columns.excluded.items()]
    apart = {UNKNOWN, OTHER} if log.top is not None else {UNKNOWN}
    return Grouped(
        groups=cells.groups,
        figure=figure,
        units=_units(cells, columns.trials, figure.rows.sum(axis=0), state, log),
        reasons=tuple(
            _unseen(
                int(rows[index]),
                {role: int(missing[index]) for role, missing in unobserved.items()},
            )
            or reason
            for index, reason in enumerate(figure.undefined())
        ),
        excluded=tuple(part for part in left_out if part.rows),
        apart=np.array([not apart.isdisjoint(group.values()) for group in cells.groups]),
        notes=figure.notes(),
    )


def _figure(
    measure: Measure, columns: MeasureColumns, cells: _Cells, state: State, log: Log
) -> Figure:
    """Return the figure that a measure defines from the sums of a state."""
    weighted = WEIGHT in log.roles
    prefixes = ("", WEIGHT_OF, SQUARE_OF) if weighted else ("", "", "")
    if isinstance(measure, Keyed):
        scores = state.scores_by(cells.by, measure.key)
        return measure.finalise(_histogram(scores, columns, cells, prefixes))
    if not isinstance(measure, Sums):
        raise TypeError(f"{measure.name} is neither Sums nor Keyed")
    counted, weighed, squared = (
        {term: cells.of(f"{prefix}{key}") for term, key in columns.terms.items()}
        for prefix in prefixes
    )
    amounts = {name: cells.of(key) for name, key in columns.amounts.items()}
    products = {
        pair: cells.of(key if pair[1] in amounts else f"{prefixes[2]}{key}")
        for pair, key in columns.products.items()
    }
    sums = TermSums(counted, weighed, squared, weighted, amounts, products)
    return measure.finalise(sums)


def _histogram(
    scores: ScoreTable, columns: MeasureColumns, cells: _Cells, prefixes: Sequence[str]
) -> Histogram:
    """Return the counts of a measure's terms by group and score."""
    frame = scores.fine.frame
    means = frame.group_by(SCORE).agg(pl.col(SCORE_SUM).sum() / pl.col(ROWS).sum()).sort(SCORE)
    edges = means[SCORE].to_numpy()
    place = (cells.places(frame), np.searchsorted(edges, frame[SCORE].to_numpy()))

    def counts(column: str) -> Floats:
        found = np.zeros((len(cells.groups), len(edges)))
        found[place] = frame[column].to_numpy()
        return found

    plain, weighed, squared = (
        {term: counts(f"{prefix}{key}") for term, key in columns.terms.items()}
        for prefix in prefixes
    )
    bins = means.select(binned(pl.col(SCORE), scores.coarse_width))[SCORE].to_numpy()
    kept, bin_of = np.unique(bins, return_inverse=True)
    buckets = None
    if scores.coarse is not None:
        wide = scores.coarse.frame
        where = (
            wide[BUCKET].to_numpy(),
            cells.places(wide),
            np.searchsorted(kept, wide[SCORE].to_numpy()),
        )
        buckets = {}
        for term, key in columns.terms.items():
            buckets[term] = np.zeros((SCORE_BUCKETS, len(cells.groups), len(kept)))
            buckets[term][where] = wide[f"{prefixes[1]}{key}"].to_numpy()
    return Histogram(
        scores=means[SCORE_SUM].to_numpy() if scores.width else edges,
        width=scores.width,
        rows=plain,
        weights=weighed,
        square_weights=squared,
        bin_of=bin_of,
        buckets=buckets,
        weighted=bool(prefixes[1]),
    )


class _Cells:
    """A table of sums by bucket and group as arrays of shape (buckets, groups).

    Attributes:
        by: Names of the group attributes.
        keys: Their columns.
        groups: The groups in the order in which they are shown.

    """

    def __init__(self, table: pl.DataFrame, by: Sequence[str], log: Log) -> None:
        self.by = tuple(by)
        self.keys = [group_column(name) for name in by]
        names: list[tuple[str, ...]] = [()]
        if by:
            names = [*table.select(self.keys).unique().iter_rows()]
        ranks = [log.group(name).rank for name in by]
        names.sort(key=lambda row: [rank(name) for rank, name in zip(ranks, row, strict=True)])
        self._index = {row: index for index, row in enumerate(names)}
        self.groups = tuple(dict(zip(by, row, strict=True)) for row in names)
        self._table = table
        self._bucket = table[BUCKET].to_numpy()
        self._group = self.places(table)

    def of(self, column: str) -> Floats:
        """Return a column of the table."""
        cells = np.zeros((int(self._bucket.max()) + 1, len(self.groups)))
        cells[self._bucket, self._group] = self._table[column].to_numpy()
        return cells

    def by_group(self, counted: pl.DataFrame, column: str) -> Floats:
        """Return a column of another table with one row for some of the groups; 0 elsewhere."""
        values = np.zeros(len(self.groups))
        values[self.places(counted)] = counted[column].to_numpy()
        return values

    def places(self, table: pl.DataFrame) -> Indices:
        """Return the place of each row's group among the groups."""
        rows = table.select(self.keys).iter_rows() if self.keys else [()] * len(table)
        return np.array([self._index[row] for row in rows], dtype=np.intp)


def _unseen(rows: int, missing: Mapping[str, int]) -> str | None:
    """Return why a group has no figure for want of observations, or None when it has them."""
    unseen = [
        f"{role} is missing for {count:,} of {rows:,} rows; what was not observed is not guessed"
        for role, count in missing.items()
        if count
    ]
    return "; ".join(unseen) or None


def _units(cells: _Cells, column: str, trials: Floats, state: State, log: Log) -> Units:
    """Return the units among the trials, which ``column`` counts."""
    if log.unit == ROW:
        return Units(trials, float(trials.sum()), exact=True, dependent=False)
    stage = tuple(sorted(cells.by))
    if state.distinct is not None and stage in state.distinct:
        total = float(state.distinct[()][column].item())
        repeats = bool(total < trials.sum())
        note = (
            "rows of one unit taken together"
            if repeats
            else f"no value of '{log.unit}' repeats, so rows are independent and closed forms apply"
        )
        counted = cells.by_group(state.distinct[stage], column)
        return Units(counted, total, exact=True, dependent=repeats, note=note)
    marks = state.units_by(cells.by).frame
    estimated = (
        marks.group_by(cells.keys).agg(pl.col(column))
        if cells.by
        else marks.select(pl.col(column).implode())
    )
    counts = [count_units(marks.filter(marks > 0)) for marks in estimated[column]]
    return Units(
        cells.by_group(estimated.with_columns(pl.Series(column, counts)), column),
        count_units(state.units_by(()).frame.filter(pl.col(column) > 0)[column]),
        exact=False,
        dependent=True,
        note=f"rows of one unit taken together over {BUCKETS} buckets; number of units estimated",
    )
