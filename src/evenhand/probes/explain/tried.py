"""Values of a feature that a search for a cheap change puts in: a grid, and what is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evenhand.probes.explain.recourse import Numbers


@dataclass(frozen=True)
class Tried:
    """Values of a feature that a search puts in.

    Attributes:
        grid: Those that are tried alone, shape (values, columns of the feature).
        seen: Of a number, all that are seen in its range, ascending; else none.

    """

    grid: Numbers
    seen: Numbers


def values_tried(values: Numbers, ends: tuple[float, float] | None, points: int) -> Tried:
    """Return the values of a feature that are put in.

    Of a number all that are seen where they are few; else those that are so frequent that they are
    a point of the grid each, such as a gain of 0, and quantiles of the others, or most of the grid
    would be one value. Of anything else the most frequent.

    Args:
        values: Those inside of its range, shape (n, columns of the feature).
        ends: The range of a number; None of what is none.
        points: Of a grid at most, the ends not counted.

    """
    known, count = np.unique(values, axis=0, return_counts=True)
    if ends is None:
        return Tried(known[np.argsort(-count, kind="stable")[:points]], np.empty(0))
    seen = known[:, 0]
    if len(seen) > points:
        often = seen[count * points > len(values)]
        others = values[~np.isin(values[:, 0], often), 0]
        at = np.linspace(0, 1, points - len(often))
        spread = np.quantile(others, at, method="closest_observation")
        seen_grid = np.concatenate([often, spread])
    else:
        seen_grid = seen
    # A range may hold no value that is seen.
    return Tried(np.unique([*seen_grid, *ends])[:, None], seen)


def coarse(grid: Numbers, count: int) -> Numbers:
    """Return at most so many values of a grid, its ends among them."""
    at = np.linspace(0, len(grid) - 1, min(count, len(grid)))
    return np.asarray(grid[np.rint(at).astype(int)], np.float64)


def between(seen: Numbers, near: Numbers, far: Numbers, count: int) -> Numbers:
    """Return values that are seen between two, from near to far, the last repeated; or ``near``."""
    low, high = np.minimum(near, far), np.maximum(near, far)
    start = np.searchsorted(seen, low, side="right")
    end = np.searchsorted(seen, high, side="left")
    number = np.maximum(end - start, 0)[:, None]
    place = np.arange(count)[None]
    few = np.minimum(place, number - 1)
    step = np.where(number <= count, few, (place + 1) * number // (count + 1))
    at = np.where((far > near)[:, None], start[:, None] + step, end[:, None] - 1 - step)
    if not len(seen):
        return np.broadcast_to(near[:, None], at.shape).copy()
    found = seen[np.clip(at, 0, len(seen) - 1)]
    return np.asarray(np.where(number > 0, found, near[:, None]), np.float64)
