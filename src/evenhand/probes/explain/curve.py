"""Curves of effects along a feature: where they are asked about, and what the rows of a log say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem
from evenhand.probes.explain.table import Table

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """An effect along a feature.

    Attributes:
        feature: Its name.
        at: Values of the feature, ascending, shape (points,).
        value: The effect there, in units of the score.
        low: The lower limit at each, pointwise; NaN where too few examples tell it.
        high: The upper limit.
        count: Examples behind it: in each bin, shape (points - 1,), or at each point.

    """

    feature: str
    at: Numbers
    value: Numbers
    low: Numbers
    high: Numbers
    count: NDArray[np.int64]


def grid(values: Numbers, count: int) -> Numbers:
    """Return at most so many values of a feature: quantiles, the least and the greatest among them.

    Of a value that is so frequent that it is several of them, such as a gain of 0, the others are
    divided without it, or most people would be moved over all of them.

    >>> grid(np.array([0.0] * 8 + [1.0, 2.0, 3.0]), 4).tolist()
    [0.0, 1.0, 2.0, 3.0]

    Args:
        values: Of all examples, shape (n,).
        count: From 2 on.

    """
    ends = _quantiles(values, count)
    known, number = np.unique(values, return_counts=True)
    if len(ends) >= count or len(known) == 1:
        return ends
    often = known[number.argmax()]
    return np.unique([*_quantiles(values[values != often], count - 1), often])


def filled(ends: Numbers, values: Numbers, least: int) -> Numbers:
    """Return ends of bins without those that would leave fewer examples in a bin.

    >>> filled(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.5, 1.5, 2.5, 2.8]), 2).tolist()
    [0.0, 1.0, 3.0]

    Args:
        ends: Ascending; a bin has its upper end, and the first its lower end too.
        values: Of all examples, none beyond the ends, shape (n,).
        least: Examples that a bin must have; of fewer in all there is one bin.

    """
    if len(ends) < 3:  # noqa: PLR2004 - one bin
        return ends
    below = np.searchsorted(np.sort(values), ends, side="right")
    kept = [0]
    start = 0
    for place in range(1, len(ends) - 1):
        if below[place] - start >= least:
            kept.append(place)
            start = below[place]
    # What is left over belongs to the bin before it.
    if below[-1] - start < least and len(kept) > 1:
        kept.pop()
    return ends[[*kept, len(ends) - 1]]


def without_curve(
    where: str, table: Table | None, points: Callable[[Table, int], Numbers]
) -> list[Problem]:
    """Return that no feature has a curve: none has two points.

    Args:
        where: What is asked for.
        table: What is known of all examples; None before they are.
        points: Gives the points of a feature by its place.

    """
    features = range(len(table.names)) if table is not None else ()
    if table is None or any(len(points(table, place)) > 1 for place in features):
        return []
    what = "no feature has a curve: each is text or never changes."
    return [Problem(where, what, "Ask explain.shap or explain.permutation.")]


def _quantiles(values: Numbers, count: int) -> Numbers:
    """Return so many quantiles, the least and the greatest value among them, each once."""
    at = np.linspace(0, 1, count)
    return np.unique(np.quantile(values, at, method="closest_observation"))
