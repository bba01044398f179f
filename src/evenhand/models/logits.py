"""Logits of a model that gives probabilities: their logarithms, with the chain rule, in one place.

Losses of attacks are formulas of logits. A softmax undoes the logarithm, so that cross-entropy of
``log p`` is that of the probabilities; and a margin of logarithms is a ratio of chances, which does
not vanish where probabilities saturate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from array_api_compat import array_namespace

from evenhand.models.model import Array, Codes, Floats, Model, Offer, Slope, need
from evenhand.models.spec import Spec
from evenhand.models.whole import whole


def with_logits(model: Model) -> Model:
    """Return a model whose scores are logits: itself, or of one with probabilities, `LogModel`.

    A model that gives labels alone comes back as it is: it offers no scores.
    """
    return LogModel(model) if model.spec.output == "probabilities" else model


class LogModel:
    """A model that gives probabilities p as one whose scores are ``log max(p, floor)``.

    The floor keeps ``slope / p`` finite: 3.5e-29 in float32, 1e-231 in float64. Below it the
    gradient is 0, as that of a constant.

    Attributes:
        model: What is asked; it counts.
        spec: Its spec, with logits as output.
        name: Its name.

    """

    def __init__(self, model: Model) -> None:
        self.model, self.name = model, model.name
        self.spec: Spec = dataclasses.replace(model.spec, output="logits")

    @property
    def offers(self) -> frozenset[Offer]:
        """What the model offers."""
        return self.model.offers

    @property
    def queries(self) -> int:
        """Examples that the model was asked about."""
        return self.model.queries

    def array(self, x: Floats) -> Array:
        """Return inputs as an array of the model's library."""
        return self.model.array(x)

    def numpy(self, x: Array) -> Floats:
        """Return an array of the model's library as one of NumPy."""
        return self.model.numpy(x)

    def predict(self, x: Floats) -> Codes:
        """Return classes, as `Model.predict`."""
        return self.model.predict(x)

    def scores(self, x: Array) -> Array:
        """Return logarithms of its probabilities, as `Model.scores`."""
        return _log(self.model.scores(x))[0]

    def vjp(self, x: Array, slope: Slope) -> tuple[Array, Array]:
        """Return logarithms and gradients, as `Model.vjp`: d loss / d p = slope / p."""

        def through(probabilities: Array, some: slice) -> Array:
            xp = array_namespace(probabilities)
            logs, floor = _log(probabilities)
            inside = probabilities > floor
            safe = xp.where(inside, probabilities, xp.ones_like(probabilities))
            back = slope(logs, some) / safe
            return xp.where(inside, back, xp.zeros_like(back))

        probabilities, gradient = self.model.vjp(x, through)
        return _log(probabilities)[0], gradient

    def layers(self) -> tuple[str, ...]:
        """Return the layers that have parameters, as `Randomisable.layers`."""
        need(self.model, "randomised", self.name)
        inner: Any = self.model
        found: tuple[str, ...] = inner.layers()
        return found

    def randomised(self, seed: int, layers: Collection[str] | None = None) -> Model:
        """Return a copy with other parameters, as `Randomisable.randomised`."""
        need(self.model, "randomised", self.name)
        inner: Any = self.model
        return LogModel(inner.randomised(seed, layers))

    @contextmanager
    def open(self) -> Iterator[Any]:
        """Give a module of logarithms, as `Layered.open`."""
        need(self.model, "layers", self.name)
        inner: Any = self.model
        with inner.open() as module:
            yield whole(module, lambda x: _log(module(x))[0])

    def fingerprint(self) -> str:
        """Return the model's fingerprint."""
        return self.model.fingerprint()


def _log(probabilities: Any) -> tuple[Array, float]:  # noqa: ANN401 - arrays of any library
    """Return logarithms and the floor below which there are none."""
    xp = array_namespace(probabilities)
    # Three quarters of the exponents: 1 / floor is finite, also times a few large slopes.
    floor = float(xp.finfo(probabilities.dtype).smallest_normal) ** 0.75
    return xp.log(xp.clip(probabilities, floor, None)), floor
