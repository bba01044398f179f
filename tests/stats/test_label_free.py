"""Accuracy without labels: closed forms, coverage, and what it cannot see."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import special

from evenhand.stats.estimate import Undefined
from evenhand.stats.label_free import (
    accuracy,
    accuracy_beyond,
    calibration_test,
    expected_accuracy,
    few_errors_p_value,
    refutes,
)
from looks import settled


def drawn(rng, n=2000, flip=0.0):
    score = rng.beta(2, 2, n)
    label = rng.random(n) < score
    return score, label ^ (rng.random(n) < flip)


def test_uniform_scores_are_right_three_times_of_four():
    score = (np.arange(10_000) + 0.5) / 10_000
    found = expected_accuracy(score, np.arange(10_000), 0.95)
    # E max(p, 1 - p) = 3/4 and its standard deviation is 1 / sqrt(48).
    assert found.value == pytest.approx(0.75, abs=1e-8)
    assert found.high - found.value == pytest.approx(1.96 / np.sqrt(48 * 10_000), rel=1e-3)


def test_a_flip_of_a_fifth_of_the_labels_is_not_seen():
    score, label = drawn(np.random.default_rng(1), 200_000, flip=0.2)
    unit = np.arange(len(score))
    expected = expected_accuracy(score, unit, 0.95).value
    assert expected == pytest.approx(0.6875, abs=0.002)  # E max(p, 1 - p) of Beta(2, 2) is 11/16
    assert accuracy(score, label, unit, 0.95).value == pytest.approx(
        0.8 * expected + 0.2 * (1 - expected), abs=0.005
    )


def test_repeated_rows_do_not_narrow_the_interval():
    score = np.random.default_rng(2).random(300)
    once = expected_accuracy(score, np.arange(300), 0.95)
    thrice = expected_accuracy(np.tile(score, 3), np.tile(np.arange(300), 3), 0.95)
    assert thrice.value == pytest.approx(once.value)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_no_rows_and_one_unit_have_no_figure():
    none = np.zeros(0)
    assert isinstance(expected_accuracy(none, none.astype(int), 0.95), Undefined)
    one = expected_accuracy(np.array([0.2, 0.9]), np.array([0, 0]), 0.95)
    assert isinstance(one, Undefined)


@pytest.mark.parametrize(("rows", "score"), [(20, 0.9), (7, 0.7), (3, 0.6)])
def test_scores_that_are_all_alike_are_not_taken_for_certain(rows, score):
    found = expected_accuracy(np.full(rows, score), np.arange(rows), 0.95)
    # Their mean differs from each by rounding alone, or by nothing.
    reach = (1 - 0.05 ** (1 / rows)) / 2
    assert found.low == pytest.approx(max(score - reach, 0.5))
    assert found.high == pytest.approx(min(score + reach, 1.0))


def test_a_score_of_one_half_is_half_right():
    found = accuracy(np.array([0.5, 0.9, 0.1]), np.array([True, True, True]), np.arange(3), 0.95)
    assert found.value == pytest.approx(0.5)


def test_no_error_among_few_rows_is_not_certainty():
    found = accuracy(np.full(20, 0.9), np.ones(20, dtype=bool), np.arange(20), 0.95)
    assert found.high == 1.0
    assert found.low == pytest.approx(0.05 ** (1 / 20))


@pytest.mark.parametrize(
    ("score", "label", "reason"),
    [
        ([0.2, 0.4], [False, False], "no positive labels"),
        ([0.2, 0.4], [True, True], "no negative labels"),
        ([0.0, 0.4], [False, True], "0 or 1"),
        ([0.4, 0.4], [False, True], "alike"),
        ([0.2, 0.4], [False, True], "parts the labels"),
    ],
)
def test_labels_that_give_no_line_say_why(score, label, reason):
    found = calibration_test(np.array(score), np.array(label), np.arange(2))
    assert isinstance(found, Undefined)
    assert reason in found.reason


def test_scores_that_are_too_extreme_are_refuted():
    score, label = drawn(np.random.default_rng(3))
    odds = (score / (1 - score)) ** 2
    found = calibration_test(odds / (1 + odds), label, np.arange(2000))
    assert found.slope == pytest.approx(0.5, abs=0.07)
    assert found.p_value < 1e-6


def test_the_chance_of_few_errors_is_that_of_all_outcomes():
    score = np.array([0.99, 0.03, 0.9, 0.8, 0.5])
    chances = [0.01, 0.03, 0.1, 0.2]
    outcomes = list(itertools.product([0, 1], repeat=4))
    weight = np.array([np.prod(np.where(one, chances, 1 - np.array(chances))) for one in outcomes])
    number = np.array(outcomes).sum(axis=1)
    for wrong in outcomes:
        label = (score > 0.5) ^ np.array([*wrong, 1], dtype=bool)
        k = sum(wrong)
        by_hand = min(1.0, 2 * min(weight[number <= k].sum(), weight[number >= k].sum()))
        assert few_errors_p_value(score, label, np.arange(5)) == pytest.approx(by_hand)


def test_repeated_rows_have_no_other_chance_of_few_errors_or_a_larger_one():
    score, label = np.full(30, 0.99), np.arange(30) > 2
    once = few_errors_p_value(score, label, np.arange(30))
    thrice = few_errors_p_value(*(np.repeat(x, 3) for x in (score, label, np.arange(30))))
    assert once == pytest.approx(2 * special.bdtrc(2, 30, 0.01))
    assert thrice == pytest.approx(2 * special.bdtrc(2, 30, 0.03))  # at most the sum of three


def test_more_errors_than_are_added_up_are_as_good_as_impossible():
    p = few_errors_p_value(np.full(900, 0.99), np.zeros(900, dtype=bool), np.arange(900))
    assert 0 <= p < 1e-100


def test_a_line_of_few_errors_is_not_tested():
    rng = np.random.default_rng(5)
    score = rng.uniform(0.9, 1, 100)
    label = np.arange(100) != score.argmax()
    label[50] = False
    found = calibration_test(score, label, np.arange(100))
    assert isinstance(found, Undefined)
    assert "errors are expected, and a line needs 10" in found.reason
    score = np.tile(rng.uniform(0.5, 1, 100), 2)
    label = rng.random(200) < score
    found = calibration_test(score, label, np.tile(np.arange(100), 2))
    assert "units with an error are expected, and a line needs 50" in found.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "low", "high", "repeats"),
    [
        (50, 0.98, 1.0, 1),
        (200, 0.98, 1.0, 1),
        (200, 0.9, 1.0, 1),
        (500, 0.95, 1.0, 1),
        (200, 0.02, 0.98, 1),
        (50, 0.98, 1.0, 3),
        (300, 0.9, 1.0, 3),
        (300, 0.02, 0.98, 2),
    ],
)
def test_calibrated_scores_are_refuted_no_more_often_than_is_said(rows, low, high, repeats):
    """Each rate is below .05 + 3.1 sqrt(.05 .95 / 800): false alarm .001 of each case."""
    runs, refuted = 800, 0
    most = 0.05 + 3.1 * np.sqrt(0.05 * 0.95 / runs)
    for seed in range(runs):
        rng = np.random.default_rng([rows, seed])
        score = rng.uniform(low, high, rows)
        label = rng.random(rows) < score
        truth = tuple(np.repeat(part, repeats) for part in (score, label, np.arange(rows)))
        refuted += refutes(*truth, calibration_test(*truth), 0.05)
        drawn = seed + 1
        if settled(refuted / drawn, drawn, runs, greatest=most):
            break
    assert refuted / drawn <= most


def test_scores_that_are_too_sure_are_refuted_where_few_errors_are_due():
    rng = np.random.default_rng(6)
    score = rng.uniform(0.98, 1, 400)
    label = rng.random(400) < 0.94
    unit = np.arange(400)
    assert refutes(score, label, unit, calibration_test(score, label, unit), 0.05)


@pytest.mark.slow
def test_intervals_cover_and_the_test_of_calibration_keeps_its_level():
    runs, covered, beyond, rejected = 1000, 0, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        score, label = drawn(rng, 250)
        # Each unit has two equal rows: only 250 rows tell anything.
        score, label, unit = np.tile(score, 2), np.tile(label, 2), np.tile(np.arange(250), 2)
        found = expected_accuracy(score, unit, 0.95)
        covered += found.low <= 0.6875 <= found.high
        gap = accuracy_beyond(score, label, unit, 0.95)
        beyond += gap.low <= 0 <= gap.high
        rejected += calibration_test(score, label, unit).p_value <= 0.05
    for rate in (covered / runs, beyond / runs, 1 - rejected / runs):
        assert 0.925 <= rate <= 0.972
