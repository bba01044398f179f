"""Ranking by a score: the area under the ROC curve, the curve itself, and the area between two.

All take histograms: ``positives`` and ``negatives`` of shape (..., m) are the numbers (or sums of
weights) of rows with label 1 and 0 at each of m scores in ascending order. Rows of one score are
tied, which the ROC curve shows as one straight segment.
"""

from __future__ import annotations

import numpy as np

from evenhand.stats.influence import Influence, quotient
from evenhand.stats.interval import Floats


def auc(positives: Floats, negatives: Floats) -> Influence:
    """Return the probability that a positive scores above a negative, ties counting one half.

    Positives of one group and negatives of another give xAUC, BPSN and BNSP. The influence is
    DeLong's placement value, centred and divided by the size of its sample. The value and the
    influence are nan where there are no positives or no negatives.

    Args:
        positives: Numbers of positives at each score, shape (..., m).
        negatives: Numbers of negatives at each score, shape (..., m).

    Source: Hanley and McNeil 1982; DeLong, DeLong and Clarke-Pearson 1988.

    >>> float(auc(np.array([0.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0])).value)  # 3.5 of 4 pairs
    0.875
    """
    size_positive = positives.sum(axis=-1, keepdims=True)
    size_negative = negatives.sum(axis=-1, keepdims=True)
    beaten = quotient(np.cumsum(negatives, axis=-1) - negatives / 2, size_negative)
    beating = 1 - quotient(np.cumsum(positives, axis=-1) - positives / 2, size_positive)
    value = quotient((positives * beaten).sum(axis=-1, keepdims=True), size_positive)
    return Influence(
        value=value[..., 0],
        positives=quotient(beaten - value, size_positive),
        negatives=quotient(beating - value, size_negative),
    )


def delong_variance(area: Influence, positives: Floats, negatives: Floats) -> Floats:
    """Return DeLong's variance of an area: each sample with its n - 1, shape (...).

    nan where either sample has at most one row.

    Args:
        area: What `auc` returned for these histograms.
        positives: Numbers of positives at each score, never weighted, shape (..., m).
        negatives: Numbers of negatives at each score, shape (..., m).

    Source: DeLong, DeLong and Clarke-Pearson 1988.

    """
    parts = []
    for counts, influence in ((positives, area.positives), (negatives, area.negatives)):
        size = counts.sum(axis=-1)
        square = (counts * influence**2).sum(axis=-1) * size
        parts.append(quotient(square, np.where(size > 1, size - 1, 0.0)))
    variance: Floats = parts[0] + parts[1]
    return variance


def roc_curve_on(positives: Floats, negatives: Floats, grid: Floats) -> Floats:
    """Return the true-positive rate at given false-positive rates, shape (..., points).

    Where the curve is vertical the highest rate is returned, so that the first point is what a
    threshold reaches without any false positive. nan where there are no positives or no negatives.

    Args:
        positives: Numbers of positives at each score, shape (..., m).
        negatives: Numbers of negatives at each score, shape (..., m).
        grid: False-positive rates in [0, 1], shape (points,).

    Source: Fawcett 2006.

    """
    positives, negatives = np.broadcast_arrays(positives, negatives)
    out = np.full((*positives.shape[:-1], len(grid)), np.nan)
    for index in np.ndindex(out.shape[:-1]):
        if positives[index].any() and negatives[index].any():
            out[index] = _from_right(*_roc(positives[index], negatives[index]), grid)
    return out


def abroca(
    positives_a: Floats, negatives_a: Floats, positives_b: Floats, negatives_b: Floats
) -> Floats:
    """Return the area between two ROC curves, the integral of their absolute difference.

    0 when the curves are equal, at most 1. Exact: both curves are straight between the
    false-positive rates at which either bends, and a crossing splits the piece that it is in.
    nan where either group has no positives or no negatives.

    Args:
        positives_a: Numbers of positives of the first group at each score, shape (..., m).
        negatives_a: Numbers of its negatives.
        positives_b: Numbers of positives of the second group.
        negatives_b: Numbers of its negatives.

    Source: Gardner, Brooks and Baker 2019.

    """
    counts = np.broadcast_arrays(positives_a, negatives_a, positives_b, negatives_b)
    out = np.full(counts[0].shape[:-1], np.nan)
    for index in np.ndindex(out.shape):
        parts = [part[index] for part in counts]
        if all(part.any() for part in parts):
            out[index] = _area_between(_roc(*parts[:2]), _roc(*parts[2:]))
    return out


def _roc(positives: Floats, negatives: Floats) -> tuple[Floats, Floats]:
    """Return the corners of one curve, from (0, 0) to (1, 1), shape (corners,) each."""
    kept = (positives > 0) | (negatives > 0)
    rates = []
    for counts in (negatives, positives):
        above = np.concatenate(([0.0], np.cumsum(counts[kept][::-1])))
        rates.append(above / above[-1])
    return rates[0], rates[1]


def _from_right(x: Floats, y: Floats, at: Floats) -> Floats:
    """Return the curve through the corners (x, y) at points in [0, 1], the top of a vertical."""
    start = np.minimum(np.searchsorted(x, at, side="right"), len(x)) - 1
    return _between(x, y, at, start, np.minimum(start + 1, len(x) - 1))


def _from_left(x: Floats, y: Floats, at: Floats) -> Floats:
    """Return the curve at points in (0, 1], the foot of a vertical."""
    end = np.searchsorted(x, at, side="left")
    return _between(x, y, at, end - 1, end)


def _between(x: Floats, y: Floats, at: Floats, start: np.ndarray, end: np.ndarray) -> Floats:
    """Interpolate from one corner to the next; the first one where they are the same."""
    width = x[end] - x[start]
    part = np.divide(at - x[start], width, out=np.zeros_like(width), where=width > 0)
    value: Floats = y[start] + part * (y[end] - y[start])
    return value


def _area_between(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> float:
    """Return the integral over [0, 1] of the absolute difference of two curves."""
    bends = np.union1d(one[0], other[0])
    first = _from_right(*one, bends[:-1]) - _from_right(*other, bends[:-1])
    last = _from_left(*one, bends[1:]) - _from_left(*other, bends[1:])
    total = np.abs(first) + np.abs(last)
    # Two triangles where the difference changes sign, one trapezium where it does not.
    crossed = np.divide(first**2 + last**2, total, out=np.zeros_like(total), where=total > 0)
    pieces = np.where(first * last < 0, crossed, total) / 2
    return float(pieces @ np.diff(bends))
