"""K figures of one kind: values, limits at any critical value, variances, correlation.

Contrasts need nothing else of a measure, so a rate, a mean error and an area under a curve are
compared by the same code. Three kinds carry every measure: `evenhand.stats.proportion.Proportions`
(Wilson), `Linearised` (delta method) and `Combined` (weighted sums of others, by MOVER).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from evenhand.stats.interval import Floats, Limits, critical
from evenhand.stats.simultaneous import student

SINGLE_UNIT = "none: a single unit tells nothing about the next"
ALIKE = "none: all rows have the same value"


class Figures(ABC):
    """K figures with what their intervals need; arrays have shape (K,).

    Attributes:
        df: Degrees of freedom of the variances; infinite for independent rows, below 1 for a
            group of a single unit.
        correlation: Correlation of the estimates, shape (K, K).
        method: Name of the interval of one figure.

    """

    df: Floats
    correlation: Floats
    method: str

    @property
    def deviations(self) -> Floats | None:
        """How far each bucket of units moves the figures, shape (buckets, K); each adds up to 0.

        None where rows are independent, or where only sets are identified.
        """
        return None

    @property
    @abstractmethod
    def value(self) -> Floats:
        """The figures."""

    @property
    @abstractmethod
    def within(self) -> tuple[float, float]:
        """The smallest and the largest value that such a figure can have."""

    @abstractmethod
    def limits_at(self, crit: Floats, index: np.ndarray | None = None) -> Limits:
        """Return the intervals at critical values, one for each group or index."""

    def sure_limits_at(self, crit: Floats) -> Limits:
        """Return intervals of which each limit errs at most as often as its critical value says.

        For a claim that a figure is beyond a limit; by default those of `limits_at`.
        """
        return self.limits_at(crit)

    @abstractmethod
    def variances(self, level: float) -> tuple[Floats, Floats]:
        """Return where to judge the figures from, and their variances there, all positive."""

    def limits(self, level: float) -> Limits:
        """Return each figure's own interval at this level."""
        return self.limits_at(student(critical(level), self.df))

    def methods(self) -> list[str]:
        """Return the name of each group's own interval."""
        return [SINGLE_UNIT if df < 1 else self.method for df in self.df]


@dataclass(frozen=True)
class Linearised(Figures):
    """Figures whose interval is value +- t x standard error, on the log scale beside an edge.

    Attributes:
        estimate: The values.
        variance: Their variances, > 0; 0 where rows are alike and this is known to be exact.
        range: The smallest and the largest value that such a figure can have; where one of them is
            finite, the interval is on the scale of the logarithm of the distance to it.
        buckets: How far each bucket of units moves them; None for independent rows.

    """

    estimate: Floats
    variance: Floats
    df: Floats
    correlation: Floats
    method: str
    range: tuple[float, float] = field(default=(-np.inf, np.inf))
    buckets: Floats | None = None

    @property
    def value(self) -> Floats:
        return self.estimate

    @property
    def deviations(self) -> Floats | None:
        return self.buckets

    @property
    def within(self) -> tuple[float, float]:
        return self.range

    def limits_at(self, crit: Floats, index: np.ndarray | None = None) -> Limits:
        chosen = np.arange(len(self.estimate)) if index is None else index
        value, deviation = self.estimate[chosen], np.sqrt(self.variance[chosen])
        single = self.df[chosen] < 1
        edge = edge_of(self.range)
        if edge is not None:
            with np.errstate(over="ignore"):
                distance = value - edge
                factor = np.exp(crit * deviation / distance)
                low, high = edge + distance / factor, edge + distance * factor
        else:
            low, high = value - crit * deviation, value + crit * deviation
        least, most = self.range
        return Limits(
            np.where(single, least, np.maximum(low, least)),
            np.where(single, most, np.minimum(high, most)),
        )

    def variances(self, level: float) -> tuple[Floats, Floats]:  # noqa: ARG002 - as in the base
        return self.estimate, self.variance

    def methods(self) -> list[str]:
        alike = self.variance <= 0
        return [ALIKE if flat else one for one, flat in zip(super().methods(), alike, strict=True)]


