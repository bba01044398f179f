"""Closed-form intervals against statsmodels and hand computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from evenhand.stats.interval import Limits, critical, mover_difference, wilson

COUNTS = [(0, 10), (1, 10), (10, 10), (805, 1795), (349, 1488), (3, 7)]


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_critical_value_cuts_the_normal_and_the_t_tails(level):
    assert special.ndtr(critical(level)) == pytest.approx((1 + level) / 2)
    assert special.stdtr(7, critical(level, 7)) == pytest.approx((1 + level) / 2)


@pytest.mark.parametrize(("count", "n"), COUNTS)
def test_wilson_equals_statsmodels(count, n):
    low, high = wilson(np.array([count / n]), np.array([float(n)]), critical(0.95))
    wanted = proportion_confint(count, n, method="wilson")
    assert (low[0], high[0]) == pytest.approx(wanted, abs=1e-12)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_stays_in_the_unit_interval_and_holds_the_value(case):
    count, n = case
    low, high = wilson(np.array([count / n]), np.array([float(n)]), critical(0.95))
    assert 0 <= low[0] <= count / n <= high[0] <= 1


def test_wilson_of_nothing_in_ten_rows_is_the_closed_form():
    low, high = wilson(np.array([0.0]), np.array([10.0]), critical(0.95))
    z = special.ndtri(0.975) ** 2
    assert low[0] == 0
    assert high[0] == pytest.approx(z / (10 + z))


@pytest.mark.parametrize("first", COUNTS)
@pytest.mark.parametrize("second", COUNTS)
def test_difference_of_wilson_intervals_is_newcombe_of_statsmodels(first, second):
    def side(count, n):
        value = np.array([count / n])
        return value, wilson(value, np.array([float(n)]), critical(0.95))

    low, high = mover_difference(side(*first), side(*second))
    wanted = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert (low[0], high[0]) == pytest.approx(wanted, abs=1e-12)


def test_difference_of_fully_correlated_equal_intervals_is_a_point():
    side = np.array([0.5]), Limits(np.array([0.4]), np.array([0.6]))
    low, high = mover_difference(side, side, correlation=1.0)
    assert (low[0], high[0]) == pytest.approx((0, 0))


def test_difference_is_antisymmetric():
    first = np.array([0.3]), Limits(np.array([0.2]), np.array([0.45]))
    second = np.array([0.6]), Limits(np.array([0.5]), np.array([0.65]))
    forth, back = mover_difference(first, second, 0.2), mover_difference(second, first, 0.2)
    assert forth.low[0] == pytest.approx(-back.high[0])
    assert forth.high[0] == pytest.approx(-back.low[0])
