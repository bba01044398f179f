"""Critical values for all pairwise differences of K groups at once (max-T)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.interval import Floats, critical

_WORK = 100_000_000
"""Most pair-draw products that one critical value may cost (about a second)."""

_MOST_DRAWS = 20_000
_FEWEST_DRAWS = 2_000
"""Fewer draws would move the critical value by more than about one per cent."""


def pair_indices(groups: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and second member of every pair i < j of ``groups`` groups."""
    first, second = np.triu_indices(groups, k=1)
    return first, second


def max_t_critical(
    variance: Floats, correlation: Floats, level: float, df: float, rng: np.random.Generator
) -> tuple[float, str]:
    """Return a critical value that all pairwise differences share, and what it is called.

    The value is the ``level`` quantile of max over pairs of ``|X_i - X_j| / sd(X_i - X_j)`` for
    X multivariate t with the given variances and correlation. One pair needs no adjustment. With
    so many pairs that too few draws could be afforded, Bonferroni's value is returned.

    Args:
        variance: Variance of each group's estimate, shape (K,), > 0.
        correlation: Correlation of the estimates, shape (K, K), positive semi-definite.
        level: Simultaneous coverage in (0, 1).
        df: Degrees of freedom of the variances; infinite for the normal.
        rng: Source of the draws; the same seed gives the same value.

    Source: Hothorn, Bretz and Westfall 2008 (max-T of general linear contrasts).
    """
    groups = len(variance)
    pairs = groups * (groups - 1) // 2
    if pairs <= 1:
        return critical(level, df), ""
    draws = min(_MOST_DRAWS, _WORK // pairs)
    if draws < _FEWEST_DRAWS:
        return critical(1 - (1 - level) / pairs, df), f"Bonferroni over {pairs} pairs"
    scale = np.sqrt(variance)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) * scale[:, None]
    covariance = correlation * np.outer(scale, scale)
    spread = np.sqrt(np.maximum(variance[:, None] + variance - 2 * covariance, 0.0))
    # Groups that move together exactly have no difference to judge.
    spread[spread <= np.finfo(float).eps * scale.max()] = np.inf
    sample = rng.standard_normal((draws, groups)) @ root.T
    largest = np.zeros(draws)
    for one in range(groups - 1):
        gaps = np.abs(sample[:, one + 1 :] - sample[:, one : one + 1]) / spread[one, one + 1 :]
        np.maximum(largest, gaps.max(axis=1), out=largest)
    if np.isfinite(df):
        largest /= np.sqrt(rng.chisquare(df, draws) / df)
    return float(np.quantile(largest, level)), f"max-T over {pairs} pairs"
