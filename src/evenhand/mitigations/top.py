"""The best k of many rows of values, without sorting what is not shown."""

from __future__ import annotations

import numpy as np

from evenhand.mitigations.candidates import NOBODY, Floats, Places


def top(values: Floats, k: int) -> Places:
    """Return the places of the k highest of each row, best first, shape (n, k).

    Ties keep their order, and each row is as it would be alone. -inf is no candidate: `NOBODY`
    stands where there are no more.

    >>> top(np.array([[0.5, 0.9, 0.5], [0.1, -np.inf, -np.inf]]), 2).tolist()
    [[1, 0], [0, -1]]
    """
    rows, width = values.shape
    kept = min(k, width)
    order = np.full((rows, k), NOBODY, np.int64)
    if not kept or not rows:
        return order
    chosen = np.flatnonzero(values >= _least(values, kept)[:, None])
    row = chosen // width
    count = np.bincount(row, minlength=rows)
    # Those chosen side by side, in their order: at least k of each row, and not many more.
    place = np.arange(len(chosen)) - np.repeat(np.cumsum(count) - count, count)
    found = np.full((rows, count.max()), -np.inf)
    where = np.zeros(found.shape, np.int64)
    found[row, place] = values.ravel()[chosen]
    where[row, place] = chosen - row * width
    best = np.argsort(-found, axis=1, kind="stable")[:, :kept]
    there = np.take_along_axis(found, best, axis=1) > -np.inf
    order[:, :kept] = np.where(there, np.take_along_axis(where, best, axis=1), NOBODY)
    return order


def _least(values: Floats, kept: int) -> Floats:
    """Return a value that at least `kept` of each row reach, and about as many, shape (n,).

    Of the highest of each block, `kept` reach the kept-th highest: a partition of few values.
    """
    rows, width = values.shape
    blocks = min(width, max(_BLOCKS * kept, _FEW))
    size = width // blocks
    highest = values[:, : size * blocks].reshape(rows, size, blocks).max(axis=1)
    found: Floats = np.partition(highest, blocks - kept, axis=1)[:, blocks - kept]
    return found


_BLOCKS = 6
"""Blocks for each one that is kept: with more, fewer are chosen in vain."""

_FEW = 32
