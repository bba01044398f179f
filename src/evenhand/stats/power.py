"""How many units would decide: sample sizes at a declared difference, never at the observed one.

Power at the observed difference only restates the p-value (Hoenig and Heisey 2001). Variances are
per unit, that is the variance of a group's estimate times its number of units, so that the same
functions serve every measure. Groups get equal numbers of units.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

_HALVINGS = 60


def units_needed_difference(
    limit: float,
    first: float,
    second: float,
    *,
    alternative: float | None = None,
    level: float = 0.95,
    power: float = 0.8,
) -> float:
    """Return how many units per group let the rule ``difference <= limit`` pass.

    The rule passes when the one-sided upper limits of both signed differences are below
    ``limit``; the number is that at which it does so with probability ``power`` if the groups
    truly differ by ``alternative``.

    Args:
        limit: Largest difference that the rule allows, > 0.
        first: Variance per unit in the first group.
        second: Variance per unit in the second group.
        alternative: Absolute difference at which the rule should pass, >= 0; by default half of
            the limit.
        level: Coverage of the one-sided upper limits.
        power: Probability to pass, in (0, 1).

    Returns:
        A whole number, 2 or more; infinite when ``alternative`` is not below ``limit``.

    Source: Julious 2004 (sample sizes for equivalence).

    >>> units_needed_difference(0.1, 0.25, 0.25)
    1238

    """
    truth = limit / 2 if alternative is None else alternative
    gap = limit - truth
    if gap <= 0:
        return np.inf
    return _units(first, second, gap, lambda df: _distance(df, level, power, (limit + truth) / gap))


def units_needed_limit(
    limit: float, alternative: float, variance: float, *, level: float = 0.95, power: float = 0.8
) -> float:
    """Return how many units show that a figure is on the allowed side of a limit.

    Args:
        limit: The most, or the least, that is allowed.
        alternative: The true figure at which that should be shown.
        variance: Variance per unit.
        level: Coverage of the one-sided limit.
        power: Probability to show it, in (0, 1).

    Returns:
        A whole number, 2 or more; infinite when ``alternative`` is the limit.

    >>> units_needed_limit(0.9, 0.95, 0.05)
    126

    """
    gap = abs(limit - alternative)
    if gap == 0:
        return np.inf
    return _units(variance, 0.0, gap, lambda df: _quantile(df, level) + _quantile(df, power))


def units_needed_to_detect(
    effect: float,
    first: float,
    second: float,
    *,
    limit: float = 0.0,
    level: float = 0.95,
    power: float = 0.8,
) -> float:
    """Return how many units per group show that a difference is beyond ``limit``.

    The number is that at which the two-sided interval of the difference lies beyond ``limit``
    with probability ``power`` if the groups truly differ by ``effect``.

    Args:
        effect: Absolute difference that should be found.
        first: Variance per unit in the first group.
        second: Variance per unit in the second group.
        limit: Difference that is allowed, >= 0; 0 asks only whether the groups differ.
        level: Coverage of the two-sided interval.
        power: Probability to find the difference, in (0, 1).

    Returns:
        A whole number, 2 or more; infinite when ``effect`` is not above ``limit``.

    >>> units_needed_to_detect(0.1, 0.25, 0.25)
    394

    """
    gap = effect - limit
    if gap <= 0:
        return np.inf
    return _units(
        first, second, gap, lambda df: _quantile(df, (1 + level) / 2) + _quantile(df, power)
    )


def _units(first: float, second: float, gap: float, distance: Callable[[float], float]) -> float:
    """Return the units per group at which ``gap`` is ``distance`` standard errors.

    One step from the normal to the t distribution with Welch's degrees of freedom is enough: it
    errs on the side of more units, and only where there are hardly any.
    """
    variance = first + second
    if not np.isfinite(variance):
        return np.inf
    units = max(2.0, variance * (distance(np.inf) / gap) ** 2)
    if variance > 0:
        df = (units - 1) * variance**2 / (first**2 + second**2)
        units = max(units, variance * (distance(df) / gap) ** 2)
    return int(np.ceil(units))


def _distance(df: float, level: float, power: float, opposite: float) -> float:
    """Return the standard errors between truth and limit at which both sides pass.

    Args:
        df: Degrees of freedom.
        level: Coverage of each one-sided limit.
        power: Probability that both upper limits are below the rule's limit.
        opposite: How many times farther the limit is on the other side; 1 at no difference.

    """
    beyond = _quantile(df, level)
    # The far side can cost nothing, or at most as much as the near one.
    low, high = beyond + _quantile(df, power), beyond + _quantile(df, (1 + power) / 2)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        near, far = (special.stdtr(df, middle * side - beyond) for side in (1.0, opposite))
        low, high = (low, middle) if near + far - 1 >= power else (middle, high)
    return high


def _quantile(df: float, probability: float) -> float:
    """Return a quantile of the t distribution; of the normal for infinite degrees of freedom."""
    return float(special.ndtri(probability) if np.isinf(df) else special.stdtrit(df, probability))
