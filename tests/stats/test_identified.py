"""Partially identified figures: the defining equation, the two extremes, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from evenhand.stats.identified import imbens_manski, imbens_manski_critical, tipping_point
from evenhand.stats.interval import Limits, critical, wilson

REPLICATES = 20_000
"""One standard error of a coverage of .95 is .0015."""


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_point_is_two_sided_and_a_wide_set_one_sided(level):
    crit = imbens_manski_critical(np.array([0.0, np.inf]), level)
    assert crit == pytest.approx([critical(level), special.ndtri(level)], abs=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("width", [0.01, 0.3, 1.0, 3.0])
def test_critical_value_solves_its_equation(level, width):
    def equation(crit):
        return special.ndtr(crit + width) - special.ndtr(-crit) - level

    wanted = optimize.brentq(equation, 0, 10, xtol=1e-14)
    assert imbens_manski_critical(np.array([width]), level) == pytest.approx([wanted], abs=1e-10)


def test_critical_value_falls_as_the_set_widens():
    crit = imbens_manski_critical(np.linspace(0, 5, 50).reshape(5, 10), 0.95)
    assert crit.shape == (5, 10)
    assert (np.diff(crit.ravel()) < 0).all()


def arrays(low, high):
    return Limits(np.array([low]), np.array([high]))


def test_point_has_the_ordinary_interval():
    low, high = imbens_manski(arrays(0.3, 0.3), arrays(0.1, 0.1), 0.95)
    assert (low[0], high[0]) == pytest.approx((0.3 - 0.1959964, 0.3 + 0.1959964))


def test_wide_set_has_one_sided_limits_of_each_end():
    low, high = imbens_manski(arrays(0.0, 100.0), arrays(0.1, 0.2), 0.95)
    assert (low[0], high[0]) == pytest.approx((-0.1644854, 100 + 2 * 0.1644854))


def test_point_with_few_units_has_the_t_interval():
    low, _ = imbens_manski(arrays(0.0, 0.0), arrays(1.0, 1.0), 0.95, df=7)
    assert low[0] == pytest.approx(-critical(0.95, 7))


def test_certain_ends_are_their_own_limits():
    low, high = imbens_manski(arrays(0.2, 0.4), arrays(0.0, 0.0), 0.95)
    assert (low[0], high[0]) == (0.2, 0.4)


def bounds(missing, n):
    """Bounds of a rate of .3 among the seen rows of n, when a share of all rows is not seen."""
    rng = np.random.default_rng(int(1000 * missing) + n)
    chance = [0.3 * (1 - missing), missing, 0.7 * (1 - missing)]
    favoured, unseen, _ = rng.multinomial(n, chance, REPLICATES).T
    return Limits(favoured / n, (favoured + unseen) / n), chance[0], chance[0] + chance[1]


# 4 standard errors: .944 at n = 400 would need a method that covers below .938 to be let through.
@pytest.mark.parametrize("missing", [0.0, 0.005, 0.02, 0.1, 0.4])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_interval_covers_the_truth_wherever_it_lies_in_the_set(missing, place):
    ends, lower, upper = bounds(missing, 400)
    errors = Limits(*(np.sqrt(end * (1 - end) / 400) for end in ends))
    low, high = imbens_manski(ends, errors, 0.95)
    truth = lower + place * (upper - lower)
    share = ((low <= truth) & (truth <= high)).mean()
    assert share >= 0.938
    if place != 0.5 or missing == 0:
        assert share <= 0.97


@pytest.mark.parametrize("missing", [0.0, 0.02, 0.2])
def test_wilson_at_the_critical_value_covers_both_ends(missing):
    n = 200
    ends, *truths = bounds(missing, n)
    se = np.sqrt(0.25 / n)
    crit = imbens_manski_critical((ends.high - ends.low) / se, 0.95)
    trials = np.full(REPLICATES, float(n))
    low, high = wilson(ends.low, trials, crit).low, wilson(ends.high, trials, crit).high
    for truth in truths:
        assert 0.935 <= ((low <= truth) & (truth <= high)).mean() <= 0.98


@pytest.mark.parametrize("threshold", [1.0003, 1.7, 3.0, 9.99])
@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-9])
def test_tipping_point_is_the_threshold_from_above(threshold, tolerance):
    point = tipping_point(lambda gamma: gamma >= threshold, 1.0, 10.0, tolerance)
    assert threshold <= point <= threshold * (1 + tolerance)


def test_condition_that_holds_at_once_tips_at_the_lowest_value():
    assert tipping_point(lambda _: True, 1.0, 10.0) == 1.0


def test_condition_that_never_holds_has_no_tipping_point():
    assert tipping_point(lambda _: False, 1.0, 10.0) is None


def test_tipping_point_asks_few_times():
    asked = []

    def holds(gamma):
        asked.append(gamma)
        return gamma > 4

    tipping_point(holds, 1.0, 100.0, 0.01)
    assert len(asked) <= 2 + np.ceil(np.log2(np.log(100) / np.log(1.01)))
