"""The general path: one group-by on any engine, written once in Narwhals.

Only the grouped table, a few thousand rows, leaves the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from evenhand.engine.dense import BadCodeError, Counts
from evenhand.engine.lower import BAD, MISSING, ROWS, SQUARES, WEIGHT, WEIGHTS, Lowered, code_column
from evenhand.engine.state import BUCKET, MARK, REGISTER, group_column
from evenhand.logs.unit import HASH, MARKS, REGISTERS, UNIT

if TYPE_CHECKING:
    from evenhand.logs.source import Frame


def collect(frame: Frame) -> pl.DataFrame:
    """Return a small frame of any engine as a Polars table."""
    if frame.implementation.is_polars():
        native: pl.LazyFrame = frame.to_native()
        return native.collect(engine="streaming")
    collected: pl.DataFrame = frame.collect(backend="polars").to_native()
    return collected


def count_relational(lowered: Lowered, by: tuple[str, ...]) -> Counts:
    """Return counts of rows by bucket, groups and codes.

    Raises:
        BadCodeError: A row has a value that its role does not allow.

    """
    keys = [BUCKET, *map(group_column, by)]
    sums = [nw.len().cast(nw.Int64).alias(ROWS)]
    if lowered.weight:
        weight = nw.col(WEIGHT)
        sums += [weight.sum().alias(WEIGHTS), (weight * weight).sum().alias(SQUARES)]
    rows = collect(lowered.frame.group_by(*keys, *lowered.code_columns).agg(*sums))
    rows = rows.with_columns(pl.col(BUCKET, ROWS, *lowered.code_columns).cast(pl.Int64))
    for entry in lowered.coded:
        if (rows[entry.column] == BAD).any():
            raise BadCodeError
    return Counts(rows, _marks(lowered, by) if lowered.unit else None)


def _marks(lowered: Lowered, by: tuple[str, ...]) -> pl.DataFrame:
    keys = [*map(group_column, by), REGISTER]
    marked = _in_scope(lowered).select(
        *map(group_column, by),
        (nw.col(HASH) % REGISTERS).alias(REGISTER),
        (MARKS - (nw.col(HASH) - nw.col(HASH) % REGISTERS) // REGISTERS).alias(MARK),
    )
    marks = collect(marked.group_by(*keys).agg(nw.col(MARK).max()))
    return marks.cast({REGISTER: pl.Int64, MARK: pl.Int64})


def _in_scope(lowered: Lowered) -> Frame:
    column = code_column("where")
    if column not in lowered.code_columns:
        return lowered.frame
    return lowered.frame.filter(nw.col(column) < MISSING)


def count_distinct_units(lowered: Lowered, by: Sequence[str]) -> pl.DataFrame:
    """Return the exact number of units by groups, as column ``units``."""
    keys = [*map(group_column, by)]
    pairs = _in_scope(lowered).select(*keys, UNIT).unique([*keys, UNIT])
    if not keys:
        return collect(pairs.select(nw.len().cast(nw.Int64).alias("units")))
    return collect(pairs.group_by(*keys).agg(nw.len().cast(nw.Int64).alias("units"))).cast(
        {"units": pl.Int64}
    )
