"""``ratio``: the smallest over the largest group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits.asked import Asked, too_few
from evenhand.audits.compared import (
    Against,
    Compared,
    Mask,
    both_sides,
    never,
    per_unit,
    power_of_each,
)
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.finding import Finding
from evenhand.stats import contrast
from evenhand.stats.estimate import Outcome, Undefined
from evenhand.stats.interval import Limits
from evenhand.stats.power import units_needed_difference
from evenhand.stats.simultaneous import pair_indices

if TYPE_CHECKING:
    from evenhand.audits.question import Question


class Ratio(Contrast):
    """The unsigned ratio of the two groups that are furthest apart, at most 1."""

    name = "ratio"
    convention = "smallest over largest group; 1 is parity"
    order = 1
    given = "optional"
    form = "ratio"

    def findings(self, asked: Asked) -> list[Finding]:
        """Return the one finding."""
        grouped = asked.grouped()
        outcome: Outcome = too_few(grouped)
        if grouped.compared.size > 1:
            figures = grouped.compare(grouped.compared)
            if figures.within[0] < 0:
                outcome = Undefined(
                    f"{asked.question.measure} may be below 0, where a ratio says nothing"
                )
            else:
                outcome = contrast.ratio(figures, asked.level, asked.rng)
        return [asked.over_groups(grouped, outcome)]

    def rule_problem(self, question: Question, against: Against) -> tuple[str, str] | None:
        """Return why a rule cannot hold a ratio against such a limit."""
        if not against.at_most and 0 < against.limit < 1:
            return None
        what = "the smaller over the larger group is held above a limit between 0 and 1."
        return what, f"Write {question.key} >= 0.8."

    def compared(self, asked: Asked, level: float, against: Against) -> Compared:
        """Return the smaller over the larger group of all pairs."""
        grouped = asked.grouped()
        index = grouped.compared
        figures = grouped.compare(index)
        first, second = pair_indices(len(index))
        members = tuple(zip(index[first].tolist(), index[second].tolist(), strict=True))
        if figures.within[0] < 0 or not figures.value.any():
            none = np.full(len(members), np.nan)
            return Compared(members, Limits(none, none), Limits(none, none), never)
        alone, _ = contrast.pair_ratios(figures, level, None)
        together, _ = contrast.pair_ratios(figures, both_sides(level), asked.rng)
        centre, _ = figures.variances(asked.level)
        relative = per_unit(grouped, index, asked.level) / np.square(centre)
        sums = relative[first] + relative[second]
        # On the scale of logarithms a ratio is a difference.
        target = against.limit**0.5 if against.alternative is None else against.alternative

        def planned(chosen: Mask) -> float:
            widest = int(np.argmax(np.where(chosen, sums, -1.0)))
            return units_needed_difference(
                -math.log(against.limit),
                relative[first[widest]],
                relative[second[widest]],
                alternative=abs(math.log(target)),
                level=(1 + level) / 2,
                power=power_of_each(chosen),
            )

        return Compared(members, alone, together, planned, target)


RATIO = Ratio()
