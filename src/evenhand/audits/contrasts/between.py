"""``between``: the part of an inequality that lies between groups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits.asked import Asked, too_few
from evenhand.audits.cells import Indices
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.finding import Finding
from evenhand.audits.flat import side_by_side
from evenhand.audits.grouped import Grouped
from evenhand.measures.figure import SmoothFunction
from evenhand.measures.inequality.index import Inequality
from evenhand.stats.estimate import Outcome, Undefined
from evenhand.stats.partial import estimates_of

if TYPE_CHECKING:
    from evenhand.audits.question import Question


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
        members = _with_mean(grouped)
        if members.size > 1 and isinstance(measure, Inequality):
            groups = [str(place) for place in members]
            figure = side_by_side(
                grouped,
                members.tolist(),
                lambda sums: measure.between(sums, groups),
                lambda term, place: f"{term} in {place}",
                within=measure.within,
                otherwise="the mean benefit is 0",
            )
            (reason,) = figure.undefined()
            if reason and reason != figure.otherwise:
                reason = "the groups' mean benefits are equal, where it has no variance to judge by"
            dependence = grouped.units.dependent
            outcome = (
                Undefined(reason)
                if reason
                else estimates_of(
                    figure.figures(np.ones((1, 1)), dependent=dependence), asked.level
                )[0]
            )
        found = asked.over_groups(grouped, outcome)
        units, exact = grouped.units.among(members)
        rows = int(grouped.rows[members].sum())
        return [replace(found, rows=rows, units=units, units_exact=exact)]


def _with_mean(grouped: Grouped) -> Indices:
    """Return the places of the groups that have a mean benefit, if not an inequality of their own.

    A group all of whose benefits are equal, or 0, has no index with an interval, but a mean.
    """
    figure = grouped.figure
    if not isinstance(figure, SmoothFunction):
        return grouped.compared
    weight = figure.sums[figure.names.index(figure.among)].sum(axis=0)
    own = [
        reason is None or reason == of_figure
        for reason, of_figure in zip(grouped.reasons, figure.undefined(), strict=True)
    ]
    return np.flatnonzero(np.array(own, np.bool_) & (weight > 0) & ~grouped.apart)


BETWEEN = Between()
