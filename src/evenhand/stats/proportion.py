"""Proportions of K groups: values, effective numbers of trials, and differences.

Rows of one unit are not independent. Sums per unit bucket show by how much: the design effect
divides the number of trials before Wilson's interval is taken, and the covariance of two groups
over the buckets enters their difference (docs/design/intervals.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from evenhand.stats.bucket import Between, Dependence
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Floats, Limits, bounded, critical, wilson


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
class Proportions(Figures):
    """K proportions with what their intervals need; arrays have shape (K,).

    Attributes:
        proportion: The proportions, in [0, 1].
        n: Effective numbers of independent trials, > 0.
        df: Degrees of freedom of the design effects; infinite for independent rows, 0 for a group
            of a single unit.
        correlation: Correlation of the estimates, shape (K, K).
        method: Name of the interval of one proportion.
        curve: The function of the proportion that is the figure; None for the proportion itself.
        buckets: How far each bucket of units moves the proportions; None for independent rows.
        spread: Variance of one trial, of means of other numbers than 0 and 1; None where it is that
            of a proportion.

    """

    proportion: Floats
    n: Floats
    df: Floats
    correlation: Floats
    method: str
    curve: Curve | None = None
    buckets: Floats | None = None
    spread: Floats | None = None

    @property
    def deviations(self) -> Floats | None:
        if self.buckets is None or self.curve is None:
            return self.buckets
        return self.buckets * self.curve.slope(self.proportion)

    @property
    def value(self) -> Floats:
        return self.proportion if self.curve is None else self.curve.value(self.proportion)

    @property
    def within(self) -> tuple[float, float]:
        if self.curve is None:
            return 0.0, 1.0
        least, most = self.curve.value(np.array([0.0, 1.0])).tolist()
        return least, most

    def limits_at(self, crit: Floats, index: np.ndarray | None = None) -> Limits:
        chosen = np.arange(len(self.proportion)) if index is None else index
        value, n = self.proportion[chosen], self.n[chosen]
        if self.spread is None:
            low, high = wilson(value, n, crit)
        else:
            low, high = bounded(value, self.spread[chosen], n, crit)
        single = self.df[chosen] < 1
        limits = Limits(np.where(single, 0.0, low), np.where(single, 1.0, high))
        return limits if self.curve is None else Limits(*map(self.curve.value, limits))

    def sure_limits_at(self, crit: Floats) -> Limits:
        """Return Wilson's intervals, no shorter on either side than exact ones.

        Near 0 and 1 one of Wilson's limits is too sure: where eight groups of 60 had a rate of
        .98, the least of their upper limits was below it in .23 of logs, where .05 was meant.

        Source: Clopper and Pearson 1934, with the effective number of trials; Cai 2005 on the
        error of one-sided limits.
        """
        limits = self.limits_at(crit)
        tail = special.ndtr(-np.abs(crit))
        n = self.n
        if self.spread is not None:
            binomial = self.proportion * (1 - self.proportion)
            n = n * np.divide(binomial, self.spread, out=np.ones_like(n), where=self.spread > 0)
        hits = self.proportion * n
        misses = n - hits
        low = np.where(hits > 0, special.betaincinv(np.maximum(hits, 1e-9), misses + 1, tail), 0.0)
        high = np.where(
            misses > 0, special.betainccinv(hits + 1, np.maximum(misses, 1e-9), tail), 1.0
        )
        if self.spread is not None:
            # Of none in n, the share of others that is left out here.
            others = special.betainccinv(np.ones_like(n), self.n, tail)
            low = np.where(self.spread > 0, low, self.proportion * (1 - others))
            high = np.where(self.spread > 0, high, 1 - (1 - self.proportion) * (1 - others))
        if self.curve is not None:
            low, high = self.curve.value(low), self.curve.value(high)
        return Limits(np.minimum(limits.low, low), np.maximum(limits.high, high))

    def variances(self, level: float) -> tuple[Floats, Floats]:
        """Return the figures at Agresti and Coull's centres and their variances, all positive.

        They add ``crit^2`` trials, half of them successes; the variance is of what was seen with
        these.
        """
        square = critical(level) ** 2
        n = self.n + square
        centre = (self.proportion * self.n + square / 2) / n
        variance = centre * (1 - centre) / n
        if self.spread is not None:
            added = square / n
            seen = (1 - added) * (self.spread + np.square(self.proportion))
            variance = (seen + added / 2 - np.square(centre)) / n
        if self.curve is None:
            return centre, variance
        return self.curve.value(centre), variance * np.square(self.curve.slope(centre))


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


def clustered(sums: Proportion, dependent: Dependence = "buckets") -> Proportions:
    """Return proportions of rows that belong together in units; sums of shape (buckets, K).

    Each group has its own design effect, at least 1 and with weights at least Kish's. A group that
    does not vary has none of its own: every bucket counts as one trial at most, fewer where the
    largest effect of the other groups says so. Of two units, the one with fewer buckets counts.

    Args:
        sums: Sums per bucket and group; each group has a trial in some bucket.
        dependent: What a bucket is, a unit's or that of a pair.

    Source: Kish 1965 (design effect); Rao and Scott 1992 (effective sample size).

    """
    successes, trials, rows = (
        part.sum(axis=0) for part in (sums.successes, sums.trials, sums.rows)
    )
    value = successes / trials
    residual = sums.successes - value * sums.trials
    between = Between.of(residual, sums.trials, dependent)
    known = between.df >= 1
    simple = np.square(trials) * value * (1 - value) / rows
    varies = known & (simple > 0)
    floor = np.ones_like(value)
    if sums.weighted:
        floor = np.maximum(rows * sums.square_trials.sum(axis=0) / np.square(trials), 1.0)
    effect = np.divide(between.variance, simple, out=np.ones_like(value), where=varies)
    effect = np.maximum(effect, floor)
    other = rows / effect[varies].max() if varies.any() else rows
    # A group without variation may be without it by chance: each bucket is one trial at most.
    n = np.where(varies, rows / effect, np.minimum.reduce([other, rows / floor, between.occupied]))
    return Proportions(
        proportion=value,
        n=np.where(known, n, 1.0),
        df=between.df,
        correlation=between.correlation,
        method=f"Wilson with {_EFFECT[dependent]}",
        buckets=residual / trials,
    )


_EFFECT: dict[Dependence, str] = {
    "buckets": "design effect",
    "two_way": "two-way design effect",
    "dyadic": "dyadic design effect",
}
