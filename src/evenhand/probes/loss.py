"""Losses that attacks raise: value and slope of a model's scores, as formulas.

A loss grows as an example comes nearer to being misclassified. Its slope is the derivative by each
score; `Model.vjp` carries that back to the input. Scores are logits; of a model that gives
probabilities, their logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from array_api_compat import array_namespace

from evenhand.models.model import Array

_SMALL = 1e-12


class Loss(Protocol):
    """What an attack raises.

    Attributes:
        name: What reports call it.
        least: The fewest classes for which it is defined.

    """

    name: str
    least: int

    def value(self, scores: Array, labels: Array) -> Array:
        """Return each example's loss, shape (n,)."""

    def slope(self, scores: Array, labels: Array) -> Array:
        """Return its derivative by each score, shape (n, classes)."""


def one_hot(labels: Array, like: Array) -> Array:
    """Return 1 at each label and 0 elsewhere, of the shape and type of scores."""
    xp = array_namespace(like)
    places = xp.arange(like.shape[1], dtype=labels.dtype, device=like.device)
    return xp.astype(places[None, :] == labels[:, None], like.dtype)


def _other(scores: Array, marked: Array) -> Array:
    """Return the place of the largest score that is not marked."""
    xp = array_namespace(scores)
    low = xp.min(scores) - 1
    return xp.argmax(xp.where(marked > 0, low, scores), axis=1)


@dataclass(frozen=True)
class CrossEntropy:
    """``log sum_j exp(z_j) - z_y``."""

    name: str = "ce"
    least: int = 2

    def value(self, scores: Array, labels: Array) -> Array:
        """Return each example's loss."""
        xp = array_namespace(scores)
        top = xp.max(scores, axis=1, keepdims=True)
        total = xp.log(xp.sum(xp.exp(scores - top), axis=1)) + top[:, 0]
        return total - xp.sum(scores * one_hot(labels, scores), axis=1)

    def slope(self, scores: Array, labels: Array) -> Array:
        """Return its derivative: softmax minus one at the label."""
        xp = array_namespace(scores)
        grown = xp.exp(scores - xp.max(scores, axis=1, keepdims=True))
        return grown / xp.sum(grown, axis=1, keepdims=True) - one_hot(labels, scores)


@dataclass(frozen=True)
class Margin:
    """``max_{j != y} z_j - z_y``: above 0 exactly where the example is misclassified.

    Source: Carlini and Wagner 2017.
    """

    name: str = "margin"
    least: int = 2

    def value(self, scores: Array, labels: Array) -> Array:
        """Return each example's loss."""
        xp = array_namespace(scores)
        return xp.sum(scores * self.slope(scores, labels), axis=1)

    def slope(self, scores: Array, labels: Array) -> Array:
        """Return its derivative."""
        true = one_hot(labels, scores)
        return one_hot(_other(scores, true), scores) - true
