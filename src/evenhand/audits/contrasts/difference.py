"""``difference``: the largest minus the smallest group."""

from __future__ import annotations

from dataclasses import replace

from evenhand.audits.asked import Asked, too_few
from evenhand.audits.compared import Against, Compared
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.finding import Equivalence, Finding
from evenhand.audits.grouped import Grouped
from evenhand.audits.margin import of_all_pairs, pairs_compared
from evenhand.audits.permuted import p_value, refusal
from evenhand.measures.bounds import MOST_ODDS, Bounded, Missing
from evenhand.stats import contrast
from evenhand.stats.estimate import Estimate, Outcome
from evenhand.stats.identified import tipping_point
from evenhand.stats.partial import Identified, identified_pairs


class Difference(Contrast):
    """The unsigned gap between the two groups that are furthest apart."""

    name = "difference"
    convention = "largest minus smallest group; 0 is parity"
    order = 0
    given = "optional"
    takes_bounds = True
    form = "gap"

    def findings(self, asked: Asked) -> list[Finding]:
        """Return the one finding."""
        grouped = asked.grouped()
        outcome = self.outcome(grouped, asked)
        notes = {}
        bounded = isinstance(grouped.figure, Bounded) and grouped.figure.some_missing
        if bounded and isinstance(outcome, Estimate):
            notes["tipping point"] = _tipping_point(self, grouped, asked)
        return [asked.over_groups(grouped, outcome, **notes)]

    def p_values(self, asked: Asked) -> list[float | None]:
        """Return the p-value of all groups being alike."""
        grouped = asked.grouped()
        if grouped.compared.size <= 1:
            return [None]
        if asked.permutations:
            if refusal(grouped) is not None:
                return [None]
            return [p_value(grouped, asked.rng, asked.permutations)]
        figures = grouped.compare(grouped.compared)
        if isinstance(figures, Identified):
            return [None]
        return [contrast.difference_p_value(figures, asked.rng)]

    def compared(self, asked: Asked, level: float, against: Against) -> Compared:
        """Return the absolute differences of all pairs."""
        grouped = asked.grouped()
        return pairs_compared(grouped, grouped.compared, asked, level=level, against=against)

    def margins(self, asked: Asked, margin: float) -> list[Equivalence | None]:
        """Return whether all pairs are within the margin."""
        grouped = asked.grouped()
        if grouped.compared.size <= 1:
            return [None]
        return [of_all_pairs(grouped, grouped.compared, margin, asked)]

    def outcome(self, grouped: Grouped, asked: Asked) -> Outcome:
        """Return the gap of all groups that can be compared."""
        if grouped.compared.size <= 1:
            return too_few(grouped)
        figures = grouped.compare(grouped.compared)
        if not isinstance(figures, Identified):
            return contrast.difference(figures, asked.level, asked.rng)
        pairs, sets = identified_pairs(figures, asked.level, asked.rng)
        widest = contrast.widest(pairs, asked.level)
        low = max(0.0, float(sets.low.max()), float((-sets.high).max()))
        high = max(float(abs(sets.low).max()), float(abs(sets.high).max()))
        return replace(
            widest, value=(low + high) / 2, identified=None if low == high else (low, high)
        )


def _tipping_point(difference: Difference, grouped: Grouped, asked: Asked) -> str:
    """Return from which departure of missing labels on the groups may be alike."""
    figure = grouped.figure
    if not isinstance(figure, Bounded):
        raise TypeError("only bounds have a tipping point")

    def may_be_alike(odds: float) -> bool:
        under = replace(grouped, figure=figure.assuming(Missing(odds)))
        outcome = difference.outcome(under, asked)
        return not isinstance(outcome, Estimate) or outcome.low <= 0

    tips = tipping_point(may_be_alike, 1.0, MOST_ODDS)
    if tips is None:
        return f"no odds ratio of missing labels up to {MOST_ODDS:,.0f} makes parity possible"
    if tips <= 1:
        return "parity is possible even if missing labels are as those seen (odds ratio 1)"
    return f"parity is possible from an odds ratio of missing labels of {tips:.3g} on"


DIFFERENCE = Difference()
