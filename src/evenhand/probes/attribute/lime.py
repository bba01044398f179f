"""LIME: the weights of a linear model of the score near an example, over absent features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem
from evenhand.models.model import Codes, Floats, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams
from evenhand.probes.attribute.baseline import Reference, baseline_of, refused
from evenhand.probes.attribute.coalition import cells_of, laid_out, worth
from evenhand.probes.parameter import count_of, number_of, refuse


@dataclass(frozen=True)
class Lime(Attribution):
    """A feature's weight in a ridge regression of the score on which features are there.

    Features are absent by the toss of a coin; a mask with a share s of them there weighs
    exp(-(1 - sqrt(s))^2 / width^2), by its cosine to the whole example. The weights promise no sum,
    and another width gives others.

    Source: Ribeiro, Singh and Guestrin 2016, equation 1.

    Attributes:
        samples: Masks, from 2; the first has all features there.
        width: Of the kernel, above 0.
        ridge: What the squares of the weights are multiplied by, from 0.
        grid: Cells along each side of an image, which are its features; from 1.
        baseline: What absent features are: ``low``, ``mean`` or ``blur``.

    """

    name: ClassVar[str] = "lime"
    needs: ClassVar[Offer | None] = "scores"
    drawn: ClassVar[bool] = True
    common: ClassVar[bool] = False

    samples: int = 128
    width: float = 0.25
    ridge: float = 1.0
    grid: int = 4
    baseline: Reference = "mean"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.samples, 2), f"samples={self.samples} is no number from 2."),
                (not number_of(self.width) > 0, f"width={self.width} is none above 0."),
                (not number_of(self.ridge) >= 0, f"ridge={self.ridge} is no number from 0."),
                (not count_of(self.grid), f"grid={self.grid} is no number of cells."),
                (bool(refused(self.baseline)), refused(self.baseline)),
            ],
        )

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model."""
        wrong = refused(self.baseline, model.spec)
        return [*super().problems(model), *([Problem(str(self), wrong)] if wrong else [])]

    def reference(self, x: Floats, spec: Spec) -> Floats | None:
        """Return what absent features are."""
        return baseline_of(self.baseline, x, spec)

    def cells(self, spec: Spec) -> NDArray[np.int64] | None:
        """Return the features."""
        return cells_of(spec, self.grid)

    def most(self, model: Model) -> int:
        """Return the number of masks."""
        del model
        return self.samples

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the weights."""
        cells = cells_of(model.spec, self.grid)
        count = int(cells.max()) + 1
        masks = np.stack([one.random((self.samples, count)) < 0.5 for one in streams])  # noqa: PLR2004 - a coin
        masks[:, 0] = True
        fill = baseline_of(self.baseline, x, model.spec)
        scores = worth(model, x, fill, codes, cells=cells, masks=masks)
        near = np.exp(-(((1 - np.sqrt(masks.mean(axis=2))) / self.width) ** 2))
        return laid_out(_fitted(masks.astype(float), scores, near, self.ridge), cells)


def _fitted(
    masks: NDArray[np.float64],
    scores: NDArray[np.float64],
    weights: NDArray[np.float64],
    ridge: float,
) -> NDArray[np.float64]:
    """Return the coefficients of weighted ridge regressions, each with a free intercept.

    Args:
        masks: Shape (n, looks, players).
        scores: Shape (n, looks).
        weights: Shape (n, looks).
        ridge: What squares of coefficients are multiplied by.

    """
    shares = (weights / weights.sum(axis=1, keepdims=True))[:, :, None]
    there = masks - (shares * masks).sum(axis=1, keepdims=True)
    above = scores[:, :, None] - (shares * scores[:, :, None]).sum(axis=1, keepdims=True)
    squares = np.einsum("nki,nk,nkj->nij", there, weights, there, optimize=True)
    products = np.einsum("nki,nk,nk->ni", there, weights, above[:, :, 0], optimize=True)
    squares += ridge * np.eye(masks.shape[2])
    found: NDArray[np.float64] = np.einsum(
        "nij,nj->ni", np.linalg.pinv(squares, hermitian=True), products
    )
    return found