@dataclass(frozen=True)
class Combined(Figures):
    """Weighted sums of other figures: averages over classes, adjustment for strata.

    The interval is MOVER's: each part's own limits, with the parts' correlation.

    Attributes:
        parts: N figures.
        weights: Weight of every part in every sum, shape (K, N).
        method: Name of the interval.

    Source: Zou and Donner 2008, for a linear combination.

    """

    parts: Figures
    weights: Floats
    method: str

    @property
    def value(self) -> Floats:
        return self.weights @ self.parts.value

    @property
    def deviations(self) -> Floats | None:
        parts = self.parts.deviations
        return None if parts is None else parts @ self.weights.T

    @property
    def within(self) -> tuple[float, float]:
        least, most = self.parts.within
        return least, most

    @property
    def covariance(self) -> Floats:
        """Covariance of the sums, shape (K, K)."""
        _, variance = self.parts.variances(0.95)
        scaled = self.weights * np.sqrt(variance)
        covariance: Floats = scaled @ self.parts.correlation @ scaled.T
        return covariance

    @property
    def correlation(self) -> Floats:  # type: ignore[override]
        scale = np.sqrt(np.diag(self.covariance))
        found: Floats = self.covariance / np.outer(scale, scale)
        np.fill_diagonal(found, 1.0)
        return found

    @property
    def df(self) -> Floats:  # type: ignore[override]
        _, variance = self.parts.variances(0.95)
        used = np.square(self.weights) * variance
        below = (np.square(used) / np.maximum(self.parts.df, 1.0)).sum(axis=1)
        total = np.square(used.sum(axis=1))
        welch: Floats = np.divide(total, below, out=np.full_like(total, np.inf), where=below > 0)
        # A sum knows its variance no better than its best part does, and a part of one unit
        # leaves the sum with nothing.
        single = ((self.weights != 0) & (self.parts.df < 1)).any(axis=1)
        return np.where(single, 0.0, welch)

    def limits_at(self, crit: Floats, index: np.ndarray | None = None) -> Limits:
        chosen = np.arange(len(self.weights)) if index is None else index
        crits = np.broadcast_to(np.asarray(crit, dtype=np.float64), chosen.shape)
        low, high = np.empty(len(chosen)), np.empty(len(chosen))
        values = self.parts.value
        for place, (k, at) in enumerate(zip(chosen, crits, strict=True)):
            used = np.flatnonzero(self.weights[k])
            weights, value = self.weights[k, used], values[used]
            limits = self.parts.limits_at(np.full(len(used), at), used)
            below, above = value - limits.low, limits.high - value
            down = weights * np.where(weights > 0, below, -above)
            up = weights * np.where(weights > 0, above, -below)
            correlation = self.parts.correlation[np.ix_(used, used)]
            # The distances carry the sign of their weight, so correlated parts add up rightly.
            signs = np.sign(weights)
            total = float(weights @ value)
            low[place] = total - _length(np.abs(down) * signs, correlation)
            high[place] = total + _length(np.abs(up) * signs, correlation)
        least, most = self.within
        return Limits(np.maximum(low, least), np.minimum(high, most))

    def variances(self, level: float) -> tuple[Floats, Floats]:
        centre, _ = self.parts.variances(level)
        return self.weights @ centre, np.diag(self.covariance).copy()


def edge_of(within: tuple[float, float]) -> float | None:
    """Return the end of a range that has one finite end; None for a range with none or two."""
    least, most = within
    if np.isfinite(least) == np.isfinite(most):
        return None
    return least if np.isfinite(least) else most


def _length(distances: Floats, correlation: Floats) -> float:
    return float(max(float(distances @ correlation @ distances), 0.0) ** 0.5)


def welch(variance: Floats, df: Floats, first: np.ndarray, second: np.ndarray) -> Floats:
    """Return Welch's degrees of freedom of each pair, at most the larger of its two groups'."""
    safe = np.maximum(df, 1.0)
    parts = np.square(variance) / safe
    total = np.square(variance[first] + variance[second])
    below = parts[first] + parts[second]
    found = np.divide(total, below, out=np.full_like(total, np.inf), where=below > 0)
    df_of_pair: Floats = np.minimum(found, np.maximum(safe[first], safe[second]))
    return df_of_pair
