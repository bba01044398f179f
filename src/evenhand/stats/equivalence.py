"""Equivalence: whether a difference is surely small, surely not, or not yet known.

That a difference is not significant says nothing about its size; an interval inside a stated
margin does.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from evenhand.stats.interval import Floats, mover_difference, wilson

Equivalence = Literal["equivalent", "different", "undecided"]

_FARTHEST = 40.0
"""No normal tail beyond this critical value is distinguishable from 0."""

_HALVINGS = 60


class Sample(NamedTuple):
    """Proportions and their effective numbers of trials, of equal shape."""

    proportion: Floats
    n: Floats


def equivalence(low: float, high: float, margin: float) -> Equivalence:
    """Return what an interval of a signed difference says about a margin.

    With the two-sided interval at ``1 - 2 * alpha``, each limit is one-sided at ``alpha``: that is
    how often, at most, groups that differ by ``margin`` or more are called equivalent, and groups
    that differ by less are called different.

    Args:
        low: Lower limit of the difference.
        high: Upper limit of the difference.
        margin: Largest absolute difference that does not matter, > 0.

    Source: Schuirmann 1987 (two one-sided tests).

    >>> equivalence(-0.01, 0.03, margin=0.05)
    'equivalent'
    >>> equivalence(0.06, 0.11, margin=0.05)
    'different'
    >>> equivalence(0.01, 0.06, margin=0.05)
    'undecided'
    """
    if -margin < low and high < margin:
        return "equivalent"
    if low > margin or high < -margin:
        return "different"
    return "undecided"


def tost_p_value(
    first: Sample,
    second: Sample,
    margin: float,
    *,
    correlation: Floats | float = 0.0,
    df: Floats | float = np.inf,
) -> Floats:
    """Return the p-value of two one-sided tests that two proportions differ by ``margin`` or more.

    It is the smallest ``alpha`` at which the interval at ``1 - 2 * alpha`` lies inside the margin,
    so it never contradicts the interval that is printed; above .5 where the observed difference
    is beyond the margin.

    Args:
        first: Proportions of one group in each comparison.
        second: Proportions of the other, of the same shape.
        margin: Largest absolute difference that does not matter, > 0.
        correlation: Correlation of the two estimates, in [-1, 1].
        df: Degrees of freedom of the comparison, >= 1; infinite for independent rows.

    Source: Schuirmann 1987; limits by Newcombe 1998, inverted.
    """
    there = _at_least(first, second, margin, correlation, df)
    back = _at_least(second, first, margin, correlation, df)
    return np.maximum(there, back)


def _at_least(
    one: Sample, other: Sample, margin: float, correlation: Floats | float, df: Floats | float
) -> Floats:
    """Return the one-sided p-value of the hypothesis ``one - other >= margin``."""
    # The limit that meets the margin is the upper one from below it, the lower one from beyond.
    inside = one.proportion - other.proportion < margin
    short, far = np.zeros(inside.shape), np.full(inside.shape, _FARTHEST)
    for _ in range(_HALVINGS):
        crit = (short + far) / 2
        low, high = mover_difference(
            (one.proportion, wilson(one.proportion, one.n, crit)),
            (other.proportion, wilson(other.proportion, other.n, crit)),
            correlation,
        )
        reached = np.where(inside, high >= margin, low <= margin)
        short, far = np.where(reached, short, crit), np.where(reached, crit, far)
    p: Floats = special.stdtr(df, np.where(inside, -short, short))
    return p
