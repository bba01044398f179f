"""The general path: one group-by on any engine, written once in Narwhals.

Only the grouped table, a few thousand rows, leaves the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
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
    Coded,
    Lowered,
    SumColumn,
    evaluate,
    join_codes,
)
from evenhand.engine.table import group_column
from evenhand.logs.unit import BUCKET, MARKS, REGISTER, REGISTERS, ROW, Side, Unit

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
    # A bucket's largest marks ride along in the same group-by.
    sums += [_smallest_hash(side, part) for side, part in _parts(lowered.unit)]
    if _combinations(lowered.coded) < _MOST_PACKED:
        # One narrow key instead of several: DuckDB takes 0.9 of the time.
        frame = lowered.frame.with_columns(_packed(lowered.coded).alias(_CODES))
        rows = collect(frame.group_by(*keys, _CODES).agg(*sums))
        rows = rows.with_columns(*_unpacked(lowered.coded))
    else:
        rows = collect(lowered.frame.group_by(*keys, *lowered.code_columns).agg(*sums))
        rows = rows.with_columns(pl.col(*lowered.code_columns).cast(pl.Int64))
    rows = rows.with_columns(pl.col(BUCKET, ROWS).cast(pl.Int64))
    for entry in lowered.coded:
        if (rows[entry.column] == BAD).any():
            raise BadCodeError
    return Counts(rows, _marks(rows, lowered, by, trials) if lowered.unit != ROW else None)


_CODES = "codes"
_MOST_PACKED = 2**62
_NARROW = 2**31
_DEEPEST = 16
"""Most codes that are packed one after the other."""


def _combinations(coded: Sequence[Coded]) -> int:
    return prod(entry.codes.stop - BAD for entry in coded)


def _packed(coded: Sequence[Coded]) -> nw.Expr:
    """Return all codes of a row as one number."""
    kind = nw.Int32 if _combinations(coded) < _NARROW else nw.Int64
    if len(coded) > _DEEPEST:
        # Spark gives up where one expression stands in another a hundred times.
        first, second = coded[: len(coded) // 2], coded[len(coded) // 2 :]
        return _packed(first).cast(kind) * _combinations(second) + _packed(second).cast(kind)
    packed: nw.Expr = nw.lit(0, dtype=kind)
    for entry in coded:
        packed = packed * (entry.codes.stop - BAD) + nw.col(entry.column) - BAD
    return packed.cast(kind)


def _unpacked(coded: Sequence[Coded]) -> list[pl.Expr]:
    """Return the codes of which a number was made, last first."""
    packed, found = pl.col(_CODES).cast(pl.Int64), []
    for entry in reversed(coded):
        size = entry.codes.stop - BAD
        found.append((packed % size + BAD).alias(entry.column))
        packed = packed // size
    return found


def _parts(unit: Unit) -> list[tuple[Side, int]]:
    """Return each side with each part of its registers that shares a bucket."""
    return [(side, part) for side in unit.sides for part in range(0, REGISTERS, side.buckets)]


def _smallest(side: Side, part: int) -> str:
    return f"smallest {side.hash} {part}"


def _smallest_hash(side: Side, part: int) -> nw.Expr:
    """Return the smallest hash of a register, from which its largest mark follows."""
    inside = nw.when(nw.col(side.part) == part).then(nw.col(side.hash).cast(nw.Int32))
    return inside.min().alias(_smallest(side, part))


def _marks(
    rows: pl.DataFrame, lowered: Lowered, by: tuple[str, ...], trials: Sequence[SumColumn]
) -> pl.DataFrame:
    """Return the largest mark of every kind of trial by groups and register; 0 for none."""
    groups = [*map(group_column, by)]
    combinations = rows.select(lowered.code_columns).unique()
    joined = join_codes(rows, evaluate(combinations, lowered, trials), lowered)
    parts = _parts(lowered.unit)
    smallest = joined.group_by(BUCKET, *groups).agg(
        pl.col(_smallest(side, part))
        .filter(pl.col(trial.key) == 1)
        .min()
        .alias(f"{trial.key} {_smallest(side, part)}")
        for side, part in parts
        for trial in trials
    )
    marked = pl.concat(
        smallest.select(
            *groups,
            (lowered.unit.bucket_of(side) + part + side.offset).alias(REGISTER),
            *(
                (MARKS - pl.col(f"{trial.key} {_smallest(side, part)}").cast(pl.Int64) // REGISTERS)
                .fill_null(0)
                .alias(trial.key)
                for trial in trials
            ),
        )
        for side, part in parts
    )
    # Of two units each bucket is seen beside every bucket of the other.
    largest = marked.group_by(*groups, REGISTER).agg(pl.col(trial.key).max() for trial in trials)
    return largest.filter(pl.any_horizontal(pl.col(trial.key) > 0 for trial in trials))
