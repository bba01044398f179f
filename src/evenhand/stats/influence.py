"""Influence: what each row adds to the error of a figure, kept per cell of a histogram of scores.

``estimate - truth`` is, to first order, the sum over rows of ``weight * influence(cell)``. Its
variance follows for any design: the sum of ``count * influence**2`` for independent rows, of
squared sums per unit for rows that belong together, and the covariance of two figures from
products in place of squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evenhand.stats.interval import Floats


@dataclass(frozen=True)
class Influence:
    """A figure of a histogram of scores, with the influence of a row in each of its cells.

    Attributes:
        value: The figure, shape (...); nan where the histogram does not define it.
        positives: Influence of a row with label 1 at each score, shape (..., m).
        negatives: Influence of a row with label 0 at each score, shape (..., m).

    Source: Hampel 1974; Deville 1999 (linearised variables for any design).

    """

    value: Floats
    positives: Floats
    negatives: Floats

    def variance(self, square_positives: Floats, square_negatives: Floats) -> Floats:
        """Return the variance when rows are independent.

        Args:
            square_positives: Sums of squared weights of the rows with label 1 at each score,
                shape (..., m): their counts where rows have no weights.
            square_negatives: The same for label 0.

        """
        of_positives: Floats = (square_positives * self.positives**2).sum(axis=-1)
        of_negatives: Floats = (square_negatives * self.negatives**2).sum(axis=-1)
        return of_positives + of_negatives


def quotient(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, nan where the denominator is not above 0."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    out = np.full(shape, np.nan)
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) > 0)
    return out
