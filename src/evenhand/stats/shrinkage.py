"""Empirical-Bayes shrinkage: a small group's figure if the group resembles the others.

Each figure is pulled towards the mean of all groups, the more the less is known about it and the
less the groups differ. Shrunk values err less on average over the groups, and more for a group that
really stands apart; they are printed beside the raw values, never instead of them, and no verdict
rests on them. The limits belong to the shrunk values and hold on average over the groups, not for
each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from evenhand.stats.interval import Floats, Limits, critical

_HALVINGS = 60
_LOST = 3
"""Degrees of freedom that the estimated mean and variance of the groups cost (Morris 1983)."""


@dataclass(frozen=True)
class Shrunk:
    """K figures, raw and shrunk; arrays have shape (K,).

    Attributes:
        raw: The figures as observed.
        value: The figures pulled towards their common mean.
        limits: Limits of the shrunk values, never of the raw ones.
        level: Coverage of the limits, on average over the groups.
        weight: Share of the common mean in each shrunk value, in [0, 1].
        mean: The common mean.
        variance: Estimated variance of the true figures between groups; 0 when they differ no more
            than chance alone would make them.
        strength: Number of trials that the common mean counts for in each proportion, infinite for
            a variance of 0; None for figures that are not proportions.
        method: How it was computed; says when every group was shrunk to the common mean.

    """

    raw: Floats
    value: Floats
    limits: Limits
    level: float
    mean: float
    variance: float
    weight: Floats
    strength: float | None
    method: str


def shrink_proportions(proportion: Floats, n: Floats, level: float) -> Shrunk:
    """Return proportions shrunk by a beta distribution of the true rates over the groups.

    Its mean and variance are found by moments rather than by maximum likelihood: effective
    numbers of trials are no counts, for which alone there is a likelihood; the groups' scatter is
    matched by one equation instead of a search; and a variance of 0 has a plain meaning, that the
    rates scatter no more than binomial chance.

    At .95 the limits cover .94 to .98 of the groups, and more when all groups are alike; the least
    that was found is .92, for 60 groups of 10 to 100 trials at rates near .05.

    Args:
        proportion: Observed proportions, in [0, 1].
        n: Effective numbers of independent trials, >= 1.
        level: Coverage of the limits, in (0, 1).

    Source: Kleinman 1973 (moments of the beta-binomial); Morris 1983 (limits).

    >>> n = np.array([100.0, 100.0, 100.0, 5.0])
    >>> shrink_proportions(np.array([0.2, 0.3, 0.4, 0.9]), n, 0.95).value.round(2)
    array([0.2 , 0.3 , 0.4 , 0.75])
    """

    def fit(alike: float) -> tuple[Floats, float]:
        """Return the weights in the mean and the mean, for a correlation of rows in a group."""
        precision = n / (1 + (n - 1) * alike)
        return precision, _mean(proportion, precision)

    def excess(alike: float) -> float:
        """Return by how much the rates scatter more than that correlation explains."""
        precision, mean = fit(alike)
        scatter = float(precision @ np.square(proportion - mean))
        return scatter - (len(n) - 1) * mean * (1 - mean)

    alike = _root(excess, 1.0)
    precision, mean = fit(alike)
    strength = (1 - alike) / alike if alike > 0 else np.inf
    weight = (1 - alike) / (1 + (n - 1) * alike)
    value = proportion + weight * (mean - proportion)
    inner = value * (1 - value)
    surprise = np.divide(np.square(proportion - mean), inner, out=np.zeros_like(n), where=inner > 0)
    trials = 1 / _posterior_variance(1 / n, weight, precision, surprise)
    # Half a success, or failure, at least (Jeffreys): limits stay apart where every rate is 0 or 1.
    parts = [np.maximum(share * trials, 0.5) for share in (value, 1 - value)]
    low, high = (special.betaincinv(*parts, (1 + side * level) / 2) for side in (-1, 1))
    return Shrunk(
        raw=proportion,
        value=value,
        limits=Limits(np.minimum(low, value), np.maximum(high, value)),
        level=level,
        mean=mean,
        variance=mean * (1 - mean) * alike,
        weight=weight,
        strength=strength,
        method=_method("beta-binomial by moments", pooled=alike == 0),
    )


def shrink_figures(figure: Floats, variance: Floats, level: float) -> Shrunk:
    """Return figures shrunk by a normal distribution of the true figures over the groups.

    The variance between groups is Paule and Mandel's, which unlike DerSimonian and Laird's, its
    first step, stays nearly unbiased when the groups are known with very different precision.

    Args:
        figure: Observed figures.
        variance: Their variances, > 0.
        level: Coverage of the limits, in (0, 1).

    Source: Efron and Morris 1975; Paule and Mandel 1982; Morris 1983 (limits).

    >>> shrink_figures(np.array([-2.0, 0.0, 2.0]), np.ones(3), 0.95).value    # 3 of 4 is real
    array([-1.5,  0. ,  1.5])
    """

    def fit(between: float) -> tuple[Floats, float]:
        """Return the weights in the mean and the mean, for a variance between groups."""
        precision = 1 / (variance + between)
        return precision, _mean(figure, precision)

    def excess(between: float) -> float:
        """Return by how much the figures scatter more than that variance explains."""
        precision, mean = fit(between)
        return float(precision @ np.square(figure - mean)) - (len(figure) - 1)

    most = float(np.square(figure - figure.mean()).sum()) / max(len(figure) - 1, 1)
    between = _root(excess, most)
    precision, mean = fit(between)
    weight = variance / (variance + between)
    value = figure + weight * (mean - figure)
    surprise = np.square(figure - mean)
    half = critical(level) * np.sqrt(_posterior_variance(variance, weight, precision, surprise))
    return Shrunk(
        raw=figure,
        value=value,
        limits=Limits(value - half, value + half),
        level=level,
        mean=mean,
        variance=between,
        weight=weight,
        strength=None,
        method=_method("normal, Paule-Mandel", pooled=between == 0),
    )


def _posterior_variance(
    variance: Floats, weight: Floats, precision: Floats, surprise: Floats
) -> Floats:
    """Return variances of shrunk figures that allow for the estimated mean and variance.

    Without this allowance the limits of few groups are much too narrow, and of no width at all
    when the variance between groups is estimated as 0. Three groups or fewer tell too little of
    it: their shrunk figures keep the variances of the raw ones.

    Args:
        variance: Variances of the raw figures.
        weight: Share of the common mean in each shrunk figure.
        precision: Weight of each raw figure in the common mean.
        surprise: Squared distances of the raw figures from the common mean.

    Source: Morris 1983.

    """
    count = len(variance)
    if count <= _LOST:
        return variance
    share = precision / precision.sum()
    sure = weight * (count - _LOST) / (count - 1)
    known = variance * (1 - sure * (1 - share))
    unsure = 2 * count / (count - _LOST) * share * np.square(sure) * surprise
    allowed: Floats = known + unsure
    return allowed


def _mean(values: Floats, precision: Floats) -> float:
    """Return the weighted mean; rounding must not put it beyond the values, or beyond 1."""
    mean = float(precision @ values / precision.sum())
    return min(max(mean, float(values.min())), float(values.max()))


def _root(excess: Callable[[float], float], most: float) -> float:
    """Return where a decreasing function meets 0, or the end of [0, most] nearest to that."""
    low, high = 0.0, most
    if excess(low) <= 0:
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high


def _method(prior: str, *, pooled: bool) -> str:
    """Return the name of the method, with a warning when no difference between groups is left."""
    name = f"empirical Bayes, {prior}"
    return (
        f"{name}; all shrunk to the pooled value: no more scatter than chance" if pooled else name
    )
