"""Proportions of K groups: values, effective numbers of trials, and differences.

Rows of one unit are not independent. Sums per unit bucket show by how much: the design effect
divides the number of trials before Wilson's interval is taken, and the covariance of two groups
over the buckets enters their difference (docs/design/intervals.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evenhand.stats.interval import Floats, Limits, critical, mover_difference, wilson
from evenhand.stats.simultaneous import max_t_critical, pair_indices, student

SINGLE_UNIT = "none: a single unit tells nothing about the next"


@dataclass(frozen=True)
class Proportion:
    """Sums of a proportion: successes out of trials.

    All arrays have one shape: (groups,) for independent rows, (buckets, groups) for units.

    Attributes:
        successes: Number of trials that succeeded, or the sum of their weights.
        trials: Number of trials, or the sum of their weights.
        rows: Number of trials, never weighted.
        square_successes: Sum of squared weights over the successes.
        square_trials: Sum of squared weights over the trials.
        weighted: Whether rows have weights; without them the squares equal the sums.

    """

    successes: Floats
    trials: Floats
    rows: Floats
    square_successes: Floats
    square_trials: Floats
    weighted: bool = False


@dataclass(frozen=True)
class Curve:
    """An increasing function of a proportion; its limits are those of the proportion, mapped.

    Attributes:
        value: The function, from [0, 1] to [0, 1], on arrays.
        slope: Its derivative, > 0.

    """

    value: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]


@dataclass(frozen=True)
class Proportions:
    """K proportions with what their intervals need; arrays have shape (K,).

    Attributes:
        proportion: The proportions, in [0, 1].
        n: Effective numbers of independent trials, > 0.
        df: Degrees of freedom of the design effects; infinite for independent rows, 0 for a group
            of a single unit.
        correlation: Correlation of the estimates, shape (K, K).
        method: Name of the interval of one proportion.
        curve: The function of the proportion that is the figure; None for the proportion itself.

    """

    proportion: Floats
    n: Floats
    df: Floats
    correlation: Floats
    method: str
    curve: Curve | None = None

    @property
    def value(self) -> Floats:
        """The figures, in [0, 1]."""
        return self.proportion if self.curve is None else self.curve.value(self.proportion)

    def limits(self, level: float) -> Limits:
        """Return each proportion's own interval at this level."""
        return self.limits_at(student(critical(level), self.df))

    def limits_at(self, crit: Floats, index: np.ndarray | None = None) -> Limits:
        """Return the intervals at critical values, one for each group or index."""
        chosen = np.arange(len(self.value)) if index is None else index
        low, high = wilson(self.proportion[chosen], self.n[chosen], crit)
        single = self.df[chosen] < 1
        limits = Limits(np.where(single, 0.0, low), np.where(single, 1.0, high))
        return limits if self.curve is None else Limits(*map(self.curve.value, limits))

    def methods(self) -> list[str]:
        """Return the name of each group's own interval."""
        return [SINGLE_UNIT if df < 1 else self.method for df in self.df]


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


def independent(sums: Proportion) -> Proportions:
    """Return proportions of rows that are independent of each other; sums of shape (K,).

    With weights the number of rows is divided by the larger of two design effects: that of the
    linearised variance, which sees whether weight and outcome go together but rests on few rows
    when weights vary much, and Kish's, which does not.

    Source: Kish 1965; Korn and Graubard 1998 on the instability of the former alone.
    """
    value = sums.successes / sums.trials
    effect = np.ones_like(value)
    if sums.weighted:
        square = np.square(sums.trials)
        kish = sums.rows * sums.square_trials / square
        linear = (
            (1 - 2 * value) * sums.square_successes + np.square(value) * sums.square_trials
        ) / square
        simple = value * (1 - value) / sums.rows
        linear = np.divide(linear, simple, out=kish.copy(), where=simple > 0)
        effect = np.maximum(np.maximum(linear, kish), 1.0)
    return Proportions(
        proportion=value,
        n=sums.rows / effect,
        df=np.full_like(value, np.inf),
        correlation=np.eye(len(value)),
        method="Wilson, weighted" if sums.weighted else "Wilson",
    )


