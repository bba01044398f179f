"""Tables by score value: exact up to 65,536 distinct values, then in bins; they merge like sums.

A bin's width is a power of two, the smallest at which at most 65,536 bins are occupied, or fewer
where there are many groups. Bins of two such widths nest, so tables of different days or shards
merge: the finer is coarsened, and the width of the whole depends on its rows alone, however they
were split.

Where units have several rows a second table counts by bucket of units too, in few, wide bins: it
serves variances, the first one the figures themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from evenhand.engine.table import Table, group_column
from evenhand.logs.unit import BUCKET

SCORE = "score_value"
"""The column of a table by score that holds the score, or the lower edge of its bin."""

SCORE_BUCKETS = 32
"""Buckets of units in tables by score."""

MOST_SCORES = 65_536
"""Distinct scores, or bins, that are kept apart."""

_MOST_ROWS, _FEWEST_SCORES = 2**21, 1_024
"""Bins of all groups together, if these leave enough for each."""

_FEWEST_BINS, _MOST_BINS, _MOST_BUCKET_ROWS = 16, 256, 2**20
_SPAN = 36
"""Powers of two below the widest sensible bin that are tried."""


def binned(column: pl.Expr, width: float) -> pl.Expr:
    """Return the lower edge of the bin of each score; the score itself for width 0."""
    return column if width == 0 else (column / width).floor() * width


def width_for(scores: pl.Series, most: int, width: float = 0.0) -> float:
    """Return the smallest width, a power of two, at which at most ``most`` bins are occupied.

    Args:
        scores: Distinct scores, or lower edges of bins.
        most: Number of bins.
        width: The width that the scores have already; 0 where they are exact.

    """
    if scores.n_unique() <= most:
        return width
    # A number beyond all others is a bin of its own at every width.
    scores, most = scores.filter(scores.is_finite()), most - int(scores.is_infinite().any())
    edges = scores.to_frame("edge")
    values = scores.to_numpy()
    widest = math.ceil(math.log2(max(float(values.max() - values.min()) / most, 2.0**-1000)))
    # One more bin than fits may be touched at both ends.
    low, high = widest - _SPAN, widest + 1
    if width:
        low = max(low, round(math.log2(width)))
        high = max(high, low)
    while low < high:
        middle = (low + high) // 2
        bins = edges.select(binned(pl.col("edge"), 2.0**middle)).n_unique()
        low, high = (low, middle) if bins <= most else (middle + 1, high)
    return 2.0**low


def most_bins(groups: int) -> int:
    """Return how many bins are kept where scores do not fit as they are."""
    return max(_FEWEST_SCORES, min(MOST_SCORES, _MOST_ROWS // max(groups, 1)))


def fine_width(scores: pl.Series, groups: int, width: float = 0.0) -> float:
    """Return the width of the bins of so many groups; 0 where there are few distinct scores."""
    if width == 0 and scores.n_unique() <= MOST_SCORES:
        return 0.0
    return width_for(scores, most_bins(groups), width)


@dataclass(frozen=True)
class ScoreTable:
    """Counts by groups and score, and by bucket of units, groups and wide bin of scores.

    Attributes:
        fine: Counts by groups and score.
        width: Width of its bins; 0 where every score value has its own.
        coarse: Counts by bucket, groups and bin; None where every row is its own unit.
        coarse_width: Width of these bins.

    """

    fine: Table
    width: float
    coarse: Table | None = None
    coarse_width: float = 0.0

    @classmethod
    def canonical(
        cls, fine: Table, width: float, coarse: Table | None = None, coarse_width: float = 0.0
    ) -> ScoreTable:
        """Return the table with its bins just wide enough; they must not be too wide already."""
        keys = [key for key in fine.keys if key != SCORE]
        groups = max(1, fine.frame.select(keys).n_unique() if keys else 1)
        wanted = fine_width(fine.frame[SCORE], groups, width)
        fine = fine if wanted == width else _coarsened(fine, wanted)
        if coarse is None:
            return cls(fine, wanted)
        most = max(_FEWEST_BINS, min(_MOST_BINS, _MOST_BUCKET_ROWS // (SCORE_BUCKETS * groups)))
        wide = width_for(coarse.frame[SCORE], most, max(coarse_width, wanted))
        return cls(fine, wanted, _coarsened(coarse, wide), wide)

    def coarse_width_needed(self) -> float:
        """Return the width that the coarse table of these rows has."""
        bare = self.fine.frame.with_columns(pl.lit(0, dtype=pl.Int64).alias(BUCKET))
        keys = (BUCKET, *self.fine.keys)
        return ScoreTable.canonical(self.fine, self.width, Table(keys, "sum", bare)).coarse_width

    def merge(self, other: ScoreTable) -> ScoreTable:
        """Return the table of both sets of rows."""
        width = max(self.width, other.width)
        fine = _coarsened(self.fine, width).merge(_coarsened(other.fine, width))
        if self.coarse is None or other.coarse is None:
            return ScoreTable.canonical(fine, width)
        wide = max(self.coarse_width, other.coarse_width)
        coarse = _coarsened(self.coarse, wide).merge(_coarsened(other.coarse, wide))
        return ScoreTable.canonical(fine, width, coarse, wide)

    def marginal(self, by: Sequence[str]) -> ScoreTable:
        """Return the table by these groups alone, with the bins it has."""
        groups = [*map(group_column, by)]
        coarse = self.coarse and self.coarse.marginal([BUCKET, *groups, SCORE])
        return replace(self, fine=self.fine.marginal([*groups, SCORE]), coarse=coarse)


def _coarsened(table: Table, width: float) -> Table:
    if width == 0:
        return table
    return table.rekeyed(table.frame.with_columns(binned(pl.col(SCORE), width)))
