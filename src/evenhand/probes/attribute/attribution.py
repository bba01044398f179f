"""What an attribution is: a hashable value that says how much each part adds to a score.

What is explained is F, the score of one class: a logit where the model has logits, of one that
gives probabilities their logarithm; of two classes what it is above the other's, since the score of
one of them may be 0 whatever the input. A map has the shape of the input, and signed numbers in
units of the score, or of the score by unit of the input for those that are slopes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import ModelError, Problem
from evenhand.models.answer import batch_of
from evenhand.models.model import Codes, Floats, Model, Offer, need
from evenhand.models.spec import Spec
from evenhand.probes.attribute.baseline import Row
from evenhand.probes.named import written

PREFIX = "attribute."
"""What the name of an attribution begins with where probes are named."""

Maps = NDArray[np.float64]
"""Attributions of examples, shape (n, *spec.shape)."""

Streams = Sequence[np.random.Generator]
"""The generator of each example, so that no example hangs on its neighbours."""


def states_of(streams: Streams) -> list[Mapping[str, Any]]:
    """Return the states that generators are in."""
    return [one.bit_generator.state for one in streams]


def rewound(streams: Streams, states: Sequence[Mapping[str, Any]]) -> Streams:
    """Return generators, put back into the states that they were in."""
    for one, state in zip(streams, states, strict=True):
        one.bit_generator.state = state
    return streams


_INSTEAD = {
    "vjp": "Explain it by scores alone: attribute.occlusion.",
    "layers": "Explain it from outside: attribute.kernel_shap.",
    "scores": "A model that gives labels alone has no score to explain.",
}


@dataclass(frozen=True)
class Attribution(ABC):
    """Explains one class's score; ``str`` writes it as ``attribute.smooth_grad(samples=16)``.

    Attributes:
        name: As the field names it: ``integrated_gradients``.
        needs: What of the model it needs.
        drawn: Whether it draws random numbers, so that another seed gives another map.
        common: Whether it is among those that ``attribute.common`` names.
        complete: Whether parts promise to add up to F(x) - F(x').
        sloped: Whether parts by unit of the input are slopes, so that infidelity says something;
            not of what is told of patches, or of the places of a layer.

    """

    name: ClassVar[str]
    needs: ClassVar[Offer | None] = "vjp"
    drawn: ClassVar[bool] = False
    common: ClassVar[bool] = True
    complete: ClassVar[bool] = False
    sloped: ClassVar[bool] = True

    @abstractmethod
    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the parts of each example.

        Args:
            model: A model whose scores are logits.
            x: Examples in the units of the spec, shape (n, *spec.shape).
            codes: Place of the class whose score is explained, shape (n,).
            streams: The generator of each example; they are used up.

        """

    @abstractmethod
    def most(self, model: Model) -> int:
        """Return the queries that the map of one example costs at most; a gradient is two."""

    def reference(self, x: Floats, spec: Spec) -> Floats | None:
        """Return x', the input that parts are told against; None where they are slopes.

        Args:
            x: Examples, shape (n, *spec.shape).
            spec: Of the model.

        """
        del x, spec
        return None

    @property
    def against(self) -> bool:
        """Whether parts are told against an input, which can be another one: its baseline."""
        return any(field.name == "baseline" for field in fields(self))

    def beside(
        self, model: Model, x: Floats, codes: Codes, streams: Streams, background: Floats
    ) -> Maps:
        """Return the parts of each example of a table, in the mean over rows told against.

        So parts that add up to F(x) - F(x') add up to F(x) less the mean score of the background.
        What is told against no input, a slope or a control, is as it was.

        Args:
            model: A model whose scores are logits.
            x: Examples, shape (n, columns).
            codes: Place of the class whose score is explained, shape (n,).
            streams: The generator of each example; they are used up.
            background: Rows, shape (b, columns), from 1.

        """
        if not self.against:
            return self.maps(model, x, codes, streams)
        total = np.zeros(x.shape)
        for row in background:
            own: dict[str, Any] = {"baseline": Row(tuple(row.tolist()))}
            total += replace(self, **own).maps(model, x, codes, streams)
        found: Maps = total / len(background)
        return found

    def most_beside(self, model: Model, count: int) -> int:
        """Return what one example costs at most beside a background of so many rows."""
        return self.most(model) * (count if self.against else 1)

    def cells(self, spec: Spec) -> NDArray[np.int64] | None:
        """Return which cell each part belongs to, shape spec.shape; None where each is its own.

        Parts of one cell are explained together, and share its part evenly.

        Args:
            spec: Of the model.

        """
        del spec
        return None

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model."""
        try:
            for offer in dict.fromkeys(("scores", self.needs)):
                if offer is not None:
                    need(model, offer, str(self), _INSTEAD.get(offer, ""))
        except ModelError as error:
            return [*error.problems]
        return []

    def __str__(self) -> str:
        return written(self, PREFIX)


def gradients(model: Model, x: Floats, codes: Codes) -> Maps:
    """Return the derivative of each example's score by its parts, shape of ``x``."""
    wanted = model.array(_contrast(model.spec)[codes])
    _, found = model.vjp(model.array(x), lambda _scores, some: wanted[some])
    return np.asarray(model.numpy(found), np.float64)


def scores_of(model: Model, x: Floats, codes: Codes) -> NDArray[np.float64]:
    """Return the score of each example's class, shape (n,)."""
    found = np.asarray(model.numpy(model.scores(model.array(x))), np.float64)
    picked: NDArray[np.float64] = (found * _contrast(model.spec)[codes]).sum(axis=1)
    return picked


def _contrast(spec: Spec) -> NDArray[np.float64]:
    """Return by which weights a class's score is made of all scores, shape (classes, classes)."""
    own = np.eye(spec.classes)
    return own - own[::-1] if spec.classes == _TWO else own


_TWO = 2


def looked(
    model: Model, looks: int, inputs: Callable[[int], Floats], codes: Codes
) -> NDArray[np.float64]:
    """Return the score of each example's class in several looks at it, shape (looks, n).

    Of few examples several looks are asked about at once.

    Args:
        model: The model.
        looks: How many.
        inputs: Gives what is looked at, by the number of the look, shape (n, *spec.shape).
        codes: The class whose score it is, shape (n,).

    """
    found = [np.empty((0, len(codes)))]
    for some in _together(looks, len(codes), model.spec):
        x = np.concatenate([inputs(look) for look in some])
        found.append(scores_of(model, x, np.tile(codes, len(some))).reshape(len(some), -1))
    return np.concatenate(found)


def summed(
    model: Model,
    weights: Sequence[float] | NDArray[np.float64],
    inputs: Callable[[int], Floats],
    codes: Codes,
) -> Maps:
    """Return the weighted sum of the slopes of each example's score in several looks at it.

    Args:
        model: The model.
        weights: Of each look.
        inputs: As in `looked`.
        codes: The class whose score it is, shape (n,).

    """
    total = np.zeros((len(codes), *model.spec.shape))
    for some in _together(len(weights), len(codes), model.spec):
        x = np.concatenate([inputs(look) for look in some])
        slopes = gradients(model, x, np.tile(codes, len(some)))
        for place, look in enumerate(some):
            total += weights[look] * slopes[place * len(codes) : (place + 1) * len(codes)]
    return total


def _together(looks: int, examples: int, spec: Spec) -> Iterator[range]:
    """Yield the looks that are asked about at once."""
    size = max(1, batch_of(spec) // max(examples, 1))
    for start in range(0, looks, size):
        yield range(start, min(start + size, looks))


def pixels(values: Maps, spec: Spec) -> Maps:
    """Return numbers with the channels of a pixel added up, shape (n, features).

    A feature is a pixel of images, and a column of tables.

    Args:
        values: Shape (n, *spec.shape).
        spec: Of the model.

    """
    if spec.layout == "CHW":
        values = values.sum(axis=1)
    elif spec.layout == "HWC":
        values = values.sum(axis=-1)
    return values.reshape(len(values), -1)


def spread(masks: NDArray[np.bool_], spec: Spec) -> NDArray[np.bool_]:
    """Return masks of features as masks of inputs: all channels of a pixel are one.

    Args:
        masks: Shape (n, features).
        spec: Of the model.

    """
    shape = spec.shape
    if spec.layout == "CHW":
        wide = masks.reshape(-1, 1, *shape[1:])
    elif spec.layout == "HWC":
        wide = masks.reshape(-1, *shape[:-1], 1)
    else:
        wide = masks.reshape(-1, *shape)
    found: NDArray[np.bool_] = np.broadcast_to(wide, (len(masks), *shape))
    return found
