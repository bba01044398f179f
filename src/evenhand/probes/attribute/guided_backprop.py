"""Guided backpropagation through Captum, refused wherever another map would come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evenhand.errors import EvenhandError, Problem, listed
from evenhand.models.model import Codes, Floats, Layered, Model, Offer
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams
from evenhand.probes.attribute.captum import attr, explained, layered, users_module


@dataclass(frozen=True)
class GuidedBackprop(Attribution):
    """The slope of the score, of which every ReLU hands back only what is above 0.

    A ReLU hands back the slope where its own input is above 0, and here where the slope is, too. So
    it is no derivative of anything. It draws sharp pictures, of which much is left where the
    network has learned nothing.

    It is worked out of modules ``torch.nn.ReLU``. A ReLU that no module stands for would hand back
    the plain slope, and nobody would see it; so what the scores are computed by is looked at, and a
    model with such a one, or with none at all, is refused.

    Source: Springenberg, Dosovitskiy, Brox and Riedmiller 2015, section 3.4; by Captum's
    ``GuidedBackprop``.

    """

    name: ClassVar[str] = "guided_backprop"
    needs: ClassVar[Offer | None] = "layers"
    common: ClassVar[bool] = False

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model; one input of the lowest value is looked at."""
        found = super().problems(model)
        if found:
            return found
        try:
            attr()
            reasons = dict.fromkeys(_reasons(layered(model, str(self))))
        except EvenhandError as error:
            return [*found, *error.problems]
        if not reasons:
            return found
        what = f"it would be another map: {listed(reasons)}."
        return [*found, Problem(str(self), what, "attribute.gradient has no such conditions.")]

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the slopes, of a model that `problems` found nothing of."""
        del streams
        opened, captum = layered(model, str(self)), attr()

        def ask(module: Any, inputs: Any, _some: slice, classes: Any) -> Any:  # noqa: ANN401 - tensors
            return captum.GuidedBackprop(module).attribute(inputs, classes)

        return explained(opened, x, codes, ask)

    def most(self, model: Model) -> int:
        """Return the cost of a gradient."""
        del model
        return 2


_RELU = "Relu"
_RECTIFIERS = (
    *(
        "Threshold",
        "Hardtanh",
        "LeakyRelu",
        "RreluWithNoise",
        "Prelu",
        "PreluKernel",
        "Elu",
        "Celu",
    ),
    *("Gelu", "Silu", "Mish", "Softplus", "Hardswish", "Clamp", "ClampMin", "Maximum", "Where"),
)
"""What autograd calls operations that do what a ReLU does, or nearly; the rule is of none of them.

A product with a mask is not among them: it is not to be told from another product.
"""


def _reasons(model: Layered) -> Iterator[str]:
    """Yield what ReLUs there are that the rule would not reach, by the graph of the scores."""
    import torch

    own: dict[Any, str] = {}
    answers: list[Any] = []
    with model.open() as opened, torch.enable_grad():
        inner = users_module(opened)
        relus = {name: one for name, one in inner.named_modules() if isinstance(one, torch.nn.ReLU)}
        handles = [
            # At once: what is done to an output in place would change its node.
            one.register_forward_hook(
                lambda _m, _x, out, name=name: own.update({out.grad_fn: name})
            )
            for name, one in relus.items()
        ]
        handles.append(inner.register_forward_hook(lambda _m, _x, out: answers.append(out)))
        try:
            lowest = model.array(np.full((1, *model.spec.shape), model.spec.low))
            opened(lowest.requires_grad_())
        finally:
            for handle in handles:
                handle.remove()
    # Models of Hugging Face give their scores under this name.
    scores = getattr(answers[-1], "logits", answers[-1])
    if scores.grad_fn is None:
        yield "no gradient reaches the input"
        return
    nodes, uses = _graph(scores.grad_fn)
    reached = [node for node in nodes if node in own]
    for node in nodes:
        operation = node.name().removesuffix("Backward0").removesuffix("Backward1")
        if operation == _RELU and node not in own:
            yield "a ReLU that no module stands for, such as torch.relu"
        elif operation in _RECTIFIERS:
            yield f"a {operation}, and the rule is of ReLU alone"
    for node in reached:
        if any(uses[each] > 1 for each in node.next_functions):
            # Captum's hook is at the input, where slopes of all uses have been added up.
            yield f"what goes into ReLU '{own[node]}' goes elsewhere too"
    if not reached:
        yield "no module torch.nn.ReLU has a part in the scores, so that it is the plain gradient"


def _graph(last: Any) -> tuple[list[Any], Counter[Any]]:  # noqa: ANN401 - a node of autograd
    """Return the operations that an answer was computed by, and how often each result is used."""
    found, uses, waiting = {last: None}, Counter[Any](), [last]
    while waiting:
        for each in waiting.pop().next_functions:
            uses[each] += 1
            if each[0] is not None and each[0] not in found:
                found[each[0]] = None
                waiting.append(each[0])
    return [*found], uses
