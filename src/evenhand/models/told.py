"""What somebody said of a model, and the spec that it makes with what the model's answers show."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from evenhand.errors import ModelError, Problem, listed
from evenhand.models.spec import Label, Layout, Output, Spec

_CHANNELS = {1, 3, 4}

_SUM = 1e-3
"""How far a row of probabilities may be from 1."""


@dataclass(frozen=True)
class Told:
    """What was said of a model; None where it was left to be seen.

    Attributes:
        labels: The classes in the order of the scores; else those that the model names, or 0, 1
            and so on, as many as there are scores.
        shape: Shape of one input.
        low: The smallest value of an input; else 0.
        high: The largest; else 1.
        layout: What the axes are; else by the shape: HW of two axes, CHW or HWC of three by which
            of them has 1, 3 or 4 places.
        output: What the scores are; else what they look like on a few inputs.
        mean: As in `Spec`.
        std: As in `Spec`.
        stochastic: As in `Spec`.
        observed: Whether the range is that of the inputs, which nobody said: a model's own spec
            goes before it.

    """

    labels: tuple[Label, ...] | None = None
    shape: tuple[int, ...] | None = None
    low: float | None = None
    high: float | None = None
    layout: Layout | None = None
    output: Output | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    stochastic: bool = False
    observed: bool = False

    @property
    def range(self) -> tuple[float, float]:
        """The range that is meant."""
        return self.low if self.low is not None else 0.0, 1.0 if self.high is None else self.high

    def first(self, shape: tuple[int, ...]) -> Spec:
        """Return a spec to ask a model by before its classes are known: two, if none were said.

        Args:
            shape: Of the inputs, where none was said.

        Raises:
            ModelError: What was said contradicts itself.

        """
        found = self.shape or shape
        low, high = self.range
        return Spec(
            labels=self.labels or (0, 1),
            shape=found,
            low=low,
            high=high,
            layout=self.layout or _layout_of(found),
            output=self.output or "logits",
            mean=self.mean,
            std=self.std,
            stochastic=self.stochastic,
        )

    def completed(
        self, spec: Spec, answers: object, own: tuple[Label, ...] | None, seen: tuple[Label, ...]
    ) -> Spec:
        """Return the spec with labels and output, where these were left to be seen.

        Args:
            spec: As `first`.
            answers: What the model gave for some inputs, unchecked.
            own: The classes that the model names.
            seen: The classes that stand in the inputs, by which a model of labels alone is told.

        Raises:
            ModelError: They cannot be seen.

        """
        table = np.asarray(answers)
        output = self.output or _output_of(table)
        labels = self.labels or own
        if labels is None and output == "labels":
            labels = tuple(sorted({*seen, *table.tolist()}, key=lambda one: (str(type(one)), one)))
        elif labels is None:
            labels = _numbered(table, seen)
        return dataclasses.replace(spec, labels=labels, output=output)

    def contradicts(self, spec: Spec, who: str) -> None:
        """Refuse what was said of a model that brings a spec of its own, where they differ.

        Raises:
            ModelError: They do.

        """
        wrong = []
        nobody = {"observed", *(("low", "high") if self.observed else ())}
        for field in dataclasses.fields(self):
            if field.name in nobody:
                continue
            said, its = getattr(self, field.name), getattr(spec, field.name)
            # A range that begins at 0 was said: 0 equals False.
            unsaid = said is None or said is False or said == ()
            if not unsaid and said != its:
                what = f"its spec says {field.name} {_written(its)}, and {_written(said)} was said."
                wrong.append(Problem(who, what, "Leave it out, or correct the spec."))
        if wrong:
            raise ModelError(wrong)


def _written(value: object) -> str:
    return listed(value) if isinstance(value, tuple) else str(value)


def _layout_of(shape: tuple[int, ...]) -> Layout:
    """Return what the axes of a shape are, where it tells.

    >>> _layout_of((28, 28)), _layout_of((3, 32, 32)), _layout_of((32, 32, 3)), _layout_of((9,))
    ('HW', 'CHW', 'HWC', 'features')
    """
    if len(shape) == 2:  # noqa: PLR2004 - height and width
        return "HW"
    if len(shape) != 3:  # noqa: PLR2004 - and channels
        return "features"
    first, last = shape[0] in _CHANNELS, shape[-1] in _CHANNELS
    if first and last:
        # Images are mostly as high as they are wide.
        first, last = shape[1] == shape[2], shape[0] == shape[1]
    if first == last:
        what = f"where are the channels in the shape {shape}?"
        raise ModelError(Problem("spec", what, "Say --layout CHW or HWC."))
    return "CHW" if first else "HWC"


def _output_of(answers: Any) -> Output:  # noqa: ANN401 - arrays
    """Return what answers look like: labels, probabilities or logits."""
    if answers.ndim == 1 and answers.dtype.kind != "f":
        return "labels"
    if answers.ndim != 2 or answers.dtype.kind != "f" or not len(answers):  # noqa: PLR2004
        return "logits"
    return "probabilities" if are_probabilities(answers) else "logits"


def are_probabilities(scores: Any) -> bool:  # noqa: ANN401 - arrays
    """Return whether every row holds numbers from 0 to 1 that add up to 1, within 0.001."""
    inside = bool((scores >= 0).all() and (scores <= 1 + _SUM).all())
    return inside and bool((np.abs(scores.sum(axis=1) - 1) <= _SUM).all())


def _numbered(answers: Any, seen: tuple[Label, ...]) -> tuple[Label, ...]:  # noqa: ANN401
    if answers.ndim != 2 or answers.shape[1] < 2:  # noqa: PLR2004
        # Refused where scores are checked, with what may be meant.
        return (0, 1)
    count = answers.shape[1]
    if count == 2 and {*seen} <= {False, True} and all(isinstance(one, bool) for one in seen):  # noqa: PLR2004
        return (False, True) if seen else (0, 1)
    return tuple(range(count))
