"""``between``: the part of an inequality that lies between groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evenhand.audit.asked import Asked, too_few
from evenhand.audit.contrasts.contrast import Contrast
from evenhand.audit.finding import Finding
from evenhand.audit.flat import side_by_side
from evenhand.measures.inequality.index import Inequality
from evenhand.stats.estimate import Outcome, Undefined
from evenhand.stats.partial import estimates_of

if TYPE_CHECKING:
    from evenhand.audit.question import Question


class Between(Contrast):
    """An inequality index after each benefit is replaced by its group's mean."""

    name = "between"
    convention = "the index after every benefit is replaced by its group's mean; 0 is parity"
    order = 7

    @property
    def example(self) -> str:
        """How to write it."""
        return f"{self.name}(theil_index, by=group)"

    def problem(self, question: Question) -> tuple[str, str] | None:
        """Return that the measure is no inequality index, if it is none."""
        if isinstance(question.measure, Inequality):
            return None
        return f"{question.measure.name} is no inequality index.", f"Write {self.example}."

    def findings(self, asked: Asked) -> list[Finding]:
        """Return the one finding."""
        grouped, measure = asked.grouped(), asked.question.measure
        outcome: Outcome = too_few(grouped)
        if grouped.compared.size > 1 and isinstance(measure, Inequality):
            groups = [str(place) for place in grouped.compared]
            figure = side_by_side(
                grouped,
                grouped.compared.tolist(),
                lambda sums: measure.between(sums, groups),
                lambda term, place: f"{term} in {place}",
                within=measure.within,
                otherwise="the mean benefit is 0",
            )
            (reason,) = figure.undefined()
            dependence = grouped.units.dependent
            outcome = (
                Undefined(reason)
                if reason
                else estimates_of(
                    figure.figures(np.ones((1, 1)), dependent=dependence), asked.level
                )[0]
            )
        return [asked.over_groups(grouped, outcome)]


BETWEEN = Between()
