"""Contrasts: the figures of K groups as one estimate, with an interval that holds for the choice.

A maximum over groups is selected by the data. Its interval therefore comes from limits of all
groups, or of all pairs, that hold together (docs/design/contrasts.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.figure import Figures, welch
from evenhand.stats.interval import Floats, Limits, critical, mover_difference, mover_ratio
from evenhand.stats.simultaneous import max_t_critical, max_t_tail, pair_indices, student

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class PairDifferences:
    """Signed differences of all pairs i < j, with limits that hold together.

    Attributes:
        first: Index i of each pair, shape (pairs,).
        second: Index j of each pair.
        value: ``value[i] - value[j]``.
        limits: Simultaneous limits of the differences.
        method: Name of the interval.

    """

    first: np.ndarray
    second: np.ndarray
    value: Floats
    limits: Limits
    method: str


def pair_differences(
    groups: Figures, level: float, rng: np.random.Generator | None
) -> PairDifferences:
    """Return all pairwise differences with simultaneous limits at this level.

    Without a generator each pair has its own interval, and they do not hold together.

    Two groups with independent rows give Newcombe's interval; more groups share a max-T critical
    value; clustered groups enter through MOVER with their correlation over the buckets, each pair
    with Welch's degrees of freedom.
    """
    value = groups.value
    first, second = pair_indices(len(value))
    _, variance = groups.variances(level)
    crit, adjustment = critical(level), ""
    if rng is not None:
        crit, adjustment = max_t_critical(variance, groups.correlation, level, rng)
    pair_crit = student(crit, welch(variance, groups.df, first, second))
    limits = _pair_limits(groups, first, second, pair_crit)
    least, most = groups.within
    name = f"MOVER of {groups.method}" if groups.method != "Wilson" else "Newcombe"
    return PairDifferences(
        first,
        second,
        value[first] - value[second],
        Limits(np.maximum(limits.low, least - most), np.minimum(limits.high, most - least)),
        f"{name}, {adjustment}" if adjustment else name,
    )


def _pair_limits(groups: Figures, first: np.ndarray, second: np.ndarray, crit: Floats) -> Limits:
    value = groups.value

    def side(index: np.ndarray) -> tuple[Floats, Limits]:
        return value[index], groups.limits_at(crit, index)

    return mover_difference(side(first), side(second), groups.correlation[first, second])


def pair_p_values(groups: Figures, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the p-value of each pair's difference being 0, and the critical value that it is.

    The p-value is one minus the level at which the pair's own interval starts to contain 0, so it
    never contradicts that interval. The critical value is the normal one of equal tail.

    Args:
        groups: The figures.
        level: Where the degrees of freedom are judged.

    """
    first, second = pair_indices(len(groups.value))
    gap = groups.value[first] - groups.value[second]
    _, variance = groups.variances(level)
    df = welch(variance, groups.df, first, second)
    low, high = np.zeros_like(gap), np.full_like(gap, _MOST_CRITICAL)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        limits = _pair_limits(groups, first, second, student(middle, df))
        apart = np.where(gap > 0, limits.low > 0, limits.high < 0) & (gap != 0)
        low, high = np.where(apart, middle, low), np.where(apart, high, middle)
    tail: Floats = 2 * special.ndtr(-low)
    return np.where(low > 0, tail, 1.0), low


def difference_p_value(groups: Figures, rng: np.random.Generator) -> float:
    """Return the p-value of all groups being alike, by the largest standardised difference."""
    _, crit = pair_p_values(groups)
    _, variance = groups.variances(0.95)
    return max_t_tail(variance, groups.correlation, float(crit.max()), rng)


_HALVINGS = 50
_MOST_CRITICAL = 37.0
"""Beyond it a normal tail is 0 in 64-bit numbers."""


def difference(groups: Figures, level: float, rng: np.random.Generator) -> Estimate:
    """Return the unsigned largest difference, max - min: the range of what the signed pairs allow.

    The lower limit is 0 unless some ordered pair is surely apart, so unlike a percentile interval
    of a maximum it contains 0 when all groups are equal.
    """
    return widest(pair_differences(groups, level, rng), level)


def widest(pairs: PairDifferences, level: float) -> Estimate:
    """Return the largest absolute difference among signed pairs."""
    low, high = pairs.limits
    return Estimate(
        value=float(np.abs(pairs.value).max()),
        low=max(0.0, float(low.max()), float((-high).max())),
        high=float(np.maximum(np.abs(low), np.abs(high)).max()),
        level=level,
        method=pairs.method,
    )


