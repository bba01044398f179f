"""Explanations of tables as a method: one variant for each feature, or group of features."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

import evenhand.probes.explain
from evenhand.errors import NotationError, Problem
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.notation import Term, parse
from evenhand.probes.explain.explanation import PREFIX, Explanation
from evenhand.probes.explain.gap import WHOLE
from evenhand.probes.explain.table import Table, table_of
from evenhand.probes.method import (
    Method,
    Progress,
    Rows,
    Variant,
    named_classes,
    silent,
    slice_of,
)
from evenhand.probes.named import classes_in, made

_ALL = "all features"
"""The variant of what is said of an example as a whole, and the one pass of everything else."""


@dataclass(frozen=True)
class Explaining(Method):
    """Answers are explained by features: all features of an example come out of one pass.

    Attributes:
        written: How the explanation is written.
        explanation: What explains.
        table: What is known of all examples; None before they are.

    """

    kind: ClassVar[str] = "attributions"
    of_tables: ClassVar[bool] = True

    written: str
    explanation: Explanation
    table: Table | None = None

    @property
    def block(self) -> int:  # type: ignore[override]
        """As many examples as the explanation takes at once."""
        return self.explanation.block

    @property
    def compared(self) -> bool:  # type: ignore[override]
        """Whether the explanation is asked for by group."""
        return self.explanation.compared

    @property
    def curved(self) -> bool:  # type: ignore[override]
        """Whether what the explanation says of a feature is a curve."""
        return self.explanation.curved

    @property
    def summary(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the explanation."""
        return self.explanation.summary

    @property
    def name(self) -> str:
        """How the explanation is written."""
        return self.written

    @property
    def known(self) -> str:
        """How it is written, with everything that it takes from all examples."""
        return f"{self.written} {self.explanation!r} {self.table!r}"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Each feature, or group of features; none before the examples are known."""
        if self.explanation.whole:
            return self.passes
        names = self.table.features.names if self.table else ()
        return tuple(Variant(name, place) for place, name in enumerate(names))

    def scopes(self, variant: Variant) -> tuple[str, ...]:
        """Return the slice of a feature; of a curve those of its places."""
        whole = slice_of(variant)
        if self.table is None:
            return (whole,)
        parts = self.explanation.parts(self.table, int(variant.what))
        return tuple(f"{whole} and {part}" if part else whole for part in parts)

    def each(self, variant: Variant) -> int:
        """Return how many rows an example has of a feature."""
        return 1 if self.table is None else self.explanation.each(self.table, int(variant.what))

    @property
    def passes(self) -> tuple[Variant, ...]:
        """One, in which all features of a block are explained."""
        return (Variant(_ALL, 0),)

    def among(self, inputs: Inputs, seed: int) -> Method:
        """Return the explanation of these examples by their features."""
        return replace(self, table=table_of(inputs, self.explanation.groups, seed))

    def found(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of the explanation."""
        del label
        return {"explanation": pl.String(), **self.explanation.columns}

    def marks(self, variant: Variant) -> dict[str, Any]:
        """Return the feature and the explanation."""
        return {"variant": variant.name, "explanation": self.explanation.name}

    def measured(
        self, spec: Spec, reach: Mapping[str, tuple[float, ...]]
    ) -> Iterator[tuple[Term, str]]:
        """Yield what the explanation says, of each feature and part of its rows by itself."""
        del reach
        # Every feature's row holds the score: one is enough.
        for variant in self.variants[:1] if self.compared else ():
            yield Term(WHOLE), slice_of(variant)
        for variant in self.variants:
            at = int(variant.what)
            for part in self.explanation.parts(self.table, at) if self.table else ("",):
                scope = " and ".join(filter(None, (slice_of(variant), part)))
                for plain in self.explanation.asked(spec):
                    yield parse(plain), scope

    def first(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """Return what a feature is for."""
        del rows
        return self.explanation.first()

    def problems(self, model: Model) -> list[Problem]:
        """Return what stops the explanation."""
        return self.explanation.problems(model, self.table)

    def most(self, model: Model) -> int:
        """Return the most that the explanation of an example costs."""
        return self.explanation.most(model, self._known)

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return what is to be known by who reads the figures."""
        return self.explanation.notes(model, self._known)

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
        """Return a row for each feature of each example."""
        del seed  # The table has it.
        asked = model.queries
        found = self.explanation.explained(
            model,
            examples,
            self._known,
            labels=labels,
            prediction=prediction,
            tell=lambda share: progress(variant.name, share),
        )
        each = (model.queries - asked) // max(len(labels), 1)
        said = named_classes(model.spec, prediction)
        sizes = [self.each(one) * len(labels) for one in self.variants]
        starts = np.cumsum([0, *sizes])
        return Rows(
            pl.concat(
                pl.DataFrame(
                    {
                        "prediction": pl.concat([said] * (size // len(labels))),
                        **{
                            name: pl.Series([value] * size, dtype=pl.String)
                            for name, value in self.marks(one).items()
                        },
                        "correct": np.resize(prediction == labels, size),
                        **found[int(start) : int(start) + size].to_dict(),
                        # What all of them cost stands in the first.
                        "queries": np.where(
                            np.arange(int(start), int(start) + size) < len(labels), each, 0
                        ).astype(np.int64),
                    }
                )
                for one, start, size in zip(self.variants, starts, sizes, strict=False)
            )
        )

    @property
    def _known(self) -> Table:
        if self.table is None:
            raise TypeError(f"{self.written} was asked before its examples were known")
        return self.table


@functools.cache
def explanations() -> dict[str, type[Explanation]]:
    """Return every explanation's class by name, sorted."""
    # An abstract class is what mypy takes for no value of a type.
    return classes_in(evenhand.probes.explain, Explanation, "explanation")  # type: ignore[type-abstract]


def explaining(written: str, term: Term) -> Explaining:
    """Return the method that a term names.

    Raises:
        NotationError: There is no such explanation, or it has no such parameter.
        ModelError: A parameter is out of range.

    """
    name = term.name.removeprefix(PREFIX)
    if name == "common":
        what = "each explanation of tables is asked for by itself."
        raise NotationError(
            Problem(f"'{written}'", what, f"There are: {', '.join(explanations())}.")
        )
    plain = Term(name, term.args, term.params, term.cutoff)
    return Explaining(written, made(plain, explanations(), prefix=PREFIX, what="explanation"))
