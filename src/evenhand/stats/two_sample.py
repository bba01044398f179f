"""Were two samples drawn from one distribution? Tests of numbers, categories and scores.

All start from counts at each distinct value, or from codes of values by row. Where rows belong to
units that repeat, whole units are permuted and never rows: rows of one unit are alike without any
drift, and tests of rows then find drift everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evenhand.stats.interval import Floats
from evenhand.stats.multiplicity import Flags
from evenhand.stats.permutation import Counts, permutation_p_value

Codes = NDArray[np.intp]

EXCEEDANCES = 50
"""Permuted statistics as large as the observed one after which no more are drawn: the p-value then
is known to about 14 % of itself."""

_MOST_WORK = 10_000_000
"""Cells of the exact distribution that are walked through (a tenth of a second)."""

_MOST_VALUES = 2_000
"""Distinct values up to which tables of ties are permuted."""

_SMALL = 0.001
"""Limiting p-values below this stand: ties only make them too large."""

_EXPECTED = 5.0
"""Expected count of every cell from which on Pearson's statistic is taken for chi-squared."""


def kolmogorov_smirnov_p_value(
    counts_a: Counts, counts_b: Counts, rng: np.random.Generator, *, replicates: int = 9_999
) -> tuple[float, str]:
    """Return the chance that two samples of one distribution differ as much, and how it was found.

    The statistic is the Kolmogorov-Smirnov distance, sup |F_a - F_b|. Given the ties, all orders
    of the pooled rows are alike likely without drift: the exact p-value follows the number of rows
    of the first sample, a hypergeometric walk, and is stopped at the ends of ties alone. Beyond ten
    million steps it is Kolmogorov's limit, which is conservative with ties; unless that is very
    small already, tables of up to 2,000 distinct values are then permuted.

    Args:
        counts_a: Numbers of rows at each distinct value in ascending order, shape (m,).
        counts_b: The same of the other sample.
        rng: Source of permutations, where they are needed.
        replicates: Number of permutations.

    Returns:
        The p-value in (0, 1], nan where a sample is empty; and ``exact``, ``limit`` or
        ``permutation``.

    Source: Kolmogorov 1933; Smirnov 1939; Schröer and Trenkler 1995 (ties).

    >>> rng = np.random.default_rng(1)
    >>> p, how = kolmogorov_smirnov_p_value(np.array([2, 0]), np.array([0, 2]), rng)
    >>> round(p, 6), how                             # 2 of the 6 orders part the samples
    (0.333333, 'exact')
    """
    one, other = int(counts_a.sum()), int(counts_b.sum())
    if min(one, other) == 0:
        return np.nan, "exact"
    total = one + other
    bar = int(np.abs(np.cumsum(counts_a) * other - np.cumsum(counts_b) * one).max())
    if bar == 0:
        return 1.0, "exact"
    if total * min(one, other) <= _MOST_WORK:
        return _exact(min(one, other), np.cumsum(counts_a + counts_b), bar), "exact"
    limit = float(special.kolmogorov(bar / np.sqrt(float(one) * other * total)))
    both = counts_a + counts_b
    if limit < _SMALL or both.max() == 1 or len(both) > _MOST_VALUES:
        return limit, "limit"
    table = np.stack((counts_a, counts_b), axis=1).astype(np.int64)
    return permutation_p_value(table, _distance, rng, replicates), "permutation"


def _exact(size: int, ends: Counts, bar: int) -> float:
    """Return P(|i N - k size| >= bar at some end of a tie), for i rows of a sample in the first k.

    Args:
        size: Rows of the sample.
        ends: Numbers of pooled rows up to each distinct value, shape (m,); the last is N.
        bar: The observed distance times both sizes.

    """
    total = int(ends[-1])
    end = np.zeros(total + 1, dtype=bool)
    end[ends] = True
    i = np.arange(size + 1)
    chance = np.zeros(size + 1)
    chance[0] = 1.0
    reached = 0.0
    for k in range(total):
        drawn = chance * ((size - i) / (total - k))
        chance = chance - drawn
        chance[1:] += drawn[:-1]
        if end[k + 1]:
            far = np.abs(i * total - (k + 1) * size) >= bar
            reached += float(chance[far].sum())
            chance[far] = 0.0
    return min(reached, 1.0)


def _distance(tables: Counts) -> Floats:
    """Return Kolmogorov-Smirnov distances of tables (replicates, values, 2)."""
    shares = np.cumsum(tables, axis=1) / tables.sum(axis=1, keepdims=True)
    largest: Floats = np.abs(shares[..., 0] - shares[..., 1]).max(axis=1)
    return largest


def homogeneity(tables: Counts | Floats) -> Floats:
    """Return Pearson's statistic, the sum of (observed - expected)^2 / expected.

    0 when both samples have the same shares.

    Args:
        tables: Counts of shape (..., categories, samples); each category and sample has some.

    Source: Pearson 1900.

    """
    expected = tables.sum(axis=-1, keepdims=True) * tables.sum(axis=-2, keepdims=True)
    expected = expected / tables.sum(axis=(-1, -2), keepdims=True)
    statistic: Floats = (np.square(tables - expected) / expected).sum(axis=(-1, -2))
    return statistic


