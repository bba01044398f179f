"""Effect sizes of drift against SciPy, and how often their intervals cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from scipy.stats import ks_2samp, wasserstein_distance  # noqa: TID251 - oracles, in a test only

from evenhand.stats.estimate import Undefined
from evenhand.stats.shift import number_shifts, share_shift, table_by_unit
from looks import settled

RUNS = 200
LOWEST = special.bdtrik(1e-4, RUNS, 0.935) / RUNS
"""A method that covers .935 is below this with a chance of 1e-4."""


def shifts(one, other, unit=None, seed=1):
    values, code = np.unique(np.concatenate((one, other)), return_inverse=True)
    second = np.arange(len(code)) >= len(one)
    rng = np.random.default_rng(seed)
    return number_shifts(values, code, second, unit=unit, level=0.95, rng=rng)


def pooled(one, other):
    squares = ((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()
    return np.sqrt(squares / (len(one) + len(other) - 2))


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e-6])
def test_distances_are_scipys_and_wassersteins_is_in_pooled_deviations(scale):
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=80) * scale, rng.normal(0.4, 1.3, size=60) * scale
    largest, moved = shifts(one, other)
    assert largest.value == pytest.approx(ks_2samp(one, other).statistic)
    expected = wasserstein_distance(one, other) / pooled(one, other)
    assert moved.value == pytest.approx(expected)
    assert largest.low <= largest.value <= largest.high


def test_times_far_from_zero_are_not_rounded_away():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=200), rng.normal(0.5, size=200)
    near, far = shifts(one, other)[1], shifts(one + 1.7e9, other + 1.7e9)[1]
    assert far.value == pytest.approx(near.value, rel=1e-5)


def test_distances_of_units_are_those_of_their_rows_with_wider_intervals():
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(120), 10)
    value = np.repeat(rng.normal(size=120), 10) + 0.1 * rng.normal(size=1200)
    one, other = value[:600], value[600:]
    rows, units = shifts(one, other), shifts(one, other, unit)
    for single, clustered in zip(rows, units, strict=True):
        assert clustered.value == single.value
        assert clustered.high - clustered.value > 1.5 * (single.high - single.value)


def test_infinite_and_constant_values_have_no_wasserstein_distance():
    largest, moved = shifts(np.array([0.0, 1.0, np.inf]), np.array([0.0, 2.0, 3.0]))
    assert largest.value == pytest.approx(1 / 3)
    assert isinstance(moved, Undefined)
    _, constant = shifts(np.zeros(5), np.ones(5))
    assert isinstance(constant, Undefined)


def test_total_variation_is_half_the_sum_of_differences_of_shares():
    code = np.array([0, 0, 1, 1, 0, 1, 2, 2])
    second = np.arange(8) >= 4
    found = share_shift(code, 3, second, unit=None, level=0.95, rng=np.random.default_rng(1))
    assert found.value == pytest.approx((0.25 + 0.25 + 0.5) / 2)


def test_counts_by_bucket_add_up_to_those_of_the_samples():
    rng = np.random.default_rng(1)
    code, second = rng.integers(0, 5, 900), rng.random(900) < 0.3
    unit = rng.integers(0, 300, 900)
    whole = table_by_unit(code, 5, second, None, rng)
    buckets = table_by_unit(code, 5, second, unit, rng)
    assert buckets.shape == (200, 2, 5)
    assert (buckets.sum(axis=0) == whole).all()


@pytest.mark.slow
@pytest.mark.parametrize("moved", [0.0, 0.3, 1.0])
def test_intervals_of_numbers_cover_the_true_distances(moved):
    hits = np.zeros(2)
    for seed in range(RUNS):
        rng = np.random.default_rng([seed, 7])
        found = shifts(rng.normal(size=300), rng.normal(moved, size=200), seed=seed)
        truths = (2 * special.ndtr(moved / 2) - 1, moved)
        hits += [one.low <= true <= one.high for one, true in zip(found, truths, strict=True)]
        if settled(hits.min() / (seed + 1), seed + 1, RUNS, least=LOWEST):
            break
    assert (hits / (seed + 1) >= LOWEST).all()


@pytest.mark.slow
@pytest.mark.parametrize("moved", [0.0, 0.5])
def test_intervals_of_units_cover_the_true_distances(moved):
    hits = np.zeros(2)
    for seed in range(RUNS):
        rng = np.random.default_rng([seed, 8])
        unit = np.repeat(np.arange(160), 6)
        value = np.repeat(rng.normal(size=160), 6) * np.sqrt(0.8)
        value = value + np.sqrt(0.2) * rng.normal(size=960) + moved * (unit >= 80)
        found = shifts(value[:480], value[480:], unit, seed=seed)
        truths = (2 * special.ndtr(moved / 2) - 1, moved)
        hits += [one.low <= true <= one.high for one, true in zip(found, truths, strict=True)]
        if settled(hits.min() / (seed + 1), seed + 1, RUNS, least=LOWEST):
            break
    assert (hits / (seed + 1) >= LOWEST).all()


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.35, 0.35, 0.3)])
def test_intervals_of_shares_cover_the_true_distance(shares):
    before, hits = np.array([0.5, 0.3, 0.2]), 0
    truth = np.abs(before - shares).sum() / 2
    for seed in range(RUNS):
        rng = np.random.default_rng([seed, 9])
        code = np.concatenate((rng.choice(3, 250, p=before), rng.choice(3, 150, p=shares)))
        found = share_shift(code, 3, np.arange(400) >= 250, unit=None, level=0.95, rng=rng)
        hits += found.low <= truth <= found.high
    assert hits / RUNS >= LOWEST
