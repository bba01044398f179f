"""Closed-form intervals, vectorised over groups.

``crit`` is the two-sided critical value: a normal or t quantile for one interval, a max-T
quantile for intervals that hold together (`evenhand.stats.simultaneous`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


class Limits(NamedTuple):
    """Lower and upper limits, of equal shape."""

    low: Floats
    high: Floats


def critical(level: float, df: float = np.inf) -> float:
    """Return the two-sided critical value of the normal (df infinite) or t distribution.

    >>> round(critical(0.95), 6)
    1.959964
    """
    tail = (1 + level) / 2
    return float(special.ndtri(tail) if np.isinf(df) else special.stdtrit(df, tail))


def wilson(proportion: Floats, n: Floats, crit: float | Floats) -> Limits:
    """Return Wilson's score interval of a proportion.

    Args:
        proportion: Observed proportions in [0, 1].
        n: Numbers of independent trials, > 0; an effective number need not be whole.
        crit: Two-sided critical value.

    Source: Wilson 1927; recommended by Brown, Cai and DasGupta 2001.

    >>> low, high = wilson(np.array([0.0]), np.array([10.0]), critical(0.95))
    >>> float(low[0]), round(float(high[0]), 4)      # 3.84 / (10 + 3.84)
    (0.0, 0.2775)
    """
    square = np.square(crit)
    centre = (proportion + square / (2 * n)) / (1 + square / n)
    spread = np.sqrt(proportion * (1 - proportion) / n + square / (4 * n * n))
    half = np.asarray(crit) * spread / (1 + square / n)
    # At 0 and 1 the closed form is exact only up to rounding: pin the limit that it touches.
    low = np.where(proportion <= 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(proportion >= 1, 1.0, np.minimum(centre + half, 1.0))
    return Limits(low, high)


def bounded(value: Floats, spread: Floats, n: Floats, crit: float | Floats) -> Limits:
    """Return score intervals of means of numbers in [0, 1], whatever was not seen of them.

    A limit is the mean of what was seen mixed with 1, or 0, in such a share that it lies ``crit``
    of the mixture's standard errors off. Of zeros and ones this is Wilson's interval. Where all
    that were seen are the same, the share is Wilson's limit of none in n, so that rare other
    numbers are reckoned with; t or Wilson with an effective number of trials have no width there.

    Args:
        value: Observed means, in [0, 1].
        spread: Observed variances of one number, at most ``value * (1 - value)``.
        n: Numbers of independent ones, > 0.
        crit: Two-sided critical value.

    Source: Wilson 1927, for a mixture in place of a Bernoulli variable.

    >>> low, high = bounded(np.array([0.5]), np.array([0.0]), np.array([10.0]), critical(0.95))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)      # half of 3.84 / (10 + 3.84)
    (0.3612, 0.6388)
    """
    share = np.square(crit) / n

    def reach(room: Floats) -> Floats:
        # (1 + share) d^2 = share ((room - spread / room) d + spread), with d the distance.
        pull = share * (room - np.divide(spread, room, out=np.zeros_like(room), where=room > 0))
        root = np.sqrt(np.square(pull) + 4 * (1 + share) * share * spread)
        distance: Floats = (pull + root) / (2 * (1 + share))
        return np.minimum(distance, room)

    return Limits(value - reach(value), value + reach(1 - value))


def mover_difference(
    first: tuple[Floats, Limits], second: tuple[Floats, Limits], correlation: Floats | float = 0.0
) -> Limits:
    """Return limits of ``first - second`` from each one's own limits (MOVER).

    With Wilson limits and no correlation this is Newcombe's hybrid score interval (method 10).

    Args:
        first: Values and their limits.
        second: Values and their limits, of the same shape.
        correlation: Correlation of the two estimates, in [-1, 1].

    Source: Zou and Donner 2008, equation 11; Newcombe 1998.
    """
    (a, (a_low, a_high)), (b, (b_low, b_high)) = first, second

    def distance(one: Floats, other: Floats) -> Floats:
        # Where one has no limit the difference has none.
        with np.errstate(invalid="ignore"):
            square = one * one + other * other - 2 * np.asarray(correlation) * one * other
        square = np.where(np.isinf(one) | np.isinf(other), np.inf, square)
        root: Floats = np.sqrt(np.maximum(square, 0.0))
        return root

    value = a - b
    return Limits(value - distance(a - a_low, b_high - b), value + distance(a_high - a, b - b_low))


def mover_ratio(
    first: tuple[Floats, Limits], second: tuple[Floats, Limits], correlation: Floats | float = 0.0
) -> Limits:
    """Return limits of ``first / second`` from each one's own limits (MOVER-R).

    A limit is the ratio at which MOVER's limit of ``first - ratio * second`` touches 0. The upper
    limit is infinite where the second one may be 0.

    Args:
        first: Values >= 0 and their limits.
        second: Values >= 0 and their limits, of the same shape.
        correlation: Correlation of the two estimates, in [-1, 1].

    Source: Donner and Zou 2012, equation 9.
    """
    (a, (a_low, a_high)), (b, (b_low, b_high)) = first, second

    def middle(one: Floats, other: Floats) -> Floats:
        product: Floats = a * b - np.asarray(correlation) * one * other
        return product

    # A limit without an end times no distance at all is no number: then there is no limit.
    with np.errstate(invalid="ignore"):
        # Lower limit: the smaller root, in the form that survives a second value near 0.
        m = middle(a - a_low, b_high - b)
        c = np.square(a) - np.square(a - a_low)
        root = np.sqrt(np.maximum(np.square(m) - (np.square(b) - np.square(b_high - b)) * c, 0.0))
        low = np.divide(c, m + root, out=np.zeros_like(m), where=m + root > 0)
        m = middle(a_high - a, b - b_low)
        divisor = np.square(b) - np.square(b - b_low)
        beyond = divisor * (np.square(a) - np.square(a_high - a))
        root = np.sqrt(np.maximum(np.square(m) - beyond, 0.0))
        high = np.divide(m + root, divisor, out=np.full_like(m, np.inf), where=divisor > 0)
    return Limits(np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), np.inf, high))
