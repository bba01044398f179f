"""Counting by score value, on any engine: one group-by for figures, one by unit for variances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.engine.counts import BadCodeError
from evenhand.engine.dense import Values, any_bad, code_combinations, combined_code, position
from evenhand.engine.lower import (
    BAD,
    ROWS,
    SQUARE_OF,
    SQUARES,
    WEIGHT,
    WEIGHT_OF,
    WEIGHTS,
    Lowered,
    SumColumn,
    evaluate,
    tabulate,
)
from evenhand.engine.relational import collect
from evenhand.engine.score import SCORE, SCORE_BUCKETS, ScoreTable, fine_width
from evenhand.engine.table import Table, group_column
from evenhand.logs.role import Role
from evenhand.logs.unit import BUCKET, CROSSED, ROW, Unit

_SAMPLE = 100_000
"""Rows looked at first, to see whether scores must be binned."""


def count_by_score(
    lowered: Lowered,
    role: Role,
    by: tuple[str, ...],
    columns: Sequence[SumColumn],
    values: Values | None = None,
) -> ScoreTable:
    """Return counts of rows by groups and the values of a role.

    Args:
        lowered: The log as the engine sees it.
        role: The role, which is a number.
        by: Names of the groups.
        columns: The counts to make.
        values: The values of each group as far as known, on Polars, where that is sooner.

    Raises:
        BadCodeError: A row has a value that its role does not allow.

    """
    groups = [*map(group_column, by)]
    name = role.name
    sample = collect(lowered.frame.select(name, *groups).head(_SAMPLE))
    # The sample has no more distinct values and groups than the log: it is never too wide.
    seen = sample.select(groups).n_unique() if groups else 1
    width = fine_width(sample[name].drop_nulls(), seen)
    table = None
    # The array has no place for what is beyond all numbers.
    if width and values is not None and not role.beyond:
        table = _dense_table(lowered, name, by, columns, width=width, values=values)
    if table is None:
        table = _tabulated(_counts(lowered, role, groups, width), lowered, groups, columns)
    fine = ScoreTable.canonical(table, width)
    if lowered.unit == ROW:
        return fine
    wide = fine.coarse_width_needed()
    keys = [BUCKET, *groups]
    coarse = _tabulated(_counts(lowered, role, keys, wide), lowered, keys, columns)
    return ScoreTable(fine.fine, fine.width, coarse, wide)


@dataclass(frozen=True)
class _Shape:
    """The dense array of counts by groups, codes and bin.

    Attributes:
        groups: The values of each group.
        codes: Number of combinations of codes.
        first: Number of the first bin.
        bins: Number of bins.

    """

    groups: Mapping[str, Sequence[str]]
    codes: int
    first: int
    bins: int

    @property
    def cells(self) -> int:
        """Number of combinations of groups."""
        return prod(map(len, self.groups.values()))

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.cells * self.codes * self.bins

    def index(self, batch: pl.DataFrame) -> NDArray[np.int32] | None:
        """Return the entry of each row; None where a group has a value that is not known."""
        cell: NDArray[np.int32] | int = 0
        for name, values in self.groups.items():
            place = batch[group_column(name)].to_numpy()
            if (place == len(values)).any():
                return None
            cell = cell * len(values) + place
        codes, bins = batch["codes"].to_numpy(), batch[SCORE].to_numpy()
        index: NDArray[np.int32] = (cell * self.codes + codes) * self.bins + bins
        return index


def _dense_table(
    lowered: Lowered,
    role: str,
    by: tuple[str, ...],
    columns: Sequence[SumColumn],
    *,
    width: float,
    values: Values,
) -> Table | None:
    """Return counts by groups and bin from one dense array, or None where it is too large.

    Also None where a group has a value that is not among ``values``.
    """
    frame: pl.LazyFrame = lowered.frame.to_native()
    ends = frame.select(low=pl.col(role).min(), high=pl.col(role).max()).collect().row(0)
    if None in ends:
        return None
    first, last = (math.floor(end / width) for end in ends)
    codes = prod(len(entry.codes) for entry in lowered.coded)
    shape = _Shape({name: values[name] for name in by}, codes, first, last - first + 1)
    if shape.size > _MOST_DENSE:
        return None
    query = frame.select(
        *(position(name, values[name]) for name in by),
        combined_code(lowered).cast(pl.Int32).alias("codes"),
        any_bad(lowered).alias("bad"),
        ((pl.col(role) / width).floor() - first).cast(pl.Int32).alias(SCORE),
        *([pl.col(WEIGHT)] if lowered.weight else []),
    )
    powers = {"": 0, **({WEIGHT_OF: 1, SQUARE_OF: 2} if lowered.weight else {})}
    counts = {prefix: np.zeros(shape.size) for prefix in powers}
    for batch in query.collect_batches(
        chunk_size=_BATCH, maintain_order=lowered.weight, engine="streaming"
    ):
        if batch["bad"].any():
            raise BadCodeError
        scored = batch.filter(pl.col(SCORE).is_not_null())
        index = shape.index(scored)
        if index is None:
            return None
        weight = scored[WEIGHT].to_numpy() if lowered.weight else None
        for prefix, power in powers.items():
            weighed = None if weight is None or power == 0 else weight**power
            counts[prefix] += np.bincount(index, weighed, shape.size)
    return _table_of(shape, counts, lowered, columns, width)


def _table_of(
    shape: _Shape,
    counts: Mapping[str, NDArray[np.float64]],
    lowered: Lowered,
    columns: Sequence[SumColumn],
    width: float,
) -> Table:
    """Return the table of a dense array: for each count, the codes that it holds for."""
    held = evaluate(code_combinations(lowered), lowered, columns)
    by_codes = {
        prefix: array.reshape(shape.cells, shape.codes, shape.bins)
        for prefix, array in counts.items()
    }
    occupied = np.flatnonzero(by_codes[""].sum(axis=1))
    cell, place = np.divmod(occupied, shape.bins)
    places = np.unravel_index(cell, [*map(len, shape.groups.values())]) if shape.groups else ()
    found = {
        group_column(name): pl.Series(values, dtype=pl.String).gather(at)
        for (name, values), at in zip(shape.groups.items(), places, strict=True)
    }
    keys = [*found, SCORE]
    found[SCORE] = pl.Series((place + shape.first) * width)
    for prefix, array in by_codes.items():
        for column in columns:
            wanted = held[column.key].to_numpy() == 1
            summed = array[:, wanted].sum(axis=1).ravel()[occupied]
            dtype = pl.Float64 if prefix else pl.Int64
            found[f"{prefix}{column.key}"] = pl.Series(summed).cast(dtype)
    return Table(tuple(keys), "sum", pl.DataFrame(found).sort(keys))


_MOST_DENSE = 2**25
"""Largest dense array of counts by score, in cells of 8 bytes."""

_BATCH = 2_500_000
"""Rows counted at once: each time costs as much as the array is large."""


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


def _counts(lowered: Lowered, role: Role, keys: Sequence[str], width: float) -> pl.DataFrame:
    """Return counts by keys, codes and bin, in one group-by on any engine."""
    value = nw.col(role.name)
    score = value if width == 0 else (value / width).floor() * width
    if role.beyond:
        # Spark's floor is a whole number, so it must not see what has none.
        score = score.fill_null(math.inf)
    frame = lowered.frame.with_columns(score.alias(SCORE))
    if BUCKET in keys:
        frame = frame.with_columns(_score_bucket(lowered.unit).alias(BUCKET))
    sums = [nw.len().cast(nw.Int64).alias(ROWS)]
    if lowered.weight:
        weight = nw.col(WEIGHT)
        sums += [weight.sum().alias(WEIGHTS), (weight * weight).sum().alias(SQUARES)]
    counts = collect(frame.group_by(*keys, *lowered.code_columns, SCORE).agg(*sums))
    whole = [ROWS, *lowered.code_columns, *(key for key in keys if key == BUCKET)]
    counts = counts.with_columns(pl.col(whole).cast(pl.Int64))
    if any((counts[entry.column] == BAD).any() for entry in lowered.coded):
        raise BadCodeError
    return counts.filter(pl.col(SCORE).is_not_null())


def _tabulated(
    counts: pl.DataFrame, lowered: Lowered, keys: Sequence[str], columns: Sequence[SumColumn]
) -> Table:
    keys = [*keys, SCORE]
    return Table(tuple(keys), "sum", tabulate(counts, lowered, columns, keys))
