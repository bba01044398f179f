"""Images looked at in other places: grids of other sizes, and every pixel somewhere else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.probes.corrupt.corruption import Images

Weights = NDArray[np.float64]
"""Shape (to, from): how much of each old row or column goes into a new one; rows add up to 1."""


def linear(places: NDArray[np.float64], count: int) -> Weights:
    """Return the weights of linear interpolation; beyond the ends the last value goes on.

    Args:
        places: Where to look, in steps from the first of the old values.
        count: How many old values there are.

    """
    inside = np.clip(places, 0, count - 1)
    found: Weights = np.maximum(0.0, 1 - np.abs(inside[:, None] - np.arange(count)))
    return found


def enlarged(count: int, size: int) -> Weights:
    """Return the weights by which ``count`` values become ``size``, by linear interpolation."""
    return linear((np.arange(size) + 0.5) * count / size - 0.5, count)


def averaged(edges: NDArray[np.float64], size: int) -> Weights:
    """Return the weights of means between edges, in which parts of pixels count as parts.

    Args:
        edges: Ascending, from 0 to ``size``.
        size: How many old values there are.

    """
    low = np.maximum(edges[:-1, None], np.arange(size))
    high = np.minimum(edges[1:, None], np.arange(size) + 1)
    covered = np.maximum(high - low, 0.0)
    weights: Weights = covered / covered.sum(axis=1, keepdims=True)
    return weights


def regridded(images: Images, rows: Weights, columns: Weights) -> Images:
    """Return images whose rows and columns are mixed by weights.

    Args:
        images: Shape (n, height, width, channels).
        rows: Shape (new height, height).
        columns: Shape (new width, width).

    """
    count, height, width, channels = images.shape
    tall = np.matmul(rows, images.reshape(count, height, width * channels))
    found: Images = np.matmul(columns, tall.reshape(count, len(rows), width, channels))
    return found


def displaced(images: Images, down: NDArray[np.float64], right: NDArray[np.float64]) -> Images:
    """Return images of which every pixel shows what is some way off, by linear interpolation.

    Args:
        images: Shape (n, height, width, channels).
        down: How many pixels below each pixel to look, shape (n, height, width).
        right: How many pixels right of it, of the same shape; beyond the edges the last value goes
            on.

    """
    count, height, width, _ = images.shape
    rows = np.clip(np.arange(height)[:, None] + down, 0, height - 1)
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    top = np.minimum(rows.astype(int), max(height - 2, 0))
    left = np.minimum(columns.astype(int), max(width - 2, 0))
    below, beside = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    lower, other = (rows - top)[..., None], (columns - left)[..., None]
    each = np.arange(count)[:, None, None]
    upper = images[each, top, left] * (1 - other) + images[each, top, beside] * other
    under = images[each, below, left] * (1 - other) + images[each, below, beside] * other
    found: Images = upper * (1 - lower) + under * lower
    return found
