"""Completeness: whether the parts add up to what they are parts of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Codes, Floats, Model
from evenhand.probes.attribute.attribution import Maps, scores_of


def completeness_error(
    model: Model, x: Floats, reference: Floats, codes: Codes, maps: Maps
) -> NDArray[np.float64]:
    """Return abs(sum of parts - (F(x) - F(x'))) / abs(F(x) - F(x')), shape (n,).

    NaN where the score of x' is that of x. Two queries an example.

    Source: Sundararajan, Taly and Yan 2017, axiom of completeness.

    Args:
        model: A model whose scores are logits.
        x: Examples, shape (n, *spec.shape).
        reference: x', what parts are told against, of the same shape.
        codes: The class whose score it is, shape (n,).
        maps: The parts, of the same shape.

    """
    change = scores_of(model, x, codes) - scores_of(model, reference, codes)
    missed = maps.reshape(len(maps), -1).sum(axis=1) - change
    found: NDArray[np.float64] = np.divide(
        np.abs(missed), np.abs(change), out=np.full(len(x), np.nan), where=change != 0
    )
    return found
