"""Integrated gradients: the slope along the way from a baseline, times the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem
from evenhand.models.model import Codes, Floats, Model
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import Attribution, Maps, Streams, summed
from evenhand.probes.attribute.baseline import Reference, baseline_of, refused
from evenhand.probes.parameter import count_of, refuse

Quadrature = Literal["gauss_legendre", "trapezoid", "midpoint", "right"]
"""Where the way is looked at, and with which weights; ``right`` are the sums of the paper."""


@dataclass(frozen=True)
class IntegratedGradients(Attribution):
    """The part's way from the baseline, times the mean slope of the score along the whole way.

        (x - x') * integral_0^1 dF/dx (x' + a (x - x')) da

    Parts add up to F(x) - F(x') but for what the quadrature misses, which the card tells.

    Source: Sundararajan, Taly and Yan 2017, equation 1.

    Attributes:
        steps: Points on the way, from 1; ``trapezoid`` needs two.
        baseline: x': ``low``, ``mean`` or ``blur``.
        quadrature: ``gauss_legendre``, ``trapezoid``, ``midpoint`` or ``right``.

    """

    name: ClassVar[str] = "integrated_gradients"
    complete: ClassVar[bool] = True

    steps: int = 64
    baseline: Reference = "low"
    quadrature: Quadrature = "gauss_legendre"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        rules = get_args(Quadrature)
        least = 2 if self.quadrature == "trapezoid" else 1
        refuse(
            self.name,
            [
                (
                    not count_of(self.steps, least),
                    f"steps={self.steps} are no number of at least {least}.",
                ),
                (bool(refused(self.baseline)), refused(self.baseline)),
                (
                    self.quadrature not in rules,
                    f"quadrature={self.quadrature} is none of {', '.join(rules)}.",
                ),
            ],
        )

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops it on a model."""
        wrong = refused(self.baseline, model.spec)
        return [*super().problems(model), *([Problem(str(self), wrong)] if wrong else [])]

    def reference(self, x: Floats, spec: Spec) -> Floats | None:
        """Return the baseline."""
        return baseline_of(self.baseline, x, spec)

    def maps(self, model: Model, x: Floats, codes: Codes, streams: Streams) -> Maps:
        """Return the parts."""
        del streams
        start = baseline_of(self.baseline, x, model.spec)
        way = np.asarray(x, np.float64) - start
        at, weights = points(self.quadrature, self.steps)

        def on_the_way(step: int) -> Floats:
            found: Floats = (start + at[step] * way).astype(np.asarray(x).dtype)
            return found

        return way * summed(model, weights, on_the_way, codes)

    def most(self, model: Model) -> int:
        """Return the cost of as many gradients."""
        del model
        return 2 * self.steps


def points(rule: Quadrature, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points in [0, 1] and their weights, which add up to 1, shape (steps,) each.

    >>> [part.tolist() for part in points("trapezoid", 3)]
    [[0.0, 0.5, 1.0], [0.25, 0.5, 0.25]]
    """
    if rule == "gauss_legendre":
        at, weight = np.polynomial.legendre.leggauss(steps)
        return (at + 1) / 2, weight / 2
    if rule == "trapezoid":
        weight = np.full(steps, 1 / (steps - 1))
        weight[[0, -1]] /= 2
        return np.linspace(0, 1, steps), weight
    shift = 0.5 if rule == "midpoint" else 1.0
    return (np.arange(steps) + shift) / steps, np.full(steps, 1 / steps)
