"""What a probe asks of a model: classes, and where it offers them scores and gradients."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import ModelError, Problem, listed
from evenhand.models.spec import Spec

Floats: TypeAlias = NDArray[np.floating[Any]]
Codes: TypeAlias = NDArray[np.int64]
"""Places in `Spec.labels`."""

Array: TypeAlias = Any
"""An array of the model's own library: NumPy's, or a tensor of torch on the model's device."""

Slope: TypeAlias = Callable[[Array, slice], Array]
"""Gives the derivative of each input's own loss by its scores, of the shape of the scores.

It is handed the scores of a part of the inputs, and which part that is.
"""

Offer = Literal["scores", "vjp", "bounds", "randomised", "layers"]
"""What `Model.scores`, `Model.vjp`, `Bounded.margins`, `Randomisable.randomised` and `Layered.open`
are called where they are offered."""


class Model(Protocol):
    """A model under test. Inputs are in the units of its spec, of shape (n, *spec.shape).

    Attributes:
        spec: What it takes and gives.
        offers: What it can do beside `predict`.
        name: What reports call it.
        queries: Examples it was asked about; a gradient asks twice.

    """

    spec: Spec
    name: str

    @property
    def offers(self) -> frozenset[Offer]:
        """What it can do beside `predict`."""

    @property
    def queries(self) -> int:
        """Examples it was asked about since it was made; it only grows."""

    def array(self, x: Floats) -> Array:
        """Return inputs as an array of its library, on its device."""

    def numpy(self, x: Array) -> Floats:
        """Return an array of its library as one of NumPy."""

    def predict(self, x: Floats) -> Codes:
        """Return the place in `Spec.labels` of each input's class, shape (n,).

        Args:
            x: Inputs in declared units; checked, unlike those of `scores` and `vjp`.

        Raises:
            ModelError: They are out of the spec's range or shape, or the answer is not as it says.

        """

    def scores(self, x: Array) -> Array:
        """Return its scores, shape (n, classes); logits where it has them.

        Raises:
            ModelError: It does not offer them, or they are not finite.

        """

    def vjp(self, x: Array, slope: Slope) -> tuple[Array, Array]:
        """Return its scores, and the gradient by the input of the loss whose slope is given.

        Args:
            x: Inputs, an array of its library.
            slope: The derivative of each input's own loss by its scores.

        Returns:
            Scores of shape (n, classes) and gradients of the shape of ``x``.

        Raises:
            ModelError: It does not offer them.

        """

    def fingerprint(self) -> str:
        """Return what tells this model from another, ``sha256:...``."""


@runtime_checkable
class Bounded(Model, Protocol):
    """A model that may know bounds of its scores; it offers ``bounds`` where it does."""

    def margins(self, low: Floats, high: Floats, codes: Codes) -> NDArray[np.float64]:
        """Return how far a class stays ahead of each other, wherever in a box the input lies.

        Lower bounds, of what the model itself computes: its rounding is counted. A box asks twice.

        Args:
            low: The least values of each box, of the model's own type of numbers, shape
                (n, *spec.shape).
            high: The greatest.
            codes: The place in `Spec.labels` of each box's class, shape (n,).

        Returns:
            Of score[codes] - score[j], shape (n, classes); infinite at j = codes.

        Raises:
            ModelError: It does not offer them, with everything that stands in the way.

        """


@runtime_checkable
class Randomisable(Model, Protocol):
    """A model that may be copied with other parameters; it offers ``randomised`` where it may."""

    def layers(self) -> tuple[str, ...]:
        """Return the names of layers that have parameters of their own, the last one first.

        The first call may ask about one input, to see in which order they are used.
        """

    def randomised(self, seed: int, layers: Collection[str] | None = None) -> Model:
        """Return a copy whose parameters are drawn anew, as they are before training.

        What the copy is asked counts as asked of the model too.

        Args:
            seed: Where every number comes from: the same seed, the same parameters, on any device.
            layers: Whose parameters are drawn, a layer's alike whichever others are; None for all.

        Raises:
            ModelError: It does not offer it, or cannot be copied.

        """


@runtime_checkable
class Layered(Model, Protocol):
    """A model whose layers can be looked at; it offers ``layers``."""

    def open(self) -> AbstractContextManager[Any]:
        """Return a context with a module of torch from inputs in declared units to scores.

        What the model was made of is a part of it. As long as the context lasts it is in evaluation
        mode, its parameters need no gradients, and what it is asked is counted.
        """


def need(model: Model, offer: Offer, who: str, instead: str = "") -> None:
    """Refuse a model that lacks what somebody needs.

    Raises:
        ModelError: It does.

    """
    if offer in model.offers:
        return
    has = listed(["predict", *sorted(model.offers)])
    what = f"it needs {OFFERS[offer]}, which {model.name} does not offer; it has {has}."
    raise ModelError(Problem(who, what, instead))


OFFERS: dict[Offer, str] = {
    "scores": "scores",
    "vjp": "gradients",
    "bounds": "interval bounds",
    "layers": "layers that can be looked at",
    "randomised": "parameters that can be drawn anew",
}
"""What each is in words."""
