"""Areas under and between ROC curves, against all pairs of rows and fine numerical integration."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.stats.roc import abroca, auc, delong_variance, roc_curve_on

SCORES = np.arange(12.0)


def histograms(seed, shape=(5, 12), most=6):
    """Positives that tend to score higher than negatives, with ties and empty cells."""
    rng = np.random.default_rng(seed)
    rise = np.arange(shape[-1]) / shape[-1]
    positives = rng.poisson(most * rise, shape).astype(float)
    negatives = rng.poisson(most * (1 - rise), shape).astype(float)
    return positives, negatives


def by_all_pairs(positives, negatives):
    """Area and DeLong's variance from every pair of rows."""
    high = np.repeat(SCORES, positives.astype(int))
    low = np.repeat(SCORES, negatives.astype(int))
    won = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    variance = won.mean(axis=1).var(ddof=1) / len(high) + won.mean(axis=0).var(ddof=1) / len(low)
    return won.mean(), variance


@pytest.mark.parametrize("seed", range(6))
def test_area_and_variance_are_those_of_all_pairs(seed):
    positives, negatives = histograms(seed)
    area = auc(positives, negatives)
    variance = delong_variance(area, positives, negatives)
    for group in range(5):
        value, spread = by_all_pairs(positives[group], negatives[group])
        assert area.value[group] == pytest.approx(value, abs=1e-14)
        assert variance[group] == pytest.approx(spread, rel=1e-12)


def test_area_between_groups_takes_positives_of_one_and_negatives_of_the_other():
    positives, negatives = histograms(1)
    value, spread = by_all_pairs(positives[0], negatives[1])
    area = auc(positives[0], negatives[1])
    assert area.value == pytest.approx(value)
    assert delong_variance(area, positives[0], negatives[1]) == pytest.approx(spread)


def test_influence_sums_to_nothing_and_gives_the_variance_up_to_n_over_n_minus_1():
    positives, negatives = np.array([1.0, 2.0, 3.0, 4.0]), np.array([4.0, 3.0, 2.0, 1.0])
    area = auc(positives, negatives)
    assert positives @ area.positives == pytest.approx(0, abs=1e-15)
    assert negatives @ area.negatives == pytest.approx(0, abs=1e-15)
    plain = area.variance(positives, negatives)
    assert delong_variance(area, positives, negatives) == pytest.approx(plain * 10 / 9)


def test_influence_is_the_derivative_in_the_weight_of_a_cell():
    positives, negatives = histograms(2, shape=(12,))
    area = auc(positives, negatives)
    step = 1e-6
    for cell in range(12):
        more = np.where(np.arange(12) == cell, step, 0.0)
        rise = (auc(positives + more, negatives).value - area.value) / step
        assert area.positives[cell] == pytest.approx(rise, abs=1e-6)
        rise = (auc(positives, negatives + more).value - area.value) / step
        assert area.negatives[cell] == pytest.approx(rise, abs=1e-6)


def test_weights_may_be_scaled():
    positives, negatives = histograms(3)
    scaled = auc(positives * 0.3, negatives * 7.0)
    assert scaled.value == pytest.approx(auc(positives, negatives).value)


@pytest.mark.parametrize("missing", [0, 1])
def test_one_label_alone_has_no_area(missing):
    counts = [np.array([[1.0, 2.0], [3.0, 4.0]]) for _ in range(2)]
    counts[missing][1] = 0
    area = auc(*counts)
    assert np.isnan(area.value).tolist() == [False, True]
    assert np.isnan(delong_variance(area, *counts)).tolist() == [False, True]
    assert np.isnan(roc_curve_on(*counts, np.array([0.5]))[:, 0]).tolist() == [False, True]
    assert np.isnan(abroca(*counts, counts[0][0], counts[1][0])).tolist() == [False, True]


def test_one_positive_has_an_area_without_a_variance():
    positives, negatives = np.array([0.0, 1.0]), np.array([2.0, 2.0])
    area = auc(positives, negatives)
    assert area.value == 0.75
    assert np.isnan(delong_variance(area, positives, negatives))


def test_separated_labels_have_area_one_and_no_spread():
    area = auc(np.array([0.0, 5.0]), np.array([5.0, 0.0]))
    assert area.value == 1
    assert area.variance(np.array([0.0, 5.0]), np.array([5.0, 0.0])) == 0


def test_ties_are_a_straight_segment():
    one_score = roc_curve_on(np.array([4.0]), np.array([9.0]), np.linspace(0, 1, 5))
    assert one_score.tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_vertical_part_of_the_curve_counts_at_its_top():
    # From the highest score down: a positive, a negative, a positive, a negative.
    counts = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0])
    curve = roc_curve_on(*counts, np.array([0.0, 0.25, 0.5, 0.75, 1.0]))
    assert curve.tolist() == [0.5, 0.5, 1.0, 1.0, 1.0]


def test_mean_of_the_curve_is_the_area_under_it():
    positives, negatives = histograms(4)
    middles = (np.arange(20_000) + 0.5) / 20_000
    mean = roc_curve_on(positives, negatives, middles).mean(axis=1)
    assert mean == pytest.approx(auc(positives, negatives).value, abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_area_between_curves_is_that_of_fine_integration(seed):
    positives, negatives = histograms(seed)
    middles = (np.arange(200_000) + 0.5) / 200_000
    curve = roc_curve_on(positives, negatives, middles)
    value = abroca(positives[0], negatives[0], positives[1:], negatives[1:])
    assert value == pytest.approx(np.abs(curve[1:] - curve[0]).mean(axis=1), abs=2e-5)


def test_area_between_curves_that_cross_is_exact():
    # The diagonal against (0, 0), (0, .5), (1, .5), (1, 1): two triangles of area 1/8.
    diagonal = np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0])
    step = np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    assert abroca(*diagonal, *step) == 0.25
    assert abroca(*step, *diagonal) == 0.25


def test_area_between_opposite_rankings_is_one():
    up = np.array([0.0, 3.0]), np.array([2.0, 0.0])
    assert abroca(*up, up[1], up[0]) == 1
    assert abroca(*up, *up) == 0
