"""What is done to examples: attacked, corrupted, certified or explained; each gives rows."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from evenhand.errors import Problem
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Floats, Model
from evenhand.models.spec import Spec
from evenhand.notation import Term

if TYPE_CHECKING:
    from evenhand.probes.flag import Trust

Progress: TypeAlias = Callable[[str, float], None]
"""Told what is being done, and which share of the work is."""


def silent(_what: str, _share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Variant:
    """One thing that is done to every example, by the name that its rows are known by.

    Attributes:
        name: Such as ``linf 8/255`` or ``gaussian_noise 3``; one in every figure.
        what: What it is to its method: a threat, a corruption and its severity, a certificate.

    """

    name: str
    what: Any


class Rows(NamedTuple):
    """What a method gives for a block of examples.

    Attributes:
        table: A row for each example, in order: `prediction`, ``variant`` and what the method
            found, without ``source``, ``label`` and groups. Of a pass that makes several variants,
            those of the first for all examples, then those of the second, and so on.
        changed: The examples as they were changed, for people to look at; None where nothing is.
        maps: What explains each example, for people to look at; None where nothing does.

    """

    table: pl.DataFrame
    changed: Floats | None = None
    maps: Floats | None = None


class Method(ABC):
    """What is done to examples, under one variant after the other.

    Attributes:
        kind: The kind of log that its rows are.
        summary: Measures that sum up a variant, in notation.
        doubted: Whether reasons not to believe it can be looked for.
        apart: Whether figures are of each variant by itself; else of all together.
        curved: Whether what it says of a variant is a curve.
        compared: Whether it is asked for by group, as differences that add up.
        of_tables: Whether it is of tables, whose columns have ranges of their own.
        block: Examples that are changed, and kept, at once.

    """

    kind: ClassVar[str] = "perturbed"
    summary: ClassVar[tuple[str, ...]]
    doubted: ClassVar[bool] = False
    apart: ClassVar[bool] = True
    of_tables: ClassVar[bool] = False
    compared: ClassVar[bool] = False
    curved: ClassVar[bool] = False
    block: ClassVar[int] = 256

    @property
    @abstractmethod
    def name(self) -> str:
        """How it is written, without what tells its variants apart."""

    @property
    @abstractmethod
    def variants(self) -> tuple[Variant, ...]:
        """What is done, one row of the log for each and every example; all different."""

    def scopes(self, variant: Variant) -> tuple[str, ...]:
        """Return the slices in which rows of a variant are measured; by default one, of all."""
        return (slice_of(variant),)

    def each(self, variant: Variant) -> int:
        """Return how many rows every example has under a variant; by default one."""
        del variant
        return 1

    @property
    def passes(self) -> tuple[Variant, ...]:
        """What is done to a block after each other; by default each variant by itself.

        A method that makes all its variants at once has one pass, by which `rows` is asked.
        """
        return self.variants

    def among(self, inputs: Inputs, seed: int) -> Method:
        """Return the method as it is for these examples, where it takes anything from all of them.

        Args:
            inputs: All examples.
            seed: Where what is drawn of them comes from.

        """
        del inputs, seed
        return self

    @abstractmethod
    def problems(self, model: Model) -> list[Problem]:
        """Return everything that stops it on a model, with what could be done instead."""

    @abstractmethod
    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost by one pass."""

    @abstractmethod
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
        """Return the rows of a block of examples.

        Args:
            model: The model.
            examples: A block of examples.
            variant: What is done to them: one of `passes`.
            labels: Places of their true classes in `Spec.labels`, shape (n,).
            prediction: What the model says of them as they are, shape (n,).
            seed: Where every random number comes from, with the ids of the examples.
            progress: Told which share of the block is done.

        """

    def columns(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of its rows with their types, without ids, true classes and groups.

        Args:
            label: The type of a class.

        """
        return {
            "prediction": label,
            "variant": pl.String(),
            "correct": pl.Boolean(),
            **self.found(label),
            "queries": pl.Int64(),
        }

    @abstractmethod
    def found(self, label: pl.DataType) -> dict[str, pl.DataType]:
        """Return the columns of what it finds, beside those of every method, as `columns`."""

    @abstractmethod
    def marks(self, variant: Variant) -> dict[str, Any]:
        """Return what every row of a variant holds, by the name of the column."""

    @property
    def reach(self) -> Mapping[str, tuple[float, ...]]:
        """How far its variants go, by the norm: where certificates are asked about too."""
        return {}

    @abstractmethod
    def measured(
        self, spec: Spec, reach: Mapping[str, tuple[float, ...]]
    ) -> Iterator[tuple[Term, str]]:
        """Yield what is measured of its rows where nobody says it, each with its slice.

        Args:
            spec: Of the model.
            reach: How far all methods of the plan go, as `reach`.

        """

    def first(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """Return the measures to ask for first of its rows; none for all that apply."""
        del rows
        return ()

    @property
    def known(self) -> str:
        """What tells its rows from those of another method, model and examples alike."""
        return self.name

    def finished(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return all rows with what only all of them together tell."""
        return rows

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return what is done otherwise than asked on a model, and why."""
        del model
        return ()

    def judging(self, model: Model) -> int:
        """Return the most queries that looking for flags costs for one example and variant."""
        del model
        return 0

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
        """Return what is to be thought of the rows of a variant, where it is `doubted`.

        Args:
            model: The model.
            examples: All examples, of which it takes a sample.
            variant: What was done to them.
            labels: Places of their true classes, shape (n,).
            groups: The group of each example, within which flags are judged too.
            rng: Where the sample comes from.
            progress: Told what is being done.

        """
        raise NotImplementedError(f"nothing is doubted of {self.name}")


def named_classes(spec: Spec, codes: Codes | pl.Series) -> pl.Series:
    """Return classes as the model's labels name them.

    Args:
        spec: Of the model.
        codes: Places of the classes in its labels, shape (n,); null for none.

    """
    return pl.Series([*spec.labels]).gather(codes)


def slice_of(variant: Variant) -> str:
    """Return the slice of a variant's rows.

    >>> slice_of(Variant("linf 8/255", None))
    "variant == 'linf 8/255'"
    """
    return f"variant == {variant.name!r}"


def streams_of(examples: Inputs, seed: int, *what: object) -> tuple[np.random.Generator, ...]:
    """Return a generator for each example, of its id, the seed and what it is for.

    So no example's fate hangs on its neighbours, nor on where a block begins.
    """
    about = _number(json.dumps([str(one) for one in what]))
    return tuple(
        np.random.default_rng([seed, about, _number(str(one))]) for one in examples.ids.tolist()
    )


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
