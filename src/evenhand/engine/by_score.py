"""Counting by score value, on any engine: one group-by for figures, one by unit for variances."""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import polars as pl

from evenhand.engine.counts import BadCodeError
from evenhand.engine.lower import (
    BAD,
    ROWS,
    SQUARES,
    WEIGHT,
    WEIGHTS,
    Lowered,
    SumColumn,
    tabulate,
)
from evenhand.engine.relational import collect
from evenhand.engine.score import (
    MOST_SCORES,
    SCORE,
    SCORE_BUCKETS,
    SCORE_SUM,
    ScoreTable,
    width_for,
)
from evenhand.engine.table import Table, group_column
from evenhand.logs.unit import BUCKET, CROSSED, ROW, Unit

_SAMPLE = 100_000
"""Rows looked at first, to see whether scores must be binned."""


def count_by_score(
    lowered: Lowered, role: str, by: tuple[str, ...], columns: Sequence[SumColumn]
) -> ScoreTable:
    """Return counts of rows by groups and the values of a role.

    Args:
        lowered: The log as the engine sees it.
        role: The role, which is a number.
        by: Names of the groups.
        columns: The counts to make.

    Raises:
        BadCodeError: A row has a value that its role does not allow.

    """
    groups = [*map(group_column, by)]
    sample = collect(lowered.frame.select(role).head(_SAMPLE))[role].drop_nulls()
    # The sample has no more distinct values than the log, so this width is never too wide.
    width = width_for(sample, MOST_SCORES)
    fine = ScoreTable.canonical(_table(lowered, role, groups, columns, width), width)
    if lowered.unit == ROW:
        return fine
    wide = fine.coarse_width_needed()
    coarse = _table(lowered, role, [BUCKET, *groups], columns, wide)
    return ScoreTable(fine.fine, fine.width, coarse, wide)


def score_buckets(unit: Unit) -> int:
    """Return the number of buckets in tables by score: 8 x 8 where rows have two units."""
    return SCORE_BUCKETS if len(unit.columns) < 2 else _OF_TWO**2  # noqa: PLR2004 - one unit


_OF_TWO = 8


def _score_bucket(unit: Unit) -> nw.Expr:
    bucket = nw.col(BUCKET)
    if score_buckets(unit) == SCORE_BUCKETS:
        return bucket % SCORE_BUCKETS
    # first * 32 + second becomes the lowest bits of both: first * 8 + second.
    second = bucket % _OF_TWO
    first = (bucket - bucket % CROSSED) % (CROSSED * _OF_TWO)
    return first // (CROSSED // _OF_TWO) + second


def _table(
    lowered: Lowered, role: str, keys: Sequence[str], columns: Sequence[SumColumn], width: float
) -> Table:
    value = nw.col(role)
    score = value if width == 0 else (value / width).floor() * width
    frame = lowered.frame.with_columns(score.alias(SCORE))
    if BUCKET in keys:
        frame = frame.with_columns(_score_bucket(lowered.unit).alias(BUCKET))
    sums = [nw.len().cast(nw.Int64).alias(ROWS), value.sum().alias(SCORE_SUM)]
    if lowered.weight:
        weight = nw.col(WEIGHT)
        sums += [weight.sum().alias(WEIGHTS), (weight * weight).sum().alias(SQUARES)]
    counts = collect(frame.group_by(*keys, *lowered.code_columns, SCORE).agg(*sums))
    whole = [ROWS, *lowered.code_columns, *(key for key in keys if key == BUCKET)]
    counts = counts.with_columns(pl.col(whole).cast(pl.Int64))
    if any((counts[entry.column] == BAD).any() for entry in lowered.coded):
        raise BadCodeError
    seen = counts.filter(pl.col(SCORE).is_not_null())
    table_keys = [*keys, SCORE]
    table = tabulate(seen, lowered, columns, table_keys)
    totals = seen.group_by(table_keys).agg(pl.col(SCORE_SUM).sum(), pl.col(ROWS).sum())
    joined = table.join(totals, on=table_keys, how="left").sort(table_keys)
    return Table(tuple(table_keys), "sum", joined)
