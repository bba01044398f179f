"""Doubts about what a model was said to be, and what they are looked for in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from evenhand.models.model import Codes, Floats, Model

Sure = Literal["certain", "likely", "possible"]


@dataclass(frozen=True)
class Doubt:
    """Something that speaks against a spec.

    Attributes:
        name: The check that found it.
        seen: What was seen, with its numbers.
        sure: ``certain``: no sound model with this spec answers so; ``likely``: hardly one does;
            ``possible``: a sound one may.
        hint: What to do.

    """

    name: str
    seen: str
    sure: Sure
    hint: str


@dataclass(frozen=True)
class Answered:
    """A model, some inputs, and what it answered to them.

    Attributes:
        model: The model.
        x: Inputs in declared units, shape (n, *spec.shape).
        labels: Places of their true classes; None where unknown.
        codes: What `Model.predict` gave, shape (n,).
        scores: What `Model.scores` gave, shape (n, classes); None where it offers none.

    """

    model: Model
    x: Floats
    labels: Codes | None
    codes: Codes
    scores: Floats | None

    def asked(self, x: Floats) -> Floats:
        """Return the scores of other inputs, as an array of NumPy."""
        return self.model.numpy(self.model.scores(self.model.array(x)))


class NotCheckedError(Exception):
    """A check does not apply; its text says why."""


Check: TypeAlias = Callable[[Answered], Iterable[Doubt]]
"""Yields doubts, or raises `NotCheckedError` before the first."""
