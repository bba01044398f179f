"""``ratio``: the smallest over the largest group."""

from __future__ import annotations

from evenhand.audit.asked import Asked, too_few
from evenhand.audit.contrasts.contrast import Contrast
from evenhand.audit.finding import Finding
from evenhand.stats import contrast
from evenhand.stats.estimate import Outcome, Undefined


class Ratio(Contrast):
    """The unsigned ratio of the two groups that are furthest apart, at most 1."""

    name = "ratio"
    convention = "smallest over largest group; 1 is parity"
    order = 1
    given = "optional"

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


RATIO = Ratio()
