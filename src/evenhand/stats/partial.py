"""Figures of which a set of values is identified, and differences of such figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evenhand.stats.contrast import PairDifferences
from evenhand.stats.estimate import Estimate
from evenhand.stats.figure import Figures, welch
from evenhand.stats.identified import imbens_manski_critical
from evenhand.stats.interval import Floats, Limits, mover_difference
from evenhand.stats.simultaneous import max_t_critical, pair_indices, student


@dataclass(frozen=True)
class Identified(Figures):
    """K figures that are known to lie between two others.

    Attributes:
        lowest: The lower ends of the sets.
        highest: The upper ends.

    """

    lowest: Figures
    highest: Figures

    @property
    def value(self) -> Floats:
        """The middles of the sets, to sort by; no estimate."""
        return (self.lowest.value + self.highest.value) / 2

    @property
    def sets(self) -> Limits:
        """The identified sets."""
        return Limits(self.lowest.value, self.highest.value)

    @property
    def within(self) -> tuple[float, float]:
        """The smallest and the largest value that such a figure can have."""
        return self.lowest.within

    @property
    def df(self) -> Floats:  # type: ignore[override]
        """The smaller degrees of freedom of the two ends."""
        return np.minimum(self.lowest.df, self.highest.df)

    @property
    def correlation(self) -> Floats:  # type: ignore[override]
        """Correlation of the lower ends."""
        return self.lowest.correlation

    @property
    def method(self) -> str:  # type: ignore[override]
        """Name of the interval."""
        return f"Imbens-Manski of {self.lowest.method}"

    def limits(self, level: float) -> Limits:
        """Return intervals that cover the figure, wherever in its set it lies, at this level."""
        _, low = self.lowest.variances(level)
        _, high = self.highest.variances(level)
        error = np.sqrt(np.maximum(low, high))
        width = np.divide(
            self.sets.high - self.sets.low, error, out=np.zeros_like(error), where=error > 0
        )
        return self.limits_at(student(imbens_manski_critical(width, level), self.df))

    def limits_at(self, crit: Floats, index: np.ndarray | None = None) -> Limits:
        """Return the lower limit of the lower end and the upper limit of the upper end."""
        low, high = (end.limits_at(crit, index) for end in (self.lowest, self.highest))
        return Limits(low.low, high.high)

    def variances(self, level: float) -> tuple[Floats, Floats]:
        """Return the middles and the larger variance of the two ends."""
        _, low = self.lowest.variances(level)
        _, high = self.highest.variances(level)
        return self.value, np.maximum(low, high)


def identified_pairs(
    groups: Identified, level: float, rng: np.random.Generator
) -> tuple[PairDifferences, Limits]:
    """Return all pairwise differences with limits of their sets, and the sets.

    The value of a difference is the middle of its set.

    Source: Imbens and Manski 2004; the two ends of a difference are MOVER's of the groups' ends,
    at the two-sided critical value, which is conservative.
    """
    first, second = pair_indices(len(groups.value))
    _, variance = groups.variances(level)
    crit, adjustment = max_t_critical(variance, np.eye(len(variance)), level, rng)
    at = student(crit, welch(variance, groups.df, first, second))

    def side(end: Figures, index: np.ndarray) -> tuple[Floats, Limits]:
        return end.value[index], end.limits_at(at, index)

    least = mover_difference(side(groups.lowest, first), side(groups.highest, second))
    most = mover_difference(side(groups.highest, first), side(groups.lowest, second))
    sets = Limits(
        groups.lowest.value[first] - groups.highest.value[second],
        groups.highest.value[first] - groups.lowest.value[second],
    )
    smallest, largest = groups.within
    limits = Limits(
        np.maximum(least.low, smallest - largest), np.minimum(most.high, largest - smallest)
    )
    name = f"MOVER of the ends ({groups.lowest.method})"
    method = f"{name}, {adjustment}" if adjustment else name
    middle = (sets.low + sets.high) / 2
    return PairDifferences(first, second, middle, limits, method), sets


def estimates_of(figures: Figures, level: float) -> list[Estimate]:
    """Return each figure with its own interval, and its set where only that is identified."""
    limits = figures.limits(level)
    sets: list[tuple[float, float] | None] = [None] * len(figures.value)
    if isinstance(figures, Identified):
        ends = zip(figures.sets.low.tolist(), figures.sets.high.tolist(), strict=True)
        sets = [None if low == high else (low, high) for low, high in ends]
    return [
        Estimate(value, low, high, level, method, identified)
        for value, low, high, method, identified in zip(
            figures.value.tolist(),
            limits.low.tolist(),
            limits.high.tolist(),
            figures.methods(),
            sets,
            strict=True,
        )
    ]
