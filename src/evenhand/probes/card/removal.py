"""Insertion and deletion: the score as features come in, or go, the most important ones first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Codes, Floats, Model
from evenhand.probes.attribute.attribution import Maps, Streams, pixels, scores_of, spread

Areas = NDArray[np.float64]
"""Of each example, shape (n,); NaN where the fill is scored as the example is."""

_FLAT = 1e-6


class Removed(NamedTuple):
    """The areas under both curves.

    Attributes:
        insertion: As features come into the fill; more is better.
        deletion: As features go from the example; less is better.

    """

    insertion: Areas
    deletion: Areas


class Ends(NamedTuple):
    """The scores that curves go between, shape (n,) each: of the examples, and of their fills."""

    whole: NDArray[np.float64]
    filled: NDArray[np.float64]


def ends_of(model: Model, x: Floats, fill: Floats, codes: Codes) -> Ends:
    """Return the scores of examples and of what they are filled with; two queries an example."""
    return Ends(scores_of(model, x, codes), scores_of(model, fill, codes))


def orders_of(maps: Maps, model: Model, streams: Streams) -> NDArray[np.int64]:
    """Return each feature's place, the largest part first, shape (n, features).

    The channels of a pixel are one feature, whose part is their sum; equal parts are in random
    order, so that no map wins by where its zeros lie.

    Args:
        maps: Shape (n, *spec.shape).
        model: The model.
        streams: The generator of each example.

    """
    values = pixels(maps, model.spec)
    ties = np.stack([one.permutation(values.shape[1]) for one in streams])
    return _places(np.lexsort((ties, -values), axis=1))


def random_orders(model: Model, streams: Streams) -> NDArray[np.int64]:
    """Return random places of each example's features, shape (n, features)."""
    count = pixels(np.zeros((1, *model.spec.shape)), model.spec).shape[1]
    return np.stack([one.permutation(count) for one in streams])


def removed(
    model: Model,
    x: Floats,
    fill: Floats,
    codes: Codes,
    places: NDArray[np.int64],
    *,
    ends: Ends,
    steps: int,
) -> Removed:
    """Return the areas under the curves of scores, by the share of the features, in one order.

    A curve is (F(z) - F(fill)) / abs(F(x) - F(fill)): 0 at the fill and 1 at the example, or -1
    where the fill scores higher, by the trapezoid rule over ``steps`` equal steps. So an order by
    chance has an area of a half, of that sign, in the mean over all orders of a linear model.

    Source: Petsiuk, Das and Saenko 2018 (RISE), who do not normalise; Samek et al. 2017.

    Args:
        model: A model whose scores are logits.
        x: Examples, shape (n, *spec.shape).
        fill: What features are replaced by, of the same shape.
        codes: The class whose score it is, shape (n,).
        places: Each feature's place in the order, from 0, shape (n, features).
        ends: Of the same examples and fills.
        steps: Number of steps, from 1; of fewer features there are as many steps.

    """
    features = places.shape[1]
    at = np.unique(np.rint(np.linspace(0, features, min(steps, features) + 1)).astype(np.int64))
    span = ends.whole - ends.filled
    flat = np.abs(span) <= _FLAT * np.maximum(1.0, np.abs(ends.whole))
    sign, size = np.sign(span), np.where(flat, np.nan, np.abs(span))
    curves = []
    for coming in (True, False):
        heights = np.empty((len(at), len(x)))
        heights[0], heights[-1] = (0.0, sign) if coming else (sign, 0.0)
        for step, count in enumerate(at[1:-1].tolist(), 1):
            first = spread(places < count, model.spec)
            shown = np.where(first if coming else ~first, x, fill)
            heights[step] = (scores_of(model, shown, codes) - ends.filled) / size
        curves.append(np.where(flat, np.nan, np.trapezoid(heights, at / features, axis=0)))
    return Removed(*curves)


def _places(order: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.empty_like(order)
    np.put_along_axis(found, order, np.arange(order.shape[1])[None], axis=1)
    return found
