"""``pairs``: every group against every other, signed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits.asked import Asked, too_few, why_undefined
from evenhand.audits.compared import Against
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.finding import Equivalence, Finding
from evenhand.audits.grouped import Grouped
from evenhand.audits.margin import of_all_pairs
from evenhand.stats.contrast import pair_differences, pair_p_values
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.partial import Identified, identified_pairs

if TYPE_CHECKING:
    from evenhand.audits.question import Question


class Pairs(Contrast):
    """Signed differences of all pairs, whose intervals hold together."""

    name = "pairs"
    convention = "first group minus second; 0 is parity; intervals hold together"
    order = 3
    given = "optional"
    takes_bounds = True
    form = "pair"

    def findings(self, asked: Asked) -> list[Finding]:
        """Return a finding for every pair of groups, undefined ones with the reason."""
        grouped = asked.grouped()
        pairs = pairs_of(grouped)
        if not pairs:
            none = too_few(grouped)
            return [asked.finding(grouped, none, grouped.compared, excluded=grouped.left_out())]
        outcomes = _differences(grouped, asked)
        return [of_pair(asked, grouped, pair, outcomes.get(pair)) for pair in pairs]

    def rule_problem(self, question: Question, against: Against) -> tuple[str, str] | None:  # noqa: ARG002
        """Return that a rule about all pairs is one about their largest difference."""
        instead = question.key.replace("pairs(", "difference(", 1)
        return "the sign of a pair depends on the order of its groups.", f"Write {instead} <= 0.05."

    def p_values(self, asked: Asked) -> list[float | None] | None:
        """Return each pair's own p-value."""
        grouped = asked.grouped()
        places = {pair: place for place, pair in enumerate(pairs_of(grouped))}
        found: list[float | None] = [None] * max(len(places), 1)
        members = grouped.compared
        figures = grouped.compare(members) if members.size > 1 else None
        if figures is None or isinstance(figures, Identified):
            return found
        values, _ = pair_p_values(figures)
        for pair, value in zip(itertools.combinations(members.tolist(), 2), values, strict=True):
            found[places[pair]] = float(value)
        return found

    def margins(self, asked: Asked, margin: float) -> list[Equivalence | None] | None:
        """Return for each pair whether it is within the margin."""
        grouped = asked.grouped()
        compared = {*grouped.compared.tolist()}
        return [
            of_all_pairs(grouped, np.array(pair), margin, asked) if {*pair} <= compared else None
            for pair in pairs_of(grouped)
        ] or [None]


def of_pair(
    asked: Asked, grouped: Grouped, pair: tuple[int, int], outcome: Outcome | None, part: str = ""
) -> Finding:
    """Return the finding of a pair; without an outcome, why its groups have none."""
    return asked.finding(
        grouped,
        outcome or Undefined(why_undefined(grouped, pair)),
        np.array(pair),
        pair=(grouped.groups[pair[0]], grouped.groups[pair[1]]),
        excluded=grouped.left_out(),
        part=part,
    )


def pairs_of(grouped: Grouped) -> list[tuple[int, int]]:
    """Return all pairs of groups that stand for themselves, defined or not."""
    return [*itertools.combinations(np.flatnonzero(~grouped.apart).tolist(), 2)]


def _differences(grouped: Grouped, asked: Asked) -> dict[tuple[int, int], Estimate]:
    """Return the differences of the groups that can be compared, by their places."""
    members = grouped.compared
    if members.size <= 1:
        return {}
    figures = grouped.compare(members)
    sets = None
    if isinstance(figures, Identified):
        found, sets = identified_pairs(figures, asked.level, asked.rng)
    else:
        found = pair_differences(figures, asked.level, asked.rng)
    return {
        (int(members[found.first[i]]), int(members[found.second[i]])): Estimate(
            float(found.value[i]),
            float(found.limits.low[i]),
            float(found.limits.high[i]),
            asked.level,
            found.method,
            None
            if sets is None or sets.low[i] == sets.high[i]
            else (float(sets.low[i]), float(sets.high[i])),
        )
        for i in range(len(found.value))
    }


PAIRS = Pairs()