def clustered(sums: Proportion) -> Proportions:
    """Return proportions of rows that belong together in units; sums of shape (buckets, K).

    Each group has its own design effect, at least 1 and with weights at least Kish's. A group that
    does not vary has none of its own: every bucket counts as one trial at most, fewer where the
    largest effect of the other groups says so.

    Args:
        sums: Sums per bucket and group; each group has a trial in some bucket.

    Source: Kish 1965 (design effect); Rao and Scott 1992 (effective sample size).

    """
    successes, trials, rows = (
        part.sum(axis=0) for part in (sums.successes, sums.trials, sums.rows)
    )
    value = successes / trials
    occupied = (sums.trials > 0).sum(axis=0)
    residual = sums.successes - value * sums.trials
    square = np.square(residual)
    between = square.sum(axis=0) * occupied / np.maximum(occupied - 1, 1)
    simple = np.square(trials) * value * (1 - value) / rows
    varies = (occupied > 1) & (simple > 0)
    floor = np.ones_like(value)
    if sums.weighted:
        floor = np.maximum(rows * sums.square_trials.sum(axis=0) / np.square(trials), 1.0)
    effect = np.divide(between, simple, out=np.ones_like(value), where=varies)
    effect = np.maximum(effect, floor)
    other = rows / effect[varies].max() if varies.any() else rows
    # A group without variation may be without it by chance: each bucket is one trial at most.
    n = np.where(varies, rows / effect, np.minimum.reduce([other, rows / floor, occupied]))
    return Proportions(
        proportion=value,
        n=np.where(occupied > 1, n, 1.0),
        df=_degrees_of_freedom(square, occupied),
        correlation=_correlation(residual, sums.trials > 0),
        method="Wilson with design effect",
    )


def _degrees_of_freedom(parts: Floats, occupied: np.ndarray) -> Floats:
    """Return the degrees of freedom of sums of squares over buckets, at most ``occupied - 1``.

    Few buckets carry the sum when a rate is rare: then the design effect is known poorly, and by
    Satterthwaite's argument, with the variance of the parts as observed, less than their number
    says. Without this, intervals of a 2 % rate over 40 units covered .89
    (docs/design/intervals.md).

    Args:
        parts: Squares by bucket and group, shape (buckets, K).
        occupied: Number of buckets in which each group has trials, shape (K,).

    """
    most = occupied - 1.0
    total = parts.sum(axis=0)
    share = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
    excess = np.square(share).sum(axis=0) - 1 / occupied
    observed = np.divide(2.0, excess, out=np.full_like(most, np.inf), where=excess > 0)
    df: Floats = np.where(total > 0, np.minimum(most, np.maximum(observed, 1.0)), most)
    return df


def _correlation(residual: Floats, occupied: np.ndarray) -> Floats:
    """Return the correlation of the groups over the buckets, shape (K, K).

    Over two shared buckets it is always 1 or -1, whatever the truth; it is shrunk towards 0 by
    the number of buckets it rests on.
    """
    norm = np.sqrt(np.square(residual).sum(axis=0))
    scaled = np.divide(residual, norm, out=np.zeros_like(residual), where=norm > 0)
    shared = occupied.T.astype(float) @ occupied.astype(float)
    trust = np.where(shared > 2, 1 - 1 / np.maximum(shared - 1, 1), 0.0)  # noqa: PLR2004 - see above
    correlation: Floats = scaled.T @ scaled * trust
    np.fill_diagonal(correlation, 1.0)
    return correlation


def pair_differences(
    groups: Proportions, level: float, rng: np.random.Generator
) -> PairDifferences:
    """Return all pairwise differences with simultaneous limits at this level.

    Two groups with independent rows give Newcombe's interval; more groups share a max-T critical
    value; clustered groups enter through MOVER with their correlation over the buckets, each pair
    with Welch's degrees of freedom.
    """
    first, second = pair_indices(len(groups.value))
    _, variance = variances(groups, level)
    crit, adjustment = max_t_critical(variance, groups.correlation, level, rng)
    pair_crit = student(crit, pair_degrees_of_freedom(variance, groups.df, first, second))

    def side(index: np.ndarray) -> tuple[Floats, Limits]:
        return groups.value[index], groups.limits_at(pair_crit, index)

    limits = mover_difference(side(first), side(second), groups.correlation[first, second])
    name = f"MOVER of {groups.method}" if groups.method != "Wilson" else "Newcombe"
    return PairDifferences(
        first,
        second,
        groups.value[first] - groups.value[second],
        Limits(np.maximum(limits.low, -1.0), np.minimum(limits.high, 1.0)),
        f"{name}, {adjustment}" if adjustment else name,
    )


def variances(groups: Proportions, level: float) -> tuple[Floats, Floats]:
    """Return the figures at Agresti and Coull's centres and their variances, all positive."""
    square = critical(level) ** 2
    n = groups.n + square
    centre = (groups.proportion * groups.n + square / 2) / n
    variance = centre * (1 - centre) / n
    if groups.curve is None:
        return centre, variance
    return groups.curve.value(centre), variance * np.square(groups.curve.slope(centre))


def pair_degrees_of_freedom(
    variance: Floats, df: Floats, first: np.ndarray, second: np.ndarray
) -> Floats:
    """Return Welch's degrees of freedom of each pair, at most the larger of its two groups'."""
    safe = np.maximum(df, 1.0)
    parts = np.square(variance) / safe
    total = np.square(variance[first] + variance[second])
    below = parts[first] + parts[second]
    welch = np.divide(total, below, out=np.full_like(total, np.inf), where=below > 0)
    df_of_pair: Floats = np.minimum(welch, np.maximum(safe[first], safe[second]))
    return df_of_pair
