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
    # Row k adds up the bins before the end k.
    adds = np.tri(len(step) + 1, len(step), -1)
    weights = adds - (count / count.sum()) @ (adds[1:] + adds[:-1]) / 2
    value = weights @ step
    below, above = step - limits.low, limits.high - step
    down = np.abs(weights) * np.where(weights > 0, below, above)
    up = np.abs(weights) * np.where(weights > 0, above, below)
    order = 2 if apart else 1
    return value, Limits(
        value - np.linalg.norm(down, order, axis=1), value + np.linalg.norm(up, order, axis=1)
    )


def middle(value: Floats, count: Floats) -> float:
    """Return the mean over all examples of a curve in the middle between the ends of their bins.

    Args:
        value: The curve at the ends, shape (bins + 1,).
        count: Examples in each bin, shape (bins,).

    """
    return float(count @ (value[1:] + value[:-1]) / (2 * count.sum()))
