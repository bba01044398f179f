"""Explanations of tables: hashable values that give columns for features of examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from evenhand.errors import Problem
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.probes.explain.curve import Curve
from evenhand.probes.explain.feature import Groups, remarks
from evenhand.probes.explain.table import Table
from evenhand.probes.named import written

PREFIX = "explain."
"""What the name of an explanation begins with where probes are named."""

_CHANGES = (
    "the model's answers do not repeat: what stands here is of one answer to each question, and "
    "comes out otherwise when it is asked again"
)

Told = Callable[[float], None]
"""Told which share of a block is done."""


@dataclass(frozen=True)
class Explanation(ABC):
    """Explains answers by features; ``str`` writes it as ``explain.permutation(repeats=9)``.

    Attributes:
        name: As the field names it: ``permutation``.
        summary: Measures that sum up a feature, in notation.
        columns: What it says of an example and a feature, with types.
        block: Examples that are explained, and kept, at once.
        curved: Whether what it says of a feature is a curve.
        compared: Whether it is asked for by group, as differences that add up.
        whole: Whether there is one row for an example, not one for each of its features.

    """

    name: ClassVar[str]
    summary: ClassVar[tuple[str, ...]]
    columns: ClassVar[dict[str, pl.DataType]]
    block: ClassVar[int] = 8192
    whole: ClassVar[bool] = False
    compared: ClassVar[bool] = False
    curved: ClassVar[bool] = False

    groups: Groups = ()

    @abstractmethod
    def explained(
        self,
        model: Model,
        examples: Inputs,
        table: Table,
        *,
        labels: Codes,
        prediction: Codes,
        tell: Told,
    ) -> pl.DataFrame:
        """Return its columns: of the first feature for all examples, then of the second, and so on.

        Where an example has several rows of a feature, all examples stand once before the next.

        Args:
            model: The model.
            examples: Some of the examples of the table.
            table: What is known of all.
            labels: Places of their true classes, shape (n,).
            prediction: What the model says of them, shape (n,).
            tell: Told which share of them is done.

        """

    @abstractmethod
    def most(self, model: Model, table: Table) -> int:
        """Return the queries that one example costs at most, with all its features."""

    def problems(self, model: Model, table: Table | None) -> list[Problem]:
        """Return what stops it on a model, or on these examples."""
        del table
        if model.spec.layout == "features":
            return []
        what = "it explains by columns of tables, and these inputs are images."
        return [Problem(str(self), what, "Explain them by attribute.common.")]

    def notes(self, model: Model, table: Table) -> tuple[str, ...]:
        """Return what is to be known by who reads its figures."""
        found = remarks(table.x, table.features, table.names, table.values)
        return (_CHANGES, *found) if model.spec.stochastic else found

    def asked(self, spec: Spec) -> tuple[str, ...]:
        """Return the measures to ask for where nobody says any."""
        del spec
        return self.summary

    def parts(self, table: Table, place: int) -> tuple[str, ...]:
        """Return conditions that choose the parts in which rows of a feature are measured.

        Args:
            table: What is known of all examples.
            place: Of the feature, or group of features; by default all its rows are one part.

        """
        del table, place
        return ("",)

    def each(self, table: Table, place: int) -> int:
        """Return how many rows an example has of a feature; by default one."""
        del table, place
        return 1

    def curve(self, rows: pl.DataFrame, feature: str) -> Curve | None:
        """Return the curve that rows tell of a feature; None where it has none, as by default."""
        del rows, feature
        return None

    def first(self) -> tuple[str, ...]:
        """Return the measures to ask for first, the last of them by group too."""
        return self.summary[:1]

    def __str__(self) -> str:
        return written(self, PREFIX)
