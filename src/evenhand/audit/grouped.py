"""The sums of one measure by bucket and group, read off a state, with all that qualifies them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.audit.finding import Exclusion, GroupFinding
from evenhand.engine import State, columns_of, count_units
from evenhand.engine.state import MARK, group_column
from evenhand.logs.group import OTHER, UNKNOWN
from evenhand.logs.log import ROW, Log
from evenhand.logs.unit import BUCKET, BUCKETS
from evenhand.measures.measure import Sums, TermSums
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.proportion import Proportion, Proportions, clustered, independent

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Units:
    """How many independent units there are.

    Attributes:
        by_group: Units with a row in each group, shape (groups,).
        total: Units in all; one that is in two groups counts once.
        exact: False when the numbers are estimates.
        dependent: Whether some unit has several rows, so that rows cannot be taken alone.
        note: How dependence was judged, for the reader; empty when the unit is the row.

    """

    by_group: Floats
    total: int
    exact: bool
    dependent: bool
    note: str = ""


@dataclass(frozen=True)
class Grouped:
    """One measure in every group of a contrast; a single nameless group for the whole log.

    Attributes:
        groups: Value of each attribute in each group.
        figure: The measure's sums, arrays of shape (buckets, groups).
        rows: Rows of each group that the measure is about, shape (groups,).
        units: The units.
        reasons: Why a group's figure is undefined, None where it is defined.
        excluded: Rows left out, by reason.

    """

    groups: tuple[Mapping[str, str], ...]
    figure: Proportion
    rows: NDArray[np.int64]
    units: Units
    reasons: tuple[str | None, ...]
    excluded: tuple[Exclusion, ...]

    @property
    def apart(self) -> NDArray[np.bool_]:
        """Groups that stand for missing or left-over values, which are shown, not compared."""
        return np.array([not {UNKNOWN, OTHER}.isdisjoint(group.values()) for group in self.groups])

    @property
    def defined(self) -> NDArray[np.bool_]:
        """Groups that have a figure."""
        return np.array([reason is None for reason in self.reasons])

    @property
    def compared(self) -> NDArray[np.intp]:
        """Indices of the groups that a contrast compares."""
        return np.flatnonzero(self.defined & ~self.apart)

    def proportions(self, index: NDArray[np.intp]) -> Proportions:
        """Return the figures of these groups, all defined, with a common design effect."""
        parts = {
            part.name: value if part.name == "empty" else value[:, index]
            for part in fields(self.figure)
            for value in [getattr(self.figure, part.name)]
        }
        if self.units.dependent:
            return clustered(Proportion(**parts), self.units.by_group[index])
        summed = {name: v if name == "empty" else v.sum(axis=0) for name, v in parts.items()}
        return independent(Proportion(**summed))

    def outcomes(self, level: float) -> list[Outcome]:
        """Return each group's figure with its own interval."""
        outcomes: list[Outcome] = [Undefined(reason or "") for reason in self.reasons]
        alone = [np.array([i]) for i in np.flatnonzero(self.defined & self.apart)]
        for index in [self.compared, *alone]:
            if not index.size:
                continue
            found = self.proportions(index)
            limits = found.limits(level)
            for i, value, low, high in zip(index, found.value, *limits, strict=True):
                outcomes[i] = Estimate(float(value), float(low), float(high), level, found.method)
        return outcomes

    def findings(self, level: float) -> tuple[GroupFinding, ...]:
        """Return each group as it is shown beside a contrast."""
        return tuple(
            GroupFinding(group, outcome, int(rows), round(float(units)), compared=not apart)
            for group, outcome, rows, units, apart in zip(
                self.groups,
                self.outcomes(level),
                self.rows,
                self.units.by_group,
                self.apart,
                strict=True,
            )
        )


