"""Sensitivity: how far a map moves when nothing to speak of happened to the example."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Codes, Floats, Model
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, rewound, states_of


class Sensitivity(NamedTuple):
    """Both conventions, shape (n,).

    Attributes:
        plain: max ||phi(y) - phi(x)|| over what was drawn (Yeh et al. 2019, definition 2.2).
        relative: The same divided by ||phi(x)||, as Captum does; NaN where that is 0.

    """

    plain: NDArray[np.float64]
    relative: NDArray[np.float64]


def max_sensitivity(
    model: Model,
    x: Floats,
    codes: Codes,
    attribution: Attribution,
    maps: Maps,
    *,
    radius: float,
    samples: int,
    streams: Streams,
    drawn: Streams,
) -> Sensitivity:
    """Return the most that the map moves over random examples y within a radius, shape (n,).

    A lower bound of the maximum over the whole ball. A map that never changes has 0, so it is no
    sign of quality by itself.

    Args:
        model: A model whose scores are logits.
        x: Examples, shape (n, *spec.shape).
        codes: The class whose score is explained, of y too, shape (n,).
        attribution: Makes the maps.
        maps: Those of x.
        radius: Of the ball in the maximum norm, in units of the width of the range; y is uniform
            in it, and cut to the range.
        samples: Draws of y.
        streams: The generator of each example, for y.
        drawn: Those that the map of x was drawn from, in the same state, so that what the method
            draws is the same for y.

    """
    spec = model.spec
    wide = radius * (spec.high - spec.low)
    farthest = np.zeros(len(x))
    states = states_of(drawn)
    for _ in range(samples):
        moved = np.stack([one.uniform(-wide, wide, spec.shape) for one in streams])
        y = np.clip(x + moved, spec.low, spec.high).astype(np.asarray(x).dtype)
        other = attribution.maps(model, y, codes, rewound(drawn, states))
        farthest = np.maximum(farthest, _norm(other - maps))
    size = _norm(maps)
    relative = np.divide(farthest, size, out=np.full(len(x), np.nan), where=size > 0)
    return Sensitivity(farthest, relative)


def _norm(maps: Maps) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.linalg.norm(maps.reshape(len(maps), -1), axis=1)
    return found
