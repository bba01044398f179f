"""Losses that attacks raise: value and slope of a model's scores, as formulas.

A loss grows as an example comes nearer to being misclassified. Its slope is the derivative by each
score; `Model.vjp` carries that back to the input. Scores are logits (`with_logits` sees to that).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from array_api_compat import array_namespace

from evenhand.models.model import Array, Codes, Model
from evenhand.models.spec import Spec

LossName = Literal["ce", "margin", "dlr"]

_SMALL = 1e-12


@dataclass(frozen=True)
class Aim:
    """What scores are to become: anything but the true class, or a class that is named.

    Attributes:
        true: 1 at each example's label and 0 elsewhere, shape (n, classes), of the scores' type.
        target: The same of the class that is aimed at; none where any other class will do.

    """

    true: Array
    target: Array | None = None

    @classmethod
    def away(cls, model: Model, labels: Codes) -> Aim:
        """Return the aim of leaving the labels, in arrays of a model's own library."""
        return cls(_one_hot(model, labels))

    def towards(self, model: Model, classes: Codes) -> Aim:
        """Return the aim of reaching a class, one for each example."""
        return Aim(self.true, _one_hot(model, classes))

    def __getitem__(self, some: slice | Array) -> Aim:
        return Aim(self.true[some], None if self.target is None else self.target[some])


def _one_hot(model: Model, codes: Codes) -> Array:
    return model.array(np.eye(model.spec.classes)[codes])


class Loss(Protocol):
    """What an attack raises: a formula of the scores and of what is aimed at."""

    def value(self, scores: Array, aim: Aim) -> Array:
        """Return each example's loss, shape (n,)."""

    def slope(self, scores: Array, aim: Aim) -> Array:
        """Return its derivative by each score, shape (n, classes)."""


@dataclass(frozen=True)
class CrossEntropy:
    """``log sum_j exp(z_j) - z_y``; towards a target t, ``z_t - log sum_j exp(z_j)``."""

    def value(self, scores: Array, aim: Aim) -> Array:
        """Return each example's loss."""
        xp = array_namespace(scores)
        top = xp.max(scores, axis=1, keepdims=True)
        total = xp.log(xp.sum(xp.exp(scores - top), axis=1)) + top[:, 0]
        if aim.target is None:
            return total - xp.sum(scores * aim.true, axis=1)
        return xp.sum(scores * aim.target, axis=1) - total

    def slope(self, scores: Array, aim: Aim) -> Array:
        """Return its derivative: softmax minus one at the label, or one at the target minus it."""
        xp = array_namespace(scores)
        grown = xp.exp(scores - xp.max(scores, axis=1, keepdims=True))
        share = grown / xp.sum(grown, axis=1, keepdims=True)
        return share - aim.true if aim.target is None else aim.target - share


@dataclass(frozen=True)
class Margin:
    """``max_{j != y} z_j - z_y``: above 0 exactly where the example is misclassified.

    Towards a target t, ``z_t - z_y``. Source: Carlini and Wagner 2017.
    """

    def value(self, scores: Array, aim: Aim) -> Array:
        """Return each example's loss."""
        xp = array_namespace(scores)
        true = xp.sum(scores * aim.true, axis=1)
        if aim.target is not None:
            return xp.sum(scores * aim.target, axis=1) - true
        return xp.max(_without(scores, aim.true), axis=1) - true

    def slope(self, scores: Array, aim: Aim) -> Array:
        """Return its derivative."""
        if aim.target is not None:
            return aim.target - aim.true
        return _largest(_without(scores, aim.true)) - aim.true


@dataclass(frozen=True)
class LogitRatio:
    """The difference of logits ratio: a margin that no scale and no shift of the scores changes.

    ``(max_{j != y} z_j - z_y) / (z_(1) - z_(3))`` where z_(k) is the k-th largest score, so there
    must be 3 classes. Towards a target t, ``(z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2)``, of 4.
    Where the best scores are equal the ratio has no value, and the margin stands for it.

    Source: Croce and Hein 2020, equations 6 and 7.
    """

    def value(self, scores: Array, aim: Aim) -> Array:
        """Return each example's loss."""
        return MARGIN.value(scores, aim) / self._spread(scores, aim)[0]

    def slope(self, scores: Array, aim: Aim) -> Array:
        """Return its derivative."""
        spread, by = self._spread(scores, aim)
        ratio = MARGIN.value(scores, aim) / spread
        return (MARGIN.slope(scores, aim) - ratio[:, None] * by) / spread[:, None]

    def _spread(self, scores: Array, aim: Aim) -> tuple[Array, Array]:
        """Return the denominator, shape (n,), and its derivative, shape (n, classes)."""
        xp = array_namespace(scores)
        marks, left = [], scores
        for _ in range(3 if aim.target is None else 4):
            marks.append(_largest(left))
            left = _without(left, marks[-1])
        by = marks[0] - (marks[2] if aim.target is None else (marks[2] + marks[3]) / 2)
        spread = xp.sum(scores * by, axis=1)
        told = spread > _SMALL
        one = xp.ones_like(spread)
        return xp.where(told, spread, one), by * xp.astype(told, by.dtype)[:, None]


CROSS_ENTROPY, MARGIN, LOGIT_RATIO = CrossEntropy(), Margin(), LogitRatio()

_NAMED: dict[LossName, Loss] = {"ce": CROSS_ENTROPY, "margin": MARGIN, "dlr": LOGIT_RATIO}

LOSSES: tuple[LossName, ...] = tuple(_NAMED)


def fitting(name: LossName, spec: Spec, *, targeted: bool = False) -> tuple[Loss, str]:
    """Return the loss of a name for a model, and a note where another had to take its place.

    Args:
        name: ``ce``, ``margin`` or ``dlr``.
        spec: How many classes there are.
        targeted: Whether a class will be aimed at.

    """
    least = 4 if targeted else 3
    note = ""
    if name == "dlr" and spec.classes < least:
        kind = "the targeted logit ratio" if targeted else "the logit ratio"
        note = f"{kind} needs {least} classes, there are {spec.classes}: the margin was raised."
        name = "margin"
    return _NAMED[name], note


def _without(scores: Array, marked: Array) -> Array:
    """Return scores, with those that are marked below all others of their row."""
    xp = array_namespace(scores)
    low = xp.min(scores, axis=1, keepdims=True)
    # A constant would be lost beside scores of 1e8, and swallow others beside scores of 1e-8.
    span = xp.max(scores, axis=1, keepdims=True) - low
    return xp.where(marked > 0, low - span - 1, scores)


def _largest(scores: Array) -> Array:
    """Return 1 at the first largest score of each row and 0 elsewhere."""
    xp = array_namespace(scores)
    places = xp.arange(scores.shape[1], device=scores.device)
    return xp.astype(places[None, :] == xp.argmax(scores, axis=1)[:, None], scores.dtype)
