"""Accumulated local effects: the mean changes over the bins of a feature, added up to a curve."""

from __future__ import annotations

import numpy as np

from evenhand.stats.interval import Floats, Limits


def accumulated(
    step: Floats, limits: Limits, count: Floats, *, apart: bool = True
) -> tuple[Floats, Limits]:
    """Return the curve at the ends of bins, shape (bins + 1,), and its pointwise limits.

    The value at the end k is the sum of the mean changes of the bins before it, minus the mean over
    all examples of the curve in the middle between the ends of their bins, so that the curve is 0
    in the mean. It is a weighted sum of the bins' means, and so are its limits found from theirs
    (MOVER); bins and their counts are taken as they are.

    Args:
        step: Mean change of the score from the lower to the upper end of each bin, shape (bins,).
        limits: Of these means; NaN where there are none, and then there are none of the curve.
        count: Examples in each bin, > 0.
        apart: Whether no unit is in two bins. Means of bins are independent then; else distances
            to limits are added up, which is wide enough however they depend on each other.

    Source: Apley and Zhu 2020, centred by the trapezoid; Zou and Donner 2008 for the limits of a
    linear combination.

    >>> steps, none = np.array([1.0, 3.0]), Limits(np.array([1.0, 3.0]), np.array([1.0, 3.0]))
    >>> value, _ = accumulated(steps, none, np.array([1.0, 1.0]))
    >>> value.tolist()      # 0, 1 and 4, whose middles .5 and 2.5 are 1.5 in the mean
    [-1.5, -0.5, 2.5]
    """
    weights = _weights(count)
    below, above = _distances(weights, step, limits, apart=apart)
    value = weights @ step
    return value, Limits(value - below, value + above)


def middle(
    step: Floats, limits: Limits, count: Floats, run: slice, *, apart: bool = True
) -> tuple[float, Limits]:
    """Return the mean height of a curve over the examples of a run of bins, and its limits.

    Height is that in the middle between the ends of an example's bin; over all bins it is 0.

    Args:
        step: Mean change in each bin of the whole curve, shape (bins,).
        limits: Of these means.
        count: Examples in each bin, > 0.
        run: The bins over whose examples the mean is.
        apart: As in `accumulated`.

    >>> steps, none = np.array([1.0, 3.0]), Limits(np.array([1.0, 3.0]), np.array([1.0, 3.0]))
    >>> middle(steps, none, np.array([1.0, 1.0]), slice(1, 2))[0]       # from -.5 to 2.5
    1.0
    """
    weights = _weights(count)
    heights = (weights[1:] + weights[:-1])[run] / 2
    mean = count[run] @ heights / count[run].sum()
    below, above = _distances(mean[None], step, limits, apart=apart)
    value = float(mean @ step)
    return value, Limits(value - below[0], value + above[0])


def _weights(count: Floats) -> Floats:
    """Return what each mean counts at each end of a centred curve, shape (bins + 1, bins)."""
    # Row k adds up the bins before the end k.
    adds = np.tri(len(count) + 1, len(count), -1)
    weights: Floats = adds - (count / count.sum()) @ (adds[1:] + adds[:-1]) / 2
    return weights


def _distances(
    weights: Floats, step: Floats, limits: Limits, *, apart: bool
) -> tuple[Floats, Floats]:
    """Return how far the limits of weighted sums are below and above them."""
    below, above = step - limits.low, limits.high - step
    down = np.abs(weights) * np.where(weights > 0, below, above)
    up = np.abs(weights) * np.where(weights > 0, above, below)
    order = 2 if apart else 1
    return np.linalg.norm(down, order, axis=1), np.linalg.norm(up, order, axis=1)
