"""Attributions that are the gradient of the score, at the example or near it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.errors import Problem
from evenhand.models.model import Codes, Floats, Model
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, gradients, summed
from evenhand.probes.attribute.baseline import Reference, baseline_of, refused
from evenhand.probes.parameter import count_of, number_of, refuse


@dataclass(frozen=True)
class Gradient(Attribution):
    """The slope of the score by each part: what a small change there would do.

    Often shown as ``saliency``, its absolute value. It is no share of the score.

    Source: Simonyan, Vedaldi and Zisserman 2014.

    """

    name: ClassVar[str] = "gradient"

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the slopes."""
        del streams
        return gradients(model, x, codes)

    def most(self, model: Model) -> int:
        """Return the cost of a gradient."""
        del model
        return 2


@dataclass(frozen=True)
class GradientTimesInput(Attribution):
    """The slope of the score by each part, times the part above its baseline.

    Of a linear model the parts add up to F(x) - F(x'); of others they promise nothing.

    Source: Shrikumar, Greenside and Kundaje 2017.

    Attributes:
        baseline: x': ``low``, ``mean`` or ``blur``.

    """

    name: ClassVar[str] = "gradient_x_input"

    baseline: Reference = "low"

    def __post_init__(self) -> None:
        """Refuse what is no baseline."""
        refuse(self.name, [(bool(refused(self.baseline)), refused(self.baseline))])

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model."""
        wrong = refused(self.baseline, model.spec)
        return [*super().problems(model), *([Problem(str(self), wrong)] if wrong else [])]

    def reference(self, x: Floats, spec: Spec) -> Floats | None:
        """Return the baseline."""
        return baseline_of(self.baseline, x, spec)

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return slopes times parts."""
        del streams
        way = np.asarray(x, np.float64) - baseline_of(self.baseline, x, model.spec)
        return way * gradients(model, x, codes)

    def most(self, model: Model) -> int:
        """Return the cost of a gradient."""
        del model
        return 2


@dataclass(frozen=True)
class SmoothGrad(Attribution):
    """The mean slope of the score at noisy copies of the example.

    Source: Smilkov, Thorat, Kim, Viegas and Wattenberg 2017.

    Attributes:
        samples: Copies, from 1.
        noise: Standard deviation of the noise, above 0, in units of the width of the range; what
            leaves the range is cut.

    """

    name: ClassVar[str] = "smooth_grad"
    drawn: ClassVar[bool] = True

    samples: int = 16
    noise: float = 0.15

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        refuse(
            self.name,
            [
                (not count_of(self.samples), f"samples={self.samples} are none."),
                (not number_of(self.noise) > 0, f"noise={self.noise} is none above 0."),
            ],
        )

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the mean slopes."""
        spec = model.spec

        def noisy(_look: int) -> Floats:
            drawn = np.stack([one.standard_normal(spec.shape) for one in streams])
            moved = x + self.noise * (spec.high - spec.low) * drawn
            found: Floats = np.clip(moved, spec.low, spec.high).astype(np.asarray(x).dtype)
            return found

        return summed(model, np.full(self.samples, 1 / self.samples), noisy, codes)

    def most(self, model: Model) -> int:
        """Return the cost of as many gradients."""
        del model
        return 2 * self.samples