def ratio(groups: Figures, level: float, rng: np.random.Generator) -> Outcome:
    """Return the smallest ratio of two groups, min / max, in [0, 1]; 1 is parity.

    The upper limit is 1 unless some ordered pair is surely below. Undefined when every group is 0.

    Source: Donner and Zou 2012 (MOVER-R) for each ordered pair, max-T on the log scale.
    """
    largest = float(groups.value.max())
    if largest == 0:
        return Undefined("every group is 0, and 0 / 0 is no ratio")
    limits, method = pair_ratios(groups, level, rng)
    return Estimate(
        value=float(groups.value.min()) / largest,
        low=float(limits.low.min()),
        high=min(1.0, float(limits.high.min())),
        level=level,
        method=method,
    )


def pair_ratios(
    groups: Figures, level: float, rng: np.random.Generator | None
) -> tuple[Limits, str]:
    """Return limits of the smaller over the larger of each pair i < j, and their method.

    Without a generator each pair has its own interval, and they do not hold together. A limit
    above 1 is possible where it is not known which of two groups is the larger.
    """
    first, second = pair_indices(len(groups.value))
    centre, variance = groups.variances(level)
    crit, adjustment = critical(level), ""
    if rng is not None:
        relative = variance / np.square(centre)
        crit, adjustment = max_t_critical(relative, groups.correlation, level, rng)
    pair_crit = student(crit, welch(variance, groups.df, first, second))
    limits = [groups.limits_at(pair_crit, index) for index in (first, second)]
    correlation = groups.correlation[first, second]

    def over(top: int, bottom: int) -> Limits:
        index = (first, second)
        return mover_ratio(
            (groups.value[index[top]], limits[top]),
            (groups.value[index[bottom]], limits[bottom]),
            correlation,
        )

    forth, back = over(0, 1), over(1, 0)
    name = f"MOVER-R of {groups.method}"
    return (
        Limits(np.minimum(forth.low, back.low), np.minimum(forth.high, back.high)),
        f"{name}, {adjustment}" if adjustment else name,
    )


def worst(groups: Figures, level: float, better: Better) -> tuple[Estimate, int]:
    """Return the figure of the worst group, and which it is.

    Every group could have been the worst, so the interval is the range of all groups' intervals
    at Sidak's level, which hold together whatever their correlation.

    Source: Sidak 1967.
    """
    count = len(groups.value)
    low, high = groups.limits_at(student(critical(level ** (1 / count)), groups.df))
    pick = np.min if better == "higher" else np.max
    index = int(np.argmin(groups.value) if better == "higher" else np.argmax(groups.value))
    selected = f"{groups.method}, Sidak over {count} groups" if count > 1 else groups.method
    value = float(groups.value[index])
    return Estimate(value, float(pick(low)), float(pick(high)), level, selected), index


def to_overall(
    group_and_rest: Figures,
    share: float,
    share_variance: float,
    level: float,
    rng: np.random.Generator,
) -> Estimate:
    """Return how far a group is from all groups together, signed.

    Args:
        group_and_rest: The group's figure and that of the rest, in this order.
        share: The group's share of all trials (or of their weight), in (0, 1).
        share_variance: The variance of that share, which a log samples too.
        level: Coverage of this one interval; see `bonferroni` for several.
        rng: Unused for one pair; passed on.

    """
    pair = pair_differences(group_and_rest, level, rng)
    gap = float(pair.value[0])
    of_share = critical(level) * gap * share_variance**0.5
    below, above = (
        float(np.hypot((1 - share) * (limit[0] - gap), of_share)) for limit in pair.limits
    )
    value = (1 - share) * gap
    return Estimate(value, value - below, value + above, level, pair.method)


def bonferroni(level: float, count: int) -> float:
    """Return the level at which ``count`` intervals hold together at ``level``."""
    return 1 - (1 - level) / count


def largest(parts: list[Estimate], level: float) -> Estimate:
    """Return the largest of several contrasts whose intervals hold together at ``level``."""
    methods = dict.fromkeys(part.method for part in parts)
    value, low, high = (
        max(getattr(part, name) for part in parts) for name in ("value", "low", "high")
    )
    method = f"largest of {len(parts)}: {'; '.join(methods)}"
    if all(part.identified is None for part in parts):
        return Estimate(value, low, high, level, method)
    ends = [part.identified or (part.value, part.value) for part in parts]
    least, most = (max(end) for end in zip(*ends, strict=True))
    return Estimate((least + most) / 2, low, high, level, method, (least, most))
