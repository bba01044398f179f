"""Is a difference within a margin that does not matter, and how many units would tell?"""

from __future__ import annotations

import numpy as np

from evenhand.audits.asked import Asked
from evenhand.audits.cells import Indices
from evenhand.audits.compared import (
    Against,
    Compared,
    Mask,
    differences,
    per_unit,
    power_of_each,
    unsigned,
)
from evenhand.audits.finding import Equivalence
from evenhand.audits.grouped import Grouped
from evenhand.stats.power import units_needed_difference


def of_all_pairs(grouped: Grouped, index: Indices, margin: float, asked: Asked) -> Equivalence:
    """Return whether all pairs of these groups are within a margin.

    Equivalent: every pair's own one-sided limits are inside the margin, which needs no correction
    (intersection-union). Different: some pair is beyond it by limits that hold for all together.

    Source: Berger 1982 (intersection-union); Schuirmann 1987.
    """
    against = Against(margin, at_most=True)
    found = pairs_compared(grouped, index, asked, level=2 * asked.level - 1, against=against)
    inside, beyond = found.inside(against).all(), found.beyond(against).any()
    verdict = "equivalent" if inside else "different" if beyond else "undecided"
    every = np.ones(len(found.groups), np.bool_)
    return Equivalence(margin, verdict, asked.level, found.planned(every))


def pairs_compared(
    grouped: Grouped,
    index: Indices,
    asked: Asked,
    *,
    level: float,
    against: Against,
    families: int = 1,
) -> Compared:
    """Return the absolute differences of all pairs of groups.

    Args:
        grouped: The groups.
        index: The places of those compared.
        asked: The question.
        level: Two-sided coverage; each limit is one-sided at (1 + level) / 2.
        against: What the differences are held against.
        families: How many families of pairs are judged together.

    """
    alone, together = differences(grouped, index, level, asked.rng, families)
    variance = per_unit(grouped, index, asked.level)
    sums = variance[alone.first] + variance[alone.second]

    def planned(members: Mask) -> float:
        widest = int(np.argmax(np.where(members, sums, -1.0)))
        return units_needed_difference(
            against.limit,
            variance[alone.first[widest]],
            variance[alone.second[widest]],
            alternative=against.alternative,
            level=(1 + level) / 2,
            power=power_of_each(members),
        )

    return Compared(
        tuple(zip(index[alone.first].tolist(), index[alone.second].tolist(), strict=True)),
        unsigned(alone.limits),
        unsigned(together.limits),
        planned,
        against.limit / 2 if against.alternative is None else against.alternative,
    )
