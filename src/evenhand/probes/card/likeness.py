"""Likeness of maps: whether two of them put the parts of an example in one order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.probes.attribute.attribution import Maps


def likeness(one: Maps, other: Maps) -> NDArray[np.float64]:
    """Return Spearman's correlation of each example's two maps, from -1 to 1, shape (n,).

    Equal parts share the mean of their ranks. NaN where all parts of a map are equal.

    Args:
        one: Shape (n, *spec.shape).
        other: Of the same shape.

    """
    return correlation(*(places_of(each.reshape(len(each), -1)) for each in (one, other)))


class Places(NamedTuple):
    """Where each part can stand in an order of its map, from 0: equal parts share their places.

    Attributes:
        first: The first place that it can have, shape (n, parts).
        last: The last one; the same where no other part is equal.

    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]


def places_of(values: Maps) -> Places:
    """Return where the parts of each map stand, the smallest first.

    Args:
        values: Shape (n, parts).

    """
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    count = values.shape[1]
    places = np.broadcast_to(np.arange(count), values.shape)
    rises = np.diff(ordered, axis=1) != 0
    edge = np.ones((len(values), 1), dtype=bool)
    begins, ends = np.hstack([edge, rises]), np.hstack([rises, edge])
    found = Places(*(np.empty(values.shape, np.int64) for _ in range(2)))
    begin = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    end = np.minimum.accumulate(np.where(ends, places, count)[:, ::-1], axis=1)[:, ::-1]
    for into, of in zip(found, (begin, end), strict=True):
        np.put_along_axis(into, order, of, axis=1)
    return found


def correlation(one: Places, other: Places) -> NDArray[np.float64]:
    """Return Spearman's correlation of two maps by the places of their parts, shape (n,)."""
    first, second = _centred(one), _centred(other)
    sizes = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    found: NDArray[np.float64] = np.divide(
        (first * second).sum(axis=1), sizes, out=np.full(len(first), np.nan), where=sizes > 0
    )
    return found


def _centred(places: Places) -> NDArray[np.float64]:
    """Return the ranks of each map's parts, less their mean, shape (n, parts)."""
    ranks: NDArray[np.float64] = (places.first + places.last) / 2 - (places.first.shape[1] - 1) / 2
    return ranks
