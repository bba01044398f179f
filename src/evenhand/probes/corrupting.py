"""Corruptions as a method: one variant for each corruption and severity, a baseline beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from evenhand.errors import EvenhandError, Problem
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.notation import Term
from evenhand.probes.corrupt.corruption import PREFIX, Corruption, corrupted
from evenhand.probes.method import (
    Method,
    Progress,
    Rows,
    Variant,
    named_classes,
    silent,
    streams_of,
)

_CORRUPTED = "corruption != None"
"""The slice of rows that were corrupted."""

_IMAGES = {"HW", "CHW", "HWC"}

_ALIKE: dict[str, Callable[[Spec], object]] = {
    "classes": lambda spec: spec.labels,
    "inputs' shape and layout": lambda spec: (spec.shape, spec.layout),
    "inputs' range": lambda spec: (spec.low, spec.high),
}
"""What of a baseline must be as the model's, for both to be shown the same examples."""


@dataclass(frozen=True)
class Baseline:
    """A model whose errors under the same corruptions are what others are measured by.

    Attributes:
        model: The model; it takes the same inputs and gives the same classes.
        fingerprint: Of the model.

    """

    model: Model = field(compare=False)
    fingerprint: str


@dataclass(frozen=True)
class Corrupting(Method):
    """Examples are corrupted, whoever looks at them.

    Attributes:
        written: How the corruptions are written: ``corrupt.common``.
        corruptions: What is done, each at every severity.
        severities: From 1 to 5.
        baseline: What mCE divides by; none where nobody asked.

    """

    summary = ("clean_accuracy", "corruption_error")
    apart = False

    written: str
    corruptions: tuple[Corruption, ...]
    severities: tuple[int, ...]
    baseline: Baseline | None = None

    @property
    def name(self) -> str:
        """How the corruptions are written."""
        return f"{PREFIX}{self.written}"

    @property
    def known(self) -> str:
        """The corruptions, and the baseline."""
        beside = "" if self.baseline is None else f" beside {self.baseline.fingerprint}"
        return f"{self.name}{beside}"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Each corruption at each severity: ``fog 3``."""
        return tuple(
            Variant(f"{one.name} {severity}", (one, severity))
            for one in self.corruptions
            for severity in self.severities
        )

    def found(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of corruptions, and of the baseline beside them."""
        found: dict[str, pl.DataType] = {
            "corruption": pl.String(),
            "severity": pl.Int32(),
            "robust": pl.Boolean(),
            "corrupted_prediction": label,
            "corrupted_correct": pl.Boolean(),
        }
        if self.baseline is not None:
            found |= {"baseline_correct": pl.Boolean(), "baseline_error": pl.Float64()}
        return found

    def marks(self, variant: Variant) -> dict[str, Any]:
        """Return the corruption and its severity."""
        corruption, severity = variant.what
        return {"variant": variant.name, "corruption": corruption.name, "severity": severity}

    def measured(
        self, spec: Spec, reach: Mapping[str, tuple[float, ...]]
    ) -> Iterator[tuple[Term, str]]:
        """Yield the mean error over all corruptions, and that beside the baseline."""
        del spec, reach
        yield Term("mean_corruption_error"), _CORRUPTED
        if self.baseline is not None:
            yield Term("mCE", params=(("baseline", self.baseline.model.name),)), _CORRUPTED

    def first(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """Return the mean over several variants."""
        del rows
        return ("mean_corruption_error",) if len(self.variants) > 1 else ()

    def problems(self, model: Model) -> list[Problem]:
        """Return whether inputs are no images, a library is missing, or the baseline differs."""
        spec, found = model.spec, list[Problem]()
        if spec.layout not in _IMAGES:
            what = f"corruptions are of images, and inputs are {spec.layout}."
            found.append(Problem(self.name, what, "Say --layout HW, CHW or HWC if they are."))
        other = None if self.baseline is None else self.baseline.model.spec
        if other is not None:
            found += [
                Problem("baseline", f"its {what} are others than the model's.")
                for what, own in _ALIKE.items()
                if own(other) != own(spec)
            ]
        for corruption in self.corruptions:
            try:
                corruption.check()
            except EvenhandError as error:
                found.extend(error.problems)
        return found

    def most(self, model: Model) -> int:
        """Return one look at each corrupted example."""
        del model
        return 1

    def rows(
        self,
        model: Model,
        examples: Inputs,
        variant: Variant,
        *,
        labels: Codes,
        prediction: Codes,
        seed: int,
        progress: Progress = silent,
    ) -> Rows:
        """Return what the model says of the corrupted examples."""
        corruption, severity = variant.what
        streams = streams_of(examples, seed, corruption.name)
        changed = corrupted(corruption, examples.x, model.spec, severity, streams)
        said = model.predict(changed)
        table = pl.DataFrame(
            {
                "prediction": named_classes(model.spec, prediction),
                "variant": variant.name,
                "corruption": corruption.name,
                "severity": severity,
                "correct": prediction == labels,
                "robust": (prediction == labels) & (said == labels),
                "corrupted_prediction": named_classes(model.spec, said),
                "corrupted_correct": said == labels,
                "queries": np.ones(len(labels), np.int64),
            }
        )
        if self.baseline is not None:
            theirs = self.baseline.model.predict(changed)
            table = table.with_columns(baseline_correct=pl.Series(theirs == labels))
        progress(variant.name, 1.0)
        return Rows(table, changed)

    def finished(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows with the baseline's mean error on their corruption.

        Null where it makes none, which nothing can be divided by.
        """
        if self.baseline is None:
            return rows
        error = (~pl.col("baseline_correct")).mean().over("corruption")
        return rows.with_columns(baseline_error=pl.when(error > 0).then(error))

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return what the baseline was."""
        del model
        if self.baseline is None:
            return ()
        theirs = self.baseline
        return (f"the baseline is {theirs.model.name}, {theirs.fingerprint[:19]}",)
