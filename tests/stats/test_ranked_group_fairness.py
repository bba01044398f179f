"""The FA*IR table against goldens and against all 2^k rankings, in exact arithmetic."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from evenhand.stats.ranked_group_fairness import (
    failure_probability,
    minimum_counts,
    prefix_test,
)


def exact_cdf(tau, size, p):
    return sum(comb(size, j) * p**j * (1 - p) ** (size - j) for j in range(tau + 1))


def exact_table(p, level, k):
    """m(i), the smallest tau with F(tau; i, p) > level."""
    return [
        next(tau for tau in range(size + 1) if exact_cdf(tau, size, p) > level)
        for size in range(1, k + 1)
    ]


def enumerated_failure(table, p):
    """The chance over all 2^k rankings, each listed."""
    k, failed = len(table), Fraction(0)
    for ranking in itertools.product((0, 1), repeat=k):
        tau = 0
        for place, protected in enumerate(ranking):
            tau += protected
            if tau < table[place]:
                failed += p ** sum(ranking) * (1 - p) ** (k - sum(ranking))
                break
    return failed


def enumerated_test(p, alpha, k):
    """Every level there is, tried from the largest down."""
    levels = {exact_cdf(tau, size, p) for size in range(1, k + 1) for tau in range(size)}
    for level in sorted((one for one in levels if one <= alpha), reverse=True):
        table = exact_table(p, level, k)
        failure = enumerated_failure(table, p)
        if failure <= alpha:
            return level, table, failure
    return Fraction(0), [0] * k, Fraction(0)


@pytest.mark.parametrize(
    ("k", "failure"),
    [(7, 0.09375), (10, 0.12891), (40, 0.25959), (100, 0.34156), (1000, 0.51761)],
)
def test_failure_of_the_unadjusted_table_is_the_golden_one(k, failure):
    found = prefix_test(0.5, 0.1, k, adjusted=False)
    assert found.failure == pytest.approx(failure, abs=5e-6)
    assert found.level == 0.1


def test_tables_of_ten_are_the_golden_ones():
    assert minimum_counts(0.5, 0.1, 10).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]
    found = prefix_test(0.5, 0.1, 10)
    assert found.minimum == (0, 0, 0, 0, 1, 1, 1, 2, 2, 3)
    assert found.failure == 0.0751953125
    assert found.level == pytest.approx(0.0546875)
    assert found.below == pytest.approx(0.0625)


@pytest.mark.parametrize("level", [0.0547, 0.058, 0.0624])
def test_any_level_of_the_golden_interval_gives_the_golden_table(level):
    assert minimum_counts(0.5, level, 10).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]


def test_a_level_that_equals_a_value_of_the_cdf_is_not_above_it():
    # F(0; 4, 1/2) = 1/16: the prefix of four without anybody fails at that level, not below it.
    assert minimum_counts(0.5, 0.0625, 4).tolist() == [0, 0, 0, 1]
    assert minimum_counts(0.5, 0.0624, 4).tolist() == [0, 0, 0, 0]
    # F(0; 2, 0.7) = 0.3^2 is no double.
    assert minimum_counts(0.7, 0.09, 2).tolist() == [0, 1]


SHARES = [Fraction(1, 2), Fraction(3, 10), Fraction(1, 5), Fraction(9, 10)]


def same_as_enumeration(p, alpha, k):
    level, table, failure = enumerated_test(p, alpha, k)
    found = prefix_test(float(p), float(alpha), k)
    assert list(found.minimum) == table
    assert found.failure == pytest.approx(float(failure), abs=1e-12)
    assert found.level == pytest.approx(float(level), rel=1e-9)


@pytest.mark.parametrize("k", range(1, 11))
@pytest.mark.parametrize("p", SHARES)
def test_the_adjusted_test_is_the_best_of_all_levels_by_enumeration(p, k):
    same_as_enumeration(p, Fraction(1, 10), k)


@pytest.mark.parametrize("k", range(1, 16))
def test_failure_equals_that_of_all_rankings(k):
    table = exact_table(Fraction(2, 5), Fraction(1, 10), k)
    exact = enumerated_failure(table, Fraction(2, 5))
    assert failure_probability(np.array(table), 0.4) == pytest.approx(float(exact), abs=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("k", [16, 18, 20])
def test_failure_equals_that_of_all_longer_rankings(k):
    table = exact_table(Fraction(1, 2), Fraction(1, 10), k)
    exact = enumerated_failure(table, Fraction(1, 2))
    assert failure_probability(np.array(table), 0.5) == pytest.approx(float(exact), abs=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [Fraction(1, 100), Fraction(1, 20), Fraction(1, 4)])
@pytest.mark.parametrize("p", SHARES)
def test_other_alphas_are_adjusted_as_by_enumeration(p, alpha):
    for k in range(1, 13):
        same_as_enumeration(p, alpha, k)


@pytest.mark.parametrize("k", [30, 200])
def test_no_larger_level_would_do(k):
    found = prefix_test(0.4, 0.1, k)
    assert found.failure <= 0.1
    assert failure_probability(minimum_counts(0.4, found.below, k), 0.4) > 0.1


def test_where_no_level_is_low_enough_nothing_is_asked():
    found = prefix_test(0.5, 1e-9, 10)
    assert (found.minimum, found.level, found.failure) == ((0,) * 10, 0.0, 0.0)
