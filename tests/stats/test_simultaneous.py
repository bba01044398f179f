"""Critical values for all pairs at once, against Tukey's studentised range and Bonferroni."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from scipy.stats import studentized_range  # noqa: TID251 - the oracle, in a test only

from evenhand.stats.interval import critical
from evenhand.stats.simultaneous import max_t_critical, student


def equal(groups, level=0.95, seed=1):
    rng = np.random.default_rng(seed)
    return max_t_critical(np.ones(groups), np.eye(groups), level, rng)


def test_one_pair_needs_no_adjustment():
    value, name = equal(2)
    assert value == critical(0.95)
    assert name == ""


# 20,000 draws give the 95 % quantile to about .012 (one standard error); 4 of them are allowed.
@pytest.mark.parametrize("groups", [3, 4, 8, 20])
def test_equal_variances_give_the_studentised_range(groups):
    value, _ = equal(groups)
    wanted = studentized_range.ppf(0.95, groups, 1e6) / np.sqrt(2)
    assert value == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize("df", [1, 3, 12, 120])
def test_student_keeps_the_tail(df):
    crit = student(2.5, np.array([df, np.inf]))
    assert 1 - special.stdtr(df, crit[0]) == pytest.approx(1 - special.ndtr(2.5))
    assert crit[1] == 2.5


def test_same_seed_gives_the_same_value():
    assert equal(5) == equal(5)
    assert equal(5, seed=2)[0] != equal(5)[0]


def test_full_correlation_of_all_but_one_leaves_one_pair():
    correlation = np.ones((3, 3))
    correlation[2, :2] = correlation[:2, 2] = 0.0
    value, _ = max_t_critical(np.ones(3), correlation, 0.95, np.random.default_rng(1))
    assert value == pytest.approx(critical(0.95), abs=0.06)


def test_very_many_groups_fall_back_to_bonferroni():
    value, name = equal(400)
    pairs = 400 * 399 // 2
    assert name == f"Bonferroni over {pairs} pairs"
    assert 2 * (1 - special.ndtr(value)) * pairs == pytest.approx(0.05)


def test_high_levels_fall_back_before_draws_run_out():
    assert equal(10, level=0.9999)[1] == "Bonferroni over 45 pairs"
    assert equal(10, level=0.99)[1] == "max-T over 45 pairs"
