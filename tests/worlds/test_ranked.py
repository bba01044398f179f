"""Rankings have the probabilities they claim; figures of runs are those computed by hand.

A count passes within 5 standard errors, which a true one leaves with probability 6e-7; any of the
24 orders with less than 2e-5. The seed is fixed.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from evenhand.worlds.ranked import MonteCarlo, Shown, gap_of_groups, log_discount, ndcg, rank

BOUND = 5.0


def chance(scores, order):
    """P(the order), choosing one after the other among what is left."""
    left, product = list(order), 1.0
    for item in order:
        product *= np.exp(scores[item]) / sum(np.exp(scores[other]) for other in left)
        left.remove(item)
    return product


def test_every_order_is_as_frequent_as_luce_and_plackett_say():
    scores, rows = np.array([0.5, -1.0, 0.0, 1.2]), 40_000
    drawn = rank(np.tile(scores, (rows, 1)), np.random.default_rng(1))
    orders, counts = np.unique(drawn.order, axis=0, return_counts=True)
    found = {tuple(order): count for order, count in zip(orders, counts, strict=True)}
    truth = {order: chance(scores, order) for order in permutations(range(4))}
    assert sum(truth.values()) == pytest.approx(1)
    for order, p in truth.items():
        assert abs(found[order] / rows - p) <= BOUND * np.sqrt(p * (1 - p) / rows), order


def test_propensities_multiply_to_the_probability_of_the_order():
    scores = np.random.default_rng(2).normal(size=(50, 5))
    drawn = rank(scores, np.random.default_rng(3))
    for row in range(50):
        assert drawn.propensity[row].prod() == pytest.approx(chance(scores[row], drawn.order[row]))


def test_propensities_of_what_is_left_do_not_cancel():
    drawn = rank(np.array([[60.0, 0.0, 0.0]]), np.random.default_rng(4))
    assert drawn.order[0, 0] == 0
    assert drawn.propensity[0].tolist() == [1.0, 0.5, 1.0]


def test_ndcg_is_that_of_the_ideal_over_all_candidates():
    gains = np.array([[0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    found = ndcg(gains, 2)
    second = 1 / np.log2(3)
    assert found[:2] == pytest.approx([second / (1 + second), 1.0])
    assert np.isnan(found[2])
    assert ndcg(gains, 9)[1] == 1.0


def test_exposure_share_weighs_slots():
    by_run = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.0], [0.5, 1.0]]])
    share = Shown(("a", "b"), by_run).exposure_share([3, 1])
    assert share["a"] == MonteCarlo(value=0.5625, error=pytest.approx(0.1875), runs=2)
    assert share["b"].value == pytest.approx(0.4375)
    assert Shown(("a", "b"), by_run).exposure_share([1])["a"].value == 0.75
    assert log_discount(3) == pytest.approx([1, 0.63093, 0.5], abs=1e-5)


def test_ratio_of_runs_is_that_of_sums_with_a_linearised_error():
    parts, wholes = np.array([1.0, 3.0, 2.0]), np.array([2.0, 4.0, 4.0])
    found = MonteCarlo.ratio(parts, wholes)
    deviation = (parts - 0.6 * wholes) / (10 / 3)
    assert found.value == pytest.approx(0.6)
    assert found.error == pytest.approx(deviation.std(ddof=1) / np.sqrt(3))
    assert MonteCarlo.ratio(wholes / 4, wholes).error == 0.0
    assert np.isnan(MonteCarlo.ratio(parts[:1], wholes[:1]).error)


def test_gap_is_between_the_extremes_among_groups_that_have_rows():
    wholes = np.array([[2.0, 2.0, 0.0, 2.0], [2.0, 2.0, 0.0, 2.0]])
    parts = np.array([[1.0, 0.2, 0.0, 0.5], [1.4, 0.6, 0.0, 0.5]])
    found = gap_of_groups(("a", "b", "none", "c"), parts, wholes)
    assert found.value == pytest.approx(0.4)
    assert found.error == pytest.approx(0.0)
