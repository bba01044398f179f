"""What a model takes and gives: said by whoever knows, checked by asking the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np

from evenhand.errors import ModelError, Problem

Output = Literal["logits", "probabilities", "scores", "labels"]
Layout = Literal["features", "HW", "CHW", "HWC"]

Label = int | float | str | bool

_AXES: dict[Layout, int] = {"features": 1, "HW": 2, "CHW": 3, "HWC": 3}


@dataclass(frozen=True)
class Spec:
    """What a model takes and gives.

    Attributes:
        labels: The classes in the order of its scores; at least two, all different.
        shape: Shape of one input, without the batch.
        low: The smallest value of an input, in the units that eps is given in.
        high: The largest.
        layout: What the axes of an input are.
        output: What its scores are: ``logits`` (any numbers), ``probabilities`` (each row adds up
            to 1), ``scores`` (anything else that grows with belief) or ``labels`` (there are none).
        mean: Subtracted from each channel before the model sees an input, in the same units; empty
            where the model does that itself, or nobody does.
        std: What each channel is divided by then; as long as ``mean``.
        stochastic: Whether the same input may be answered differently.

    """

    labels: tuple[Label, ...]
    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 1.0
    layout: Layout = "features"
    output: Output = "logits"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    stochastic: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, all of it at once."""
        problems = [*self._problems()]
        if problems:
            raise ModelError([Problem("spec", what, hint) for what, hint in problems])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.labels)

    @property
    def size(self) -> int:
        """Numbers in one input."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        """Number of channels, each of which has a mean and a std."""
        return {"features": self.size, "HW": 1, "CHW": self.shape[0], "HWC": self.shape[-1]}[
            self.layout
        ]

    def _problems(self) -> list[tuple[str, str]]:
        found = []
        if len(self.labels) < 2 or len({*map(str, self.labels)}) < len(self.labels):  # noqa: PLR2004
            found.append((f"labels {self.labels} are not two or more different ones.", ""))
        kinds = {_kind(one) for one in self.labels}
        if len(kinds) > 1 or "" in kinds:
            what = f"labels {self.labels} are not all text, all numbers or all true and false."
            found.append((what, "Give them as the column of true classes has them."))
        if not self.shape or min(self.shape) < 1:
            found.append((f"shape {self.shape} is none of an input.", "Leave the batch out."))
        elif len(self.shape) != _AXES[self.layout] and self.layout != "features":
            what = f"layout {self.layout} has {_AXES[self.layout]} axes, the shape {self.shape}."
            found.append((what, "Write the shape of one input, such as 28x28 or 3x32x32."))
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            what = f"inputs from {self.low:g} to {self.high:g} are no range."
            found.append((what, "Say the range before normalisation, such as 0 to 1 or 0 to 255."))
        if len(self.mean) != len(self.std) or any(one <= 0 for one in self.std):
            found.append(("mean and std differ in length, or a std is not above 0.", ""))
        elif not all(map(math.isfinite, (*self.mean, *self.std))):
            found.append(("mean or std is no finite number.", ""))
        elif self.shape and len(self.mean) not in {0, 1, self.channels}:
            what = f"there are {len(self.mean)} means for {self.channels} channels."
            found.append((what, "Give one for all, or one for each channel."))
        return found


def _kind(label: object) -> str:
    """Return what a label is: text, a number, or true and false; empty for anything else."""
    if isinstance(label, bool | np.bool_):
        return "true and false"
    if isinstance(label, str):
        return "text"
    return "number" if isinstance(label, Real) and math.isfinite(label) else ""
