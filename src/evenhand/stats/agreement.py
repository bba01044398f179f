"""How far two figures of the same units err alike, judged from few sums, and what that leaves.

The correlation of two estimates decides how well their difference is known, and it is itself an
estimate: from the deviations by bucket of units, of which there may be only a few. So no single
value is used. Every value counts by how likely it makes these deviations, and an interval is that
of the mixture: Student's for a few buckets that agree well, the normal one for many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from evenhand.stats.bucket import Between, Dependence, degrees_of_freedom
from evenhand.stats.interval import Floats


@dataclass(frozen=True)
class Agreement:
    """What the correlation of P pairs of figures may be.

    Attributes:
        correlation: Possible values in [-1, 1], shape (P, values).
        weight: How likely each is; those of a pair add up to 1.

    """

    correlation: Floats
    weight: Floats

    @classmethod
    def none(cls, pairs: int) -> Agreement:
        """Return that of figures of different units, whose correlation is 0."""
        return cls(np.zeros((pairs, 1)), np.ones((pairs, 1)))

    @classmethod
    def of(cls, first: Floats, second: Floats, dependent: Dependence) -> Agreement:
        """Return it from deviations in units of each figure's standard error.

        The sum and the difference of two such figures are uncorrelated, with variances
        ``2 (1 + rho)`` and ``2 (1 - rho)``; what the buckets say of both is their likelihood. The
        prior is flat in the logarithm of either, so that a difference that is small beside the
        figures is judged by Student's t with the degrees of freedom of the buckets.

        Args:
            first: Deviations by bucket and pair, shape (buckets, P); each column adds up to 0.
            second: Those of the other figure of each pair, of the same shape.
            dependent: What a bucket is.

        """
        apart, df_apart = _variance(first - second, dependent)
        along, df_along = _variance(first + second, dependent)
        # What does not vary at all tells no degrees of freedom of its own.
        df_apart, df_along = (
            np.where(apart > 0, df_apart, df_along),
            np.where(along > 0, df_along, df_apart),
        )
        known = (np.abs(first).max(axis=0) > 0) & (np.abs(second).max(axis=0) > 0)
        known &= np.minimum(df_apart, df_along) >= 1
        apart, along = _matched(apart / 2, along / 2, np.minimum(df_apart, df_along))
        # Logarithms of the odds of (1 - rho) / 2, from well below what either says.
        safe = (apart > 0) & (along > 0)
        with np.errstate(divide="ignore"):
            low = np.minimum(np.log(apart / 2) - _BEYOND, -_BEYOND)
            high = np.maximum(_BEYOND - np.log(along / 2), _BEYOND)
        low, high = (np.where(safe, end, 0.0)[:, None] for end in (low, high))
        odds = low + (high - low) * np.linspace(0, 1, _VALUES)
        less, more = special.expit(odds), special.expit(-odds)
        likely = -0.5 * (
            df_apart[:, None] * (np.log(less) + apart[:, None] / (2 * less))
            + df_along[:, None] * (np.log(more) + along[:, None] / (2 * more))
        )
        weight = np.exp(likely - likely.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        # Where one of both does not vary at all, the correlation is 1 or -1.
        sure = np.where(apart > 0, -1.0, 1.0)[:, None]
        correlation = np.where(safe[:, None], more - less, sure)
        return cls(np.where(known[:, None], correlation, 0.0), weight)

    def distance(self, apart: Floats, together: Floats, crossed: Floats, crit: float) -> Floats:
        """Return how far a limit is from the difference of the figures, shape (P,).

        Args:
            apart: Square of the distance of figures whose correlation is 0, shape (P,).
            together: The same of figures whose correlation is 1.
            crossed: Half of what a correlation of -1 adds to the first.
            crit: Two-sided critical value of the distances.

        """
        rho = self.correlation
        square = (
            apart[:, None]
            - np.maximum(rho, 0) * (apart - together)[:, None]
            + 2 * np.maximum(-rho, 0) * crossed[:, None]
        )
        # What is left of larger numbers that cancel is rounding.
        scale = np.sqrt(np.where(square > _ROUNDING * apart[:, None], square, 0.0))
        if scale.shape[1] == 1:
            only: Floats = scale[:, 0]
            return only
        slope = np.divide(crit, scale, out=np.full_like(scale, _STEEP), where=scale > 0)
        least, most = scale.min(axis=1), scale.max(axis=1)
        found: Floats = np.sqrt((self.weight * np.square(scale)).sum(axis=1))
        tail = special.ndtr(-crit)
        for _ in range(_STEPS):
            # Newton's steps: the tail is convex, so from the second on all come from below.
            at = found[:, None] * slope
            beyond = (self.weight * special.ndtr(-at)).sum(axis=1) - tail
            falls = (self.weight * slope * np.exp(-at * at / 2)).sum(axis=1) / np.sqrt(2 * np.pi)
            step = np.divide(beyond, falls, out=np.zeros_like(falls), where=falls > 0)
            found = np.clip(found + step, least, most)
        return found


def _variance(moved: Floats, dependent: Dependence) -> tuple[Floats, Floats]:
    """Return the variance of each column of sums, and its degrees of freedom."""
    if dependent == "buckets":
        occupied = (moved != 0).sum(axis=0)
        square = np.square(moved)
        variance = square.sum(axis=0) * occupied / np.maximum(occupied - 1, 1)
        variance = np.where(variance > _ROUNDING, variance, 0.0)
        df = degrees_of_freedom(square, np.maximum(occupied, 1))
        return variance, df
    variance, df = np.zeros(moved.shape[1]), np.zeros(moved.shape[1])
    for place in np.flatnonzero(moved.any(axis=0)):
        column = moved[:, [place]]
        found = Between.of(column, (column != 0).astype(float), dependent)
        variance[place], df[place] = found.variance[0], found.df[0]
    return np.where(variance > _ROUNDING, variance, 0.0), df


def _matched(apart: Floats, along: Floats, df: Floats) -> tuple[Floats, Floats]:
    """Return both variances made larger where the buckets vary less than the figures.

    Standard errors may come from more than the buckets, such as rows. By chance both sums vary too
    little together only as often as in one of a thousand logs.
    """
    mean = (apart + along) / 2
    least = special.chdtri(np.maximum(df, 1.0), _CHANCE) / np.maximum(df, 1.0)
    scale = np.where((mean < least) & (mean > 0), 1 / np.where(mean > 0, mean, 1.0), 1.0)
    return apart * scale, along * scale


_CHANCE = 0.999
"""How surely buckets must vary less than figures before that is not taken for chance."""

_VALUES = 129
"""Values that a correlation is taken to have."""

_BEYOND = 4.0
"""How far values go beyond what is likely, in logarithms."""

_STEPS = 12
_STEEP = 1e12
"""What stands for the slope of a tail that ends at once."""

_ROUNDING = 1e-24
"""A variance so small beside that of the figures themselves is that of rounded numbers."""
