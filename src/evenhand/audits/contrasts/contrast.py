"""What a contrast is: a name in notation, what it takes, and how it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from evenhand.audits.asked import Asked
from evenhand.audits.compared import Against, Compared, both_sides, never
from evenhand.audits.finding import Equivalence, Finding
from evenhand.audits.grouped import Grouped
from evenhand.logs.log import Log
from evenhand.measures.measure import Measure
from evenhand.notation import Value
from evenhand.stats.estimate import Estimate
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Limits

if TYPE_CHECKING:
    from evenhand.audits.question import Question


Form = Literal["gap", "largest gap", "ratio", "worst", "pair", "to overall", "parts", "distance"]


class Contrast(ABC):
    """A way to compare the groups of a log.

    Attributes:
        name: Its name in notation.
        convention: What its figure is, for readers of a finding.
        order: Its place in lists.
        given: Whether strata may be given: ``no``, ``optional`` or ``required``.
        parameters: Other parameters, with their default values.
        takes_bounds: Whether it compares figures of which only a set is identified.
        fewest: How many groups a rule about it needs.
        form: What kind of figure it is, which says how it is put in words and how its change
            between two audits is judged.
        shows_own: Whether the groups of its findings have figures of its own in place of the
            measure's.

    """

    name: ClassVar[str]
    convention: ClassVar[str]
    order: ClassVar[int] = 50
    given: ClassVar[str] = "no"
    parameters: ClassVar[dict[str, Value]] = {}
    takes_bounds: ClassVar[bool] = False
    fewest: ClassVar[int] = 2
    form: ClassVar[Form] = "distance"
    shows_own: ClassVar[bool] = False

    @property
    def example(self) -> str:
        """How to write it."""
        given = ", given=stratum" if self.given == "required" else ""
        return f"{self.name}(selection_rate, by=group{given})"

    def measure(self, log: Log, **parameters: Value) -> Measure | None:  # noqa: ARG002 - see below
        """Return the measure of a contrast that takes none in notation; None where it takes one."""
        return None

    @property
    def brings_measure(self) -> bool:
        """Whether the contrast is written without a measure, as ``abroca(by=group)``."""
        return type(self).measure is not Contrast.measure

    def problem(self, question: Question) -> tuple[str, str] | None:  # noqa: ARG002 - for some
        """Return what is wrong with a question and what to write instead, or None."""
        return None

    def p_values(self, asked: Asked) -> list[float | None] | None:  # noqa: ARG002 - for some
        """Return the p-value of parity for each finding, None for those that have none."""
        return None

    def margins(self, asked: Asked, margin: float) -> list[Equivalence | None] | None:  # noqa: ARG002
        """Return for each finding whether it is within a margin."""
        return None

    def rule_problem(self, question: Question, against: Against) -> tuple[str, str] | None:
        """Return why a rule cannot hold this against such a limit, and what to write instead.

        By default the figure is a distance from parity, which is 0.
        """
        if against.at_most and against.limit > 0:
            return None
        return "a gap is held below a limit above 0.", f"Write {question.key} <= 0.05."

    def groupings(self, asked: Asked) -> list[Grouped]:
        """Return the groups that it compares, once for each measure that it reads."""
        return [asked.grouped()]

    def compared(self, asked: Asked, level: float, against: Against) -> Compared:  # noqa: ARG002
        """Return what a rule holds against its limit: by default each finding's own interval.

        Args:
            asked: The question, whose groups can be compared.
            level: Two-sided coverage; each limit is one-sided at (1 + level) / 2.
            against: The limit.

        """
        alone = _limits(self.findings(asked.at(level)))
        together = _limits(self.findings(asked.at(both_sides(level))))
        return Compared(((),) * len(alone.low), alone, together, never)

    def shown(self, asked: Asked, grouped: Grouped) -> Figures:  # noqa: ARG002 - for some
        """Return the figures that findings show of the groups compared."""
        return grouped.compare(grouped.compared)

    @abstractmethod
    def findings(self, asked: Asked) -> list[Finding]:
        """Return the findings that answer a question."""


def _limits(findings: Sequence[Finding]) -> Limits:
    """Return the limits of findings, nan where one is undefined."""
    known = [one.outcome if isinstance(one.outcome, Estimate) else None for one in findings]
    low, high = (
        np.array([np.nan if one is None else getattr(one, end) for one in known])
        for end in ("low", "high")
    )
    return Limits(low, high)
