"""The threat: how far an input may be changed, in the units of the model's declared range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from array_api_compat import array_namespace

from evenhand.errors import ModelError, Problem
from evenhand.models.model import Array, Floats
from evenhand.models.spec import Spec

Norm = Literal["linf", "l2"]

NORMS: tuple[Norm, ...] = ("linf", "l2")


@dataclass(frozen=True)
class Threat:
    """All changes of at most ``eps`` by a norm that stay in the range of the model's inputs.

    Attributes:
        norm: ``linf``, the largest change of a number, or ``l2``, the Euclidean length.
        eps: How far, in the units of the spec's range; above 0.

    """

    norm: Norm
    eps: float

    def __post_init__(self) -> None:
        """Refuse what is no threat."""
        if self.norm not in NORMS:
            what = f"'{self.norm}' is no norm that is known here."
            raise ModelError(Problem("norm", what, f"There are: {', '.join(NORMS)}."))
        if not (math.isfinite(self.eps) and self.eps > 0):
            raise ModelError(Problem("eps", f"{self.eps:g} is no distance above 0."))

    def check(self, spec: Spec) -> None:
        """Check that eps is meant in the units of a spec.

        Raises:
            ModelError: It is larger than any change can be.

        """
        most = (spec.high - spec.low) * (1.0 if self.norm == "linf" else math.sqrt(spec.size))
        if self.eps >= most:
            what = f"eps {self.eps:g} reaches every input from {spec.low:g} to {spec.high:g}."
            raise ModelError(Problem("eps", what, "Give eps in the units of the inputs' range."))

    def project(self, near: Array, x: Array, spec: Spec) -> Array:
        """Return the nearest examples inside the ball around ``x`` and the range.

        By the Euclidean norm the ball comes first and the range second, which stays in the ball.
        """
        xp = array_namespace(x)
        if self.norm == "linf":
            least = xp.clip(x - self.eps, spec.low, spec.high)
            most = xp.clip(x + self.eps, spec.low, spec.high)
            return xp.minimum(xp.maximum(near, least), most)
        change = near - x
        length = self.length(change)
        factor = xp.where(
            length > self.eps, self.eps / xp.maximum(length, _TINY * (length + 1)), 1.0
        )
        return xp.clip(x + change * _spread(factor, x), spec.low, spec.high)

    def step(self, gradient: Array) -> Array:
        """Return the change of norm 1 that a gradient grows by most; 0 where it is 0."""
        xp = array_namespace(gradient)
        if self.norm == "linf":
            return xp.sign(gradient)
        length = self.length(gradient)
        return gradient / _spread(xp.where(length > 0, length, xp.ones_like(length)), gradient)

    def length(self, change: Array) -> Array:
        """Return the norm of each change, shape (n,)."""
        xp = array_namespace(change)
        flat = xp.reshape(change, (change.shape[0], -1))
        if self.norm == "linf":
            return xp.max(xp.abs(flat), axis=1)
        return xp.sqrt(xp.sum(flat * flat, axis=1))

    def start(self, x: Floats, spec: Spec, rng: np.random.Generator) -> Floats:
        """Return a random example in the ball around each input, uniform in it, in the range."""
        if self.norm == "linf":
            found = x + rng.uniform(-self.eps, self.eps, x.shape)
        else:
            direction = rng.standard_normal(x.shape).reshape(len(x), -1)
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            reach = self.eps * rng.random((len(x), 1)) ** (1 / spec.size)
            found = x + (direction * reach).reshape(x.shape)
        near: Floats = np.clip(found, spec.low, spec.high).astype(x.dtype)
        return near


_TINY = 1e-30


def _spread(values: Array, like: Array) -> Array:
    """Return one value for each input, in a shape that multiplies the inputs."""
    xp = array_namespace(values)
    return xp.reshape(values, (-1, *(1 for _ in like.shape[1:])))
