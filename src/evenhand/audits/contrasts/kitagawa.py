"""``kitagawa``: why is there a gap? The part that strata explain, and the part inside them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits.asked import Asked, name_of, too_few
from evenhand.audits.compared import Against
from evenhand.audits.contrasts.contrast import Contrast
from evenhand.audits.contrasts.pairs import of_pair, pairs_of
from evenhand.audits.finding import Finding
from evenhand.audits.flat import side_by_side
from evenhand.audits.grouped import Grouped
from evenhand.measures.figure import Share
from evenhand.stats.estimate import Outcome, Undefined
from evenhand.stats.interval import Floats
from evenhand.stats.partial import estimates_of

if TYPE_CHECKING:
    from evenhand.audits.question import Question

PARTS = {
    "gap": "the whole gap, first group minus second",
    "composition at second": "because the first group is in other strata, at the second's rates",
    "rates at first": "because rates differ inside strata, at the first group's strata",
    "composition at first": "because the first group is in other strata, at its own rates",
    "rates at second": "because rates differ inside strata, at the second group's strata",
    "composition": "the mean of both references",
    "rates": "the mean of both references",
}
"""The parts of a gap. Composition at one group and rates at the other add up to it, as do the
means."""


class Kitagawa(Contrast):
    """A gap of two rates as the sum of two parts, with both references and their mean.

    Source: Kitagawa 1955; Oaxaca 1973 and Blinder 1973; Jann 2008 (delta method).
    """

    name = "kitagawa"
    convention = (
        "first group minus second; composition and rates add up to the gap, at either reference"
    )
    order = 6
    form = "parts"
    given = "required"

    def rule_problem(self, question: Question, against: Against) -> tuple[str, str] | None:  # noqa: ARG002
        """Return that no rule holds a figure whose sign depends on the order of the groups."""
        return (
            "the sign of a pair depends on the order of its groups.",
            "Write a rule about difference(...).",
        )

    def findings(self, asked: Asked) -> list[Finding]:
        """Return seven findings for every pair of groups, one for each part."""
        question = asked.question
        groups = asked.part(replace(question, given=()), asked.level).grouped()
        cells = asked.part(
            replace(question, by=(*question.by, *question.given), given=()), asked.level
        ).grouped()
        known = {*itertools.combinations(groups.compared.tolist(), 2)}
        pairs = pairs_of(groups)
        if not pairs:
            return [asked.finding(groups, too_few(groups), groups.compared)]
        found = []
        for pair in pairs:
            found += (
                _of_pair(asked, groups, cells, pair)
                if pair in known
                else [of_pair(asked, groups, pair, None)]
            )
        return found


def _of_pair(asked: Asked, groups: Grouped, cells: Grouped, pair: tuple[int, int]) -> list[Finding]:
    given = asked.question.given
    places = [_cells_of(groups.groups[one], cells, given) for one in pair]
    strata = sorted(set(places[0]) | set(places[1]))
    misses = [
        f"{name_of(groups.groups[one])} has no figure in {', '.join(stratum)}"
        for one, have in zip(pair, places, strict=True)
        for stratum in strata
        if stratum not in have
    ]
    index = [have[stratum] for have in places for stratum in strata if stratum in have]
    found = []
    for part, about in PARTS.items():
        outcome: Outcome
        if not isinstance(groups.figure, Share) or groups.figure.curve is not None:
            outcome = Undefined(f"{asked.question.measure.name} is no share of rows")
        elif misses:
            outcome = Undefined("; ".join(misses))
        else:
            outcome = _part(cells, index, len(strata), part, asked.level)
        finding = of_pair(asked, groups, pair, outcome, part)
        note = {"part": f"{part}: {about}", "given": ", ".join(given)}
        found.append(replace(finding, conventions={**finding.conventions, **note}))
    return found


def _cells_of(
    group: Mapping[str, str], cells: Grouped, given: tuple[str, ...]
) -> dict[tuple[str, ...], int]:
    """Return the places of a group's cells that have a figure, by stratum."""
    return {
        tuple(cell[name] for name in given): place
        for place, cell in enumerate(cells.groups)
        if cells.reasons[place] is None and all(cell[name] == group[name] for name in group)
    }


def _part(cells: Grouped, index: Sequence[int], strata: int, part: str, level: float) -> Outcome:
    figure = side_by_side(
        cells,
        index,
        lambda sums: _decomposed(sums, index, strata)[part],
        lambda term, place: f"{term} in {place}",
        within=(-1.0, 1.0),
        otherwise="a group has no rows",
    )
    (reason,) = figure.undefined()
    if reason:
        return Undefined(reason)
    figures = figure.figures(np.ones((1, 1)), dependent=cells.units.dependent)
    return estimates_of(figures, level)[0]


def _decomposed(sums: Mapping[str, Floats], index: Sequence[int], strata: int) -> dict[str, Floats]:
    of, among = (
        np.array([sums[f"{term} in {place}"] for place in index]) for term in ("of", "among")
    )
    rate = of / among
    share = [part / part.sum(axis=0) for part in (among[:strata], among[strata:])]
    first, second = rate[:strata], rate[strata:]
    moved = share[0] - share[1]
    parts = {
        "gap": (share[0] * first - share[1] * second).sum(axis=0),
        "composition at second": (moved * second).sum(axis=0),
        "rates at first": (share[0] * (first - second)).sum(axis=0),
        "composition at first": (moved * first).sum(axis=0),
        "rates at second": (share[1] * (first - second)).sum(axis=0),
    }
    for kind in ("composition", "rates"):
        parts[kind] = (parts[f"{kind} at first"] + parts[f"{kind} at second"]) / 2
    return parts


KITAGAWA = Kitagawa()
