"""Coalitions of features: the score where some are there and the others are absent.

The players are cells: single columns of tables, and rectangles of a grid of images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Codes, Floats, Model
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Maps, looked

Masks = NDArray[np.bool_]
"""Which players are there, shape (n, looks, players)."""


def cells_of(spec: Spec, grid: int) -> NDArray[np.int64]:
    """Return the cell of each feature, from 0, shape spec.shape.

    Args:
        spec: Of the model.
        grid: Cells along each side of an image; no more than pixels. Tables have one a column.

    """
    if spec.layout == "features":
        return np.arange(spec.shape[0])
    height, width = (spec.shape[1:] if spec.layout == "CHW" else spec.shape)[:2]
    down, across = (np.arange(side) * min(grid, side) // side for side in (height, width))
    found = down[:, None] * min(grid, width) + across
    if spec.layout == "HWC":
        found = found[:, :, None]
    return np.broadcast_to(found, spec.shape).copy()


def worth(
    model: Model,
    x: Floats,
    fill: Floats,
    codes: Codes,
    *,
    cells: NDArray[np.int64],
    masks: Masks,
) -> NDArray[np.float64]:
    """Return the score of each example's class under each mask, shape (n, looks).

    Args:
        model: A model whose scores are logits.
        x: Examples, shape (n, *spec.shape).
        fill: What absent features are, of the same shape.
        codes: The class whose score it is, shape (n,).
        cells: The cell of each feature, shape spec.shape.
        masks: Which cells are there.

    """

    def seen(look: int) -> Floats:
        found: Floats = np.where(masks[:, look][:, cells], x, fill)
        return found

    return looked(model, masks.shape[1], seen, codes).T


def laid_out(parts: NDArray[np.float64], cells: NDArray[np.int64]) -> Maps:
    """Return the parts of cells as maps: each feature has an even share of its cell's.

    Args:
        parts: Shape (n, players).
        cells: The cell of each feature, shape spec.shape.

    """
    found: Maps = (parts / np.bincount(cells.ravel()))[:, cells]
    return found
