"""The sums of one measure by bucket and group, read off a state, with all that qualifies them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.audits.cells import Cells, Floats, Indices
from evenhand.audits.finding import Exclusion, GroupFinding
from evenhand.audits.unit import LARGE_UNIT, Units, units_of
from evenhand.engine import MeasureColumns, State, columns_of
from evenhand.engine.by_score import score_buckets
from evenhand.engine.items import BUCKETS, item_column
from evenhand.engine.lower import SQUARE_OF, WEIGHT, WEIGHT_OF
from evenhand.engine.ranked import UNFILTERED
from evenhand.engine.score import SCORE, ScoreTable, binned
from evenhand.engine.table import group_column
from evenhand.engine.view import BEYOND, LISTS, SPREAD, Counted, view_log, view_of
from evenhand.logs.group import OTHER, UNKNOWN
from evenhand.logs.log import Log
from evenhand.logs.unit import BUCKET, Unit
from evenhand.measures.figure import Figure, Share
from evenhand.measures.histogram import Histogram
from evenhand.measures.items import ItemSums, PerItem
from evenhand.measures.measure import Keyed, Measure, Sums, TermSums
from evenhand.measures.ranking import Ranking
from evenhand.stats.bucket import Between
from evenhand.stats.estimate import Outcome, Undefined, sound
from evenhand.stats.figure import Figures
from evenhand.stats.partial import estimates_of


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
        small: Groups of too few units, whose figures are neither shown nor compared.
        unseen: Rows of each group that may count, but what says so was not observed.
        notes: What qualifies the figures, by topic.

    """

    groups: tuple[Mapping[str, str], ...]
    figure: Figure
    units: Units
    reasons: tuple[str | None, ...]
    excluded: tuple[Exclusion, ...]
    apart: NDArray[np.bool_]
    notes: Mapping[str, str] = field(default_factory=dict)
    small: frozenset[int] = frozenset()
    unseen: NDArray[np.int64] | None = None

    @property
    def rows(self) -> NDArray[np.int64]:
        """The measure's trials in each group, shape (groups,)."""
        trials: NDArray[np.int64] = self.figure.rows.sum(axis=0).astype(np.int64)
        return trials

    @property
    def compared(self) -> Indices:
        """Indices of the groups that a contrast compares: defined, and not apart."""
        return np.flatnonzero(self._defined & ~self.apart)

    def without_small(self, min_units: int) -> Grouped:
        """Return the groups with those of fewer units set aside, the log as a whole too.

        A group whose figure waits for as many observations is not small: nothing is known of it.
        """
        few = np.minimum(self.units.by_group, self.rows) < min_units
        if self.unseen is not None:
            few &= self.unseen < min_units
        reasons = tuple(
            f"fewer than {min_units} units" if small else reason
            for small, reason in zip(few, self.reasons, strict=True)
        )
        # What is said of large units is said anew, without the groups that are not shown.
        notes = {topic: text for topic, text in self.notes.items() if topic != LARGE_UNIT}
        notes |= self.units.notes(np.where(few, 0.0, self.rows), self.groups)
        small = frozenset(np.flatnonzero(few).tolist())
        return replace(self, reasons=reasons, small=small, notes=notes)

    @property
    def _defined(self) -> NDArray[np.bool_]:
        return np.array([reason is None for reason in self.reasons], np.bool_)

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
            residual = sums.trials[:, index] - share * trials
            between = Between.of(residual[:, None], trials[:, None], self.units.dependent)
            square = float(between.variance[0])
        else:
            square = share * (1 - share) * sums.square_trials[:, self.compared].sum()
        return share, float(square / total**2)

    def outcomes(self, level: float) -> list[Outcome]:
        """Return each group's figure with its own interval."""
        outcomes: list[Outcome] = [Undefined(reason or "") for reason in self.reasons]
        defined = np.flatnonzero(self._defined)
        if defined.size:
            found = estimates_of(self.compare(defined), level)
            for index, estimate in zip(defined, found, strict=True):
                outcomes[index] = sound(estimate)
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
                suppressed=place in self.small,
            )
            for place, (group, outcome, rows, units, apart) in enumerate(
                zip(
                    self.groups,
                    self.outcomes(level),
                    self.rows,
                    self.units.by_group,
                    self.apart,
                    strict=True,
                )
            )
        )


