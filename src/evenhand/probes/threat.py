"""The threat: how far an input may be changed, in the units of the model's declared range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

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
            ModelError: It is at least as large as any change can be.

        """
        if self.eps >= self.widest(spec).eps:
            what = f"eps {self.eps:g} reaches every input from {spec.low:g} to {spec.high:g}."
            raise ModelError(Problem("eps", what, "Give eps in the units of the inputs' range."))

    def widest(self, spec: Spec) -> Threat:
        """Return the threat of the same norm that reaches every input of the range."""
        span = spec.high - spec.low
        return Threat(self.norm, span if self.norm == "linf" else span * math.sqrt(spec.size))

    def project(self, near: Array, x: Array, spec: Spec) -> Array:
        """Return examples inside the ball around ``x`` and the range: near ones, or the same.

        The ball comes first and the range second, which never leads out of the ball, since ``x``
        is in the range. By ``linf`` these are the nearest ones.
        """
        xp = array_namespace(x)
        change = self.limit(near - x, self.eps)
        return xp.clip(x + change, spec.low, spec.high)

    def limit(self, change: Array, most: float | Array) -> Array:
        """Return changes cut to a norm of at most ``most``: a number, or an array of shape (n,)."""
        xp = array_namespace(change)
        if self.norm == "linf":
            bound = most if isinstance(most, float | int) else spread(most, change)
            return xp.clip(change, -bound, bound)
        length = self.length(change)
        # Of a change within the limit the factor is exactly 1.
        return change * spread(most / xp.clip(length, most, None), change)

    def step(self, gradient: Array) -> Array:
        """Return the change of norm 1 that a gradient grows by most; 0 where it is 0."""
        xp = array_namespace(gradient)
        return xp.sign(gradient) if self.norm == "linf" else unit(gradient)

    def length(self, change: Array) -> Array:
        """Return the norm of each change, shape (n,)."""
        xp = array_namespace(change)
        flat = xp.reshape(change, (change.shape[0], -1))
        if self.norm == "linf":
            return xp.max(xp.abs(flat), axis=1)
        return xp.sqrt(xp.sum(flat * flat, axis=1))

    def start(self, x: Floats, spec: Spec, streams: Sequence[np.random.Generator]) -> Floats:
        """Return a random example in the ball around each input, uniform in it, in the range.

        Args:
            x: Inputs, shape (n, *spec.shape).
            spec: The range.
            streams: The generator of each input.

        """
        change = np.empty(x.shape)
        for place, stream in enumerate(streams):
            if self.norm == "linf":
                change[place] = stream.uniform(-self.eps, self.eps, x.shape[1:])
                continue
            direction = stream.standard_normal(x.shape[1:])
            reach = self.eps * stream.random() ** (1 / spec.size)
            change[place] = direction * (reach / np.linalg.norm(direction))
        near: Floats = np.clip(x + change, spec.low, spec.high).astype(x.dtype)
        return near

    def distance(self, near: Floats, x: Floats) -> NDArray[np.float64]:
        """Return how far examples are from inputs, in double precision, shape (n,)."""
        change = np.asarray(near, np.float64) - np.asarray(x, np.float64)
        found: NDArray[np.float64] = self.length(change) if len(change) else np.empty(0)
        return found

    def settle(self, near: Floats, x: Floats, spec: Spec) -> Floats:
        """Return examples put inside ball and range once more, in double precision."""
        exact = self.project(np.asarray(near, np.float64), np.asarray(x, np.float64), spec)
        found: Floats = np.asarray(exact, x.dtype)
        return found

    def slack(self, spec: Spec, dtype: np.dtype[Any]) -> float:
        """Return what rounding may add to eps: half a unit of the last place for each number.

        One such unit is at most ``finfo(dtype).eps`` times the largest number of the range; that is
        taken whole, and by ``l2`` times the square root of the size.
        """
        one = float(np.finfo(dtype).eps) * max(abs(spec.low), abs(spec.high), self.eps)
        return one if self.norm == "linf" else one * math.sqrt(spec.size)

    def holds(self, near: Floats, x: Floats, spec: Spec) -> NDArray[np.bool_]:
        """Return which examples lie in ball and range, within `slack`, shape (n,)."""
        slack = self.slack(spec, x.dtype)
        flat = near.reshape(len(near), spec.size)
        inside = (flat >= spec.low - slack) & (flat <= spec.high + slack)
        near_enough = self.distance(near, x) <= self.eps + slack
        found: NDArray[np.bool_] = np.logical_and(inside.all(axis=1), near_enough)
        return found


def unit(change: Array) -> Array:
    """Return changes of Euclidean length 1 in the same direction; 0 where they are 0."""
    xp = array_namespace(change)
    # Divided by the largest number first: squares of small gradients are 0 in single precision.
    flat = xp.reshape(change, (change.shape[0], -1))
    most = xp.max(xp.abs(flat), axis=1)
    flat = flat / xp.where(most > 0, most, xp.ones_like(most))[:, None]
    length = xp.sqrt(xp.sum(flat * flat, axis=1))
    return xp.reshape(flat / xp.clip(length, 0.5, None)[:, None], change.shape)


def spread(values: Array, like: Array) -> Array:
    """Return one value for each input, in a shape that multiplies the inputs."""
    xp = array_namespace(values)
    return xp.reshape(values, (-1, *(1 for _ in like.shape[1:])))
