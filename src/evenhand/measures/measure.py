"""What a measure is: a hashable value that names the sums it needs and turns them into a figure.

A measure is one file with one decorated class; discovery finds it (`evenhand.measures.registry`).
It says nothing about engines, groups, weights, missing values, units or intervals.
"""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar, dataclass_transform

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from evenhand.notation import Term
from evenhand.stats.proportion import Curve, Proportion

Better = Literal["higher", "lower"] | None
Tag = Literal["fairness", "explainability", "robustness", "privacy"]


class RoleColumns:
    """The normalised roles of a log as Narwhals columns: ``log.prediction == 1``.

    Binary roles are 0, 1 or null. Only the roles that the measure declares can be used.
    """

    def __init__(self, needs: tuple[str, ...]) -> None:
        self._needs = needs

    def __getattr__(self, role: str) -> nw.Expr:
        if role.startswith("_") or role not in self._needs:
            raise AttributeError(f"role '{role}' is not among needs={self._needs}")
        return nw.col(role)


@dataclass(frozen=True)
class Share:
    """A figure that is the share of one term among another.

    Attributes:
        among: The term of the denominator, whose rows are the trials.
        empty: Why the figure is undefined where there is no trial.
        sums: The sums by group (and bucket).
        curve: The increasing function of the share that is the figure; None for the share itself.

    """

    among: str
    empty: str
    sums: Proportion
    curve: Curve | None = None


@dataclass(frozen=True)
class TermSums:
    """The sums of a measure's terms; arrays of one shape, one entry per group (and bucket).

    Attributes:
        rows: For each term, the number of rows for which it holds.
        weights: For each term, the sum of the rows' weights; equals ``rows`` without weights.
        square_weights: For each term, the sum of the squared weights.
        weighted: Whether rows have weights.

    """

    rows: Mapping[str, NDArray[np.float64]]
    weights: Mapping[str, NDArray[np.float64]]
    square_weights: Mapping[str, NDArray[np.float64]]
    weighted: bool = False

    @classmethod
    def of_nothing(cls, terms: Iterable[str]) -> TermSums:
        """Return the sums of no rows, from which a measure's form can be read."""
        nothing = dict.fromkeys(terms, np.zeros(1))
        return cls(nothing, nothing, nothing)

    def share(self, of: str, *, among: str, empty: str, curve: Curve | None = None) -> Share:
        """Return the share of the term ``of`` among the term ``among``, which contains it.

        Args:
            of: Name of the term in the numerator.
            among: Name of the term in the denominator.
            empty: Why the figure is undefined where there is no trial.
            curve: The increasing function of the share that is the figure, if it is not the share.

        """
        sums = Proportion(
            successes=self.weights[of],
            trials=self.weights[among],
            rows=self.rows[among],
            square_successes=self.square_weights[of],
            square_trials=self.square_weights[among],
            weighted=self.weighted,
        )
        return Share(among, empty, sums, curve)


class Sums(ABC):
    """A measure that is a function of sums over rows.

    Attributes:
        name: The field's name, in notation and tables.
        needs: Roles that must be in the log.
        better: The direction that is good for the people concerned, None when neither is.
        tags: The pillars it serves.
        cites: Where the definition comes from.

    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    better: ClassVar[Better]
    tags: ClassVar[tuple[Tag, ...]]
    cites: ClassVar[str]

    @abstractmethod
    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        """Return the terms to sum by name: true/false expressions, or 1 for every row."""

    @abstractmethod
    def finalise(self, s: TermSums) -> Share:
        """Return the figure that the sums define."""

    def term(self) -> Term:
        """Return the measure in notation."""
        return Term(self.name, params=tuple(dataclasses.asdict(self).items()))  # type: ignore[call-overload]

    def __str__(self) -> str:
        return str(self.term())


Class = TypeVar("Class", bound=type[Sums])


@dataclass_transform(frozen_default=True)
def measure(
    *, needs: tuple[str, ...], better: Better, tags: tuple[Tag, ...], cites: str, name: str = ""
) -> Callable[[Class], Class]:
    """Declare a class as a measure: a frozen dataclass with what the registry must know.

    Args:
        needs: Roles that must be in the log.
        better: ``higher``, ``lower`` or None.
        tags: The pillars it serves.
        cites: Author and year of the definition.
        name: The field's name; by default the class name in snake_case.

    """

    def declare(cls: Class) -> Class:
        cls.name = name or re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.needs, cls.better, cls.tags, cls.cites = needs, better, tags, cites
        return dataclass(frozen=True, repr=False)(cls)  # type: ignore[return-value]

    return declare
