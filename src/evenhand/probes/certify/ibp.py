"""Interval bound propagation: what small networks cannot be made to say, by the largest change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import ModelError, Problem
from evenhand.models.model import Bounded, Codes, Floats, Model
from evenhand.probes.attack.attack import as_given
from evenhand.probes.certify.certificate import Certificate, Certified
from evenhand.probes.method import Progress, silent
from evenhand.probes.parameter import count_of, refuse
from evenhand.probes.threat import Norm

_FINEST = 60
"""Halvings after which a number of double precision tells nothing apart."""


@dataclass(frozen=True)
class IntervalBounds(Certificate):
    """Radius by linf within which the model's own class stays ahead of all others, proved.

    The ball, cut with the range of the inputs, is a box; bounds of the model say whether the class
    of the input stays ahead all over it. The largest such box is looked for by halving; reported is
    the largest eps that was proved itself, 0 where none was. What is not proved need not be wrong:
    bounds grow loose with every layer, most in networks that were not trained for them.

    Source: Gowal et al. 2018, with the last layer merged into the margins.

    Attributes:
        halvings: Boxes that are tried for each input; eps is found to the range over 2^halvings.

    """

    name: ClassVar[str] = "ibp"
    norm: ClassVar[Norm] = "linf"
    same: ClassVar[bool] = True

    halvings: int = 20

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        wrong = not count_of(self.halvings) or self.halvings > _FINEST
        what = f"halvings={self.halvings} is no number of them from 1 to {_FINEST}."
        refuse(f"certify.{self.name}", [(wrong, what)])

    def problems(self, model: Model) -> list[Problem]:
        """Return each layer of the model whose bounds are not known."""
        if not isinstance(model, Bounded):
            what = f"it needs the layers of a model, which {model.name} does not show."
            hint = "Give the network as a module of torch, or use certify.smoothing."
            return [Problem(str(self), what, hint)]
        none = np.empty((0, *model.spec.shape))
        try:
            model.margins(none, none, np.empty(0, np.int64))
        except ModelError as error:
            return [*error.problems]
        return []

    def most(self, model: Model) -> int:
        """Return the first look and two for each box."""
        del model
        return 1 + 2 * self.halvings

    def certify(
        self,
        model: Model,
        x: Floats,
        streams: Sequence[np.random.Generator],
        *,
        progress: Progress = silent,
    ) -> Certified:
        """Return what is certified of inputs, as `Certificate.certify`; nothing is random."""
        del streams
        if not isinstance(model, Bounded):
            raise ModelError(self.problems(model))
        given = as_given(model, x)
        codes = model.predict(given)
        span = model.spec.high - model.spec.low
        proved, open_ = np.zeros(len(given)), np.full(len(given), span)
        for step in range(self.halvings):
            eps = (proved + open_) / 2
            holds = _ahead(model, given, codes, eps)
            proved, open_ = np.where(holds, eps, proved), np.where(holds, open_, eps)
            progress(str(self), (step + 1) / self.halvings)
        return Certified(codes, proved, np.full(len(given), self.most(model), np.int64))

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return what the radius is of, and how finely it is known."""
        finest = (model.spec.high - model.spec.low) / 2**self.halvings
        what = f"{self}: certified is {model.name} itself, its rounding counted; radii are found "
        what += f"to {finest:.2g}, and what is not proved need not be wrong."
        return (what,)


def _ahead(model: Bounded, x: Floats, codes: Codes, eps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether the class of each input stays ahead wherever the input lies within eps.

    Rounding to the model's type of numbers keeps order, so that whatever it sees of the ball lies
    between the rounded ends.
    """
    around, exact = eps.reshape(-1, *(1 for _ in x.shape[1:])), np.asarray(x, np.float64)
    ends = (np.clip(exact + sign * around, model.spec.low, model.spec.high) for sign in (-1, 1))
    low, high = (np.asarray(end, x.dtype) for end in ends)
    found: NDArray[np.bool_] = model.margins(low, high, codes).min(axis=1) > 0
    return found
