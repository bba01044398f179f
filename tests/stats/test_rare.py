"""Rows that were not seen, beside central moments of scipy's and limits of Poisson counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # noqa: TID251 - an oracle

from evenhand.stats.rare import Moments, unseen


def moments(values):
    powers = np.array([[np.sum(values**of)] for of in range(5)])
    number = np.array([float(len(values))])
    return Moments(powers, powers[1] / number, number)


@pytest.mark.parametrize("shift", [0.0, 5.0, 300.0])
def test_the_size_is_the_root_of_the_fourth_moment_over_the_second_wherever_values_lie(shift):
    values = np.random.default_rng(0).lognormal(sigma=1.5, size=400)
    wanted = np.sqrt(stats.moment(values, 4) / stats.moment(values, 2))
    assert moments(values + shift).size()[0] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("few", [1, 5, 20])
def test_of_two_values_it_is_nearly_how_far_the_rarer_is_from_the_other(few):
    values = np.full(2000, 0.1)
    values[:few] = 0.4
    assert moments(values).size()[0] == pytest.approx(0.3, rel=0.02)


def test_what_differs_by_rounding_is_alike():
    normal = np.random.default_rng(0).normal(size=200)
    same = moments(1e3 + normal * 1e-12)
    assert same.alike[0]
    assert same.size()[0] == 0
    # Of the fourth powers nothing is left, of the squares something.
    near = moments(1e3 + normal * 1e-2)
    assert not near.alike[0]
    assert near.size()[0] == pytest.approx(1e-2 * normal.std(), rel=1e-4)


def test_with_what_was_seen_limits_are_those_of_counts():
    # Of n rows that are 0 but for a count of ones, n large: the count's limits, beside Poisson's.
    rows = np.array([1e6])
    for count in range(1, 30):
        off = 1.96 * np.sqrt(count + unseen(1.0, rows)[0] * 1e12)
        # An exact upper limit errs by 2.5 % at most; this one by 6.1 %, without it by 13 %.
        assert stats.poisson.cdf(count, count + off) < 0.061
    assert 1.96 * np.sqrt(unseen(1.0, rows)[0]) * 1e6 == pytest.approx(3, rel=0.03)
