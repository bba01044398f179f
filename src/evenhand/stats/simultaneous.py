"""Critical values for all pairwise differences of K groups at once (max-T)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evenhand.stats.interval import Floats, critical

_WORK = 100_000_000
"""Most pair-draw products that one critical value may cost (about a second)."""

_MOST_DRAWS = 20_000
_FEWEST_BEYOND = 100
"""Fewer draws beyond the quantile would move the critical value by more than about one per cent."""


def pair_indices(groups: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and second member of every pair i < j of ``groups`` groups."""
    first, second = np.triu_indices(groups, k=1)
    return first, second


def student(crit: float | Floats, df: Floats) -> Floats:
    """Return the t critical value with the tail that ``crit`` has under the normal.

    Args:
        crit: Two-sided normal critical value, of one interval or of several at once.
        df: Degrees of freedom; infinite gives ``crit`` back, and below 1 counts as 1.

    """
    tail = special.ndtr(-np.abs(crit))
    finite = np.isfinite(df)
    value = -special.stdtrit(np.where(finite, np.maximum(df, 1.0), 1.0), tail)
    return np.where(finite, value, crit)


def max_t_critical(
    variance: Floats, correlation: Floats, level: float, rng: np.random.Generator
) -> tuple[float, str]:
    """Return a critical value that all pairwise differences share, and what it is called.

    The value is the ``level`` quantile of max over pairs of ``|X_i - X_j| / sd(X_i - X_j)`` for
    normal X with the given variances and correlation. One pair needs no adjustment. Where the
    draws that can be afforded would leave fewer than 100 beyond the quantile, Bonferroni's value
    is returned.

    Args:
        variance: Variance of each group's estimate, shape (K,), > 0.
        correlation: Correlation of the estimates, shape (K, K), positive semi-definite.
        level: Simultaneous coverage in (0, 1).
        rng: Source of the draws; the same seed gives the same value.

    Source: Hothorn, Bretz and Westfall 2008 (max-T of general linear contrasts).
    """
    groups = len(variance)
    pairs = groups * (groups - 1) // 2
    if pairs <= 1:
        return critical(level), ""
    draws = min(_MOST_DRAWS, _WORK // pairs)
    if draws * (1 - level) < _FEWEST_BEYOND:
        return critical(1 - (1 - level) / pairs), f"Bonferroni over {pairs} pairs"
    largest = _largest(variance, correlation, draws, rng)
    return float(np.quantile(largest, level)), f"max-T over {pairs} pairs"


def max_t_tail(
    variance: Floats, correlation: Floats, crit: float, rng: np.random.Generator
) -> float:
    """Return how likely the largest standardised difference of any pair exceeds ``crit``.

    The p-value of the hypothesis that all groups are alike, from the draws that give
    `max_t_critical`; Bonferroni's where those could not resolve it, or one pair is all.
    """
    groups = len(variance)
    pairs = groups * (groups - 1) // 2
    alone = 2 * float(special.ndtr(-crit))
    draws = min(_MOST_DRAWS, _WORK // max(pairs, 1))
    if pairs <= 1 or draws * alone * pairs < _FEWEST_BEYOND:
        return min(1.0, alone * pairs)
    beyond = int((_largest(variance, correlation, draws, rng) >= crit).sum())
    return (1 + beyond) / (1 + draws)


def _largest(variance: Floats, correlation: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Return draws of the largest absolute standardised difference of any pair."""
    groups = len(variance)
    scale = np.sqrt(variance)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) * scale[:, None]
    covariance = correlation * np.outer(scale, scale)
    spread = np.sqrt(np.maximum(variance[:, None] + variance - 2 * covariance, 0.0))
    # Groups that move together exactly have no difference to judge.
    spread[spread <= np.finfo(float).eps * scale.max()] = np.inf
    # One group after the other in memory: the largest of few in a row is slow.
    sample = np.ascontiguousarray((rng.standard_normal((draws, groups)) @ root.T).T)
    largest = np.zeros(draws)
    for one, other in zip(*pair_indices(groups), strict=True):
        gap = np.abs(sample[one] - sample[other]) / spread[one, other]
        np.maximum(largest, gap, out=largest)
    return largest
