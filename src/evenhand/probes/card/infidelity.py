"""Infidelity: whether the parts say how the score changes under noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Codes, Floats, Model
from evenhand.probes.attribute.attribution import Maps, Streams, scores_of


class Infidelity(NamedTuple):
    """Both, shape (n,).

    Attributes:
        plain: E (I . phi - (F(x) - F(x - I)))^2, in squared units of the score.
        scaled: The same with the factor of phi, from 0, that makes it least, relative to
            E (F(x) - F(x - I))^2; from 0 to 1, NaN where no noise changes the score.

    """

    plain: NDArray[np.float64]
    scaled: NDArray[np.float64]


def infidelity(
    model: Model,
    x: Floats,
    codes: Codes,
    slopes: Maps,
    *,
    noise: float,
    samples: int,
    streams: Streams,
) -> Infidelity:
    """Return how far the parts' word on the score is from its change, under Gaussian noise.

    What would leave the range is cut, and what is left of the noise is I. Methods whose maps are of
    different scales are compared by ``scaled`` alone.

    Source: Yeh, Hsieh, Suggala, Inouye and Ravikumar 2019, definition 2.1 and section 2.3.

    Args:
        model: A model whose scores are logits.
        x: Examples, shape (n, *spec.shape).
        codes: The class whose score it is, shape (n,).
        slopes: phi, the parts by unit of the input, of the same shape: see `slopes_of`.
        noise: Standard deviation, in units of the width of the range.
        samples: Draws, each one query; one more is of the example itself.
        streams: The generator of each example.

    """
    spec = model.spec
    whole = scores_of(model, x, codes)
    said, change = np.empty((2, samples, len(x)))
    wide = noise * (spec.high - spec.low)
    for draw in range(samples):
        drawn = np.stack([one.standard_normal(spec.shape) for one in streams])
        moved = np.clip(x - wide * drawn, spec.low, spec.high).astype(np.asarray(x).dtype)
        gone = np.asarray(x, np.float64) - moved
        said[draw] = (gone * slopes).reshape(len(x), -1).sum(axis=1)
        change[draw] = whole - scores_of(model, moved, codes)
    of_change, of_said = (change**2).mean(axis=0), (said**2).mean(axis=0)
    # Parts that say the opposite are not right but for a factor.
    factor = np.maximum(_ratio((said * change).mean(axis=0), of_said, otherwise=0.0), 0.0)
    least = ((factor * said - change) ** 2).mean(axis=0)
    return Infidelity(
        ((said - change) ** 2).mean(axis=0), _ratio(least, of_change, otherwise=np.nan)
    )


def slopes_of(
    maps: Maps,
    x: Floats,
    reference: Floats | None,
    cells: NDArray[np.int64] | None = None,
) -> Maps:
    """Return parts by unit of the input; 0 where the example is as the reference.

    What parts say of a feature that is as the reference is nothing, whatever it does to the score.
    Of features that were explained together it is the least slopes that give their cell its part.

    Args:
        maps: Shape (n, *spec.shape).
        x: Examples, of the same shape.
        reference: What parts are told against; None where they are slopes.
        cells: The cell of each feature; None where each is its own.

    """
    if reference is None:
        return maps
    way = np.asarray(x, np.float64) - reference
    if cells is None:
        found: Maps = np.divide(maps, way, out=np.zeros_like(maps), where=way != 0)
        return found
    of_cell = cells.ravel()[:, None] == np.arange(cells.max() + 1)
    parts, squares = (one.reshape(len(x), -1) @ of_cell for one in (maps, way**2))
    factor = np.divide(parts, squares, out=np.zeros_like(parts), where=squares > 0)
    shared: Maps = way * factor[:, cells]
    return shared


def _ratio(
    above: NDArray[np.float64], below: NDArray[np.float64], *, otherwise: float
) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.divide(
        above, below, out=np.full(len(above), otherwise), where=below > 0
    )
    return found
