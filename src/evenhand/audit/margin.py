"""Is a difference within a margin that does not matter, and how many units would tell?"""

from __future__ import annotations

import numpy as np

from evenhand.audit.asked import Asked
from evenhand.audit.cells import Indices
from evenhand.audit.finding import Equivalence
from evenhand.audit.grouped import Grouped
from evenhand.stats.contrast import pair_differences
from evenhand.stats.equivalence import equivalence
from evenhand.stats.partial import Identified, identified_pairs
from evenhand.stats.power import units_needed_difference


def of_all_pairs(grouped: Grouped, index: Indices, margin: float, asked: Asked) -> Equivalence:
    """Return whether all pairs of these groups are within a margin.

    Equivalent: every pair's own one-sided limits are inside the margin, which needs no correction
    (intersection-union). Different: some pair is beyond it by limits that hold for all together.

    Source: Berger 1982 (intersection-union); Schuirmann 1987.
    """
    figures = grouped.compare(index)
    level = 2 * asked.level - 1
    if isinstance(figures, Identified):
        alone, _ = identified_pairs(figures, level, asked.rng)
        together = alone
    else:
        alone = pair_differences(figures, level, None)
        together = pair_differences(figures, level, asked.rng)
    inside = [
        equivalence(low, high, margin) == "equivalent"
        for low, high in zip(*alone.limits, strict=True)
    ]
    beyond = [
        equivalence(low, high, margin) == "different"
        for low, high in zip(*together.limits, strict=True)
    ]
    verdict = "equivalent" if all(inside) else "different" if any(beyond) else "undecided"
    _, variance = figures.variances(asked.level)
    per_unit = variance * grouped.units.by_group[index]
    needed = max(
        units_needed_difference(margin, per_unit[i], per_unit[j], level=asked.level)
        for i, j in zip(alone.first, alone.second, strict=True)
    )
    if (figures.df < 1).any():
        # A single unit does not tell how units differ, so no number of them can be named.
        needed = np.inf
    return Equivalence(margin, verdict, asked.level, needed)
