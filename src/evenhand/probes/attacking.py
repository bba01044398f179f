"""An attack as a method: one variant for each norm and eps, and a certificate beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.errors import EvenhandError, ModelError, Problem
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model, need
from evenhand.models.spec import Spec
from evenhand.notation import Term
from evenhand.probes.attack.attack import CLEAN, INSTEAD, Attack, Attacked
from evenhand.probes.certify.certificate import Certificate
from evenhand.probes.flag import Trust, judge, most_judged
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
class Attacking(Method):
    """Changed examples are looked for that the model gets wrong.

    Attributes:
        attack: What looks for them.
        threats: How far it may go; what each is, is a `Threat`.
        certificate: Proves of the same model that some cannot exist; none where nobody asked.

    """

    summary = ("clean_accuracy", "robust_accuracy", "attack_success_rate")
    doubted = True

    attack: Attack
    threats: tuple[Variant, ...]
    certificate: Certificate | None = None

    @property
    def name(self) -> str:
        """The attack, and the certificate beside it."""
        beside = "" if self.certificate is None else f" beside {self.certificate}"
        return f"{self.attack}{beside}"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The threats."""
        return self.threats

    def found(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of the attack, and of the certificate beside it."""
        del label
        found: dict[str, pl.DataType] = {
            "norm": pl.String(),
            "eps": pl.Float64(),
            "robust": pl.Boolean(),
            "broken_by": pl.String(),
        }
        if self.attack.minimal:
            found["minimal_norm"] = pl.Float64()
        if self.certificate is not None:
            found |= {"certified_radius": pl.Float64(), "certified": pl.Boolean()}
        return found

    def marks(self, variant: Variant) -> dict[str, Any]:
        """Return the threat."""
        return {"variant": variant.name, "norm": variant.what.norm, "eps": variant.what.eps}

    @property
    def reach(self) -> Mapping[str, tuple[float, ...]]:
        """Each eps, by its norm."""
        found: dict[str, tuple[float, ...]] = {}
        for one in self.threats:
            found[one.what.norm] = (*found.get(one.what.norm, ()), float(one.what.eps))
        return found

    def measured(
        self, spec: Spec, reach: Mapping[str, tuple[float, ...]]
    ) -> Iterator[tuple[Term, str]]:
        """Yield accuracies and drop under each threat, and the set where a certificate is."""
        del spec, reach
        for variant in self.threats:
            for name in (*self.summary, "robustness_drop"):
                yield Term(name), slice_of(variant)
            if self.certificate is not None and self.certificate.norm == variant.what.norm:
                robust = (Term("robust_accuracy"),)
                yield Term("bounds", robust, (("missing", "certificate"),)), slice_of(variant)

    def problems(self, model: Model) -> list[Problem]:
        """Return what the model lacks, and each eps that is not in the units of its range."""
        found: list[Problem] = []
        try:
            if self.attack.needs is not None:
                need(model, self.attack.needs, str(self.attack), INSTEAD[self.attack.needs])
        except ModelError as error:
            found += error.problems
        for variant in self.threats:
            try:
                variant.what.check(model.spec)
            except EvenhandError as error:
                found += error.problems
        if self.certificate is None:
            return found
        if not self.certificate.same:
            what = "it certifies another classifier than the one that is attacked."
            hint = f"Probe it by itself: {self.certificate}."
            return [*found, Problem(str(self.certificate), what, hint)]
        norm = self.certificate.norm
        if all(one.what.norm != norm for one in self.threats):
            found.append(Problem(str(self.certificate), f"it certifies by {norm} alone."))
        return [*found, *self.certificate.problems(model)]

    def most(self, model: Model) -> int:
        """Return what the attack and the certificate can cost."""
        proof = 0 if self.certificate is None else self.certificate.most(model)
        return self.attack.most(model) + proof

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return the notes of the attack and of the certificate."""
        proof = () if self.certificate is None else self.certificate.notes(model)
        return (*self.attack.notes(model), *proof)

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
        """Return what the attack found, and what is certified."""
        found = self.attack.run(
            model, examples.x, labels, variant.what, _rng(examples, seed), progress=progress
        )
        columns = _columns(found, variant, model, labels=labels, prediction=prediction)
        if self.attack.minimal:
            smallest = np.where(columns["correct"], found.distance, 0.0)
            columns["minimal_norm"] = pl.Series(smallest).fill_nan(None)
        if self.certificate is not None:
            columns |= self._certified(model, examples, variant, columns["correct"], seed)
        return Rows(pl.DataFrame(columns), found.examples)

    def _certified(
        self,
        model: Model,
        examples: Inputs,
        variant: Variant,
        correct: NDArray[np.bool_],
        seed: int,
    ) -> dict[str, Any]:
        """Return what is certified within the variant's eps, of examples that are right."""
        size, by = len(examples), self.certificate
        if by is None or by.norm != variant.what.norm:
            nothing = pl.Series([None] * size)
            return {
                "certified_radius": nothing.cast(pl.Float64),
                "certified": nothing.cast(pl.Boolean),
            }
        found = by.certify(model, examples.x, streams_of(examples, seed, by))
        radius = np.where(correct, found.radius, np.nan)
        return {
            "certified_radius": pl.Series(radius).fill_nan(None),
            "certified": radius >= variant.what.eps,
        }

    def judging(self, model: Model) -> int:
        """Return what looking for flags can cost for an example."""
        return most_judged(self.attack, model)

    def judge(
        self,
        model: Model,
        examples: Inputs,
        variant: Variant,
        *,
        labels: Codes,
        groups: Sequence[Any] | None,
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> Trust:
        """Return what is to be thought of the attack under a threat."""
        return judge(
            self.attack,
            model,
            examples.x,
            labels,
            variant.what,
            rng=rng,
            groups=groups,
            progress=progress,
        )


def _columns(
    found: Attacked, variant: Variant, model: Model, *, labels: Codes, prediction: Codes
) -> dict[str, Any]:
    by = pl.Series(found.broken_by.astype(object), dtype=pl.String)
    # Asked twice, a model that answers at random may say both: right is what it said both times.
    correct = (prediction == labels) & (found.broken_by != CLEAN)
    return {
        "prediction": named_classes(model.spec, prediction),
        "variant": variant.name,
        "norm": variant.what.norm,
        "eps": variant.what.eps,
        "correct": correct,
        "robust": correct & ~found.broken,
        "broken_by": by.replace("", None),
        "queries": found.queries,
    }


def _rng(examples: Inputs, seed: int) -> np.random.Generator:
    """Return the generator of a block: of the seed and its first id, whatever came before."""
    first = hashlib.sha256(str(examples.ids[0]).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(first[:8], "big")])
