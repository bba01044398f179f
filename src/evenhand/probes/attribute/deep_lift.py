"""DeepLIFT through Captum, refused wherever its parts would not add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evenhand.errors import EvenhandError, ModelError, Problem, first_line, listed
from evenhand.models.model import Codes, Floats, Layered, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, scores_of
from evenhand.probes.attribute.baseline import Reference, baseline_of, refused
from evenhand.probes.attribute.captum import attr, explained, layered
from evenhand.probes.parameter import refuse


@dataclass(frozen=True)
class DeepLift(Attribution):
    """The change of the score from the baseline, handed back layer by layer by finite slopes.

    Its promise is that parts add up to F(x) - F(x'). Its rules know modules, each used once, and no
    other operations, so that the promise fails silently on many networks: here it is looked at for
    every example, and a model on which it fails is refused with what breaks it.

    Source: Shrikumar, Greenside and Kundaje 2017, rescale rule; by Captum's ``DeepLift``.

    Attributes:
        baseline: x': ``low``, ``mean`` or ``blur``.

    """

    name: ClassVar[str] = "deep_lift"
    needs: ClassVar[Offer | None] = "layers"
    common: ClassVar[bool] = False
    complete: ClassVar[bool] = True

    baseline: Reference = "low"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(self.name, [(bool(refused(self.baseline)), refused(self.baseline))])

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model; it is tried on a few inputs of noise."""
        wrong = refused(self.baseline, model.spec)
        found = [*super().problems(model), *([Problem(str(self), wrong)] if wrong else [])]
        if found:
            return found
        spec = model.spec
        x = np.random.default_rng(0).uniform(spec.low, spec.high, (_TRIED, *spec.shape))
        try:
            attr()
            self.maps(model, x, np.arange(_TRIED) % spec.classes, ())
        except EvenhandError as error:
            found += error.problems
        return found

    def reference(self, x: Floats, spec: Spec) -> Floats | None:
        """Return the baseline."""
        return baseline_of(self.baseline, x, spec)

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the parts.

        Raises:
            ModelError: They do not add up.

        """
        del streams
        captum, start = attr(), baseline_of(self.baseline, x, model.spec)
        opened = layered(model, str(self))

        def ask(module: Any, inputs: Any, some: slice, classes: Any) -> Any:  # noqa: ANN401 - tensors
            try:
                by = captum.DeepLift(module)
                return by.attribute(inputs, model.array(start[some]), classes)
            except RuntimeError as error:
                what = f"Captum fails on this network: {first_line(error)}"
                raise ModelError(_refusal(opened, what, str(self))) from error

        maps = explained(opened, x, codes, ask)
        whole, empty = (scores_of(model, one, codes) for one in (x, start))
        missed = np.abs(maps.reshape(len(x), -1).sum(axis=1) - (whole - empty))
        size = np.maximum(np.abs(whole - empty), _ROUNDING * np.maximum(np.abs(whole), 1))
        wrong = int((missed > _MISSED * size).sum())
        if wrong:
            what = f"parts would miss more than {_MISSED:.0%} of F(x) - F(x') on {wrong:,} of "
            what += f"{len(x):,} inputs."
            raise ModelError(_refusal(opened, what, str(self)))
        return maps

    def most(self, model: Model) -> int:
        """Return the cost of a gradient of example and baseline at once, and of a look at each."""
        del model
        return 2 + 2 * 2


_TRIED = 8
"""Inputs of noise that it is tried on."""

_MISSED = 0.01
"""Share of the change above which parts do not add up."""

_ROUNDING = 0.01
"""Share of the score below which a change is too small for its share to count."""


def _refusal(model: Layered, what: str, who: str) -> Problem:
    reasons = [*_reasons(model)] or [
        "an operation that no module stands for, such as torch.relu or a product of tensors"
    ]
    hint = "attribute.integrated_gradients adds up on every network that has gradients."
    return Problem(who, f"{what} What breaks it: {listed(reasons)}.", hint)


def _reasons(model: Layered) -> Iterator[str]:
    """Yield the modules that its rules do not fit: used more than once, or of no known rule.

    A module that is there and is never called breaks nothing.
    """
    import torch

    linear = (
        *(torch.nn.Linear, torch.nn.Bilinear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d),
        *(torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d),
        *(torch.nn.AvgPool1d, torch.nn.AvgPool2d, torch.nn.AvgPool3d),
        *(torch.nn.AdaptiveAvgPool1d, torch.nn.AdaptiveAvgPool2d, torch.nn.AdaptiveAvgPool3d),
        *(torch.nn.Flatten, torch.nn.Unflatten, torch.nn.Identity, torch.nn.Dropout),
        *(torch.nn.Dropout2d, torch.nn.Upsample, torch.nn.ZeroPad2d),
    )
    ruled = (
        *(torch.nn.ReLU, torch.nn.ELU, torch.nn.LeakyReLU),
        *(torch.nn.Sigmoid, torch.nn.Tanh, torch.nn.Softplus),
    )
    used: Counter[str] = Counter()
    with model.open() as module, torch.no_grad():
        leaves = {name: one for name, one in module.named_modules() if not [*one.children()]}
        handles = [
            one.register_forward_hook(lambda *_, name=name: used.update([name]))
            for name, one in leaves.items()
        ]
        try:
            module(model.array(np.full((1, *model.spec.shape), model.spec.low)))
        finally:
            for handle in handles:
                handle.remove()
        for name, one in leaves.items():
            known, kind = name.removeprefix("part."), type(one).__name__
            if not used[name]:
                continue
            if not isinstance(one, (*linear, *ruled)):
                yield f"{kind} '{known}'"
            elif used[name] > 1 and not isinstance(one, linear):
                yield f"{kind} '{known}', which is used {used[name]} times"
