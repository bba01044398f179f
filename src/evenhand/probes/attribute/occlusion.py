"""Occlusion: how much the score falls when a patch is covered; for any model with scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem
from evenhand.models.model import Codes, Floats, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import (
    Attribution,
    Maps,
    Streams,
    looked,
    scores_of,
    spread,
)
from evenhand.probes.attribute.baseline import Reference, baseline_of, refused
from evenhand.probes.parameter import count_of, refuse


@dataclass(frozen=True)
class Occlusion(Attribution):
    """The mean fall of the score over the patches that cover a pixel, shared by its channels.

    Patches are squares of pixels of images, and single columns of tables. Of a linear model under
    patches of one pixel the parts add up to F(x) - F(x').

    Source: Zeiler and Fergus 2014.

    Attributes:
        patch: Side of a square, in pixels; from 1.
        stride: Pixels between squares, from 1 to ``patch``, so that every pixel is covered.
        baseline: What a patch is covered with: ``low``, ``mean`` or ``blur``.

    """

    name: ClassVar[str] = "occlusion"
    needs: ClassVar[Offer | None] = "scores"
    sloped: ClassVar[bool] = False

    patch: int = 2
    stride: int = 1
    baseline: Reference = "mean"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.patch), f"patch={self.patch} covers nothing."),
                (
                    not (count_of(self.stride) and count_of(self.patch, self.stride)),
                    f"stride={self.stride} is none from 1 to the patch's {self.patch}.",
                ),
                (bool(refused(self.baseline)), refused(self.baseline)),
            ],
        )

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model."""
        wrong = refused(self.baseline, model.spec)
        found = [*super().problems(model), *([Problem(str(self), wrong)] if wrong else [])]
        if model.spec.layout != "features":
            height, width = _sides(model.spec)
            if self.patch >= max(height, width):
                what = f"patch={self.patch} covers all of an image of {height} x {width}, so that "
                what += "every pixel has the same part."
                found.append(Problem(str(self), what, "Say a smaller patch; 2 is the default."))
        return found

    def reference(self, x: Floats, spec: Spec) -> Floats | None:
        """Return what patches are covered with."""
        return baseline_of(self.baseline, x, spec)

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the mean falls."""
        del streams
        spec = model.spec
        patches = self._patches(spec)
        covers, channels = spread(patches, spec), spec.size // patches.shape[1]
        fill = baseline_of(self.baseline, x, spec)
        whole = scores_of(model, x, codes)

        def covered(patch: int) -> Floats:
            found: Floats = np.where(covers[patch], fill, x)
            return found

        falls = whole - looked(model, len(covers), covered, codes)
        total = falls.T @ covers.reshape(len(covers), -1)
        # A patch covers all channels, and its fall is of all of them.
        found: Maps = total.reshape(x.shape) / np.maximum(covers.sum(axis=0), 1) / channels
        return found

    def most(self, model: Model) -> int:
        """Return the number of patches, and a look at the example as it is."""
        return 1 + len(self._patches(model.spec))

    def _patches(self, spec: Spec) -> NDArray[np.bool_]:
        """Return which features each patch covers, shape (patches, features)."""
        if spec.layout == "features":
            return np.eye(spec.shape[0], dtype=bool)
        height, width = _sides(spec)
        found = []
        for top in _starts(height, self.patch, self.stride):
            for left in _starts(width, self.patch, self.stride):
                cover = np.zeros((height, width), dtype=bool)
                cover[top : top + self.patch, left : left + self.patch] = True
                found.append(cover.ravel())
        return np.stack(found)


def _sides(spec: Spec) -> tuple[int, int]:
    """Return the height and the width of an image, in pixels."""
    height, width = (spec.shape[1:] if spec.layout == "CHW" else spec.shape)[:2]
    return height, width


def _starts(length: int, patch: int, stride: int) -> list[int]:
    """Return where patches begin, the last one at the end.

    >>> _starts(8, 3, 2), _starts(2, 3, 2)
    ([0, 2, 4, 5], [0])
    """
    last = max(length - patch, 0)
    return sorted({*range(0, last, stride), last})
