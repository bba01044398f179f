"""Equivalence: verdicts by hand, p-values against statsmodels' intervals, size by enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from statsmodels.stats.proportion import confint_proportions_2indep

from evenhand.stats.equivalence import Sample, equivalence, tost_p_value
from evenhand.stats.interval import critical, mover_difference, wilson


def p_value(first, second, margin, **options):
    samples = [Sample(np.array([count / n]), np.array([float(n)])) for count, n in (first, second)]
    return float(tost_p_value(*samples, margin, **options)[0])


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


@pytest.mark.parametrize(
    ("first", "second", "margin"),
    [((50, 100), (48, 100), 0.1), ((3, 200), (9, 300), 0.05), ((0, 40), (0, 40), 0.1)],
)
def test_interval_at_the_p_value_touches_the_margin(first, second, margin):
    p = p_value(first, second, margin)
    limits = confint_proportions_2indep(*first, *second, method="newcomb", alpha=2 * p)
    assert np.abs(limits).max() == pytest.approx(margin, abs=1e-9)


@pytest.mark.parametrize(("first", "second"), [((70, 100), (50, 100)), ((50, 100), (70, 100))])
def test_beyond_the_margin_the_near_limit_touches_it(first, second):
    p = p_value(first, second, 0.1)
    limits = confint_proportions_2indep(*first, *second, method="newcomb", alpha=2 * (1 - p))
    assert p > 0.5
    assert np.abs(limits).min() == pytest.approx(0.1, abs=1e-9)


def test_p_value_at_the_margin_is_one_half():
    assert p_value((60, 100), (50, 100), 0.1) == pytest.approx(0.5, abs=1e-6)


def test_degrees_of_freedom_and_correlation_reach_the_interval():
    p = p_value((50, 100), (48, 100), 0.1, correlation=0.4, df=9)
    crit = critical(1 - 2 * p, 9)
    one, other = (
        (np.array([rate]), wilson(np.array([rate]), np.array([100.0]), crit))
        for rate in (0.5, 0.48)
    )
    assert mover_difference(one, other, 0.4).high[0] == pytest.approx(0.1, abs=1e-9)


def test_p_values_of_several_comparisons_are_those_of_each():
    first = Sample(np.array([0.5, 0.2]), np.array([100.0, 50.0]))
    second = Sample(np.array([0.48, 0.6]), np.array([100.0, 70.0]))
    together = tost_p_value(first, second, 0.1)
    assert together == pytest.approx(
        [p_value((50, 100), (48, 100), 0.1), p_value((10, 50), (42, 70), 0.1)]
    )


def test_margin_that_no_difference_reaches_is_certain():
    assert p_value((50, 100), (48, 100), 1.0) == pytest.approx(0, abs=1e-12)


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
    p = tost_p_value(Sample(first[likely], trials), Sample(second[likely], trials), 0.1)
    assert chance[likely].sum() == pytest.approx(1, abs=1e-4)
    assert 0.035 <= chance[likely][p <= 0.05].sum() <= 0.056
