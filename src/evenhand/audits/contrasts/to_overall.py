"""``to_overall``: every group against all groups together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits.asked import Asked, too_few
from evenhand.audits.compared import Against, Compared, never
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.finding import Finding
from evenhand.audits.grouped import Grouped
from evenhand.measures.figure import Share
from evenhand.measures.histogram import ByScore
from evenhand.stats import contrast
from evenhand.stats.contrast import pair_differences
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.interval import Limits

if TYPE_CHECKING:
    from evenhand.audits.question import Question


class ToOverall(Contrast):
    """How far each group is from all groups compared, signed."""

    name = "to_overall"
    convention = "group minus all groups compared together; 0 is parity; intervals hold together"
    order = 4
    form = "to overall"

    def rule_problem(self, question: Question, against: Against) -> tuple[str, str] | None:  # noqa: ARG002
        """Return nothing: a signed limit on either side says something of every group."""
        return None

    def compared(self, asked: Asked, level: float, against: Against) -> Compared:  # noqa: ARG002
        """Return how far every group that can be compared is from all together."""
        grouped = asked.grouped()
        places = grouped.compared.tolist()
        outside = isinstance(grouped.figure, ByScore) and grouped.figure.looks_outside

        def limits(at: float) -> Limits:
            found = [_against_overall(grouped, place, at, asked.rng) for place in places]
            none = np.full(len(places), np.nan)
            low, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "high"))
            return Limits(none, none) if outside else Limits(low, high)

        together = limits(contrast.bonferroni(level, len(places)))
        return Compared(tuple((place,) for place in places), limits(level), together, never)

    def findings(self, asked: Asked) -> list[Finding]:
        """Return a finding for every group."""
        grouped = asked.grouped()
        compared = grouped.compared
        shared = contrast.bonferroni(asked.level, max(1, compared.size))
        overall = dict.fromkeys(asked.question.by, "overall")
        findings = []
        for index in np.flatnonzero(~grouped.apart).tolist():
            reason = grouped.reasons[index]
            outcome: Outcome = Undefined(reason) if reason else too_few(grouped)
            if isinstance(grouped.figure, ByScore) and grouped.figure.looks_outside:
                outcome = Undefined("all groups together have no outside to rank against")
            elif index in compared and compared.size > 1:
                estimate = _against_overall(grouped, index, shared, asked.rng)
                adjusted = f"{estimate.method}, Bonferroni over {compared.size} groups"
                outcome = replace(estimate, level=asked.level, method=adjusted)
            # The overall is part of the figure: its rows are those of all groups compared.
            pair = (grouped.groups[index], overall)
            excluded = grouped.left_out()
            findings.append(asked.finding(grouped, outcome, compared, pair=pair, excluded=excluded))
        return findings or [asked.finding(grouped, too_few(grouped), compared)]


def _against_overall(
    grouped: Grouped, index: int, level: float, rng: np.random.Generator
) -> Estimate:
    """Return how far a group is from all groups compared together."""
    compared = grouped.compared
    if isinstance(grouped.figure, Share) and grouped.figure.curve is None:
        rest = grouped.figures(np.array([index]), compared[compared != index])
        return contrast.to_overall(rest, *grouped.share_of(index), level, rng)
    both = pair_differences(grouped.figures(np.array([index]), compared), level, rng)
    low, high = both.limits
    return Estimate(float(both.value[0]), float(low[0]), float(high[0]), level, both.method)


TO_OVERALL = ToOverall()
