"""Shrinkage: closed forms, limits, smaller errors than the raw figures, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from statsmodels.stats.meta_analysis import combine_effects

from evenhand.stats.shrinkage import shrink_figures, shrink_proportions


def rates(proportion, n, level=0.95):
    return shrink_proportions(np.array(proportion), np.array(n, dtype=float), level)


def figures(figure, variance, level=0.95):
    return shrink_figures(np.array(figure), np.array(variance, dtype=float), level)


def test_between_variance_is_paule_and_mandel_of_statsmodels():
    figure, variance = np.array([0.1, 0.5, -0.3, 1.2, 0.8]), np.array([0.01, 0.1, 0.05, 0.2, 0.02])
    wanted = combine_effects(figure, variance, method_re="iterated", atol=1e-12)
    shrunk = figures(figure, variance)
    assert shrunk.variance == pytest.approx(wanted.tau2, abs=1e-7)
    assert shrunk.mean == pytest.approx(wanted.mean_effect_re, abs=1e-7)


def test_equal_variances_are_the_closed_form():
    figure = np.array([-2.0, 0.0, 1.0, 3.0, 3.0])
    shrunk = figures(figure, np.ones(5))
    between = figure.var(ddof=1) - 1
    assert shrunk.variance == pytest.approx(between)
    assert shrunk.value == pytest.approx(1 + between / (1 + between) * (figure - 1))


def test_equal_trials_are_the_closed_form():
    proportion, n = np.array([0.1, 0.3, 0.4, 0.8]), 20
    shrunk = rates(proportion, [n] * 4)
    # n sum (p - m)^2 / (1 + (n - 1) rho) = 3 m (1 - m), solved for rho by hand.
    inflation = n * np.square(proportion - 0.4).sum() / (3 * 0.4 * 0.6)
    alike = (inflation - 1) / (n - 1)
    strength = (1 - alike) / alike
    assert shrunk.strength == pytest.approx(strength)
    assert shrunk.variance == pytest.approx(0.24 * alike)
    assert shrunk.value == pytest.approx((proportion * n + 0.4 * strength) / (n + strength))


def test_unequal_trials_solve_the_equation_of_moments():
    proportion, n = np.array([0.1, 0.3, 0.4, 0.8, 0.5]), np.array([100.0, 12.5, 40.0, 9.0, 300.0])
    shrunk = rates(proportion, n)
    m = shrunk.mean
    expected = m * (1 - m) / n + shrunk.variance * (1 - 1 / n)
    assert (np.square(proportion - m) / expected).sum() == pytest.approx(4)
    assert m == pytest.approx(np.average(proportion, weights=1 / expected))
    assert shrunk.strength == pytest.approx(m * (1 - m) / shrunk.variance - 1)


def test_no_more_scatter_than_chance_shrinks_to_the_pooled_rate_and_says_so():
    shrunk = rates([0.30, 0.31, 0.29], [10, 100, 50])
    assert shrunk.value == pytest.approx(np.full(3, (3 + 31 + 14.5) / 160))
    assert (shrunk.variance, shrunk.strength) == (0, np.inf)
    assert "all shrunk to the pooled value" in shrunk.method
    assert (shrunk.limits.high - shrunk.limits.low > 0.05).all()


def test_no_more_scatter_than_chance_shrinks_to_the_weighted_mean_and_says_so():
    shrunk = figures([1.0, 1.1], [1.0, 0.25])
    assert shrunk.value == pytest.approx(np.full(2, (1 + 4 * 1.1) / 5))
    assert "all shrunk to the pooled value" in shrunk.method


def test_groups_that_differ_are_not_called_pooled():
    assert rates([0.1, 0.9], [100, 100]).method == "empirical Bayes, beta-binomial by moments"
    assert figures([0.0, 9.0], [1, 1]).method == "empirical Bayes, normal, Paule-Mandel"


def test_very_many_trials_leave_the_raw_rate():
    shrunk = rates([0.1, 0.4, 0.5], [1e8, 1e8, 1e8])
    assert shrunk.value == pytest.approx(shrunk.raw, abs=1e-6)
    assert shrunk.limits.low == pytest.approx(shrunk.raw, abs=2e-4)


def test_precise_figures_stay_raw():
    shrunk = figures([0.1, 0.4, 0.5], [1e-10] * 3)
    assert shrunk.value == pytest.approx(shrunk.raw, abs=1e-8)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.7, 1.0])
def test_rounding_makes_no_difference_between_equal_rates(rate):
    for count in range(1, 12):
        shrunk = rates([rate] * count, 7.3 * np.arange(1, count + 1))
        assert shrunk.variance == 0
        assert shrunk.value == pytest.approx(np.full(count, rate))


def test_one_group_stays_raw_with_an_ordinary_interval():
    rate, figure = rates([0.2], [50]), figures([3.0], [4.0])
    assert rate.value == pytest.approx([0.2])
    assert rate.limits.low == pytest.approx(special.betaincinv(10, 40, 0.025))
    assert rate.limits.high == pytest.approx(special.betaincinv(10, 40, 0.975))
    assert (figure.value[0], figure.limits.high[0]) == pytest.approx((3, 3 + 2 * 1.959964))


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_rates_that_are_all_0_or_all_1_keep_an_interval_inside_the_unit_interval(rate):
    shrunk = rates([rate] * 4, [10, 20, 30, 40])
    assert shrunk.value.tolist() == [rate] * 4
    assert (shrunk.limits.low >= 0).all()
    assert (shrunk.limits.high <= 1).all()
    assert (shrunk.limits.high - shrunk.limits.low > 0.01).all()


def test_rates_of_only_0_and_1_stay_raw():
    shrunk = rates([0.0, 0.0, 1.0, 1.0], [50, 50, 50, 50])
    assert shrunk.strength == 0
    assert shrunk.value == pytest.approx(shrunk.raw)


def test_value_lies_between_the_raw_value_and_the_mean():
    shrunk = rates([0.0, 0.2, 0.5, 0.9], [5, 500, 20, 40])
    low, high = np.minimum(shrunk.raw, shrunk.mean), np.maximum(shrunk.raw, shrunk.mean)
    assert ((low <= shrunk.value) & (shrunk.value <= high)).all()
    assert ((shrunk.limits.low <= shrunk.value) & (shrunk.value <= shrunk.limits.high)).all()


def test_higher_level_is_wider():
    narrow, wide = rates([0.1, 0.5, 0.6], [20] * 3, 0.8), rates([0.1, 0.5, 0.6], [20] * 3, 0.99)
    assert (wide.limits.low < narrow.limits.low).all()
    assert (wide.limits.high > narrow.limits.high).all()


def simulated(rng, *, kind, count, spread):
    """True figures of the groups, and what shrinkage makes of a sample of them."""
    if kind == "rates":
        mean, strength = spread
        n = rng.integers(10, 200, count)
        truth = rng.beta(mean * strength, (1 - mean) * strength, count)
        return truth, shrink_proportions(rng.binomial(n, truth) / n, n.astype(float), 0.95)
    variance = np.exp(rng.uniform(np.log(0.2), np.log(5), count))
    truth = spread * rng.standard_normal(count)
    figure = truth + np.sqrt(variance) * rng.standard_normal(count)
    return truth, shrink_figures(figure, variance, 0.95)


ALIKE = (0.2, 1e9)
"""Rates that are all the same; the limits are conservative there."""

CASES = [
    ("rates", (0.3, 10.0)),
    ("rates", (0.3, 50.0)),
    ("rates", (0.1, 30.0)),
    ("rates", ALIKE),
    ("figures", 1.0),
    ("figures", 3.0),
]


# 4,000 samples of 6 or more groups: one standard error of the average coverage is below .002, so
# a method that covers .945 fails by chance less than once in a million runs.
@pytest.mark.slow
@pytest.mark.parametrize("count", [6, 40])
@pytest.mark.parametrize(("kind", "spread"), CASES)
def test_limits_cover_the_average_group_and_errors_are_smaller_than_raw(kind, spread, count):
    rng = np.random.default_rng(count)
    covered, shrunk_error, raw_error = [], [], []
    for _ in range(4000):
        truth, shrunk = simulated(rng, kind=kind, count=count, spread=spread)
        inside = (shrunk.limits.low <= truth) & (truth <= shrunk.limits.high)
        covered.append(inside.mean())
        shrunk_error.append(np.square(shrunk.value - truth).mean())
        raw_error.append(np.square(shrunk.raw - truth).mean())
    assert np.mean(covered) >= 0.935
    if spread != ALIKE:
        assert np.mean(covered) <= 0.98
    assert np.mean(shrunk_error) < 0.97 * np.mean(raw_error)


def test_errors_are_smaller_than_raw():
    rng = np.random.default_rng(3)
    samples = [simulated(rng, kind="rates", count=20, spread=(0.3, 30.0)) for _ in range(100)]
    errors = [
        np.square(np.array([getattr(shrunk, name) - truth for truth, shrunk in samples])).mean()
        for name in ("value", "raw")
    ]
    assert errors[0] < 0.7 * errors[1]
