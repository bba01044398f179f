"""Ranks of figures that are estimates, and agreement of two orders, from intervals alone.

Intervals that hold all together say of which pairs the order is known: those whose intervals do not
meet. Everything here follows from that and holds together wherever they do, however figures depend
on each other. Pairs that are compared directly, row by row, would be told apart more often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evenhand.stats.interval import Floats, Limits

Places = NDArray[np.int64]


class Concordance(NamedTuple):
    """How far two orders of the same things agree.

    Attributes:
        tau: Kendall's tau-a of the values, in [-1, 1]: the share of pairs in one order less the
            share of pairs in opposite orders.
        low: The least that it is, by pairs whose order is known in both.
        high: The most.
        alike: Pairs that are known to be in one order.
        opposite: Pairs that are known to be in opposite orders.
        unknown: All other pairs.

    """

    tau: float
    low: float
    high: float
    alike: int
    opposite: int
    unknown: int


def widened(value: Floats, limits: Limits, *, level: float, times: int, units: Floats) -> Limits:
    """Return limits of so many figures that hold all together at the level of each alone.

    Bonferroni: each is put as far out as Student's t of its units goes from one level to the other,
    on the figure's own scale and, where limits are above 0, on that of logarithms, whichever is
    wider, since figures come with limits of either kind.

    Args:
        value: Figures, shape (K,).
        limits: Of each alone, shape (K,).
        level: Their coverage, in (0, 1).
        times: How many hold together, from 1.
        units: Independent units behind each, shape (K,); taken as 2 at least. Where a unit has
            several rows that differ much, its limits rest on fewer degrees of freedom, which no
            limit tells.

    >>> one = Limits(np.array([1.0]), np.array([3.0]))
    >>> same = widened(np.array([2.0]), one, level=0.95, times=1, units=np.array([50.0]))
    >>> same.low.tolist(), same.high.tolist()
    ([1.0], [3.0])
    """
    tail = (1 - level) / 2
    freedom = _freedom(value, limits, tail, units)
    further = stdtrit(freedom, 1 - tail / times) / stdtrit(freedom, 1 - tail)
    low, high = (value + further * (limit - value) for limit in (limits.low, limits.high))
    above = limits.low > 0
    ratio = np.where(above, limits.high, 1.0) / np.where(above, value, 1.0)
    with np.errstate(over="ignore"):
        high = np.where(above, np.maximum(high, value * ratio**further), high)
    return Limits(low, high)


def _freedom(value: Floats, limits: Limits, tail: float, units: Floats) -> Floats:
    """Return Student's degrees of freedom behind limits, shape (K,), 1 at least.

    One less than the units; of limits on the scale of logarithms they are divided by 1 + c^2, with
    c the coefficient of variation (`evenhand.stats.delta`), which the width tells: the wider limits
    are, the larger it is. Both are sought together, by halving.
    """
    most = np.maximum(units - 1, 1.0)
    even = (limits.low > 0) & np.isclose(limits.low * limits.high, np.square(value), rtol=1e-6)
    width = np.log(np.where(even, limits.high, 1.0) / np.where(even, value, 1.0))
    least, found = np.ones_like(most), most
    for _ in range(_HALVINGS):
        middle = (least + found) / 2
        variation = units * np.square(width / stdtrit(middle, 1 - tail))
        many = middle * (1 + variation) > most
        least, found = np.where(many, least, middle), np.where(many, middle, found)
    return found


_HALVINGS = 30


def ranks(limits: Limits) -> tuple[Places, Places]:
    """Return the best and the worst rank that each figure can have, 1 for the largest.

    Args:
        limits: That hold all together, shape (K,).

    Returns:
        1 + how many are surely larger, and K - how many are surely smaller, shape (K,) each.

    Source: Klein, Wright and Wieczorek 2020, theorem 1.

    >>> best, worst = ranks(Limits(np.array([5.0, 2.0, 1.0]), np.array([6.0, 4.0, 3.0])))
    >>> best.tolist(), worst.tolist()
    ([1, 2, 2], [1, 3, 3])
    """
    larger = limits.low[None, :] > limits.high[:, None]
    return 1 + larger.sum(axis=1), len(larger) - larger.sum(axis=0)


def concordance(one: Floats, other: Floats, limits: Limits, others: Limits) -> Concordance:
    """Return how far two orders of the same K things agree, from K >= 2 figures of each.

    Args:
        one: Figures that make one order, shape (K,).
        other: Figures that make the other, of any unit, shape (K,).
        limits: Of the first, shape (K,).
        others: Of the second; all of both are to hold together.

    Source: Kendall 1938 for tau; its limits follow from what is known of each pair.
    """
    pairs = np.triu_indices(len(one), 1)
    signs = [np.sign(values[:, None] - values[None, :])[pairs] for values in (one, other)]
    known = [_known(each)[pairs] for each in (limits, others)]
    product = known[0] * known[1]
    count = len(product)
    alike, opposite = int((product > 0).sum()), int((product < 0).sum())
    unknown = count - alike - opposite
    return Concordance(
        float((signs[0] * signs[1]).sum() / count),
        (alike - opposite - unknown) / count,
        (alike - opposite + unknown) / count,
        alike,
        opposite,
        unknown,
    )


def _known(limits: Limits) -> NDArray[np.int64]:
    """Return 1 where the first of a pair is surely larger, -1 where smaller, else 0; (K, K)."""
    larger = (limits.low[:, None] > limits.high[None, :]).astype(np.int64)
    return larger - larger.T
