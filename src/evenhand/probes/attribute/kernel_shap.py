"""KernelSHAP: Shapley values of cells by weighted least squares, for any model with scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem
from evenhand.models.model import Codes, Floats, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, scores_of
from evenhand.probes.attribute.baseline import Reference, baseline_of, refused
from evenhand.probes.attribute.coalition import Masks, cells_of, laid_out, worth
from evenhand.probes.parameter import count_of, refuse


@dataclass(frozen=True)
class KernelShap(Attribution):
    """A part's mean worth over all orders in which features come in: its Shapley value.

    By least squares over coalitions, weighted by Shapley's kernel, with parts that add up to
    F(x) - F(x') exactly. Where there are no more coalitions than ``samples`` all are asked about
    and the values are exact; else they are drawn by the kernel, each with its complement.

    Source: Lundberg and Lee 2017, theorem 2; pairs: Covert and Lee 2021.

    Attributes:
        samples: Coalitions at most, but for the empty and the full one; from 2.
        grid: Cells along each side of an image, which are its features; from 1.
        baseline: What absent features are: ``low``, ``mean`` or ``blur``.

    """

    name: ClassVar[str] = "kernel_shap"
    needs: ClassVar[Offer | None] = "scores"
    drawn: ClassVar[bool] = True
    common: ClassVar[bool] = False
    complete: ClassVar[bool] = True

    samples: int = 128
    grid: int = 4
    baseline: Reference = "mean"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.samples, 2), f"samples={self.samples} is no number from 2."),
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
        """Return the players."""
        return cells_of(spec, self.grid)

    def most(self, model: Model) -> int:
        """Return the coalitions, with the empty and the full one."""
        return 2 + min(self.samples, (1 << _players(cells_of(model.spec, self.grid))) - 2)

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the parts."""
        cells = cells_of(model.spec, self.grid)
        count, fill = _players(cells), baseline_of(self.baseline, x, model.spec)
        empty = scores_of(model, fill, codes)
        change = scores_of(model, x, codes) - empty
        if count == 1:
            return laid_out(change[:, None], cells)
        if 2**count - 2 <= self.samples:
            masks, weights = _every(count)
            masks = np.broadcast_to(masks, (len(x), *masks.shape))
        else:
            masks = _drawn(count, self.samples // 2, streams)
            weights = np.ones(masks.shape[1])
        gained = worth(model, x, fill, codes, cells=cells, masks=masks) - empty[:, None]
        return laid_out(_solved(masks, weights, gained, change), cells)


def _players(cells: NDArray[np.int64]) -> int:
    return int(cells.max()) + 1


def _every(count: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return all coalitions but the empty and the full one, and Shapley's kernel of each."""
    numbers = np.arange(1, 2**count - 1)
    masks = (numbers[:, None] >> np.arange(count)) % 2 == 1
    sizes = masks.sum(axis=1).tolist()
    return masks, np.array([1 / (math.comb(count, size) * size * (count - size)) for size in sizes])


def _drawn(count: int, pairs: int, streams: Streams) -> Masks:
    """Return coalitions drawn by Shapley's kernel, and then the complement of each."""
    sizes = np.arange(1, count)
    chance = 1 / (sizes * (count - sizes))
    found = []
    for one in streams:
        size = one.choice(sizes, pairs, p=chance / chance.sum())
        order = one.random((pairs, count)).argsort(axis=1)
        some = order < size[:, None]
        found.append(np.concatenate([some, ~some]))
    return np.stack(found)


def _solved(
    masks: Masks,
    weights: NDArray[np.float64],
    gained: NDArray[np.float64],
    change: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the parts that fit the gains of coalitions best and add up to the change exactly.

    Where several fit as well, those that are nearest to even parts.

    Args:
        masks: The coalitions.
        weights: Of each, shape (looks,).
        gained: F of each less F of the empty one, shape (n, looks).
        change: F of the full coalition less F of the empty one, shape (n,).

    """
    count = masks.shape[2]
    even = change[:, None] / count
    # What is left of a coalition beside its size is free: parts beside even ones add up to 0.
    beside = masks - masks.mean(axis=2, keepdims=True)
    left = gained - masks.sum(axis=2) * even
    squares = np.einsum("nki,k,nkj->nij", beside, weights, beside, optimize=True)
    products = np.einsum("nki,k,nk->ni", beside, weights, left, optimize=True)
    free = np.einsum("nij,nj->ni", np.linalg.pinv(squares, rcond=_RANK, hermitian=True), products)
    found: NDArray[np.float64] = even + free - free.mean(axis=1, keepdims=True)
    return found


_RANK = 1e-10
"""Eigenvalues below this share of the largest are 0: that of even parts is, but for rounding."""
