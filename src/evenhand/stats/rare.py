"""Means of numbers of which most are alike: what rows that were not seen may add to them.

Where a score moves for few, and then far, a log may hold fewer of them than there should be, or
none. The t interval, which knows only what was seen, is too short then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evenhand.stats.interval import Floats

KNOWN = 100
"""From so many rows on one value of all is known: by the rule of three, at most 3 % are others."""

UNSEEN = 1.5
"""Standard errors of a number of rows of which none was seen: at most three (95 %), over 1.96."""

ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""Relative error of a sum, for each of ten rows or of the root of more."""


@dataclass(frozen=True)
class Moments:
    """Sums over rows of which K means are made; arrays of shape (K,).

    Attributes:
        powers: Sums of the numbers to the power of 0, 1, 2, 3 and 4, each times the square of the
            row's weight; shape (5, K).
        mean: The means.
        rows: Number of rows; with weights Kish's.

    """

    powers: Floats
    mean: Floats
    rows: Floats

    @property
    def alike(self) -> np.ndarray:
        """Return whether rows differ by no more than rounding."""
        flat: np.ndarray = self._about_mean(_SQUARE) <= 0
        return flat

    def size(self) -> Floats:
        """Return how far the rows that make the variance are from the mean; 0 where all are alike.

        The root of the mean square distance, each row counted by its own square: of numbers that
        are 0 but for few it is how large these are.

        >>> two_of_100 = np.array([[100.0], [1.0], [0.5], [0.25], [0.125]])     # are 1/2
        >>> Moments(two_of_100, np.array([0.01]), np.array([100.0])).size().round(2).tolist()
        [0.49]
        """
        square, fourth = self._about_mean(_SQUARE), self._about_mean(_FOURTH)
        ratio = np.divide(fourth, square, out=np.zeros_like(square), where=square > 0)
        # At least the standard deviation, also where rounding leaves nothing of the fourth.
        size: Floats = np.sqrt(
            np.maximum(ratio, square / np.where(self.powers[0] > 0, self.powers[0], 1.0))
        )
        return size

    def _about_mean(self, signs: tuple[float, ...]) -> Floats:
        """Return sums of powers of the distances to the mean; 0 for what is rounding of others."""
        most = len(signs) - 1
        terms = [sign * self.powers[of] * self.mean ** (most - of) for of, sign in enumerate(signs)]
        found, size = np.sum(terms, axis=0), np.sum(np.abs(terms), axis=0)
        kept: Floats = np.where(found > ROUNDING * (10 + np.sqrt(self.rows)) * size, found, 0.0)
        return kept


_SQUARE = (1.0, -2.0, 1.0)
_FOURTH = (1.0, -4.0, 6.0, -4.0, 1.0)


def unseen(size: Floats | float, rows: Floats) -> Floats:
    """Return the variance of means that rows of a size add which may not have been seen.

    With the sum of squares over the rows it gives limits of counts beside Poisson's: of none that
    were seen up to three, of one up to 4.5; exactly 3.7 and 5.6, which err by 2.5 %, these by 6.

    Args:
        size: How far such rows are from the others.
        rows: Number of rows of each mean; with weights Kish's.

    Source: the rule of three, Hanley and Lippman-Hand 1983.

    """
    added: Floats = np.square(UNSEEN * size / np.maximum(rows, 1.0))
    return added