_MISSING = " is missing"
"""How the reason ends that names a role."""


def gather(measure: Measure, by: Sequence[str], state: State, log: Log) -> Grouped:
    """Return the sums of a measure by these groups from a state of this log."""
    if isinstance(measure, Ranking):
        view = view_of(measure, by, log)
        inside = view_log(view, [measure], by, log)
        found = gather(Counted(measure), by, state.views[view], inside)
        if isinstance(measure, PerItem):
            found = _spread(measure, found, by, state.views[view])
        missing = state.requests.get(UNFILTERED, 0)
        excluded = (Exclusion("the filter is missing", missing),) if missing else ()
        return replace(
            found,
            excluded=(*excluded, *found.excluded),
            notes={**measure.conventions(), **_of_view(view, log), **found.notes},
        )
    cells = Cells(state.sums_by(by).frame, by, log)
    columns = columns_of(measure, log)
    figure = _figure(measure, columns, cells, state, log)
    units = units_of(measure, columns, cells, state, log)
    trials = cells.of(columns.trials).sum(axis=0)
    rows = cells.of(columns.rows).sum(axis=0)
    unobserved = {role: cells.of(key).sum(axis=0) for role, key in columns.unobserved.items()}
    seen = [cells.of(key).sum(axis=0) for key in columns.seen.values()]
    lacking = " and a ".join(
        why.removesuffix(_MISSING)
        for why in columns.excluded
        if why.removesuffix(_MISSING) in measure.needs
    )
    gone = {why: cells.of(key).sum(axis=0) for why, key in columns.excluded.items()}

    def nothing(index: int) -> str:
        """Return why a group has no rows that count."""
        reasons = [f"{why} ({many[index]:,.0f})" for why, many in gone.items() if many[index]]
        if not isinstance(measure, Counted):
            # A role may say in words what it means that it is missing.
            said = any(many[index] and not why.endswith(_MISSING) for why, many in gone.items())
            if said or not lacking:
                return "; ".join(reasons) or figure.empty
            return f"no rows with a {lacking}"
        return f"no {measure.measure.view} are left: {'; '.join(reasons) or 'there are none'}"

    left_out = [Exclusion(why, int(cells.of(key).sum())) for why, key in columns.excluded.items()]
    limited = any(log.group(name).limited for name in by)
    apart = {UNKNOWN, OTHER} if limited else {UNKNOWN}
    return Grouped(
        groups=cells.groups,
        figure=figure,
        units=units,
        reasons=tuple(
            _unseen(
                int(rows[index]),
                {
                    log.kind.role(role).missing or role: int(missing[index])
                    for role, missing in unobserved.items()
                },
                [int(some[index]) for some in seen],
            )
            or (reason if rows[index] else nothing(index))
            or dominated
            for index, (reason, dominated) in enumerate(
                zip(figure.undefined(), units.reasons(trials), strict=True)
            )
        ),
        excluded=tuple(part for part in left_out if part.rows),
        apart=np.array([not apart.isdisjoint(group.values()) for group in cells.groups], np.bool_),
        notes={**figure.notes(), **units.notes(trials, cells.groups)},
        unseen=sum(unobserved.values(), np.zeros(len(cells.groups))).astype(np.int64),
    )


