"""Units counted exactly, in logs small enough: how many there are, and what a large one holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw
import polars as pl

from evenhand.engine.lower import (
    ROWS,
    WEIGHT,
    WEIGHTS,
    Lowered,
    SumColumn,
    evaluate,
    join_codes,
)
from evenhand.engine.relational import collect
from evenhand.engine.table import group_column
from evenhand.logs.unit import UNIT

LARGE = 0.1
"""A unit that holds more than this share of a measure's rows in a group is named."""

FEW_ROWS = 20
"""Groups of fewer rows are not judged: any unit is large there, and intervals are wide."""

_HELD = "held:"
"""Prefix of the columns of what a unit holds: its rows, or the sum of their weights."""

_ALL = "all"


@dataclass(frozen=True)
class LargeUnits:
    """The rows of groups in which one unit may be large, by what they are.

    Attributes:
        rows: Numbers of rows (and sums of weights) by unit, which is just numbered, groups and
            codes.
        keys: The columns of the groups.
        lowered: What the codes mean.
        columns: The plan's columns by key.

    """

    rows: pl.DataFrame
    keys: tuple[str, ...]
    lowered: Lowered
    columns: Mapping[str, SumColumn]

    def alike(self, trials: str, terms: Iterable[str]) -> pl.DataFrame:
        """Return sums of terms by group in which all units weigh alike.

        Args:
            trials: Key of the trials: each row weighs as little as its unit has many of them.
            terms: Keys of what to sum.

        """
        wanted = {key: self.columns[key] for key in (trials, *terms)}
        combinations = self.rows.select(self.lowered.code_columns).unique()
        held = evaluate(combinations, self.lowered, wanted.values())
        measured = pl.col(WEIGHTS if self.lowered.weight else ROWS)
        of_unit = (pl.col(trials) * measured).sum().over(UNIT, *self.keys)
        rows = join_codes(self.rows, held, self.lowered).with_columns(of_unit.alias(_HELD))
        sums = ((pl.col(key) * measured / pl.col(_HELD)).sum().alias(key) for key in wanted)
        return rows.filter(pl.col(_HELD) > 0).group_by(self.keys).agg(sums)


@dataclass(frozen=True)
class UnitCounts:
    """The units of one population by groups, one row per set of their values.

    Attributes:
        counts: For every kind of trial the number of units that have one.
        rows: For every kind of trial the largest number of rows of one unit.
        held: For every kind of trial the largest sum of weights of one unit; ``rows`` without.
        large: The groups in which one unit may hold a large part of some kind of trial.

    """

    counts: pl.DataFrame
    rows: pl.DataFrame
    held: pl.DataFrame
    large: LargeUnits


Exact = dict[tuple[str, ...], tuple[UnitCounts, ...]]


def count_by_unit(
    lowered: Lowered,
    by: tuple[str, ...],
    sets: Iterable[tuple[str, ...]],
    trials: Sequence[SumColumn],
    columns: Mapping[str, SumColumn],
) -> Exact:
    """Return the units of every population, by each of several sets of groups.

    Args:
        lowered: The log as the engine sees it.
        by: Names of the groups, all that the sets are made of.
        sets: The sets of groups.
        trials: The columns whose units are counted.
        columns: The plan's columns by key, of which some may be asked where a unit is large.

    """
    groups = [*map(group_column, by)]
    found: Exact = dict.fromkeys(sets, ())
    for rows in _rows_by_unit(lowered, groups):
        combinations = rows.select(lowered.code_columns).unique()
        joined = join_codes(rows, evaluate(combinations, lowered, trials), lowered)
        held = WEIGHTS if lowered.weight else ROWS
        by_unit = joined.group_by(UNIT, *groups).agg(
            *((pl.col(t.key) * pl.col(ROWS)).sum() for t in trials),
            *((pl.col(t.key) * pl.col(held)).sum().alias(f"{_HELD}{t.key}") for t in trials),
        )
        for subset in found:
            of_set = by_unit
            if {*subset} < {*by}:
                kept = [*map(group_column, subset)]
                of_set = by_unit.group_by(UNIT, *kept).agg(pl.exclude(UNIT, *groups).sum())
            counts = _units(of_set, rows, lowered, subset, columns)
            found[subset] = (*found[subset], counts)
    return found


def _rows_by_unit(lowered: Lowered, groups: Sequence[str]) -> list[pl.DataFrame]:
    """Return numbers of rows by unit, groups and codes, for every population of units."""
    sums = [nw.len().cast(nw.Int64).alias(ROWS)]
    if lowered.weight:
        sums.append(nw.col(WEIGHT).sum().alias(WEIGHTS))
    tables = []
    for side in lowered.unit.sides:
        frame = lowered.frame
        if lowered.unit.kind == "dyadic" and side.place:
            # A unit paired with itself has this row once.
            frame = frame.filter(nw.col(side.unit) != nw.col(UNIT))
        counts = collect(frame.group_by(side.unit, *groups, *lowered.code_columns).agg(*sums))
        whole = pl.col(ROWS, *lowered.code_columns).cast(pl.Int64)
        tables.append(counts.with_columns(whole).rename({side.unit: UNIT}))
    if lowered.unit.kind == "dyadic":
        return [pl.concat(tables, how="vertical_relaxed")]
    return tables


def _units(
    by_unit: pl.DataFrame,
    rows: pl.DataFrame,
    lowered: Lowered,
    by: tuple[str, ...],
    columns: Mapping[str, SumColumn],
) -> UnitCounts:
    # One more key, so that there is one where there are no groups.
    keys = (_ALL, *map(group_column, by))
    by_unit, rows = (table.with_columns(pl.lit(0).alias(_ALL)) for table in (by_unit, rows))
    names = [column.removeprefix(_HELD) for column in by_unit.columns if column.startswith(_HELD)]
    of_groups = by_unit.group_by(keys)
    counts = of_groups.agg((pl.col(name) > 0).sum().cast(pl.Int64) for name in names)
    most = of_groups.agg(pl.col(name).max() for name in names)
    held = of_groups.agg(pl.col(f"{_HELD}{name}").max().alias(name) for name in names)
    # Both units of a pair hold its row: the sum over units may be twice that over rows.
    least = LARGE / (2 if lowered.unit.kind == "dyadic" else 1)
    parts = {name: pl.col(f"{_HELD}{name}") for name in names}
    large = of_groups.agg(
        pl.any_horizontal(
            (part.max() > least * part.sum()) & (pl.col(name).sum() >= FEW_ROWS)
            for name, part in parts.items()
        ).alias(_HELD)
    )
    kept = rows.join(large.filter(_HELD).select(keys), on=keys)
    numbered = kept.with_columns(pl.col(UNIT).rank("dense"))
    return UnitCounts(counts, most, held, LargeUnits(numbered, keys, lowered, columns))
