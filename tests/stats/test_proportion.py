"""Proportions of groups: weights, design effects, degrees of freedom and differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evenhand.stats.contrast import pair_differences
from evenhand.stats.interval import critical, wilson
from evenhand.stats.proportion import Curve, Proportion, clustered, independent


def plain(successes, trials):
    """Sums without weights from plain lists."""
    s, t = np.array(successes, float), np.array(trials, float)
    return Proportion(s, t, t, s, t)


def test_equal_weights_change_nothing():
    base = plain([3, 5], [10, 10])
    double = Proportion(
        2 * base.successes,
        2 * base.trials,
        base.rows,
        4 * base.successes,
        4 * base.trials,
        weighted=True,
    )
    assert independent(double).value == pytest.approx(independent(base).value)
    # The linearised variance is p(1-p)/n exactly, so the effective number is the number of rows.
    assert independent(double).n == pytest.approx(independent(base).n)


def weighted(weights, outcome):
    """Sums of one group with weights."""
    one = [weights @ outcome, weights.sum(), len(weights), weights**2 @ outcome, weights @ weights]
    return Proportion(*(np.array([float(part)]) for part in one), weighted=True)


def test_weights_give_the_larger_of_the_linearised_and_of_kish_variance():
    weights, outcome = np.array([1.0, 2.0, 0.5, 3.0]), np.array([1.0, 0.0, 1.0, 0.0])
    value = np.average(outcome, weights=weights)
    linear = np.sum(weights**2 * (outcome - value) ** 2) / weights.sum() ** 2
    kish = value * (1 - value) * np.sum(weights**2) / weights.sum() ** 2
    found = independent(weighted(weights, outcome))
    assert found.value[0] == pytest.approx(value)
    assert value * (1 - value) / found.n[0] == pytest.approx(max(linear, kish))


def test_weights_with_no_variation_use_kish():
    weights = np.array([1.0, 2.0, 5.0])
    found = independent(weighted(weights, np.ones(3)))
    assert found.n[0] == pytest.approx(weights.sum() ** 2 / (weights @ weights))


def test_weights_that_sum_like_rows_are_still_weights():
    weights = np.array([0.0, 0, 0, 2] * 25)
    found = independent(weighted(weights, np.array([1.0, 0, 0, 1] * 25)))
    assert found.n[0] == pytest.approx(25)
    assert found.method == "Wilson, weighted"


def test_identical_rows_within_units_count_each_unit_once():
    # 6 units of 10 identical rows, one in each bucket: the design effect is about 10.
    successes = np.array([[10.0], [0], [10], [0], [10], [0]])
    found = clustered(plain(successes, np.full((6, 1), 10.0)))
    # Between-unit variance has n - 1 = 5 in the denominator where the rate's has 6.
    assert found.n[0] == pytest.approx(60 / (10 * 6 / 5))
    assert found.df[0] == 5


def test_design_effect_is_never_below_one():
    # Every bucket has exactly the mean: less variation than independent rows would have.
    found = clustered(plain(np.full((8, 1), 5.0), np.full((8, 1), 10.0)))
    assert found.n[0] == 80


def test_without_variation_every_bucket_is_a_single_trial():
    found = clustered(plain(np.zeros((4, 2)), np.full((4, 2), 25.0)))
    assert found.n.tolist() == [4, 4]
    assert found.limits(0.95).high[0] == pytest.approx(
        wilson(np.array([0.0]), np.array([4.0]), critical(0.95, 3)).high[0]
    )


def test_a_group_without_variation_counts_each_bucket_once_at_most():
    even = np.full(50, 5.0)
    found = clustered(plain(np.stack([even, np.zeros(50)], 1), np.full((50, 2), 10.0)))
    assert found.n[0] == 500
    assert found.n[1] == 50
    lumpy = np.array([100.0, 0, 100, 0, 100, 0])
    borrowed = clustered(plain(np.stack([lumpy, np.zeros(6)], 1), np.full((6, 2), 100.0)))
    assert borrowed.n[1] == pytest.approx(borrowed.n[0])
    assert borrowed.n[1] < 6


def test_weights_of_clustered_rows_cost_at_least_what_kish_says():
    rng = np.random.default_rng(1)
    weight = rng.lognormal(0, 1.5, (60, 1))
    hit = rng.random((60, 1)) < 0.3
    one = np.ones((60, 1))
    sums = Proportion(weight * hit, weight, one, weight**2 * hit, weight**2, weighted=True)
    assert clustered(sums).n[0] <= weight.sum() ** 2 / np.square(weight).sum() + 1e-9


def test_a_strongly_clustered_group_keeps_its_own_design_effect_beside_a_weak_one():
    rng = np.random.default_rng(1)
    weak = rng.binomial(100, 0.3, 50).astype(float)
    strong = np.where(rng.random(50) < 0.3, 10.0, 0.0)
    sums = plain(np.stack([weak, strong], 1), np.stack([np.full(50, 100.0), np.full(50, 10.0)], 1))
    together, alone = clustered(sums), clustered(plain(strong[:, None], np.full((50, 1), 10.0)))
    assert together.n[1] == pytest.approx(alone.n[0])


def test_a_rate_carried_by_few_buckets_has_few_degrees_of_freedom():
    successes = np.zeros((100, 1))
    successes[:3] = 10.0
    found = clustered(plain(successes, np.full((100, 1), 20.0)))
    assert 1 <= found.df[0] < 10


def test_a_single_unit_tells_nothing():
    found = clustered(plain([[3.0]], [[10.0]]))
    low, high = found.limits(0.95)
    assert (low[0], high[0]) == (0, 1)
    assert found.methods() == ["none: a single unit tells nothing about the next"]


def test_a_group_of_a_single_unit_tells_nothing_beside_a_large_one():
    successes = np.zeros((50, 2))
    trials = np.zeros((50, 2))
    trials[:, 0], successes[::2, 0] = 5, 5
    trials[7, 1], successes[7, 1] = 1_000, 900
    low, high = clustered(plain(successes, trials)).limits(0.95)
    assert (low[1], high[1]) == (0, 1)
    assert high[0] - low[0] < 0.5


def test_two_shared_units_do_not_make_a_difference_certain():
    found = clustered(plain([[8.0, 8.0], [2.0, 2.0]], np.full((2, 2), 10.0)))
    low, high = pair_differences(found, 0.95, np.random.default_rng(1)).limits
    assert high[0] - low[0] > 1


def test_groups_that_share_units_are_correlated():
    shared = np.array([1.0, 4, 2, 8, 5, 7])[:, None] * np.ones(2)
    found = clustered(plain(shared, np.full((6, 2), 10.0)))
    # Six shared buckets: trusted to 1 - 1 / 5.
    assert found.correlation[0, 1] == pytest.approx(0.8)
    apart = replace(found, correlation=np.eye(2))
    narrow, wide = (
        pair_differences(groups, 0.95, np.random.default_rng(1)).limits for groups in (found, apart)
    )
    assert narrow.high[0] - narrow.low[0] < 0.5 * (wide.high[0] - wide.low[0])


def test_groups_in_different_buckets_are_uncorrelated():
    successes = np.array([[3.0, 0], [6, 0], [0, 2], [0, 7]])
    trials = np.array([[10.0, 0], [10, 0], [0, 10], [0, 10]])
    found = clustered(plain(successes, trials))
    assert found.correlation[0, 1] == 0


def test_a_curve_maps_value_and_limits_of_the_proportion():
    curve = Curve(value=lambda p: 2 * p / (1 + p), slope=lambda p: 2 / (1 + p) ** 2)
    share = independent(plain([3, 6], [10, 10]))
    figure = replace(share, curve=curve)
    assert figure.value == pytest.approx(2 * share.value / (1 + share.value))
    low, high = share.limits(0.95)
    mapped = figure.limits(0.95)
    assert mapped.low == pytest.approx(2 * low / (1 + low))
    assert mapped.high == pytest.approx(2 * high / (1 + high))


def test_pairs_are_signed_first_minus_second():
    found = pair_differences(
        independent(plain([1, 5, 9], [10, 10, 10])), 0.95, np.random.default_rng(1)
    )
    assert found.value == pytest.approx([-0.4, -0.8, -0.4])
    assert found.method == "Newcombe, max-T over 3 pairs"


def test_more_groups_widen_each_pair():
    two = pair_differences(independent(plain([1, 5], [10, 10])), 0.95, np.random.default_rng(1))
    three = pair_differences(
        independent(plain([1, 5, 5], [10, 10, 10])), 0.95, np.random.default_rng(1)
    )
    assert three.limits.low[0] < two.limits.low[0] < two.limits.high[0] < three.limits.high[0]
