"""Sample sizes against closed forms, statsmodels and simulated decisions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from statsmodels.stats.power import TTestPower, tt_ind_solve_power

from evenhand.stats.interval import critical, mover_difference, wilson
from evenhand.stats.power import (
    units_needed_difference,
    units_needed_limit,
    units_needed_to_detect,
)

REPLICATES = 20_000
"""One standard error of a simulated power is .003; .03 from .80 is ten of them."""


def normal_gaps(n, first, second, truth):
    """Differences of two means of n normal units, and half their Welch intervals at any tail."""
    rng = np.random.default_rng(n)
    gap = truth + rng.standard_normal(REPLICATES) * np.sqrt((first + second) / n)
    squares = [part * rng.chisquare(n - 1, REPLICATES) / (n - 1) / n for part in (first, second)]
    total = squares[0] + squares[1]
    df = (n - 1) * total**2 / (squares[0] ** 2 + squares[1] ** 2)
    return gap, lambda tail: special.stdtrit(df, tail) * np.sqrt(total)


@pytest.mark.parametrize(
    ("limit", "first", "second", "alternative"),
    [
        (0.6, 1.0, 1.0, 0.3),
        (0.3, 1.0, 1.0, 0.0),
        (0.5, 1.0, 9.0, 0.0),
        (1.4, 1.0, 9.0, 0.7),
        (1.4, 1.0, 1.0, 0.7),
        (1.0, 1.0, 0.0, 0.5),
    ],
)
def test_rule_passes_with_the_declared_power(limit, first, second, alternative):
    n = units_needed_difference(limit, first, second, alternative=alternative)
    gap, half = normal_gaps(n, first, second, alternative)
    passes = np.abs(gap) + half(0.95) < limit
    assert passes.mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("effect", "first", "second", "limit"),
    [(0.3, 1.0, 1.0, 0.0), (0.7, 1.0, 9.0, 0.0), (0.7, 1.0, 1.0, 0.2), (0.1, 0.2, 0.0, 0.0)],
)
def test_difference_is_found_with_the_declared_power(effect, first, second, limit):
    n = units_needed_to_detect(effect, first, second, limit=limit)
    gap, half = normal_gaps(n, first, second, effect)
    assert (gap - half(0.975) > limit).mean() == pytest.approx(0.8, abs=0.03)


def test_rule_on_rates_passes_with_the_declared_power():
    n = units_needed_difference(0.1, 0.3 * 0.7, 0.25 * 0.75)
    rng = np.random.default_rng(1)
    sides = []
    for rate in (0.3, 0.25):
        proportion = rng.binomial(n, rate, REPLICATES) / n
        trials = np.full(REPLICATES, float(n))
        sides.append((proportion, wilson(proportion, trials, critical(0.9))))
    low, high = mover_difference(*sides)
    assert ((high < 0.1) & (low > -0.1)).mean() == pytest.approx(0.8, abs=0.03)


def test_units_to_pass_are_the_closed_form_for_many_units():
    z = special.ndtri(0.95) + special.ndtri(0.8)
    wanted = z**2 * 0.5 / 0.005**2
    assert units_needed_difference(0.01, 0.25, 0.25) == pytest.approx(wanted, rel=1e-4)


def test_at_no_difference_both_sides_must_pass():
    z = special.ndtri(0.95) + special.ndtri(0.9)
    wanted = z**2 * 0.5 / 0.01**2
    assert units_needed_difference(0.01, 0.25, 0.25, alternative=0.0) == pytest.approx(
        wanted, rel=1e-4
    )


@pytest.mark.parametrize("effect", [0.02, 0.1, 0.3, 0.8])
def test_units_to_detect_equal_statsmodels(effect):
    wanted = tt_ind_solve_power(effect_size=effect, alpha=0.05, power=0.8)
    assert units_needed_to_detect(effect, 1.0, 1.0) == pytest.approx(np.ceil(wanted), abs=1)


def test_half_of_the_limit_is_the_default_alternative():
    assert units_needed_difference(0.2, 1.0, 2.0) == units_needed_difference(
        0.2, 1.0, 2.0, alternative=0.1
    )


@pytest.mark.parametrize("alternative", [0.1, 0.2])
def test_no_number_of_units_passes_a_rule_that_does_not_hold(alternative):
    assert units_needed_difference(0.1, 1.0, 1.0, alternative=alternative) == np.inf


def test_no_number_of_units_finds_a_difference_that_is_allowed():
    assert units_needed_to_detect(0.1, 1.0, 1.0, limit=0.1) == np.inf


def test_units_are_whole_and_two_or_more():
    assert units_needed_difference(0.1, 0.0, 0.0) == 2
    assert isinstance(units_needed_difference(0.1, 0.1, 0.2), int)
    assert isinstance(units_needed_to_detect(0.1, 0.1, 0.2), int)


def test_more_power_and_a_higher_level_take_more_units():
    base = units_needed_difference(0.1, 0.2, 0.2)
    assert units_needed_difference(0.1, 0.2, 0.2, power=0.9) > base
    assert units_needed_difference(0.1, 0.2, 0.2, level=0.99) > base


@pytest.mark.parametrize(("gap", "variance"), [(0.05, 0.05), (0.02, 0.21), (0.3, 1.0)])
def test_units_for_a_limit_are_those_of_a_one_sided_t_test(gap, variance):
    wanted = TTestPower().solve_power(gap / variance**0.5, alpha=0.05, power=0.8)
    one_sided = TTestPower().solve_power(
        gap / variance**0.5, alpha=0.05, power=0.8, alternative="larger"
    )
    assert one_sided < wanted
    assert units_needed_limit(0.5, 0.5 + gap, variance) == pytest.approx(one_sided, abs=1.5)
