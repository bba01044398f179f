"""Controls: maps that know nothing of the model, to be told from explanations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.ndimage import correlate1d

from evenhand.errors import Problem
from evenhand.models.model import Codes, Floats, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams


@dataclass(frozen=True)
class Random(Attribution):
    """Noise: independent standard normal numbers."""

    name: ClassVar[str] = "random"
    needs: ClassVar[Offer | None] = None
    drawn: ClassVar[bool] = True
    common: ClassVar[bool] = False

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return noise."""
        del x, codes
        return np.stack([one.standard_normal(model.spec.shape) for one in streams])

    def most(self, model: Model) -> int:
        """Return 0: the model is not asked."""
        del model
        return 0


@dataclass(frozen=True)
class Edges(Attribution):
    """The strength of an image's edges by Sobel's filters, whatever the model.

    It looks like an explanation (Adebayo et al. 2018, section 5).
    """

    name: ClassVar[str] = "edges"
    needs: ClassVar[Offer | None] = None
    common: ClassVar[bool] = False

    def problems(self, model: Model) -> list[Problem]:
        """Return that only images have edges."""
        found = super().problems(model)
        if model.spec.layout == "features":
            found.append(Problem(str(self), "only images have edges."))
        return found

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the edges."""
        del codes, streams
        return edges(x, model.spec)

    def most(self, model: Model) -> int:
        """Return 0: the model is not asked."""
        del model
        return 0


def edges(x: Floats, spec: Spec) -> Maps:
    """Return the size of each image's gradient by Sobel's filters, shape of ``x``."""
    sides = (2, 3) if spec.layout == "CHW" else (1, 2)
    values = np.asarray(x, np.float64)
    found: Maps = np.hypot(_slope(values, *sides), _slope(values, *reversed(sides)))
    return found


def _slope(values: Maps, along: int, across: int) -> Maps:
    """Return Sobel's slope along one side; never across examples or channels."""
    steep = correlate1d(values, [-1, 0, 1], axis=along, mode="nearest")
    found: Maps = correlate1d(steep, [1, 2, 1], axis=across, mode="nearest")
    return found
