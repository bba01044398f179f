"""Certificates as a method: one variant for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from evenhand.errors import Problem
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.notation import Term
from evenhand.probes.certify.certificate import ABSTAINS, PREFIX, Certificate
from evenhand.probes.method import (
    Method,
    Progress,
    Rows,
    Variant,
    named_classes,
    silent,
    slice_of,
    streams_of,
)


@dataclass(frozen=True)
class Certifying(Method):
    """It is proved within which distance no change can alter the class.

    Attributes:
        certificates: What proves it.

    """

    summary = ("clean_accuracy", "certified_accuracy(r=0)")

    certificates: tuple[Certificate, ...]

    @property
    def name(self) -> str:
        """The certificates as they are written."""
        return ", ".join(map(str, self.certificates))

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Each certificate with its norm: ``l2 smoothing(sigma=0.25)``."""
        return tuple(
            Variant(f"{one.norm} {str(one).removeprefix(PREFIX)}", one) for one in self.certificates
        )

    def found(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of a certificate."""
        del label
        return {"norm": pl.String(), "certified_radius": pl.Float64()}

    def marks(self, variant: Variant) -> dict[str, Any]:
        """Return the norm of the certificate."""
        return {"variant": variant.name, "norm": variant.what.norm}

    def measured(
        self, spec: Spec, reach: Mapping[str, tuple[float, ...]]
    ) -> Iterator[tuple[Term, str]]:
        """Yield the accuracy, and what is certified as far as attacks of the same norm go."""
        for variant in self.variants:
            yield Term("clean_accuracy"), slice_of(variant)
            far = reach.get(variant.what.norm)
            for radius in sorted({0.0, *far}) if far else variant.what.radii(spec):
                plain = int(radius) if radius.is_integer() else radius
                yield Term("certified_accuracy", params=(("r", plain),)), slice_of(variant)

    def first(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """Return the accuracy, and what is certified at the median radius, to two digits."""
        above = rows.filter(pl.col("certified_radius") > 0)["certified_radius"].to_numpy()
        middle = float(np.median(above)) if len(above) else 0.0
        radius = np.format_float_positional(middle, precision=2, fractional=False, trim="-")
        return ("clean_accuracy", f"certified_accuracy(r={radius})")

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops a certificate."""
        return [problem for one in self.certificates for problem in one.problems(model)]

    def most(self, model: Model) -> int:
        """Return the most that a certificate of an example can cost."""
        return max(one.most(model) for one in self.certificates)

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return what limits the certificates."""
        return tuple(note for one in self.certificates for note in one.notes(model))

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
        """Return what is certified: ``correct`` is whether the certified classifier is right."""
        del prediction
        by: Certificate = variant.what
        found = by.certify(model, examples.x, streams_of(examples, seed, by), progress=progress)
        said = pl.Series(found.prediction).replace(ABSTAINS, None)
        right = found.prediction == labels
        return Rows(
            pl.DataFrame(
                {
                    "prediction": named_classes(model.spec, said),
                    "variant": variant.name,
                    "norm": by.norm,
                    "correct": right,
                    "queries": found.queries,
                    "certified_radius": pl.Series(found.radius).fill_nan(None),
                }
            )
        )
