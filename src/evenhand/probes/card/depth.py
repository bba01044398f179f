"""Which layers of a network forget what they learned: all, those from the top on, or one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from evenhand.errors import Problem, listed
from evenhand.models.model import Randomisable

How = Literal["all", "cascade", "independent"]
HOWS: tuple[How, ...] = get_args(How)


@dataclass(frozen=True)
class Depth:
    """Which layers are drawn anew; ``str`` writes it as ``cascade 2``, and all of them as nothing.

    Layers are counted from the scores down: 1 is the last that has parameters. A cascade draws the
    layers from there on, so that what is below goes on as it was; independent is one layer alone.

    Source: Adebayo et al. 2018, sections 3.1 and 3.2.

    Attributes:
        how: ``all``, ``cascade`` or ``independent``.
        layer: Down to which, or which one, from 1; 0 of all.

    """

    how: How = "all"
    layer: int = 0

    def layers(self, model: Randomisable) -> tuple[str, ...] | None:
        """Return the names of the layers; None for all."""
        if self.how == "all":
            return None
        first = 0 if self.how == "cascade" else self.layer - 1
        return model.layers()[first : self.layer]

    def problems(self, model: Randomisable) -> list[Problem]:
        """Return that the model has no such layer, with those that it has."""
        known = () if self.how == "all" else model.layers()
        if self.layer <= len(known):
            return []
        what = f"{model.name} has {len(known)} layers with parameters, and no {self.layer}."
        return [Problem(self.how, what, f"From the last one: {listed(known)}.")]

    def __str__(self) -> str:
        return "" if self.how == "all" else f"{self.how} {self.layer}"


ALL = Depth()
"""Every layer."""
