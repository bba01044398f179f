"""Curves of effects along a feature: where they are asked about, and what the rows of a log say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.errors import Problem
from evenhand.probes.explain.table import Table
from evenhand.stats.interval import Limits, critical
from evenhand.stats.rare import KNOWN, Moments, unseen
from evenhand.stats.simultaneous import student

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


@dataclass(frozen=True)
class Means:
    """Mean effects at the places of a feature, ascending; arrays of shape (places,).

    Attributes:
        at: The columns that say where each place is.
        mean: Mean effect of the examples there.
        limits: Its t limits, with room for rare changes; NaN of few that are alike.
        count: How many examples.

    """

    at: Mapping[str, Numbers]
    mean: Numbers
    limits: Limits
    count: NDArray[np.int64]


def means_of(rows: pl.DataFrame, effect: str, places: Sequence[str], level: float) -> Means:
    """Return the mean effects at each place, with limits where there are any.

    Where the rows of a place are alike, and enough, limits have no width; else they have room for
    rows that were not seen (`evenhand.stats.rare`).

    Args:
        rows: Of one feature, none without an effect.
        effect: Its column.
        places: Columns that say where a row is, by the first of which places are sorted.
        level: Coverage of the limits, which are pointwise; places are taken as they are.

    """
    own = pl.col(effect)
    sums = rows.group_by(*places).agg(
        mean=own.mean(),
        spread=own.var(),
        count=pl.len().cast(pl.Int64),
        **{f"power {of}": (own**of).sum() for of in range(1, 5)},
    )
    sums = sums.sort(places[0])
    mean, count = sums["mean"].to_numpy(), sums["count"].to_numpy()
    number = count.astype(np.float64)
    powers = [number, *(sums[f"power {of}"].to_numpy() for of in range(1, 5))]
    moments = Moments(np.array(powers), mean, number)
    # Of one example there is no variance, and none of whatever it is added to.
    square = sums["spread"].cast(pl.Float64).fill_null(np.nan).to_numpy() / number
    error = np.sqrt(square + unseen(moments.size(), number))
    error = np.where(moments.alike, np.where(number >= KNOWN, 0.0, np.nan), error)
    off = student(critical(level), number - 1.0) * error
    at = {name: sums[name].to_numpy() for name in places}
    return Means(at, mean, Limits(mean - off, mean + off), count)


def places_of(table: Table, place: int, chosen: Callable[[Numbers], Numbers]) -> Numbers:
    """Return where on a feature the model is asked; nowhere of text, which has no order.

    Args:
        table: What is known of all examples.
        place: Of the feature.
        chosen: Gives the places, by the values of all examples.

    """
    if table.names[place] in table.values:
        return np.empty(0)
    return chosen(np.asarray(table.x.reshape(len(table.x), -1)[:, place], np.float64))


def of_text(table: Table) -> list[str]:
    """Return what is to be known of features that are text; nothing where none are."""
    text = [name for name in table.names if name in table.values]
    return [f"text has no order, so no curve: {', '.join(text)}"] if text else []


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
