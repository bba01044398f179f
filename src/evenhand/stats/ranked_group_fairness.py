"""The ranked group fairness test of FA*IR: its table, its exact level, its exact failure chance.

Among the first i of a ranking tau_i belong to the protected group. Were everybody placed by the
toss of a coin that favours the group with probability p, tau_i would be binomial. Prefix i is fair
when F(tau_i; i, p) > alpha_c, which is ``tau_i >= m(i)`` for a table m. A ranking of k has k
prefixes, so the level of one of them is adjusted until the chance that any fails is at most alpha.

Source: Zehlike et al. 2017 (FA*IR); Zehlike et al. 2022 (the failure probability of a table).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evenhand.stats.interval import Floats

Counts = NDArray[np.int64]

_TIE = 1e-11
"""Levels closer than this, relatively, are one: the cdf is computed to about 1e-14."""


@dataclass(frozen=True)
class PrefixTest:
    """A test of all prefixes of a ranking.

    Attributes:
        p: The least share of the protected group that is aimed at.
        alpha: The chance that a ranking by the toss of coins fails, at most.
        minimum: The fewest of the group that prefix i = 1..k must hold.
        level: The level of one prefix, alpha_c: the smallest that gives this table.
        below: The smallest larger level that gives another table.
        failure: The exact chance that a ranking by the toss of coins fails.

    """

    p: float
    alpha: float
    minimum: tuple[int, ...]
    level: float
    below: float
    failure: float


def minimum_counts(p: float, level: float, k: int) -> Counts:
    """Return the fewest of the group that each prefix up to k must hold at a level.

    >>> minimum_counts(0.5, 0.1, 10).tolist()
    [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]
    """
    return _failing(_cdf(p, k), level)


def failure_probability(minimum: Counts, p: float) -> float:
    """Return the chance that any prefix of a ranking by the toss of coins holds too few.

    By dynamic programming over the prefixes: the chance of each number of the group among rankings
    that have not failed yet. The last prefix counts as every other.

    >>> failure_probability(np.array([0, 0, 0, 1, 1, 1, 2]), 0.5)
    0.09375
    """
    k = len(minimum)
    chance = np.zeros(k + 1)
    chance[0] = 1.0
    failed = 0.0
    for size, least in enumerate(minimum.tolist(), start=1):
        chance[1 : size + 1] = chance[1 : size + 1] * (1 - p) + chance[:size] * p
        chance[0] *= 1 - p
        failed += float(chance[:least].sum())
        chance[:least] = 0.0
    return failed


@functools.lru_cache(maxsize=64)
def prefix_test(p: float, alpha: float, k: int, *, adjusted: bool = True) -> PrefixTest:
    """Return the test of the prefixes 1 to k.

    The failure probability is a step function of the level that changes only where the level
    passes a value of a cdf. Those values are searched for the largest whose table fails with
    probability at most alpha. None above alpha can: one prefix alone would fail more often.

    Args:
        p: The least share of the group that is aimed at, in (0, 1).
        alpha: The chance of failure that is allowed, in (0, 1).
        k: The number of prefixes.
        adjusted: Whether the level is adjusted; otherwise each prefix is tested at alpha.

    >>> found = prefix_test(0.5, 0.1, 10)
    >>> found.minimum, round(found.level, 7), found.below, found.failure
    ((0, 0, 0, 0, 1, 1, 1, 2, 2, 3), 0.0546875, 0.0625, 0.0751953125)

    """
    cdf = _cdf(p, k)
    levels = _distinct(cdf)
    if adjusted:
        low, high = 0, int(np.searchsorted(levels, alpha * (1 + _TIE), side="right"))
        # levels[low - 1] is sound, or there is none; levels[high] is not.
        while low < high:
            middle = (low + high) // 2
            if failure_probability(_failing(cdf, levels[middle]), p) <= alpha * (1 + _TIE):
                low = middle + 1
            else:
                high = middle
        place, level = low, float(levels[low - 1]) if low else 0.0
    else:
        place, level = int(np.searchsorted(levels, alpha * (1 + _TIE), side="right")), alpha
    minimum = _failing(cdf, level)
    return PrefixTest(
        p,
        alpha,
        tuple(minimum.tolist()),
        level,
        float(levels[place]) if place < len(levels) else 1.0,
        failure_probability(minimum, p),
    )


def _cdf(p: float, k: int) -> Floats:
    """Return the binomial cdf of each count for each prefix, shape (k, k); 1 where it is full."""
    size, count = np.arange(1, k + 1)[:, None], np.arange(k)
    inside = count < size
    found: Floats = np.where(
        inside, special.bdtr(np.minimum(count, size - 1).astype(float), size, p), 1.0
    )
    return found


def _failing(cdf: Floats, level: float) -> Counts:
    """Return for each prefix how many counts, from 0, are too few at a level."""
    if level <= 0:
        return np.zeros(len(cdf), np.int64)
    found: Counts = (cdf <= level * (1 + _TIE)).sum(axis=1)
    return found


def _distinct(cdf: Floats) -> Floats:
    """Return the values of cdfs below 1, ascending; of tied ones the smallest."""
    values = np.unique(cdf[cdf < 1])
    apart = np.diff(values, prepend=0.0) > _TIE * values
    return values[apart & (values > 0)]
