"""The delta method: figures that are smooth functions of sums, or have an influence per row.

One rule serves means, errors, correlation coefficients, inequality indices and areas under
curves: the figure moves by the sum of its rows' influences. Their squares, summed over rows or
over buckets of units, are its variance (docs/design/intervals.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from evenhand.stats.bucket import correlation_over, degrees_of_freedom
from evenhand.stats.figure import Figures, Linearised
from evenhand.stats.interval import Floats
from evenhand.stats.proportion import Curve, Proportions

Function = Callable[[Mapping[str, Floats]], Floats]
"""A smooth function of sums by name, homogeneous of degree 0: doubling the log changes nothing."""

_STEP = 1e-150
"""Step of the complex derivative, which has no rounding error however small the step is."""


@dataclass(frozen=True)
class Influences:
    """What the rows contribute to K figures.

    Attributes:
        value: The figures, shape (K,).
        rows: Number of rows that the figures rest on, shape (K,).
        variance: Variance of the figures for independent rows, shape (K,).
        df: Degrees of freedom of that variance, shape (K,).
        correlation: Correlation of the figures for independent rows, shape (K, K).
        buckets: Sum of influences by bucket of units, shape (buckets, K); None where every row is
            its own unit.
        occupied: Which buckets have rows of which figure, as ``buckets``.
        within: The smallest and the largest value that such a figure can have.

    """

    value: Floats
    rows: Floats
    variance: Floats
    df: Floats
    correlation: Floats
    buckets: Floats | None
    occupied: np.ndarray | None
    within: tuple[float, float]

    def figures(self) -> Figures:
        """Return the figures with variances from rows or, where there are some, from buckets.

        A variance from buckets is never below that of independent rows. Figures in a bounded
        range get Wilson's interval with the number of trials that a proportion of this variance
        would have; one without any variance counts its rows as trials.

        Source: Kottas, Kuss and Zapf 2014 (Wilson's interval with an effective number of trials,
        for the area under the curve).
        """
        variance, df, correlation = self.variance, self.df, self.correlation
        how = ""
        if self.buckets is not None and self.occupied is not None:
            occupied = self.occupied.sum(axis=0)
            square = np.square(self.buckets)
            between = square.sum(axis=0) * occupied / np.maximum(occupied - 1, 1)
            variance = np.maximum(between, self.variance)
            df = degrees_of_freedom(square, occupied)
            correlation = correlation_over(self.buckets, self.occupied)
            how = ", units taken together"
        least, most = self.within
        if not np.isfinite(most - least):
            method = "t" if least else "t on the log scale"
            return Linearised(
                self.value, variance, df, correlation, f"{method}{how}", (least, most)
            )
        share = np.clip((self.value - least) / (most - least), 0.0, 1.0)
        spread = share * (1 - share)
        scaled = variance / (most - least) ** 2
        flat = (scaled <= 0) | (spread <= 0)
        n = np.divide(spread, scaled, out=self.rows.astype(np.float64), where=~flat)
        curve = None
        if self.within != (0.0, 1.0):
            curve = Curve(
                value=lambda share: least + (most - least) * share,
                slope=lambda share: np.full_like(share, most - least),
            )
        method = f"Wilson with the delta method's variance{how}"
        return Proportions(share, n, df, correlation, method, curve)


def gradient(function: Function, sums: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Return a function of sums and its derivative in each of them.

    Args:
        function: A function made of arithmetic, powers, roots, logarithms and exponentials.
        sums: The sums by name, arrays of shape (K,).

    Returns:
        Values of shape (K,), and derivatives of shape (sums, K). Values that are not finite stay
        so, without a warning.

    Source: Squire and Trapp 1998 (complex step).

    """
    with np.errstate(all="ignore"):
        value = np.asarray(function(sums), dtype=np.float64)
        slopes = []
        for name, total in sums.items():
            step = _STEP * np.maximum(np.abs(total), 1.0)
            moved = function({**sums, name: total + 1j * step})
            slopes.append(np.imag(moved) / step)
    return value, np.array(slopes)