def gather(measure: Sums, by: Sequence[str], state: State, log: Log) -> Grouped:
    """Return the sums of a measure by these groups from a state of this log."""
    keys = [group_column(name) for name in by]
    table = state.sums_by(by).frame
    present = table.select(keys).unique().sort(keys) if keys else pl.DataFrame([{}])
    groups = tuple(
        dict(zip(by, row, strict=True)) for row in (present.iter_rows() if keys else [()])
    )
    columns = columns_of(measure, log)
    sums = _Cells(table, present, keys)
    weighted = "w:" if any(column.startswith("w:") for column in table.columns) else ""
    figure = measure.finalise(
        TermSums(
            rows={term: sums.of(key) for term, key in columns.terms.items()},
            weights={term: sums.of(f"{weighted}{key}") for term, key in columns.terms.items()},
            square_weights={
                term: sums.of(f"w2:{key}" if weighted else key)
                for term, key in columns.terms.items()
            },
        )
    )
    rows = sums.of(columns.rows).sum(axis=0).astype(np.int64)
    unobserved = {role: sums.of(key).sum(axis=0) for role, key in columns.unobserved.items()}
    left_out = [Exclusion(why, int(sums.of(key).sum())) for why, key in columns.excluded.items()]
    in_scope = int(rows.sum()) + sum(part.rows for part in left_out if "filter" not in part.reason)
    return Grouped(
        groups=groups,
        figure=figure,
        rows=rows,
        units=_units(by, present, state, log, rows=rows, in_scope=in_scope),
        reasons=tuple(
            _reason(
                figure.trials[:, i].sum(),
                int(rows[i]),
                figure.empty,
                {role: int(missing[i]) for role, missing in unobserved.items()},
            )
            for i in range(len(groups))
        ),
        excluded=tuple(part for part in left_out if part.rows),
    )


class _Cells:
    """Columns of a table of sums as arrays of shape (buckets, groups)."""

    def __init__(self, table: pl.DataFrame, groups: pl.DataFrame, keys: list[str]) -> None:
        self._table = table
        self._bucket = table[BUCKET].to_numpy()
        self._shape = (int(self._bucket.max()) + 1, max(1, len(groups)))
        index = groups.with_row_index("index")
        self._group = (
            table.select(keys).join(index, on=keys, how="left", maintain_order="left")["index"]
            if keys
            else pl.zeros(len(table), pl.Int64, eager=True)
        ).to_numpy()

    def of(self, column: str) -> Floats:
        cells = np.zeros(self._shape)
        cells[self._bucket, self._group] = self._table[column].to_numpy()
        return cells


def _reason(trials: float, rows: int, empty: str, missing: Mapping[str, int]) -> str | None:
    """Return why a group has no figure, or None when it has one."""
    unseen = [
        f"{role} is missing for {count:,} of {rows:,} rows; what was not observed is not guessed"
        for role, count in missing.items()
        if count
    ]
    if unseen:
        return "; ".join(unseen)
    return None if trials > 0 else empty


def _units(
    by: Sequence[str],
    groups: pl.DataFrame,
    state: State,
    log: Log,
    *,
    rows: NDArray[np.int64],
    in_scope: int,
) -> Units:
    if log.unit == ROW:
        return Units(rows.astype(float), int(rows.sum()), exact=True, dependent=False)
    keys = [group_column(name) for name in by]
    stage = tuple(sorted(by))
    if state.distinct is not None and stage in state.distinct:
        counted = state.distinct[stage]
        total = int(state.distinct[()]["units"].item())
        repeats = total < in_scope
        note = (
            "rows of one unit taken together"
            if repeats
            else (
                f"no value of '{log.unit}' repeats, so rows are independent and closed forms apply"
            )
        )
        return Units(
            _aligned(counted, groups, keys), total, exact=True, dependent=repeats, note=note
        )
    marks = state.units_by(by).frame
    if keys:
        counted = marks.group_by(keys).agg(
            pl.col(MARK)
            .map_batches(count_units, returns_scalar=True, return_dtype=pl.Float64)
            .alias("units")
        )
    else:
        counted = pl.DataFrame({"units": [count_units(marks[MARK])]})
    total = round(count_units(state.units_by(()).frame[MARK]))
    note = f"rows of one unit taken together over {BUCKETS} buckets; number of units estimated"
    return Units(_aligned(counted, groups, keys), total, exact=False, dependent=True, note=note)


def _aligned(counted: pl.DataFrame, groups: pl.DataFrame, keys: list[str]) -> Floats:
    """Return the units in the order of the groups; a group without units in scope has none."""
    if not keys:
        return counted["units"].cast(pl.Float64).to_numpy()
    joined = groups.join(counted, on=keys, how="left", maintain_order="left")
    return joined["units"].cast(pl.Float64).fill_null(0.0).to_numpy()
