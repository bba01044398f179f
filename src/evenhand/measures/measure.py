"""What a measure is: a hashable value that names the sums it needs and turns them into a figure.

A measure is one file with one decorated class; discovery finds it (`evenhand.measures.registry`).
It says nothing about engines, groups, weights, missing values, units or intervals.
"""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeVar, dataclass_transform

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from evenhand.measures.figure import REAL, Average, Figure, Share, SmoothFunction
from evenhand.measures.histogram import Histogram
from evenhand.notation import Term, Value
from evenhand.stats.delta import Function
from evenhand.stats.proportion import Curve, Proportion

Better = Literal["higher", "lower"] | None
Tag = Literal["fairness", "explainability", "robustness", "privacy"]
Reads = Literal["classes", "numbers"]
Variants = Literal["one", "several", "same"]
"""What rows of a log's variants a figure is of: those of one alone, or of several as one mean; or
of any, as what it reads is the same in the rows of each."""

Class = int | float | str


class RoleColumns:
    """The normalised roles of a log as Narwhals columns: ``log.prediction == 1``.

    Yes/no roles are 0, 1 or null, numbers are Float64 or null. Only the roles that the measure
    declares can be used. Where a log declares classes, a yes/no role is 1 for the class that
    counts as positive, and its class's number where the measure asks for none.

    Attributes:
        names: The declared classes as text; 0 and 1 where none are declared.
        classes: Their numbers.

    """

    def __init__(
        self,
        needs: tuple[str, ...],
        names: tuple[str, ...] = ("0", "1"),
        *,
        positive: int | None = None,
        filled: Mapping[str, int | nw.Expr] | None = None,
    ) -> None:
        self._needs = needs
        self._positive = positive
        self._filled = filled or {}
        self.names = names
        self.classes = range(len(names))

    def __getattr__(self, role: str) -> nw.Expr:
        if role.startswith("_") or role not in self._needs:
            raise AttributeError(f"role '{role}' is not among needs={self._needs}")
        if role in self._filled:
            value = self._filled[role]
            return nw.lit(value) if isinstance(value, int) else value
        column = nw.col(role)
        if self._positive is None or role not in CLASSIFIED:
            return column
        return nw.when(~column.is_null()).then((column == self._positive).cast(nw.Int64))

    def of_class(self, positive: int) -> RoleColumns:
        """Return the same columns with this class counted as positive."""
        return RoleColumns(self._needs, self.names, positive=positive, filled=self._filled)

    def filled(self, **values: int | nw.Expr) -> RoleColumns:
        """Return the same columns with the value of a yes/no role taken as given, or as another."""
        return RoleColumns(self._needs, self.names, positive=self._positive, filled=values)


CUTOFF = "k"
"""The parameter that notation writes behind an @: the last slot that counts."""

CLASSIFIED = ("label", "prediction")
"""Roles that hold classes where a measure reads classes, and numbers where it reads numbers."""


@dataclass(frozen=True)
class TermSums:
    """The sums of a measure's terms; arrays of one shape, (buckets, groups).

    Attributes:
        rows: For each term, the number of rows for which it holds.
        weights: For each term, the sum of the rows' weights; equals ``rows`` without weights.
        square_weights: For each term, the sum of the squared weights.
        weighted: Whether rows have weights.
        amounts: For each amount, the weighted sum of its numbers.
        products: For each pair of terms and amounts, the sum of squared weights times both.

    """

    rows: Mapping[str, NDArray[np.float64]]
    weights: Mapping[str, NDArray[np.float64]]
    square_weights: Mapping[str, NDArray[np.float64]]
    weighted: bool = False
    amounts: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    products: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of_nothing(cls, terms: Iterable[str], amounts: Iterable[str]) -> TermSums:
        """Return the sums of no rows, from which a measure's form can be read."""
        zero = np.zeros((1, 1))
        names = [*terms]
        counts, sums = dict.fromkeys(names, zero), dict.fromkeys(amounts, zero)
        every = [*counts, *sums]
        products = {(one, other): zero for one in every for other in every}
        return cls(counts, counts, counts, amounts=sums, products=products)

    def share(
        self,
        of: str,
        *,
        among: str,
        empty: str,
        curve: Curve | None = None,
        about: Mapping[str, str] | None = None,
    ) -> Share:
        """Return the share of the term ``of`` among the term ``among``, which contains it.

        Args:
            of: Name of the term in the numerator.
            among: Name of the term in the denominator.
            empty: Why the figure is undefined where there is no trial.
            curve: The increasing function of the share that is the figure, if it is not the share.
            about: What qualifies the figure, by topic.

        """
        sums = Proportion(
            successes=self.weights[of],
            trials=self.weights[among],
            rows=self.rows[among],
            square_successes=self.square_weights[of],
            square_trials=self.square_weights[among],
            weighted=self.weighted,
        )
        return Share(among, empty, sums, curve, about or {})

    def average(self, parts: tuple[Share, ...], *, among: str, empty: str) -> Average:
        """Return the plain mean of several shares, whose trials are rows of ``among``."""
        weights = (1 / len(parts),) * len(parts)
        return Average(among, empty, parts, weights, self.rows[among])

    def mean(
        self,
        of: str,
        *,
        among: str,
        empty: str,
        within: tuple[float, float] = REAL,
        otherwise: str = "",
    ) -> SmoothFunction:
        """Return the mean of the amount ``of`` over the rows of the term ``among``."""
        found = self.function(
            lambda s: s[of] / s[among], among=among, empty=empty, within=within, otherwise=otherwise
        )
        return dataclasses.replace(found, mean=True)

    def function(
        self,
        function: Function,
        *,
        among: str,
        empty: str,
        within: tuple[float, float] = REAL,
        otherwise: str = "",
        needs: Mapping[str, str] | None = None,
    ) -> SmoothFunction:
        """Return a smooth function of the weighted sums of all terms and amounts.

        Args:
            function: From sums by name to the figure; made of arithmetic, powers, roots,
                logarithms and exponentials, and unchanged when all sums double.
            among: The term whose rows are the trials.
            empty: Why the figure is undefined where there is no trial.
            within: The smallest and the largest value that the figure can have.
            otherwise: Why the figure is undefined where the function gives no finite number.
            needs: Terms that it divides by, and why the figure is undefined where one is 0.

        """
        sums = {**self.weights, **self.amounts}
        names = tuple(sums)
        products = [[self._product(one, other) for other in names] for one in names]
        return SmoothFunction(
            among,
            empty,
            function,
            names,
            np.array([*sums.values()]),
            np.array(products).sum(axis=2),
            self.rows[among],
            within,
            otherwise or "it divides 0 by 0 here",
            needs or {},
        )

    def _product(self, one: str, other: str) -> NDArray[np.float64]:
        pair = (one, other) if (one, other) in self.products else (other, one)
        return self.products[pair]


