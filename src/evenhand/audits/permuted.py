"""Permutation tests: are the groups exchangeable, whatever the distribution?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.audits.grouped import Grouped
from evenhand.measures.figure import Share
from evenhand.stats.interval import Floats
from evenhand.stats.permutation import permutation_p_value


def refusal(grouped: Grouped) -> str | None:
    """Return why groups cannot be permuted from their sums, or None when they can."""
    if not isinstance(grouped.figure, Share):
        return "permutations are for shares of rows"
    if grouped.figure.sums.weighted:
        return "weighted rows are not exchangeable"
    if grouped.units.dependent is not None:
        return "rows of one unit are not exchangeable on their own"
    return None


def p_value(grouped: Grouped, rng: np.random.Generator, replicates: int) -> float:
    """Return how often groups drawn at random from all rows are as far apart as these.

    Rows keep their outcomes and groups their sizes, so replicates are draws of the multivariate
    hypergeometric distribution, made from counts alone.

    Source: DiCiccio et al. 2020 (permutation tests of fairness measures).
    """
    if not isinstance(grouped.figure, Share):
        raise TypeError(refusal(grouped))
    sums, index = grouped.figure.sums, grouped.compared
    hits = sums.successes.sum(axis=0)[index]
    trials = sums.trials.sum(axis=0)[index]
    counts = np.array([hits, trials - hits]).astype(np.int64)

    def spread(tables: NDArray[np.int64]) -> Floats:
        rates = tables[:, 0] / tables.sum(axis=1)
        gaps: Floats = rates.max(axis=1) - rates.min(axis=1)
        return gaps

    return permutation_p_value(counts, spread, rng, replicates)
