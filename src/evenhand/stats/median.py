"""Medians of K groups: limits are values at which the distribution function is near one half."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from evenhand.stats.figure import Figures
from evenhand.stats.interval import Floats, Limits, critical
from evenhand.stats.simultaneous import student


@dataclass(frozen=True)
class Medians(Figures):
    """K medians of numbers >= 0, which may be infinite.

    The number of rows below the median is binomial, so two order statistics enclose it whatever the
    distribution; where rows depend on each other or are weighed, quantiles of the observed
    distribution at the shares that so many effective rows would have.

    Attributes:
        numbers: The numbers, ascending, the last of them perhaps infinite; shape (V,).
        half: Half the width of the bin that each stands for, 0 where it is exact; shape (V,).
        below: Share of each group at most at each number, shape (K, V).
        n: Effective numbers of independent rows, shape (K,).
        df: Degrees of freedom of the design effects; infinite for independent rows.
        correlation: Correlation of the shares below the medians, shape (K, K).
        method: Name of the interval of one median.
        buckets: How far each bucket of units moves the share below each median; None for
            independent rows.

    Source: Woodruff 1952; Thompson 1936 for independent rows.

    """

    numbers: Floats
    half: Floats
    below: Floats
    n: Floats
    df: Floats
    correlation: Floats
    method: str
    buckets: Floats | None = None

    @property
    def value(self) -> Floats:
        """The medians, between two numbers the middle."""
        low, high = self._first(0.5, over=False), self._first(0.5, over=True)
        value: Floats = (self.numbers[low] + self.numbers[high]) / 2
        return value

    @property
    def within(self) -> tuple[float, float]:
        """The smallest and the largest value that such a figure can have."""
        return 0.0, np.inf

    @property
    def deviations(self) -> Floats | None:
        """How far each bucket of units moves the medians; None for independent rows."""
        if self.buckets is None:
            return None
        _, variance = self.variances(0.95)
        # A larger share below the median says that the median is lower.
        return -self.buckets * np.sqrt(variance * self.n / 0.25)

    def limits_at(self, crit: Floats, index: np.ndarray | None = None) -> Limits:
        """Return the numbers that enclose the medians; no end where the rows give none."""
        chosen = np.arange(len(self.n)) if index is None else index
        rows = np.floor(np.maximum(self.n[chosen], 1.0))
        rank = _rank(rows, np.broadcast_to(special.ndtr(-np.abs(crit)), rows.shape))
        low = self._first((rank - 1) / rows, over=True, chosen=chosen)
        high = self._first((rows - rank + 1) / rows, over=False, chosen=chosen)
        known = (rank > 0) & (self.df[chosen] >= 1)
        least = np.maximum(self.numbers[low] - self.half[low], 0.0)
        most = self.numbers[high] + self.half[high]
        return Limits(np.where(known, least, 0.0), np.where(known, most, np.inf))

    def variances(self, level: float) -> tuple[Floats, Floats]:
        """Return the medians and the variances that their limits imply, all positive."""
        crit = student(critical(level), self.df)
        low, high = self.limits_at(crit)
        value = self.value
        # Without an end above, what is known is how far it is to the lower limit.
        width = np.where(np.isfinite(high), high - low, 2 * (value - low))
        least = _LEAST * max(float(value.max(initial=0.0)), _LEAST)
        return np.maximum(value, least), np.square(np.maximum(width / (2 * crit), least))

    def _first(
        self, share: Floats | float, *, over: bool, chosen: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the place of the first number at which the share is reached, or gone over."""
        below = self.below if chosen is None else self.below[chosen]
        wanted = np.broadcast_to(np.asarray(share, dtype=np.float64), (len(below),))[:, None]
        reached = below > wanted + _ROUNDING if over else below >= wanted - _ROUNDING
        return np.where(reached.any(axis=1), reached.argmax(axis=1), len(self.numbers) - 1)


_ROUNDING = 1e-12
"""Shares that differ by less are one, added up in another order."""

_LEAST = 1e-9
"""Smallest standard error, relative to the largest median."""


def _rank(rows: Floats, tail: Floats) -> Floats:
    """Return the largest k such that fewer than k rows are below the median with at most a chance.

    The k-th smallest row is then a lower limit of the median; 0 where even the first is none.

    Args:
        rows: Whole numbers of rows.
        tail: Chances, at most one half.

    """
    low, high = np.zeros_like(rows), np.floor(rows / 2) + 1
    for _ in range(int(np.log2(rows.max(initial=1.0))) + 2):
        middle = np.floor((low + high) / 2)
        chance = special.bdtr(np.maximum(middle - 1, 0.0), rows.astype(np.int64), 0.5)
        small = np.where(middle >= 1, chance, 0.0) <= tail
        low, high = np.where(small, middle, low), np.where(small, high, middle)
    return low