def chi_squared_p_value(
    table: Counts, rng: np.random.Generator, *, replicates: int = 9_999
) -> tuple[float, str]:
    """Return the chance that samples of one distribution differ as much in their shares.

    Pearson's statistic is chi-squared where every expected count is 5 or more; else the tables of
    the same margins are permuted, which is exact up to the number of permutations.

    Args:
        table: Counts of shape (categories, 2); categories that neither sample has are left out.
        rng: Source of permutations, where they are needed.
        replicates: Number of permutations.

    Returns:
        The p-value, nan where a sample is empty or there is one category alone; and ``limit`` or
        ``permutation``.

    Source: Pearson 1900; Cochran 1954 (expected counts); Patefield 1981 (tables of given margins).

    """
    table = table[table.sum(axis=1) > 0]
    sizes = table.sum(axis=0)
    if len(table) < 2 or sizes.min() == 0:  # noqa: PLR2004 - categories to tell apart
        return np.nan, "limit"
    expected = np.outer(table.sum(axis=1), sizes) / sizes.sum()
    if expected.min() >= _EXPECTED:
        return float(special.chdtrc(len(table) - 1, homogeneity(table))), "limit"
    return permutation_p_value(table, homogeneity, rng, replicates), "permutation"


def unit_p_value(
    statistic: Callable[[Flags], float],
    unit: Codes,
    second: Flags,
    rng: np.random.Generator,
    *,
    replicates: int = 999,
) -> float:
    """Return the share of permutations of whole units whose statistic is as large as observed.

    Units of one sample alone exchange their samples with each other, with all of their rows; a unit
    that is in both swaps its two sides, or does not. Without drift, of how many rows a unit has
    either, all of these are alike likely, so the test has its level for any number of units. It
    stops early where many are as large, and is valid all the same.

    Args:
        statistic: From which rows are in the second sample, shape (rows,), to a number; large ones
            speak of drift.
        unit: The unit of each row, as codes from 0, shape (rows,).
        second: Whether a row is in the second sample, shape (rows,).
        rng: Source of the permutations.
        replicates: Most permutations.

    Source: Fisher 1935; Besag and Clifford 1991 (stopping); Phipson and Smyth 2010.

    """
    units = int(unit.max()) + 1
    in_second = np.bincount(unit, second, units) > 0
    both = in_second & (np.bincount(unit, ~second, units) > 0)
    alone = np.flatnonzero(~both)
    observed = statistic(second)
    bar = observed - 1e-9 * abs(observed)
    extreme = 0
    for drawn in range(1, replicates + 1):
        label = rng.random(units) < 0.5  # noqa: PLR2004 - a fair coin
        label[alone] = rng.permutation(in_second[alone])
        moved = label[unit]
        crossed = both[unit]
        moved[crossed] ^= second[crossed]
        if not statistic(moved) < bar:
            extreme += 1
        if extreme == EXCEEDANCES:
            return extreme / drawn
    return (1 + extreme) / (1 + replicates)


def distance_of(code: Codes, values: int) -> Callable[[Flags], float]:
    """Return what gives the Kolmogorov-Smirnov distance from which rows are in the second sample.

    Args:
        code: The place of each row's value among all in ascending order, shape (rows,).
        values: Number of distinct values.

    """
    whole = np.bincount(code, minlength=values)

    def statistic(second: Flags) -> float:
        counts = np.bincount(code[second], minlength=values)
        return float(_distance(np.stack((whole - counts, counts), axis=1)[None])[0])

    return statistic


def homogeneity_of(code: Codes, categories: int) -> Callable[[Flags], float]:
    """Return what gives Pearson's statistic from which rows are in the second sample."""
    whole = np.bincount(code, minlength=categories)

    def statistic(second: Flags) -> float:
        counts = np.bincount(code[second], minlength=categories)
        return float(homogeneity(np.stack((whole - counts, counts), axis=1)))

    return statistic


def area_of(score: Floats) -> Callable[[Flags], float]:
    """Return what gives the area under the ROC curve: P(a row of the second sample scores higher).

    Args:
        score: Scores by row, shape (rows,); ties count one half.

    Source: Mann and Whitney 1947.

    >>> area_of(np.array([0.1, 0.4, 0.4, 0.8]))(np.array([False, False, True, True]))
    0.875
    """
    _, code, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[code]

    def statistic(second: Flags) -> float:
        size = int(second.sum())
        above = rank[second].sum() - size * (size + 1) / 2
        return float(above / (size * (len(second) - size)))

    return statistic


def least_distance(one: int, other: int, alpha: float) -> float:
    """Return about the smallest Kolmogorov-Smirnov distance that is significant alone.

    >>> round(least_distance(100, 100, 0.05), 3)             # 1.358 sqrt(1/100 + 1/100)
    0.192
    """
    return float(min(special.kolmogi(alpha) * np.sqrt(1 / one + 1 / other), 1.0))
