"""``worst``: the group that does worst."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evenhand.audits.asked import Asked, name_of, too_few
from evenhand.audits.compared import Against, Compared, one_by_one, per_unit
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.finding import Finding
from evenhand.notation import Term
from evenhand.stats import contrast
from evenhand.stats.estimate import Outcome

if TYPE_CHECKING:
    from evenhand.audits.question import Question


class Worst(Contrast):
    """The figure of the worst group, which the data select."""

    name = "worst"
    convention = "the group that does worst, selected by the data; its interval allows for that"
    order = 2
    given = "optional"
    fewest = 1
    form = "worst"

    def problem(self, question: Question) -> tuple[str, str] | None:
        """Return that the measure has no direction, if it has none."""
        measure = question.measure
        if measure.better is not None:
            return None
        by = question.by[0] if len(question.by) == 1 else question.by
        instead = Term("difference", (measure.term(),), (("by", by),))
        what = f"{measure.name} has no direction: neither high nor low is worse in itself."
        return what, f"Write {instead}."

    def rule_problem(self, question: Question, against: Against) -> tuple[str, str] | None:
        """Return that the limit must be on the side where the measure is bad, if it is not."""
        lower = question.measure.better == "lower"
        if against.at_most == lower:
            return None
        sign = "<=" if lower else ">="
        what = f"{question.measure.name} is better when {question.measure.better}."
        return what, f"Write {question.key} {sign} {against.limit:g}."

    def compared(self, asked: Asked, level: float, against: Against) -> Compared:
        """Return every group's figure."""
        grouped = asked.grouped()
        index = grouped.compared
        members = [(place,) for place in index.tolist()]
        variance = per_unit(grouped, index, asked.level)
        return one_by_one(grouped.compare(index), members, variance, level, against)

    def findings(self, asked: Asked) -> list[Finding]:
        """Return the one finding."""
        grouped = asked.grouped()
        outcome: Outcome = too_few(grouped)
        better = asked.question.measure.better
        if grouped.compared.size and better is not None:
            figures = grouped.compare(grouped.compared)
            estimate, index = contrast.worst(figures, asked.level, better)
            name = name_of(grouped.groups[grouped.compared[index]])
            outcome = replace(estimate, method=f"{estimate.method}; selected: {name}")
        return [asked.over_groups(grouped, outcome)]


WORST = Worst()
