"""Proportions of K groups: values, effective numbers of trials, and differences.

Rows of one unit are not independent. Sums per unit bucket show by how much: the design effect
divides the number of trials before Wilson's interval is taken, and the covariance of two groups
over the buckets enters their difference (docs/design/intervals.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evenhand.stats.interval import Floats, Limits, critical, mover_difference, wilson
from evenhand.stats.simultaneous import max_t_critical, pair_indices


@dataclass(frozen=True)
class Proportion:
    """Sums of a proportion: successes out of trials.

    All arrays have one shape: (groups,) for independent rows, (buckets, groups) for units.

    Attributes:
        successes: Number of trials that succeeded, or the sum of their weights.
        trials: Number of trials, or the sum of their weights.
        rows: Number of trials, never weighted.
        square_successes: Sum of squared weights over the successes; equals ``successes``
            without weights.
        square_trials: Sum of squared weights over the trials.
        empty: Why the proportion is undefined where there is no trial.

    """

    successes: Floats
    trials: Floats
    rows: Floats
    square_successes: Floats
    square_trials: Floats
    empty: str


@dataclass(frozen=True)
class Proportions:
    """K proportions with what their intervals need; arrays have shape (K,).

    Attributes:
        value: The proportions, in [0, 1].
        n: Effective numbers of independent trials.
        df: Degrees of freedom of the design effect; infinite for independent rows.
        correlation: Correlation of the estimates, shape (K, K).
        method: Name of the interval of one proportion.
        clustered: Whether a design effect was estimated from units.
        informative: False when a single unit gives nothing to estimate an interval from.

    """

    value: Floats
    n: Floats
    df: float
    correlation: Floats
    method: str
    clustered: bool
    informative: bool = True

    def limits(self, level: float) -> Limits:
        """Return each proportion's own interval at this level."""
        if not self.informative:
            return Limits(np.zeros_like(self.value), np.ones_like(self.value))
        return wilson(self.value, self.n, critical(level, self.df))


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

    With weights the effective number of trials follows from the linearised variance of the
    ratio, and from Kish's formula where that variance is zero.
    """
    value = sums.successes / sums.trials
    simple = value * (1 - value) / sums.rows
    linear = (
        (1 - 2 * value) * sums.square_successes + np.square(value) * sums.square_trials
    ) / np.square(sums.trials)
    kish = sums.rows * sums.square_trials / np.square(sums.trials)
    effect = np.divide(linear, simple, out=kish, where=simple > 0)
    weighted = bool(np.any(sums.square_trials != sums.rows))
    return Proportions(
        value=value,
        n=sums.rows / np.maximum(effect, 1.0) if weighted else sums.rows,
        df=np.inf,
        correlation=np.eye(len(value)),
        method="Wilson, weighted" if weighted else "Wilson",
        clustered=False,
    )


def clustered(sums: Proportion, units: Floats) -> Proportions:
    """Return proportions of rows that belong together in units; sums of shape (buckets, K).

    The design effect is pooled over the K groups and at least 1. Where no group varies it cannot
    be estimated; then every unit counts as a single trial.

    Args:
        sums: Sums per bucket and group; each group has a trial in some bucket.
        units: Number of units with a row in each group, shape (K,).

    Source: Kish 1965 (design effect); Rao and Scott 1992 (effective sample size).
    """
    successes, trials, rows = (
        part.sum(axis=0) for part in (sums.successes, sums.trials, sums.rows)
    )
    value = successes / trials
    occupied = (sums.trials > 0).sum(axis=0)
    residual = sums.successes - value * sums.trials
    square = np.square(residual)
    # A group in one bucket has no variance of its own: it is left out of the pooled effect.
    seen = occupied > 1
    between = square * np.where(seen, occupied / np.maximum(occupied - 1, 1), 0.0)
    simple = np.where(seen, np.square(trials) * value * (1 - value) / rows, 0.0).sum()
    effect = between.sum() / simple if simple > 0 else None
    df = _degrees_of_freedom(between.sum(axis=1), int((sums.trials > 0).any(axis=1).sum()))
    norm = np.sqrt(square.sum(axis=0))
    scaled = np.divide(residual, norm, out=np.zeros_like(residual), where=norm > 0)
    correlation = scaled.T @ scaled
    np.fill_diagonal(correlation, 1.0)
    return Proportions(
        value=value,
        n=np.minimum(units, rows) if effect is None else rows / max(1.0, effect),
        df=df,
        correlation=correlation,
        method="Wilson with pooled design effect",
        clustered=True,
        informative=df > 0,
    )


def _degrees_of_freedom(parts: Floats, buckets: int) -> float:
    """Return the degrees of freedom of a sum of squares over buckets, at most ``buckets - 1``.

    Few buckets carry the sum when a rate is rare: then the design effect is known poorly, and by
    Satterthwaite's argument, with the variance of the parts as observed, less than their number
    says. Without this, intervals of a 2 % rate over 40 units covered .89
    (docs/design/intervals.md).
    """
    most = float(buckets - 1)
    total = parts.sum()
    if total <= 0 or most <= 1:
        return most
    excess = np.square(parts).sum() / total**2 - 1 / buckets
    return min(most, max(1.0, 2 / excess)) if excess > 0 else most


def pair_differences(
    groups: Proportions, level: float, rng: np.random.Generator
) -> PairDifferences:
    """Return all pairwise differences with simultaneous limits at this level.

    Two groups with independent rows give Newcombe's interval; more groups share a max-T critical
    value; clustered groups enter through MOVER with their correlation over the buckets.
    """
    first, second = pair_indices(len(groups.value))
    value = groups.value[first] - groups.value[second]
    if not groups.informative:
        ones = np.ones_like(value)
        return PairDifferences(first, second, value, Limits(-ones, ones), "none: a single unit")
    crit, adjustment = _shared_critical(groups, level, rng)
    own = wilson(groups.value, groups.n, crit)

    def side(index: np.ndarray) -> tuple[Floats, Limits]:
        return groups.value[index], Limits(own.low[index], own.high[index])

    limits = mover_difference(side(first), side(second), groups.correlation[first, second])
    name = f"MOVER of {groups.method}" if groups.method != "Wilson" else "Newcombe"
    return PairDifferences(
        first, second, value, limits, f"{name}, {adjustment}" if adjustment else name
    )


def _shared_critical(
    groups: Proportions, level: float, rng: np.random.Generator
) -> tuple[float, str]:
    # Agresti and Coull's centre keeps the variance of a group at 0 or 1 positive.
    square = critical(level, groups.df) ** 2
    n = groups.n + square
    centre = (groups.value * groups.n + square / 2) / n
    return max_t_critical(centre * (1 - centre) / n, groups.correlation, level, groups.df, rng)
