"""Accumulated effects beside plain sums, and their limits beside the normal law and simulation."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.stats.accumulated import accumulated, middle
from evenhand.stats.interval import Limits, critical

STEP = np.array([0.5, -1.0, 2.0, 0.25])
COUNT = np.array([10.0, 40.0, 25.0, 25.0])
ERROR = np.array([0.1, 0.2, 0.05, 0.3])


def limits(crit=1.0):
    return Limits(STEP - crit * ERROR, STEP + crit * ERROR)


def test_the_curve_is_the_sum_of_steps_and_0_in_the_mean_over_examples():
    value, _ = accumulated(STEP, limits(), COUNT)
    np.testing.assert_allclose(np.diff(value), STEP, atol=1e-12)
    means = [(value[k] + value[k + 1]) / 2 for k in range(4)]
    assert np.average(means, weights=COUNT) == pytest.approx(0, abs=1e-12)
    assert middle(STEP, limits(), COUNT, slice(0, 4))[0] == pytest.approx(0, abs=1e-12)


def test_variances_of_bins_add_up_and_limits_at_equal_widths_are_those_of_the_normal_law():
    rng = np.random.default_rng(0)
    draws = rng.normal(STEP, ERROR, size=(20_000, 4))
    ends = np.concatenate([np.zeros((20_000, 1)), draws.cumsum(axis=1)], axis=1)
    centre = (ends[:, 1:] + ends[:, :-1]) / 2 @ (COUNT / COUNT.sum())
    spread = (ends - centre[:, None]).std(axis=0)
    value, (low, high) = accumulated(STEP, limits(), COUNT)
    # Of 20,000 draws a standard deviation errs by half a per cent; six of these are 3 %.
    np.testing.assert_allclose((high - low) / 2, spread, rtol=0.03)
    np.testing.assert_allclose((high + low) / 2, value, atol=1e-12)


def test_limits_on_one_side_stay_on_the_side_to_which_they_pull():
    step = np.ones(2)
    above = Limits(step, step + np.array([0.3, 0.0]))
    value, (low, high) = accumulated(step, above, np.ones(2))
    # The first step raises what lies behind it by a quarter of itself, and lowers the start by 3/4.
    np.testing.assert_allclose(high - value, [0.0, 0.3 / 4, 0.3 / 4])
    np.testing.assert_allclose(value - low, [0.3 * 3 / 4, 0.0, 0.0])


def test_where_units_are_in_several_bins_limits_hold_however_they_depend():
    value, narrow = accumulated(STEP, limits(), COUNT)
    same, wide = accumulated(STEP, limits(), COUNT, apart=False)
    np.testing.assert_array_equal(value, same)
    assert (wide.low < narrow.low).all()
    # At worst every bin is as far off as it can be, each to the side that moves the end most.
    worst = np.max(
        [
            accumulated(STEP + ERROR * np.array(signs), limits(), COUNT)[0]
            for signs in np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T
        ],
        axis=0,
    )
    np.testing.assert_allclose(wide.high, worst, atol=1e-12)


def test_a_bin_without_limits_leaves_the_curve_without_any():
    found = limits(critical(0.95))
    found.low[1] = found.high[1] = np.nan
    value, (low, _) = accumulated(STEP, found, COUNT)
    assert np.isfinite(value).all()
    assert np.isnan(low).all()


def test_the_mean_height_over_some_bins_has_the_limits_of_the_normal_law():
    value, (low, high) = middle(STEP, limits(), COUNT, slice(2, 4))
    curve, _ = accumulated(STEP, limits(), COUNT)
    assert value == pytest.approx(((curve[2] + curve[3]) / 2 + (curve[3] + curve[4]) / 2) / 2)
    rng = np.random.default_rng(1)
    heights = [
        middle(draw, limits(), COUNT, slice(2, 4))[0]
        for draw in rng.normal(STEP, ERROR, size=(5_000, 4))
    ]
    # Of 5,000 draws a standard deviation errs by one per cent; five of these are 5 %.
    assert (high - low) / 2 == pytest.approx(np.std(heights), rel=0.05)
    _, (least, most) = middle(STEP, limits(), COUNT, slice(0, 4))
    assert most - least == pytest.approx(0, abs=1e-12)