def _spread(measure: PerItem, counted: Grouped, by: Sequence[str], state: State) -> Grouped:
    """Return the figure of sums by item, of the groups whose rows and units were counted."""
    if state.items is None:
        raise TypeError(f"no sums by item were kept for {measure}")
    keys = [group_column(name) for name in by]
    frame = state.items.marginal([BUCKET, *keys, SPREAD]).frame
    if measure.over:
        frame = frame.filter(pl.col(SPREAD) != UNKNOWN)
    places = {tuple(group.values()): place for place, group in enumerate(counted.groups)}
    rows = frame.select(keys).iter_rows() if keys else iter([()] * len(frame))
    names = frame[SPREAD].unique().sort()
    beyond = names.str.starts_with(BEYOND).to_numpy()
    items = ItemSums(
        names=tuple(names),
        known=~beyond,
        size=max(state.size, int((~beyond).sum())),
        bucket=frame[BUCKET].to_numpy(),
        group=np.array([places[row] for row in rows], np.intp),
        item=names.search_sorted(frame[SPREAD]).to_numpy().astype(np.intp),
        values={name: frame[item_column(measure, name)].to_numpy() for name in measure.counted},
        buckets=BUCKETS,
        groups=len(counted.groups),
    )
    figure = measure.spread(items, counted.figure.rows)
    reasons = tuple(
        one or other for one, other in zip(counted.reasons, figure.undefined(), strict=True)
    )
    return replace(
        counted, figure=figure, reasons=reasons, notes={**counted.notes, **figure.notes()}
    )


def _of_view(view: str, log: Log) -> dict[str, str]:
    """Return what a figure of ranked lists is a mean over, and whom it speaks of."""
    if view.startswith("items"):
        about = "this catalogue, and logs of this size: items are given, users are drawn"
        return {"speaks of": about}
    if view not in LISTS:
        return {}
    notes = {"weighs": f"every {'request' if view == 'requests' else 'query'} alike"}
    if len(log.unit.columns) > 1:
        notes["speaks of"] = "this catalogue: a figure of whole lists has no margin of items"
    return notes


def _figure(
    measure: Measure, columns: MeasureColumns, cells: Cells, state: State, log: Log
) -> Figure:
    """Return the figure that a measure defines from the sums of a state."""
    weighted = WEIGHT in log.roles
    prefixes = ("", WEIGHT_OF, SQUARE_OF) if weighted else ("", "", "")
    if isinstance(measure, Keyed):
        scores = state.scores_by(cells.by, measure.key)
        return measure.finalise(_histogram(scores, columns, cells, prefixes, log.unit))
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
    scores: ScoreTable,
    columns: MeasureColumns,
    cells: Cells,
    prefixes: Sequence[str],
    unit: Unit,
) -> Histogram:
    """Return the counts of a measure's terms by group and score."""
    frame = scores.fine.frame
    distinct = frame.select(pl.col(SCORE).unique().sort())
    edges = distinct[SCORE].to_numpy()
    place = (cells.places(frame), np.searchsorted(edges, frame[SCORE].to_numpy()))

    def counts(column: str) -> Floats:
        found = np.zeros((len(cells.groups), len(edges)))
        found[place] = frame[column].to_numpy()
        return found

    plain, weighed, squared = (
        {term: counts(f"{prefix}{key}") for term, key in columns.terms.items()}
        for prefix in prefixes
    )
    bins = distinct.select(binned(pl.col(SCORE), scores.coarse_width))[SCORE].to_numpy()
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
            buckets[term] = np.zeros((score_buckets(unit), len(cells.groups), len(kept)))
            buckets[term][where] = wide[f"{prefixes[1]}{key}"].to_numpy()
    return Histogram(
        scores=edges + scores.width / 2,
        width=scores.width,
        rows=plain,
        weights=weighed,
        square_weights=squared,
        bin_of=bin_of,
        buckets=buckets,
        weighted=bool(prefixes[1]),
    )


def _unseen(rows: int, missing: Mapping[str, int], seen: Sequence[int]) -> str | None:
    """Return why a group has no figure for want of observations, or None when it has them.

    Args:
        rows: Rows of the group.
        missing: Rows whose role is missing and would change the figure, by role.
        seen: Rows whose label is missing, and seen, at prediction 0, and the same at prediction 1;
            empty where that tells nothing.

    """
    only = ""
    match seen:
        case [missed, 0, 0, known] if missed and known:
            only = "only where prediction is 1"
        case [0, known, missed, 0] if missed and known:
            only = "only where prediction is 0"
    unseen = [
        f"{role} is missing for {count:,} of {rows:,} rows{f', observed {only}' if only else ''}; "
        "what was not observed is not guessed"
        for role, count in missing.items()
        if count
    ]
    return "; ".join(unseen) or None
