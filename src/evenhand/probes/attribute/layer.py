"""Attributions to the units of a layer, laid over the image; through Captum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import EvenhandError, ModelError, Problem
from evenhand.models.model import Codes, Floats, Model, Offer
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams
from evenhand.probes.attribute.baseline import Baseline, baseline_of, refused
from evenhand.probes.attribute.captum import attr, explained, layer_of, layered
from evenhand.probes.parameter import count_of, refuse


@dataclass(frozen=True)
class GradCam(Attribution):
    """A layer's channels, each by its mean slope of the score, added up; what is below 0 is cut.

    It says where evidence for the class lies, in as many places as the layer has, between which it
    is smooth; it is no share of the score.

    Source: Selvaraju et al. 2017, equations 1 and 2; by Captum's ``LayerGradCam``.

    Attributes:
        layer: The name of a layer in the module; empty for the last convolution.

    """

    name: ClassVar[str] = "grad_cam"
    needs: ClassVar[Offer | None] = "layers"
    common: ClassVar[bool] = False
    sloped: ClassVar[bool] = False

    layer: str = ""

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model."""
        return [*super().problems(model), *unlayered(model, self.layer, str(self))]

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the sums, laid over the image."""
        del streams
        captum, spec = attr(), model.spec

        def ask(module: Any, inputs: Any, _some: slice, classes: Any) -> Any:  # noqa: ANN401 - tensors
            by = captum.LayerGradCam(module, layer_of(module, self.layer, str(self)))
            found = by.attribute(inputs, classes, relu_attributions=True)
            _check_places(found, self.layer, str(self))
            size = _sides(spec)
            return captum.LayerAttribution.interpolate(found, size, "bilinear")[:, 0]

        return _over_channels(explained(layered(model, str(self)), x, codes, ask), spec)

    def most(self, model: Model) -> int:
        """Return the cost of a gradient."""
        del model
        return 2


@dataclass(frozen=True)
class LayerIntegratedGradients(Attribution):
    """What each place of a layer adds to the score on the way from the baseline.

    The way is that of the layer's values between those of the baseline and of the example; channels
    are added up, and a place's part is spread evenly over the pixels that lie nearest to it. Parts
    add up to F(x) - F(x') but for what the quadrature misses.

    Source: Sundararajan, Taly and Yan 2017, with Gauss-Legendre's rule; by Captum's
    ``LayerIntegratedGradients``.

    Attributes:
        layer: The name of a layer in the module; empty for the last convolution.
        steps: Points on the way, from 1.
        baseline: x': ``low``, ``mean`` or ``blur``.

    """

    name: ClassVar[str] = "layer_integrated_gradients"
    needs: ClassVar[Offer | None] = "layers"
    common: ClassVar[bool] = False
    sloped: ClassVar[bool] = False
    complete: ClassVar[bool] = True

    layer: str = ""
    steps: int = 64
    baseline: Baseline = "low"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.steps), f"steps={self.steps} are none."),
                (bool(refused(self.baseline)), refused(self.baseline)),
            ],
        )

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model."""
        wrong = refused(self.baseline, model.spec)
        found = [*super().problems(model), *([Problem(str(self), wrong)] if wrong else [])]
        return [*found, *unlayered(model, self.layer, str(self))]

    def reference(self, x: Floats, spec: Spec) -> Floats | None:
        """Return the baseline."""
        return baseline_of(self.baseline, x, spec)

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the parts, laid over the image."""
        del streams
        captum, spec = attr(), model.spec
        start = baseline_of(self.baseline, x, spec)

        def ask(module: Any, inputs: Any, some: slice, classes: Any) -> Any:  # noqa: ANN401 - tensors
            by = captum.LayerIntegratedGradients(module, layer_of(module, self.layer, str(self)))
            found = by.attribute(
                inputs,
                model.array(start[some]),
                classes,
                n_steps=self.steps,
                method="gausslegendre",
                internal_batch_size=max(len(inputs), _AT_ONCE),
            )
            _check_places(found, self.layer, str(self))
            return found.sum(dim=1)

        parts = explained(layered(model, str(self)), x, codes, ask)
        return _over_channels(_nearest(parts, _sides(spec), str(self)), spec)

    def most(self, model: Model) -> int:
        """Return the cost of as many gradients, and of the layer's values at both ends."""
        del model
        return 2 * self.steps + 2


_AT_ONCE = 256
"""Points on the ways of examples whose gradients are asked for at once."""


def unlayered(model: Model, layer: str, who: str) -> list[Problem]:
    """Return what stops a look at a layer: Captum is missing, or the layer is, or images are."""
    if "layers" not in model.offers:
        return []
    found = []
    if model.spec.layout == "features":
        hint = "Name attribute.integrated_gradients, or attribute.kernel_shap."
        found.append(Problem(who, "layers are laid over images, and this is a table.", hint))
    try:
        attr()
        with layered(model, who).open() as module:
            layer_of(module, layer, who)
    except EvenhandError as error:
        found += error.problems
    return found


def _sides(spec: Spec) -> tuple[int, int]:
    height, width = (spec.shape[1:] if spec.layout == "CHW" else spec.shape)[:2]
    return height, width


def _check_places(found: Any, layer: str, who: str) -> None:  # noqa: ANN401 - a tensor
    """Refuse a layer whose units have no place in an image."""
    if found.ndim != 4:  # noqa: PLR2004 - examples, channels, height and width
        shape = "x".join(map(str, found.shape[1:]))
        what = f"layer '{layer}' gives {shape} numbers, and no channels with height and width."
        raise ModelError(Problem(who, what, "Name a convolution, or leave the layer out."))


def _nearest(parts: Maps, sides: tuple[int, int], who: str) -> Maps:
    """Return the parts of places spread over pixels, shape (n, height, width); sums stay."""
    rows, columns = (
        _places(have, want, who) for have, want in zip(parts.shape[1:], sides, strict=True)
    )
    many = np.bincount(rows)[rows][:, None] * np.bincount(columns)[columns][None]
    found: Maps = parts[:, rows[:, None], columns[None]] / many
    return found


def _places(have: int, want: int, who: str) -> NDArray[np.int64]:
    """Return the place that each pixel lies nearest to, along a side."""
    if have > want:
        what = f"the layer has {have} places along a side of {want} pixels."
        raise ModelError(Problem(who, what, "Name a layer that is no larger than the image."))
    return np.arange(want) * have // want


def _over_channels(maps: Maps, spec: Spec) -> Maps:
    """Return maps of pixels as maps of the input: channels share a pixel's part evenly."""
    if spec.layout == "HW":
        return maps
    if spec.layout == "CHW":
        return np.repeat(maps[:, None] / spec.shape[0], spec.shape[0], axis=1)
    return np.repeat(maps[..., None] / spec.shape[-1], spec.shape[-1], axis=-1)
