"""Equivalence: verdicts by hand, and their size by enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from evenhand.stats.equivalence import equivalence
from evenhand.stats.interval import critical, mover_difference, wilson


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.04, 0.04, "equivalent"),
        (0.01, 0.04, "equivalent"),
        (-0.06, 0.04, "undecided"),
        (0.01, 0.05, "undecided"),
        (-0.2, 0.2, "undecided"),
        (0.06, 0.1, "different"),
        (-0.1, -0.06, "different"),
        (0.05, 0.1, "undecided"),
    ],
)
def test_verdict_compares_the_interval_with_the_margin(low, high, verdict):
    assert equivalence(low, high, margin=0.05) == verdict


# All 301 x 301 tables with their exact probabilities: nothing is drawn at random.
@pytest.mark.parametrize(("one", "other"), [(0.5, 0.4), (0.2, 0.3), (0.12, 0.02)])
def test_groups_at_the_margin_are_called_equivalent_as_rarely_as_stated(one, other):
    n = 300
    counts = np.arange(n + 1.0)
    chances = [
        np.exp(
            special.gammaln(n + 1)
            - special.gammaln(counts + 1)
            - special.gammaln(n - counts + 1)
            + special.xlogy(counts, rate)
            + special.xlogy(n - counts, 1 - rate)
        )
        for rate in (one, other)
    ]
    first, second = (part.ravel() for part in np.meshgrid(counts / n, counts / n, indexing="ij"))
    chance = np.outer(*chances).ravel()
    likely = chance > 1e-9
    trials = np.full(likely.sum(), float(n))
    sides = [
        (part[likely], wilson(part[likely], trials, critical(0.9))) for part in (first, second)
    ]
    low, high = mover_difference(*sides)
    equivalent = (low > -0.1) & (high < 0.1)
    assert chance[likely].sum() == pytest.approx(1, abs=1e-4)
    assert 0.035 <= chance[likely][equivalent].sum() <= 0.056
