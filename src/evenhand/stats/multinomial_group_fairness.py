"""The ranked group fairness test of several protected groups: its exact level and failure chance.

Among the first i of a ranking tau_g belong to protected group g. Were everybody placed by the throw
of a die that falls on group g with probability p_g, the counts would be multinomial. Prefix i is
fair when F(tau; i, p) > alpha_c, where F is the chance that no protected group has more than tau_g.
A shortage of one group may be made up for by more of another, so that there is no table of minima.
A ranking of k has k prefixes, so the level of one of them is adjusted until the chance that any
fails is at most alpha.

Everything is computed over all counts that k places can hold, by dynamic programming: exact, where
there are up to a million of them in all prefixes.

Source: Zehlike, Suehr, Baeza-Yates, Bonchi, Castillo and Hajian 2022 (Fair Top-k Ranking with
multiple protected groups). They adjust the level by simulation and interpolation.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.interval import Floats

Counts = NDArray[np.int64]

MOST_COUNTS = 1_000_000
"""Counts of all prefixes together, at most."""

_TIE = 1e-11
"""Levels closer than this, relatively, are one: sums of chances are exact to about 1e-14."""


def counts_of(k: int, groups: int) -> int:
    """Return how many counts of so many protected groups the prefixes 1 to k can hold together.

    >>> counts_of(10, 2), counts_of(25, 3)
    (285, 23750)
    """
    return math.comb(k + 1 + groups, groups + 1) - 1


@dataclass(frozen=True)
class Lattice:
    """All counts of G protected groups that k places can hold.

    Those that i places can hold come before those that only more can.

    Attributes:
        counts: Shape (S, G), S = C(k + G, G).
        more: The row with one more of each group, shape (S, G); -1 where k places cannot hold it.
        sizes: How many rows i = 0..k places can hold, shape (k + 1,).

    """

    counts: Counts
    more: Counts
    sizes: Counts


@functools.lru_cache(maxsize=8)
def lattice(k: int, groups: int) -> Lattice:
    """Return all counts of so many protected groups that k places can hold."""
    rows = np.zeros((1, 0), np.int64)
    for _ in range(groups):
        left = k - rows.sum(axis=1)
        many = np.repeat(np.arange(len(rows)), left + 1)
        start = np.repeat(np.cumsum(left + 1) - left - 1, left + 1)
        rows = np.column_stack([rows[many], np.arange(len(many)) - start])
    rows = rows[np.argsort(rows.sum(axis=1), kind="stable")]
    place = (k + 1) ** np.arange(groups)
    codes = rows @ place
    order = np.argsort(codes)
    more = np.full(rows.shape, -1, np.int64)
    inner = rows.sum(axis=1) < k
    for group in range(groups):
        found = np.searchsorted(codes[order], codes[inner] + place[group])
        more[inner, group] = order[found]
    sizes = np.searchsorted(rows.sum(axis=1), np.arange(k + 1), side="right")
    return Lattice(rows, more, sizes)


@dataclass(frozen=True)
class MultinomialTest:
    """A test of all prefixes of a ranking.

    Attributes:
        p: The least share of each protected group that is aimed at.
        alpha: The chance that a ranking by the throw of a die fails, at most.
        lattice: The counts.
        fails: For prefix i = 1..k, whether each of the counts it can hold is too few.
        level: The level of one prefix, alpha_c: the smallest that fails the same counts.
        failure: The exact chance that a ranking by the throw of a die fails.

    """

    p: tuple[float, ...]
    alpha: float
    lattice: Lattice
    fails: tuple[NDArray[np.bool_], ...]
    level: float
    failure: float


@functools.lru_cache(maxsize=8)
def multinomial_test(
    p: tuple[float, ...], alpha: float, k: int, *, adjusted: bool = True
) -> MultinomialTest:
    """Return the test of the prefixes 1 to k.

    The failure probability is a step function of the level that changes only where the level
    passes a value of F. Those values are searched for the largest at which a ranking fails with
    probability at most alpha. None above alpha can: one prefix alone would fail more often.

    Args:
        p: The least share of each protected group, from 0, less than 1 in sum.
        alpha: The chance of failure that is allowed, in (0, 1).
        k: The number of prefixes.
        adjusted: Whether the level is adjusted; otherwise each prefix is tested at alpha.

    With one protected group it is `evenhand.stats.ranked_group_fairness.prefix_test`:

    >>> found = multinomial_test((0.5,), 0.1, 10)
    >>> round(found.level, 7), round(found.failure, 10)
    (0.0546875, 0.0751953125)
    """
    where = lattice(k, len(p))
    chances = _at_most(p, k)
    limit = alpha * (1 + _TIE)
    if not adjusted:
        level = alpha
    else:
        values = np.unique(np.concatenate([one[(one > 0) & (one <= limit)] for one in chances]))
        levels = values[np.diff(values, prepend=0.0) > _TIE * values]
        low, high = 0, len(levels)
        # levels[low - 1] is sound, or there is none; levels[high] is not.
        while low < high:
            middle = (low + high) // 2
            if _failure(p, where, _failing(chances, float(levels[middle]))) <= limit:
                low = middle + 1
            else:
                high = middle
        level = float(levels[low - 1]) if low else 0.0
    fails = _failing(chances, level)
    return MultinomialTest(p, alpha, where, fails, level, _failure(p, where, fails))


def _at_most(p: tuple[float, ...], k: int) -> tuple[Floats, ...]:
    """Return F, the chance that no group has more than a count, of the counts of each prefix."""
    where = lattice(k, len(p))
    exactly = np.zeros(len(where.counts))
    exactly[0] = 1.0
    found = []
    for size in range(1, k + 1):
        exactly = _thrown(p, where, exactly, size)
        at_most = exactly[: where.sizes[size]].copy()
        for group in range(len(p)):
            for count in range(size):
                # What holds `count` is added to what holds one more, in ascending order.
                rows = np.flatnonzero(where.counts[: where.sizes[size - 1], group] == count)
                at_most[where.more[rows, group]] += at_most[rows]
        found.append(at_most)
    return tuple(found)


def _thrown(p: tuple[float, ...], where: Lattice, before: Floats, size: int) -> Floats:
    """Return the chances of counts after one more throw, the size-th."""
    inner = where.sizes[size - 1]
    found: Floats = before * (1 - math.fsum(p))
    for group, share in enumerate(p):
        found[where.more[:inner, group]] += before[:inner] * share
    return found


def _failing(chances: tuple[Floats, ...], level: float) -> tuple[NDArray[np.bool_], ...]:
    if level <= 0:
        return tuple(np.zeros(one.shape, bool) for one in chances)
    return tuple(one <= level * (1 + _TIE) for one in chances)


def _failure(p: tuple[float, ...], where: Lattice, fails: tuple[NDArray[np.bool_], ...]) -> float:
    """Return the chance that any prefix of a ranking by the throw of a die fails."""
    chance = np.zeros(len(where.counts))
    chance[0] = 1.0
    failed = 0.0
    for size, fail in enumerate(fails, start=1):
        chance = _thrown(p, where, chance, size)
        failed += float(chance[: len(fail)][fail].sum())
        chance[: len(fail)][fail] = 0.0
    return failed
