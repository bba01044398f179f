"""The distribution of scores: no measure of its own, but what distances between groups read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.histogram import Histogram
from evenhand.measures.measure import Keyed, RoleColumns
from evenhand.stats.bucket import Dependence
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Floats


@dataclass(frozen=True, repr=False)
class Distribution(Keyed):
    """How rows spread over the values of a role, and over labels where they are needed.

    Attributes:
        of: The role: ``score``, or ``prediction`` or ``label`` where they are numbers.
        labelled: Whether the rows of each label are told apart.

    """

    of: str = "score"
    labelled: bool = False

    name: ClassVar[str] = "distribution"
    better = None
    tags = ("fairness",)
    cites = "Feldman et al. 2015"

    def __post_init__(self) -> None:
        needs = ("label", self.of) if self.labelled else (self.of,)
        reads = "classes" if self.of == "score" else "numbers"
        for what, value in {"key": self.of, "needs": needs, "reads": reads}.items():
            # A frozen value takes what it reads from its parameters.
            object.__setattr__(self, what, value)

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        if not self.labelled:
            return {"rows": 1}
        return {"rows": 1, "positives": log.label == 1, "negatives": log.label == 0}

    def finalise(self, h: Histogram) -> Figure:
        return Spread("rows", f"no rows with a {self.of}", h, labelled=self.labelled)


@dataclass(frozen=True)
class Spread(Figure):
    """The distribution of scores in every group, which is no number."""

    among: str
    empty: str
    histogram: Histogram
    labelled: bool

    @property
    def rows(self) -> Floats:
        rows: Floats = self.histogram.rows[self.among].sum(axis=1)[None, :]
        return rows

    def undefined(self) -> list[str | None]:
        terms = ("positives", "negatives") if self.labelled else (self.among,)
        weights = {term: self.histogram.weights[term].sum(axis=1) for term in terms}
        reasons: list[str | None] = []
        for group, rows in enumerate(self.rows[0]):
            lacking = [term for term in terms if not weights[term][group] > 0]
            reasons.append(
                self.empty if not rows else f"no {' and no '.join(lacking)}" if lacking else None
            )
        return reasons

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:  # noqa: ARG002 - none
        raise TypeError("a distribution is no figure")
