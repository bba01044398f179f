"""The general path: one group-by on any engine, written once in Narwhals.

Only the grouped table, a few thousand rows, leaves the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from evenhand.engine.counts import BadCodeError, Counts
from evenhand.engine.lower import (
    BAD,
    ROWS,
    SQUARES,
    WEIGHT,
    WEIGHTS,
    Lowered,
    SumColumn,
    evaluate,
    join_codes,
    with_roles,
)
from evenhand.engine.table import group_column
from evenhand.logs.unit import BUCKET, BUCKETS, HASH, MARKS, REGISTER, REGISTERS, UNIT

if TYPE_CHECKING:
    from evenhand.logs.backend import Frame


def collect(frame: Frame) -> pl.DataFrame:
    """Return a small frame of any engine as a Polars table."""
    if frame.implementation.is_polars():
        native: pl.LazyFrame = frame.to_native()
        return native.collect(engine="streaming")
    collected: pl.DataFrame = frame.collect(backend="polars").to_native()
    return collected


def count_relational(lowered: Lowered, by: tuple[str, ...], trials: Sequence[SumColumn]) -> Counts:
    """Return counts of rows by bucket, groups and codes, in one group-by.

    Args:
        lowered: The log as the engine sees it.
        by: Names of the groups.
        trials: The columns whose units are counted too.

    Raises:
        BadCodeError: A row has a value that its role does not allow.

    """
    keys = [BUCKET, *map(group_column, by)]
    sums = [nw.len().cast(nw.Int64).alias(ROWS)]
    if lowered.weight:
        weight = nw.col(WEIGHT)
        sums += [weight.sum().alias(WEIGHTS), (weight * weight).sum().alias(SQUARES)]
        sums += [
            (nw.col(amount.column) * (weight if amount.power == 1 else weight * weight))
            .sum()
            .alias(amount.column)
            for amount in lowered.amounts
        ]
    else:
        sums += [nw.col(amount.column).sum() for amount in lowered.amounts]
    if lowered.unit:
        sums += [_smallest_hash(part).alias(_part(part)) for part in range(_PARTS)]
    rows = collect(lowered.frame.group_by(*keys, *lowered.code_columns).agg(*sums))
    rows = rows.with_columns(pl.col(BUCKET, ROWS, *lowered.code_columns).cast(pl.Int64))
    for entry in lowered.coded:
        if (rows[entry.column] == BAD).any():
            raise BadCodeError
    return Counts(rows, _marks(rows, lowered, by, trials) if lowered.unit else None)


_PARTS = REGISTERS // BUCKETS
"""Registers that share a bucket: a bucket's largest marks ride along in the same group-by."""


def _part(part: int) -> str:
    return f"smallest_hash_{part}"


def _smallest_hash(part: int) -> nw.Expr:
    """Return the smallest hash of a register, from which its largest mark follows."""
    return nw.when(nw.col(REGISTER) - nw.col(BUCKET) == part * BUCKETS).then(nw.col(HASH)).min()


def _marks(
    rows: pl.DataFrame, lowered: Lowered, by: tuple[str, ...], trials: Sequence[SumColumn]
) -> pl.DataFrame:
    """Return the largest mark of every kind of trial by groups and register; 0 for none."""
    groups = [*map(group_column, by)]
    combinations = rows.select(lowered.code_columns).unique()
    joined = join_codes(rows, evaluate(combinations, lowered, trials), lowered)
    smallest = joined.group_by(BUCKET, *groups).agg(
        pl.col(_part(part)).filter(pl.col(trial.key) == 1).min().alias(f"{trial.key} {part}")
        for part in range(_PARTS)
        for trial in trials
    )
    marked = pl.concat(
        smallest.select(
            *groups,
            (pl.col(BUCKET) + part * BUCKETS).alias(REGISTER),
            *(
                (MARKS - pl.col(f"{trial.key} {part}").cast(pl.Int64) // REGISTERS)
                .fill_null(0)
                .alias(trial.key)
                for trial in trials
            ),
        )
        for part in range(_PARTS)
    )
    return marked.filter(pl.any_horizontal(pl.col(trial.key) > 0 for trial in trials))


def count_distinct_units(
    lowered: Lowered, by: Sequence[str], columns: Sequence[SumColumn]
) -> pl.DataFrame:
    """Return, by groups, the exact number of units with a row that each column counts."""
    groups = [*map(group_column, by)]
    keys = [column.key for column in columns]
    frame = with_roles(lowered.frame, lowered).select(
        *groups, UNIT, *(column.indicator() for column in columns)
    )
    units = frame.group_by(*groups, UNIT).agg(nw.col(key).max() for key in keys)
    counts = [nw.col(key).sum().cast(nw.Int64) for key in keys]
    return collect(units.group_by(*groups).agg(*counts) if groups else units.select(*counts)).cast(
        dict.fromkeys(keys, pl.Int64)
    )
