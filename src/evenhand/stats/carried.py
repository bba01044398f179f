"""How many rows carry a mean: whether t limits may be believed where most rows are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evenhand.stats.interval import Floats

FEWEST = 10
"""So many rows are to carry a mean, else it has no t limits (docs/design/table-explanations.md)."""

KNOWN = 100
"""From so many rows on one value of all is known: by the rule of three, at most 3 % are others."""

ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""Relative error of a sum, for each of ten rows or of the root of more."""


@dataclass(frozen=True)
class Moments:
    """Sums over rows of which K means are made; arrays of shape (K,).

    Attributes:
        size: Sums of the numbers' absolute values, each times the row's weight.
        powers: Sums of the numbers to the power of 0, 1, 2 and 3, each times the square of the
            row's weight; shape (4, K).
        mean: The means.
        rows: Number of rows; with weights Kish's.

    """

    size: Floats
    powers: Floats
    mean: Floats
    rows: Floats

    @property
    def alike(self) -> np.ndarray:
        """Return whether rows differ by no more than rounding."""
        spread, size = self._about_mean(2)
        flat: np.ndarray = spread <= ROUNDING * (10 + np.sqrt(self.rows)) * size
        return flat

    def carrying(self) -> Floats:
        """Return how many rows carry each mean, from 0 to the number of rows; alike, all do.

        Of n rows of which k are one number and the others 0 it is k, or somewhat more where k is
        large. It is the smaller of two: Kish's number of the absolute values, which is small where
        few are not 0; and n over the squared skewness, which is small where few are far from the
        others, whatever these are.

        Source: Kish 1965; Cochran 1977, who asks for 25 times the squared skewness of rows before
        a mean is taken for normal.

        >>> few = np.array([2.0])       # two of 100 are 1
        >>> one = Moments(few, np.array([[100.0], [2.0], [2.0], [2.0]]), few / 100, few * 50)
        >>> one.carrying().round(1).tolist()
        [2.0]
        """
        spread, _ = self._about_mean(2)
        third, size = self._about_mean(3)
        # What is left of larger numbers that cancel is rounding, not skewness.
        third = np.maximum(np.abs(third) - ROUNDING * (10 + np.sqrt(self.rows)) * size, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = np.square(self.size) / self.powers[2]
            apart = self.rows * spread**3 / np.square(third) / self.powers[0]
        found = np.fmin(np.fmin(moved, apart), self.rows)
        return np.where(self.alike, self.rows, found)

    def _about_mean(self, power: int) -> tuple[Floats, Floats]:
        """Return sums of powers of the distances to the mean, and the size of what they cancel."""
        signs = {2: (1.0, -2.0, 1.0), 3: (-1.0, 3.0, -3.0, 1.0)}[power]
        terms = [
            sign * self.powers[of] * self.mean ** (power - of) for of, sign in enumerate(signs)
        ]
        return np.sum(terms, axis=0), np.sum(np.abs(terms), axis=0)