def is_number(value: object) -> bool:
    """Return whether a parameter is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class Measure(ABC):
    """A figure with a name, which applies to every log that has the roles it needs.

    Attributes:
        name: The field's name, in notation and tables.
        needs: Roles that must be in the log.
        better: The direction that is good for the people concerned, None when neither is.
        tags: The pillars it serves.
        cites: Where the definition comes from.
        limits: The smallest and the largest value that a role may have, where the measure
            restricts it.
        reads: Whether label and prediction must be classes or numbers.
        tolerates: Roles whose missing values the measure takes into account itself.
        variants: Whether a figure is of ``one`` variant, of ``several``, or the ``same`` of each.
        adds_up_to: The measure of a mean score, of whose difference over two groups its
            differences, variant by variant, are the parts; empty where they are none.
        listed: Whether it can be asked for by name; bounds and distributions belong to contrasts.

    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    better: ClassVar[Better]
    tags: ClassVar[tuple[Tag, ...]]
    cites: ClassVar[str]
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}
    reads: ClassVar[Reads] = "classes"
    tolerates: ClassVar[tuple[str, ...]] = ()
    variants: ClassVar[Variants] = "one"
    adds_up_to: ClassVar[str] = ""
    listed: ClassVar[bool] = False

    @abstractmethod
    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        """Return the conditions to count by name: true/false expressions, or 1 for every row.

        They may read yes/no roles only.
        """

    def term(self) -> Term:
        """Return the measure in notation: its name, and the parameters that are not default."""
        params: list[tuple[str, Value]] = []
        for parameter in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, parameter.name)
            if parameter.name == CUTOFF:
                continue
            if parameter.default is dataclasses.MISSING or value != parameter.default:
                params.append((parameter.name, value))
        return Term(self.name, params=tuple(params), cutoff=getattr(self, CUTOFF, None))

    def problem(self) -> str:
        """Return what is wrong with the parameters; empty when nothing is."""
        return ""

    def __str__(self) -> str:
        return str(self.term())


@dataclass(frozen=True)
class OneClass:
    """What a measure of one class against the others adds.

    Attributes:
        positive: The class that counts as positive; by default 1, and needed where the log
            declares more than two classes.

    """

    positive: Class | None = None


class Sums(Measure):
    """A measure that is a function of sums over rows."""

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:  # noqa: ARG002 - for measures of numbers
        """Return the numbers to sum by name, Float64 expressions over roles; null counts as 0."""
        return {}

    @abstractmethod
    def finalise(self, s: TermSums) -> Figure:
        """Return the figure that the sums define."""


class Keyed(Measure):
    """A measure that is a function of counts by score value.

    Attributes:
        key: The role whose values the counts are by.

    """

    key: ClassVar[str] = "score"

    @abstractmethod
    def finalise(self, h: Histogram) -> Figure:
        """Return the figure that the counts by score define."""


Decorated = TypeVar("Decorated", bound=type[Measure])


@dataclass_transform(frozen_default=True)
def measure(
    *,
    needs: tuple[str, ...],
    better: Better,
    tags: tuple[Tag, ...],
    cites: str,
    name: str = "",
    limits: Mapping[str, tuple[float, float]] | None = None,
    reads: Reads = "classes",
) -> Callable[[Decorated], Decorated]:
    """Declare a class as a measure: a frozen dataclass with what the registry must know.

    Args:
        needs: Roles that must be in the log.
        better: ``higher``, ``lower`` or None.
        tags: The pillars it serves.
        cites: Author and year of the definition.
        name: The field's name; by default the class name in snake_case.
        limits: The smallest and the largest value that a role may have, such as
            ``{"score": (0, 1)}``.
        reads: Whether label and prediction must be ``classes`` or ``numbers``.

    """

    def declare(cls: Decorated) -> Decorated:
        cls.name = name or re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.needs, cls.better, cls.tags, cls.cites = needs, better, tags, cites
        cls.limits, cls.reads, cls.listed = limits or {}, reads, True
        return dataclass(frozen=True, repr=False)(cls)  # type: ignore[return-value]

    return declare
