"""FA*IR's table, adjusted level and failure probability: all 2^k rankings, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from evenhand.mitigations.fair_topk import FAStarIR

ALPHA = Fraction(1, 10)


def cdf(tau, size, p):
    return sum(comb(size, j) * p**j * (1 - p) ** (size - j) for j in range(tau + 1))


def table_at(level, k, cdfs):
    """m(i), the smallest tau with F(tau; i, p) > level."""
    return [
        next(tau for tau in range(size + 1) if cdfs[size, tau] > level) for size in range(1, k + 1)
    ]


def failure_of(table, p):
    """The chance that a ranking by the toss of coins fails, over all rankings, each looked at."""
    k = len(table)
    rankings = np.arange(2**k, dtype=np.uint32)
    held, failed = np.zeros(2**k, np.uint8), np.zeros(2**k, bool)
    for place, least in enumerate(table):
        held += ((rankings >> np.uint32(place)) & 1).astype(np.uint8)
        failed |= held < least
    by_count = np.bincount(held[failed], minlength=k + 1).tolist()
    return sum(count * p**j * (1 - p) ** (k - j) for j, count in enumerate(by_count))


def assert_adjusted(p, k):
    """Every level at which the table changes, from alpha down to the first that is sound."""
    cdfs = {(n, tau): cdf(tau, n, p) for n in range(1, k + 1) for tau in range(n + 1)}
    levels = sorted({level for level in cdfs.values() if level <= ALPHA}, reverse=True)
    found = FAStarIR("f", float(p), float(ALPHA)).test(k)
    for level in [*levels, Fraction(0)]:
        table = table_at(level, k, cdfs)
        failure = failure_of(table, p)
        if failure <= ALPHA:
            break
    assert list(found.minimum) == table
    assert found.level == pytest.approx(float(level), rel=1e-9)
    assert found.failure == pytest.approx(float(failure), abs=1e-12)
    every = FAStarIR("f", float(p), float(ALPHA), adjusted=False).test(k)
    table = table_at(ALPHA, k, cdfs)
    assert list(every.minimum) == table
    assert every.failure == pytest.approx(float(failure_of(table, p)), abs=1e-12)


SHARES = [Fraction(1, 2), Fraction(3, 10), Fraction(7, 10)]


@pytest.mark.parametrize("p", SHARES)
@pytest.mark.parametrize("k", range(1, 13))
def test_the_test_is_that_of_all_rankings(k, p):
    assert_adjusted(p, k)


@pytest.mark.slow
@pytest.mark.parametrize("p", SHARES)
@pytest.mark.parametrize("k", range(13, 21))
def test_the_test_of_more_slots_is_that_of_all_rankings(k, p):
    assert_adjusted(p, k)


@pytest.mark.parametrize(
    ("k", "failure"),
    [(7, 0.09375), (10, 0.12891), (40, 0.25959), (100, 0.34156), (1000, 0.51761)],
)
def test_the_chance_of_the_unadjusted_test_counts_the_last_slot(k, failure):
    # fairsearchcore leaves it out where the last requirement begins there: .0625 for 7.
    found = FAStarIR("f", 0.5, adjusted=False).test(k)
    assert found.failure == pytest.approx(failure, abs=5e-6)


def test_the_table_of_ten_is_the_published_one():
    assert FAStarIR("f", 0.5, adjusted=False).test(10).minimum == (0, 0, 0, 1, 1, 1, 2, 2, 3, 3)
    found = FAStarIR("f", 0.5).test(10)
    assert found.minimum == (0, 0, 0, 0, 1, 1, 1, 2, 2, 3)
    assert (found.level, found.below) == pytest.approx((0.0546875, 0.0625))
    assert found.failure == 0.0751953125
