"""How many rows carry a mean, beside scipy's skewness and plain counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # noqa: TID251 - an oracle

from evenhand.stats.carried import Moments


def moments(values):
    powers = np.array([[np.sum(values**of)] for of in range(4)])
    number = np.array([float(len(values))])
    return Moments(np.abs(values).sum(keepdims=True), powers, powers[1] / number, number)


@pytest.mark.parametrize("few", [1, 5, 20])
@pytest.mark.parametrize(("one", "other"), [(0.0, 0.3), (0.3, 0.0), (0.3, 0.4), (-1.0, 0.0)])
def test_of_two_values_the_rarer_carries_the_mean(few, one, other):
    values = np.full(2000, one)
    values[:few] = other
    # k / (1 - k / n)^2 up to terms of the second order.
    assert moments(values).carrying()[0] == pytest.approx(few, rel=0.05)


@pytest.mark.parametrize("shift", [0.0, 5.0, 300.0])
def test_it_is_rows_over_the_squared_skewness_wherever_the_values_lie(shift):
    values = np.random.default_rng(0).lognormal(sigma=1.5, size=400)
    wanted = 400 / stats.skew(values) ** 2
    if not shift:
        wanted = min(wanted, values.sum() ** 2 / np.square(values).sum())
    assert moments(values + shift).carrying()[0] == pytest.approx(wanted, rel=1e-6)


def test_few_changes_of_either_sign_carry_little_though_they_are_not_skew():
    values = np.zeros(500)
    values[:2] = [0.5, -0.5]
    assert moments(values).carrying()[0] == pytest.approx(2)


def test_what_differs_by_rounding_is_alike_and_all_carry_it():
    values = 1e3 + np.random.default_rng(0).normal(size=200) * 1e-12
    assert moments(values).alike[0]
    assert moments(values).carrying()[0] == 200
    # More than rounding, but too little to tell how skew it is.
    near = moments(1e3 + np.random.default_rng(0).normal(size=200) * 1e-3)
    assert not near.alike[0]
    assert near.carrying()[0] == pytest.approx(200)
