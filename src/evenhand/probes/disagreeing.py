"""Disagreement of explanations as a method: one variant for each pair of attributions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

from evenhand.errors import Problem
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.notation import Term
from evenhand.probes.card.agreement import COLUMNS, agreement
from evenhand.probes.explainers import Explainers, misread, parts_of, read
from evenhand.probes.method import (
    Method,
    Progress,
    Rows,
    Variant,
    named_classes,
    silent,
    slice_of,
)
from evenhand.probes.parameter import count_of

DISAGREEMENT = "disagreement"
"""How it is named among attributions."""

_PART = 4
"""By default a quarter of the parts is looked at, so that chance is a quarter of every model's."""

_ALL = "all pairs"
"""The one pass: each explanation is worked out once for all pairs that it is in."""


@dataclass(frozen=True)
class Disagreeing(Method):
    """An example is explained by each attribution once, and each two of the maps are compared.

    What is explained is the same as for a card: the score of the class that the model predicts.

    Attributes:
        written: How it is written.
        explainers: What explains; two or more.
        top: How many largest parts are looked at; None for a quarter of them, rounded up.

    """

    kind: ClassVar[str] = "attributions"
    summary = (
        "feature_agreement",
        "feature_agreement_excess",
        "sign_agreement",
        "rank_correlation",
    )

    written: str
    explainers: Explainers
    top: int | None = None

    @property
    def name(self) -> str:
        """How it is written."""
        return self.written

    @property
    def known(self) -> str:
        """How it is written, with the attributions as they are."""
        return f"{self.written} {self.explainers} {self.top}"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Each pair: ``gradient_x_input and kernel_shap``."""
        names = self.explainers.names
        places = itertools.combinations(range(len(names)), 2)
        return tuple(Variant(f"{names[i]} and {names[j]}", (i, j)) for i, j in places)

    @property
    def passes(self) -> tuple[Variant, ...]:
        """One, in which all explanations of a block are worked out."""
        return (Variant(_ALL, None),)

    def found(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of agreement."""
        del label
        return {"explanation": pl.String(), **dict.fromkeys(COLUMNS, pl.Float64())}

    def marks(self, variant: Variant) -> dict[str, Any]:
        """Return the pair."""
        return {"variant": variant.name, "explanation": variant.name}

    def measured(
        self, spec: Spec, reach: Mapping[str, tuple[float, ...]]
    ) -> Iterator[tuple[Term, str]]:
        """Yield how far each pair agrees; what chance gives stands in the notes."""
        del spec, reach
        for variant in self.variants:
            for plain in ("feature_agreement", "sign_agreement", "rank_correlation"):
                yield Term(plain), slice_of(variant)

    def first(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """Return what people mean who say that two explanations agree."""
        del rows
        return ("rank_correlation", "feature_agreement")

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops any of the attributions, and a number of parts that are not there."""
        found = self.explainers.problems(model, self.written)
        parts = parts_of(model.spec)
        if parts == 1:
            found.append(Problem(self.written, "one part alone has no order to agree about."))
        elif self.top is not None and self.top > parts:
            what = f"top={self.top}, and there are {parts:,} parts."
            found.append(Problem(self.written, what, "Leave it out for a quarter of them."))
        return list(dict.fromkeys(found))

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return what is explained, how many parts are looked at, and what chance gives."""
        top, parts = self._top(model.spec), parts_of(model.spec)
        shared = f"random orders share {top / parts:.3g} of them (feature_agreement)"
        compared = f"the {top:,} largest of {parts:,} parts are compared; {shared}"
        return (*self.explainers.notes(model), compared)

    def most(self, model: Model) -> int:
        """Return the most that all attributions of an example cost, each once."""
        return self.explainers.most(model)

    def among(self, inputs: Inputs, seed: int) -> Method:
        """Return the same with what explains for these examples."""
        return replace(self, explainers=self.explainers.among(inputs, seed))

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
        """Return a row for each pair and example."""
        asked = model.queries
        maps = self.explainers.maps(
            model, examples, prediction, seed, lambda share: progress(variant.name, share)
        )
        each = (model.queries - asked) // max(len(labels), 1)
        said = named_classes(model.spec, prediction)
        tables = []
        for at, pair in enumerate(self.variants):
            i, j = pair.what
            found = agreement(maps[i], maps[j], self._top(model.spec))
            told = {name: pl.Series(values).fill_nan(None) for name, values in found.items()}
            marks = {
                name: pl.Series([value] * len(labels), dtype=pl.String)
                for name, value in self.marks(pair).items()
            }
            # What all of them cost stands in the first.
            cost = np.full(len(labels), each if at == 0 else 0, np.int64)
            tables.append(
                pl.DataFrame(
                    {
                        "prediction": said,
                        **marks,
                        "correct": prediction == labels,
                        **told,
                        "queries": cost,
                    }
                )
            )
        return Rows(pl.concat(tables))

    def _top(self, spec: Spec) -> int:
        return self.top or math.ceil(parts_of(spec) / _PART)


def disagreeing(written: str, term: Term) -> Disagreeing:
    """Return the method that a term writes: ``disagreement(of=[gradient, occlusion], top=5)``.

    Args:
        written: The term with its kind, for errors.
        term: Its ``of`` names attributions, with parameters where they have any, or ``common``,
            which is the default; its ``top`` is how many largest parts are looked at; its
            ``background`` how many rows of the table all are told against.

    Raises:
        EvenhandError: With everything that is wrong with it.

    """
    top = dict(term.params).get("top")
    problems = [*misread(written, term, DISAGREEMENT, ("of", "top", "background"))]
    if top is not None and not count_of(top):
        what = f"top={top} is no whole number from 1."
        hint = "It says how many largest parts are looked at."
        problems.append(Problem(f"'{written}'", what, hint))
    explainers = read(term, written, problems, least=2)
    return Disagreeing(written, explainers, None if top is None else int(str(top)))
