"""Contrasts of several groups, against definitions, brute force and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from statsmodels.stats.proportion import confint_proportions_2indep

from evenhand.stats import contrast
from evenhand.stats.estimate import Undefined
from evenhand.stats.interval import Limits, critical, mover_difference, mover_ratio, wilson
from evenhand.stats.proportion import Proportion, independent


def groups(successes, trials):
    s, t = np.array(successes, float), np.array(trials, float)
    return independent(Proportion(s, t, t, s, t))


def rng():
    return np.random.default_rng(1)


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.6])
@pytest.mark.parametrize("values", [(0.3, 0.5), (0.05, 0.9), (0.6, 0.6), (0.01, 0.02)])
def test_mover_ratio_is_where_the_limit_of_the_difference_touches_zero(values, correlation):
    value = np.array(values)
    low, high = wilson(value, np.array([80.0, 40.0]), critical(0.95))
    first = value[:1], Limits(low[:1], high[:1])

    def limit(theta, side):
        second = theta * value[1:], Limits(theta * low[1:], theta * high[1:])
        return mover_difference(first, second, correlation)[side][0]

    point = values[0] / values[1]
    found = mover_ratio(first, (value[1:], Limits(low[1:], high[1:])), correlation)
    wanted_low = optimize.brentq(limit, 1e-9, point, args=(0,))
    wanted_high = optimize.brentq(limit, point, 1e6, args=(1,))
    assert found.low[0] == pytest.approx(wanted_low, rel=1e-6)
    assert found.high[0] == pytest.approx(wanted_high, rel=1e-6)


def test_ratio_with_a_denominator_that_may_be_zero_has_no_upper_limit():
    zero = np.array([0.0]), Limits(np.array([0.0]), np.array([0.2]))
    some = np.array([0.5]), Limits(np.array([0.3]), np.array([0.7]))
    assert np.isinf(mover_ratio(some, zero).high[0])
    assert mover_ratio(some, zero).low[0] > 0
    assert mover_ratio(zero, some).low[0] == 0
    assert mover_ratio(zero, zero).low[0] == 0


# COMPAS: MOVER-R and Koopman's score interval are different methods that agree in large samples.
@pytest.mark.parametrize(("low", "high"), [((854, 2454), (2174, 3696)), ((349, 1488), (805, 1795))])
def test_ratio_of_two_large_groups_is_close_to_the_score_interval(low, high):
    found = contrast.ratio(groups([low[0], high[0]], [low[1], high[1]]), 0.95, rng())
    wanted = confint_proportions_2indep(*low, *high, compare="ratio", method="score")
    assert found.value == pytest.approx((low[0] / low[1]) / (high[0] / high[1]))
    assert (found.low, found.high) == pytest.approx(wanted, abs=1e-3)


def test_ratio_does_not_depend_on_the_order_of_the_groups():
    forth = contrast.ratio(groups([3, 8], [20, 25]), 0.95, rng())
    back = contrast.ratio(groups([8, 3], [25, 20]), 0.95, rng())
    assert (forth.value, forth.low, forth.high) == pytest.approx((back.value, back.low, back.high))


def test_ratio_of_equal_groups_reaches_one():
    assert contrast.ratio(groups([30, 31, 29], [100] * 3), 0.95, rng()).high == 1


def test_ratio_where_nobody_is_selected_is_undefined():
    assert isinstance(contrast.ratio(groups([0, 0], [10, 20]), 0.95, rng()), Undefined)


def test_ratio_with_one_empty_group_is_zero_with_a_positive_upper_limit():
    found = contrast.ratio(groups([0, 10], [20, 20]), 0.95, rng())
    assert (found.value, found.low) == (0, 0)
    assert 0 < found.high < 1


@pytest.mark.parametrize(("better", "index"), [("higher", 0), ("lower", 2)])
def test_worst_is_the_extreme_group_with_sidak_limits(better, index):
    figures = groups([10, 20, 30], [50] * 3)
    found, which = contrast.worst(figures, 0.95, better)
    low, high = wilson(figures.value, figures.n, critical(0.95 ** (1 / 3)))
    pick = min if better == "higher" else max
    assert which == index
    assert (found.value, found.low, found.high) == pytest.approx(
        (figures.value[index], pick(low), pick(high))
    )


def test_worst_of_one_group_is_that_group():
    figures = groups([10], [50])
    found, _ = contrast.worst(figures, 0.95, "higher")
    low, high = figures.limits(0.95)
    assert (found.low, found.high) == pytest.approx((low[0], high[0]))


def test_group_minus_overall_is_the_exact_difference():
    successes, trials = np.array([30.0, 20, 10]), np.array([60.0, 80, 100])
    group_and_rest = groups([30, 30], [60, 180])
    found = contrast.to_overall(group_and_rest, 60 / 240, 0.001, 0.95, rng())
    assert found.value == pytest.approx(30 / 60 - successes.sum() / trials.sum())
    assert found.low < found.value < found.high


def test_a_share_that_is_uncertain_widens_the_distance_to_overall():
    known, sampled = (
        contrast.to_overall(groups([50, 10], [60, 180]), 0.25, variance, 0.95, rng())
        for variance in (0.0, 0.01)
    )
    assert sampled.low < known.low < known.high < sampled.high


def test_largest_takes_the_largest_of_every_part():
    parts = [
        contrast.difference(groups(successes, [50, 50]), 0.975, rng())
        for successes in ([10, 30], [20, 25])
    ]
    found = contrast.largest(parts, 0.95)
    assert (found.value, found.low, found.high) == (parts[0].value, parts[0].low, parts[0].high)
    assert found.level == 0.95


@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_a_ratio_of_what_has_no_upper_limit_has_none_either(correlation):
    endless = np.array([2.0]), Limits(np.array([2.0]), np.array([np.inf]))
    bounded = np.array([1.0]), Limits(np.array([1.0]), np.array([1.5]))
    assert np.isinf(mover_ratio(endless, bounded, correlation).high[0])
    assert mover_ratio(bounded, endless, correlation).low[0] == 0
