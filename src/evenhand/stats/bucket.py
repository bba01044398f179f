"""What sums per bucket of units tell about a variance: how well it is known, and correlations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evenhand.stats.crossed import dyadic, two_way
from evenhand.stats.interval import Floats

Dependence = Literal["buckets", "two_way", "dyadic"]
"""How rows depend on each other: within buckets of units; or, where a row has two units and its
bucket is a pair of theirs, with all rows that share either (``two_way``), whichever the side
(``dyadic``)."""


@dataclass(frozen=True)
class Between:
    """How the sums of K figures' residuals vary between units; arrays have shape (K,).

    Attributes:
        variance: Variance of the sums.
        df: Degrees of freedom of the variances, 0 where all rows share one unit.
        correlation: Correlation of the sums, shape (K, K).
        occupied: Number of buckets that have rows, of the kind of unit with fewer.

    """

    variance: Floats
    df: Floats
    correlation: Floats
    occupied: Floats

    @staticmethod
    def of(residual: Floats, rows: Floats, dependent: Dependence) -> Between:
        """Return it for sums by bucket.

        Args:
            residual: Sums of residuals by bucket and figure, shape (buckets, K); each figure's add
                up to 0.
            rows: Numbers of rows, or sums of their weights, of the same shape; each figure has
                some.
            dependent: What a bucket is.

        """
        if dependent == "buckets":
            occupied = (rows > 0).sum(axis=0)
            square = np.square(residual)
            return Between(
                square.sum(axis=0) * occupied / np.maximum(occupied - 1, 1),
                degrees_of_freedom(square, occupied),
                correlation_over(residual, rows > 0),
                occupied,
            )
        crossed, seen = (_by_pair(table) for table in (residual, rows))
        found = (two_way if dependent == "two_way" else dyadic)(crossed, seen)
        variance = np.diag(found.covariance).copy()
        scale = np.sqrt(variance)
        scaled = np.outer(scale, scale)
        correlation = np.divide(
            found.covariance, scaled, out=np.zeros_like(scaled), where=scaled > 0
        )
        np.fill_diagonal(correlation, 1.0)
        margins = [(seen.sum(axis=axis) > 0).sum(axis=0) for axis in (0, 1)]
        if dependent == "dyadic":
            margins = [(seen.sum(axis=0) + seen.sum(axis=1) > 0).sum(axis=0)]
        return Between(variance, found.df, correlation, np.minimum.reduce(margins))


def _by_pair(table: Floats) -> Floats:
    """Return a table by pair of buckets as one by first and second bucket."""
    side = round(len(table) ** 0.5)
    return table.reshape(side, side, -1)


def degrees_of_freedom(parts: Floats, occupied: np.ndarray) -> Floats:
    """Return the degrees of freedom of sums of squares over buckets, at most ``occupied - 1``.

    Few buckets carry the sum when a rate is rare: then the design effect is known poorly, and by
    Satterthwaite's argument, with the variance of the parts as observed, less than their number
    says. Without this, intervals of a 2 % rate over 40 units covered .89
    (docs/design/intervals.md).

    Args:
        parts: Squares by bucket and group, shape (buckets, K).
        occupied: Number of buckets in which each group has trials, shape (K,).

    """
    most = occupied - 1.0
    total = parts.sum(axis=0)
    share = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
    excess = np.square(share).sum(axis=0) - 1 / occupied
    observed = np.divide(2.0, excess, out=np.full_like(most, np.inf), where=excess > 0)
    df: Floats = np.where(total > 0, np.minimum(most, np.maximum(observed, 1.0)), most)
    return df


def correlation_over(residual: Floats, occupied: np.ndarray) -> Floats:
    """Return the correlation of the groups over the buckets, shape (K, K).

    Over two shared buckets it is always 1 or -1, whatever the truth; it is shrunk towards 0 by
    the number of buckets it rests on.
    """
    norm = np.sqrt(np.square(residual).sum(axis=0))
    scaled = np.divide(residual, norm, out=np.zeros_like(residual), where=norm > 0)
    shared = occupied.T.astype(float) @ occupied.astype(float)
    trust = np.where(shared > 2, 1 - 1 / np.maximum(shared - 1, 1), 0.0)  # noqa: PLR2004 - see above
    correlation: Floats = scaled.T @ scaled * trust
    np.fill_diagonal(correlation, 1.0)
    return correlation


def rest_correlation(
    own: Mapping[str, Floats],
    rest: Mapping[str, Floats],
    counts: Mapping[str, Floats],
    totals: Mapping[str, Floats],
) -> Floats:
    """Return the correlation of figures of J groups that each look at the rows of the others too.

    Args:
        own: For each kind of row, the influence of a row of the group, shape (J, bins).
        rest: The influence of a row outside the group, shape (J, bins).
        counts: Rows of each group (or squared weights), shape (J, bins).
        totals: Rows of all groups, those that are not compared too, shape (bins,).

    Returns:
        Correlation for independent rows, shape (J, J).

    """
    groups = len(next(iter(counts.values())))
    covariance = np.zeros((groups, groups))
    for kind, rows in counts.items():
        outer = np.broadcast_to(rest[kind], rows.shape)
        # What a row of the group adds to what a row outside it would do.
        extra = np.broadcast_to(own[kind], rows.shape) - outer
        cross = (rows * extra) @ outer.T
        covariance += (totals[kind] * outer) @ outer.T + cross + cross.T
        covariance += np.diag((rows * np.square(extra)).sum(axis=1))
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scaled = np.outer(scale, scale)
    correlation: Floats = np.divide(
        covariance, scaled, out=np.zeros_like(covariance), where=scaled > 0
    )
    np.fill_diagonal(correlation, 1.0)
    return correlation
