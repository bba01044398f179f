"""Intervals of figures that the data bound but do not identify, and what would flip a verdict.

Missing labels, unknown groups and proxies leave a range of values that no number of rows narrows.
Far from a point, the truth can be near one end of that range only, so each end needs the one-sided
critical value; at a point both sides count and it is the two-sided one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from evenhand.stats.interval import Floats, Limits
from evenhand.stats.simultaneous import student

_HALVINGS = 60


def imbens_manski_critical(width_over_se: Floats, level: float) -> Floats:
    """Return the critical value for the ends of an identified set.

    It solves ``Phi(c + width / se) - Phi(-c) = level``: two-sided at width 0, one-sided at an
    infinite width. It serves any interval that takes a critical value, such as Wilson's.

    Args:
        width_over_se: Width of the set in standard errors of its less certain end, >= 0.
        level: Coverage of the true value, wherever in the set it lies, in (0, 1).

    Source: Imbens and Manski 2004, equation 7.

    >>> imbens_manski_critical(np.array([0.0, 1.0, np.inf]), 0.95).round(4)
    array([1.96  , 1.6815, 1.6449])
    """
    shape = np.shape(width_over_se)
    low, high = np.full(shape, special.ndtri(level)), np.full(shape, special.ndtri((1 + level) / 2))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = special.ndtr(middle + width_over_se) - special.ndtr(-middle) < level
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return high


def imbens_manski(
    ends: Limits, standard_errors: Limits, level: float, df: Floats | float = np.inf
) -> Limits:
    """Return an interval of a value that lies anywhere between two estimated ends.

    It covers the value, not the whole set. That holds uniformly where the estimated upper end
    is never below the lower one and their distance becomes certain as it becomes small, as for
    bounds from the share of missing rows. Ends that are estimated apart from each other can come
    out too close by chance and the interval too narrow (Stoye 2009): use ``level`` two-sided for
    each end then.

    Args:
        ends: Estimated lower and upper end of the identified set, of equal shape.
        standard_errors: Standard errors of the two ends.
        level: Coverage, in (0, 1).
        df: Degrees of freedom of the standard errors; infinite for independent rows.

    Source: Imbens and Manski 2004; Stoye 2009, lemma 3.

    """
    width = np.maximum(ends.high - ends.low, 0.0)
    se = np.maximum(standard_errors.low, standard_errors.high)
    ratio = np.divide(width, se, out=np.full_like(width, np.inf), where=se > 0)
    crit = student(imbens_manski_critical(ratio, level), np.broadcast_to(df, ratio.shape))
    return Limits(ends.low - crit * standard_errors.low, ends.high + crit * standard_errors.high)


def tipping_point(
    holds: Callable[[float], bool], low: float, high: float, tolerance: float = 1e-3
) -> float | None:
    """Return the smallest value at which a condition holds, such as "the verdict has flipped".

    Args:
        holds: A condition that, once it holds, holds for all larger values.
        low: Smallest value to consider, > 0.
        high: Largest value to consider.
        tolerance: Relative precision of the answer, > 0.

    Returns:
        A value at which the condition holds, at most ``tolerance`` above the smallest one; None
        if it does not hold at ``high``.

    >>> point = tipping_point(lambda gamma: gamma >= 1.7, 1.0, 10.0)
    >>> 1.7 <= point <= 1.7 * 1.001
    True

    """
    if holds(low):
        return low
    if not holds(high):
        return None
    while high > low * (1 + tolerance):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
