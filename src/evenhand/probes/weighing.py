"""Importance of features by several attributions: a variant for each of them and each feature."""

from __future__ import annotations

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
from evenhand.probes.explainers import Explainers, misread, read
from evenhand.probes.method import (
    Method,
    Progress,
    Rows,
    Variant,
    named_classes,
    silent,
    slice_of,
)

IMPORTANCE = "importance"
"""How it is named among attributions."""

BY = ": "
"""What stands in a variant between the attribution and the feature."""

_ALL = "all features"


@dataclass(frozen=True)
class Weighing(Method):
    """An example of a table is explained by each attribution, and each of its parts is a row.

    The mean of their sizes over examples is what is mostly shown as a feature's importance. What is
    explained is the same as for a card: the score of the class that the model predicts.

    Attributes:
        written: How it is written.
        explainers: What explains; one or more.

    """

    kind: ClassVar[str] = "attributions"
    of_tables: ClassVar[bool] = True
    summary = ("mean_absolute_attribution",)

    written: str
    explainers: Explainers

    @property
    def name(self) -> str:
        """How it is written."""
        return self.written

    @property
    def known(self) -> str:
        """How it is written, with the attributions as they are."""
        return f"{self.written} {self.explainers}"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Each attribution of each feature, ``occlusion: age``; none before they are known."""
        return tuple(
            Variant(f"{name}{BY}{feature}", (i, j))
            for i, name in enumerate(self.explainers.names)
            for j, feature in enumerate(self.explainers.features)
        )

    @property
    def passes(self) -> tuple[Variant, ...]:
        """One, in which all explanations of a block are worked out."""
        return (Variant(_ALL, None),)

    def among(self, inputs: Inputs, seed: int) -> Method:
        """Return the same with what explains for these examples."""
        return replace(self, explainers=self.explainers.among(inputs, seed))

    def found(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of parts."""
        del label
        return {"explanation": pl.String(), "attribution": pl.Float64()}

    def marks(self, variant: Variant) -> dict[str, Any]:
        """Return the variant and its attribution."""
        by = self.explainers.names[variant.what[0]]
        return {"variant": variant.name, "explanation": by}

    def measured(
        self, spec: Spec, reach: Mapping[str, tuple[float, ...]]
    ) -> Iterator[tuple[Term, str]]:
        """Yield the mean size of each part."""
        del spec, reach
        for variant in self.variants:
            yield Term(self.summary[0]), slice_of(variant)

    def first(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """Return what is mostly shown as importance."""
        del rows
        return self.summary

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops any of the attributions, and that images have no features."""
        found = self.explainers.problems(model, self.written)
        if model.spec.layout != "features":
            what = "pixels of images are no features that are the same in all of them."
            hint = "Ask attribute.disagreement, which compares the maps of each image."
            found.append(Problem(self.written, what, hint))
        return list(dict.fromkeys(found))

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return which score is explained, and against what."""
        return self.explainers.notes(model)

    def most(self, model: Model) -> int:
        """Return the most that all attributions of an example cost, each once."""
        return self.explainers.most(model)

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
        """Return a row for each attribution, feature and example."""
        asked = model.queries
        maps = self.explainers.maps(
            model, examples, prediction, seed, lambda share: progress(variant.name, share)
        )
        count, size = len(labels), len(self.variants)
        each = (model.queries - asked) // max(count, 1)
        said = named_classes(model.spec, prediction)
        names = [self.marks(one) for one in self.variants]
        places = np.repeat(np.arange(size), count)
        marks = pl.DataFrame(names, schema=dict.fromkeys(("variant", "explanation"), pl.String))
        parts = np.concatenate([one.T.reshape(-1) for one in maps])
        return Rows(
            pl.DataFrame(
                {
                    "prediction": pl.concat([said] * size),
                    **marks[places].to_dict(),
                    "correct": np.tile(prediction == labels, size),
                    "attribution": pl.Series(parts).fill_nan(None),
                    # What all of them cost stands in the first.
                    "queries": np.where(places == 0, each, 0).astype(np.int64),
                }
            )
        )


def weighing(written: str, term: Term) -> Weighing:
    """Return the method that a term writes: ``importance(of=[occlusion, shap], background=100)``.

    Args:
        written: The term with its kind, for errors.
        term: Its ``of`` names attributions, with parameters where they have any, or ``common``,
            which is the default; its ``background`` how many rows of the table all are told
            against.

    Raises:
        EvenhandError: With everything that is wrong with it.

    """
    problems = [*misread(written, term, IMPORTANCE, ("of", "background"))]
    return Weighing(written, read(term, written, problems, least=1))
