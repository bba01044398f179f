"""The delta method: figures that are smooth functions of sums, or have an influence per row.

One rule serves means, errors, correlation coefficients, inequality indices and areas under
curves: the figure moves by the sum of its rows' influences. Their squares, summed over rows or
over buckets of units, are its variance (docs/design/intervals.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from evenhand.stats.bucket import Between, Dependence
from evenhand.stats.figure import Figures, Linearised, edge_of
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
        occupied: Numbers of rows, or sums of their weights, as ``buckets``; for buckets of single
            units it is enough to know which have any.
        within: The smallest and the largest value that such a figure can have.
        dependent: What a bucket is; None where every row is its own unit.
        mean: Whether the figures are means of numbers within the range.
        rare: Whether most of these are mostly one number, so that few others tell little.

    """

    value: Floats
    rows: Floats
    variance: Floats
    df: Floats
    correlation: Floats
    buckets: Floats | None
    occupied: np.ndarray | None
    within: tuple[float, float]
    dependent: Dependence | None
    mean: bool = False
    rare: bool = False

    def figures(self) -> Figures:
        """Return the figures with variances from rows or, where there are some, from buckets.

        A variance from buckets is never below that of independent rows. Figures in a bounded
        range get Wilson's interval with the number of trials that a proportion of this variance
        would have; one without any variance counts its rows as trials. A mean counts as many as
        could have differed, rows or buckets, and where all are the same number, or mostly, has the
        score interval that reckons with others (docs/design/intervals.md).

        Source: Kottas, Kuss and Zapf 2014 (Wilson's interval with an effective number of trials,
        for the area under the curve).
        """
        variance, df, correlation = self.variance, self.df, self.correlation
        how = ""
        if self.buckets is not None and self.occupied is not None and self.dependent:
            between = Between.of(self.buckets, self.occupied, self.dependent)
            variance = np.maximum(between.variance, self.variance)
            df, correlation = between.df, between.correlation
            how = TOGETHER[self.dependent]
        least, most = self.within
        if not np.isfinite(most - least):
            method = "t"
            if (edge := edge_of(self.within)) is not None:
                method = "t on the log scale" if edge == 0 else f"t on the log scale below {edge:g}"
                if not how:
                    df = self._df_of_logarithm(edge)
            return Linearised(
                self.value,
                variance,
                df,
                correlation,
                f"{method}{how}",
                (least, most),
                self.buckets,
            )
        share = np.clip((self.value - least) / (most - least), 0.0, 1.0)
        spread = share * (1 - share)
        scaled = variance / (most - least) ** 2
        flat = (scaled <= 0) | (spread <= 0)
        trials, one = self.rows.astype(np.float64), None
        if self.mean:
            # What sums by bucket of the same numbers differ by is rounding.
            flat |= self.variance <= 0
            trials = np.maximum(np.minimum(trials, df + 1), 1.0)
        n = np.divide(spread, scaled, out=trials.copy(), where=~flat)
        if self.mean and (self.rare or (flat & (spread > 0)).any()):
            n = np.where(flat | self.rare, trials, n)
            one = np.where(flat, 0.0, np.minimum(scaled * trials if self.rare else spread, spread))
        curve = None
        if self.within != (0.0, 1.0):
            curve = Curve(
                value=lambda share: least + (most - least) * share,
                slope=lambda share: np.full_like(share, most - least),
            )
        method = f"{_SCORE if self.rare else _EFFECTIVE}{how}"
        buckets = None if self.buckets is None else self.buckets / (most - least)
        return Proportions(share, n, df, correlation, method, curve, buckets, one)

    def _df_of_logarithm(self, edge: float) -> Floats:
        """Return the degrees of freedom of the variance of the log of the distance to an edge.

        That variance is ``s^2 / (n m^2)``. The more rows differ beside their mean, the less is
        known of ``s / m``: for gamma rows with coefficient of variation c its square has a
        relative variance of 2 (1 + c^2) / n, so that Satterthwaite's formula gives n / (1 + c^2).
        """
        distance = np.square(self.value - edge)
        relative = np.divide(
            self.variance * (self.df + 1), distance, out=np.zeros_like(distance), where=distance > 0
        )
        fewer: Floats = np.maximum(self.df / (1 + relative), np.minimum(self.df, 1.0))
        return fewer


_EFFECTIVE = "Wilson with the delta method's variance"
_SCORE = "score interval of a bounded mean"

TOGETHER: dict[Dependence, str] = {
    "buckets": ", units taken together",
    "two_way": ", both units taken together",
    "dyadic": ", pairs that share a unit taken together",
}


def kish(weights: Floats, squares: Floats) -> Floats:
    """Return the effective number of rows: few where some weights are much larger than others.

    Args:
        weights: Sums of weights.
        squares: Sums of squared weights, of the same shape.

    Source: Kish 1965.

    """
    rows: Floats = np.divide(
        np.square(weights), squares, out=np.zeros_like(weights), where=squares > 0
    )
    return rows


def satterthwaite(power: Floats, fourth: Floats, rows: Floats) -> Floats:
    """Return the degrees of freedom of a sum of squares whose terms may differ much.

    At most ``rows - 1``; fewer where few rows carry the sum, by Satterthwaite's formula with the
    variance of the terms as observed, as `evenhand.stats.bucket` has it for buckets.

    Args:
        power: Sum of the squares.
        fourth: Sum of the fourth powers.
        rows: Number of terms.

    Source: Satterthwaite 1946.

    """
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = fourth / np.square(power) - 1 / rows
        observed = np.where(excess > 0, 2 / excess, np.inf)
    most = np.maximum(rows - 1, 0.0)
    df: Floats = np.minimum(most, np.maximum(observed, np.minimum(most, 1.0)))
    return df


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
