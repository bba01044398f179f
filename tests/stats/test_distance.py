"""Distances of distributions and ROC curves, and how often their intervals cover the truth.

A simulation of 300 data sets of a method that truly covers .935 fails with the chance _FALSE; the
seeds are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import special
from scipy.stats import ks_2samp, wasserstein_distance  # noqa: TID251 - the oracles, in a test only

from evenhand.stats.distance import (
    abroca_pairs,
    kolmogorov_smirnov,
    kolmogorov_smirnov_pairs,
    norm_intervals,
    resample,
    wasserstein,
    wasserstein_pairs,
)
from evenhand.stats.roc import abroca
from looks import settled

CELLS = 60
SCORES = (np.arange(CELLS) + 0.5) / CELLS
SETS = 300
_FALSE = 1e-4
LOWEST = special.bdtrik(_FALSE, SETS, 0.935) / SETS


def shape(mean, spread=0.2):
    """Return a distribution over the scores with about this mean."""
    mass = np.exp(-(((SCORES - mean) / spread) ** 2) / 2)
    return mass / mass.sum()


def of_pairs(name, counts, level=0.95, seed=1, scores=SCORES):
    rng = np.random.default_rng(seed)
    if name == "ks":
        return kolmogorov_smirnov_pairs(scores, counts, level, rng)
    if name == "wasserstein":
        return wasserstein_pairs(scores, counts, level, rng, span=1.0)
    half = counts.shape[-2] // 2
    return abroca_pairs(scores, counts[..., :half, :], counts[..., half:, :], level, rng)


def truth(name, masses):
    """Return the distance of the first two groups of the population."""
    if name == "ks":
        return kolmogorov_smirnov(masses[0], masses[1])
    if name == "wasserstein":
        return wasserstein(SCORES, masses[0], masses[1])
    half = len(masses) // 2
    return abroca(masses[0], masses[half], masses[1], masses[half + 1])


# Values


@pytest.mark.parametrize("seed", range(4))
def test_distances_are_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.5, 3, (3, CELLS)))
    rows = [np.repeat(SCORES, part) for part in counts]
    pairs = [(0, 1), (0, 2), (1, 2)]
    largest = kolmogorov_smirnov_pairs(SCORES, counts, 0.95, rng, replicates=20)
    wanted = [ks_2samp(rows[i], rows[j], method="asymp").statistic for i, j in pairs]
    assert largest.value == pytest.approx(wanted, abs=1e-14)
    moved = wasserstein_pairs(SCORES, counts, 0.95, rng, replicates=20)
    wanted = [wasserstein_distance(rows[i], rows[j]) for i, j in pairs]
    assert moved.value == pytest.approx(wanted, abs=1e-14)


def test_distances_take_weights():
    light, heavy = np.array([0.5, 1.5]), np.array([3.0, 1.0])
    assert kolmogorov_smirnov(light, heavy) == 0.5
    assert wasserstein(np.array([0.2, 0.6]), light, heavy) == pytest.approx(0.2)


def test_area_of_pairs_is_exact_whatever_the_grid():
    rng = np.random.default_rng(5)
    positives, negatives = rng.poisson(2, (2, 3, CELLS))
    pairs = abroca_pairs(SCORES, positives, negatives, 0.95, rng, replicates=20)
    wanted = [
        float(abroca(positives[i], negatives[i], positives[j], negatives[j]))
        for i, j in zip(pairs.first, pairs.second, strict=True)
    ]
    assert pairs.value == pytest.approx(wanted, abs=1e-15)


# Limits


@pytest.mark.parametrize("name", ["ks", "wasserstein", "abroca"])
def test_limits_lie_about_the_value(name):
    counts = np.random.default_rng(6).multinomial(200, shape(0.5), 4)
    pairs = of_pairs(name, counts)
    assert (pairs.limits.low <= pairs.value).all()
    assert (pairs.value < pairs.limits.high).all()
    again = of_pairs(name, counts)
    assert np.array_equal(pairs.limits, again.limits)


@pytest.mark.parametrize("name", ["ks", "wasserstein", "abroca"])
def test_more_rows_narrow_the_interval(name):
    counts = np.random.default_rng(7).multinomial(200, shape(0.5), 4)
    few, many = of_pairs(name, counts), of_pairs(name, 16 * counts)
    width = [pairs.limits.high[0] - pairs.value[0] for pairs in (few, many)]
    assert width[0] / width[1] == pytest.approx(4, rel=0.3)


@pytest.mark.parametrize("name", ["ks", "wasserstein"])
def test_many_scores_are_merged_for_the_bootstrap_alone(name):
    scores = (np.arange(60_000) + 0.5) / 60_000
    counts = np.random.default_rng(8).multinomial(3000, np.full(60_000, 1 / 60_000), 2)
    fine = of_pairs(name, counts, scores=scores)
    coarse = of_pairs(name, counts.reshape(2, 400, 150).sum(axis=2), scores=scores[75::150])
    assert fine.value[0] == (
        kolmogorov_smirnov(*counts) if name == "ks" else wasserstein(scores, *counts)
    )
    reach = [pairs.limits.high[0] - pairs.value[0] for pairs in (fine, coarse)]
    assert reach[0] == pytest.approx(reach[1], rel=0.15)


def test_a_group_without_rows_is_undefined_and_leaves_the_others_alone():
    counts = np.random.default_rng(9).multinomial(200, shape(0.5), 3)
    counts[1] = 0
    for name in ("ks", "wasserstein"):
        pairs = of_pairs(name, counts)
        assert np.isnan(pairs.value).tolist() == [True, False, True]
        assert np.isnan(pairs.limits.high).tolist() == [True, False, True]
        assert pairs.limits.high[1] < 0.5


def test_a_single_row_or_unit_tells_nothing():
    counts = np.zeros((2, CELLS))
    counts[0, 5], counts[1, 20:40] = 1, 10
    for name in ("ks", "wasserstein"):
        low, high = of_pairs(name, counts).limits
        assert (low, high) == (0, 1)
        low, high = of_pairs(name, 30 * counts[None]).limits
        assert (low, high) == (0, 1)


def test_groups_that_do_not_vary_may_hide_what_their_rows_missed():
    # 20 rows of one score each: a share of 1 - .05 ** (1 / 20) may lie elsewhere.
    counts = np.zeros((2, CELLS))
    counts[:, 30] = 20
    pairs = of_pairs("ks", counts)
    assert pairs.value == 0
    assert pairs.limits.high == pytest.approx(2 * (1 - 0.05 ** (1 / 20)))


def test_one_group_has_no_pairs():
    pairs = of_pairs("ks", np.ones((1, CELLS)))
    assert len(pairs.value) == len(pairs.limits.low) == 0


def test_sums_of_weights_need_buckets():
    with pytest.raises(ValueError, match="by bucket"):
        of_pairs("ks", np.full((2, CELLS), 0.5))
    assert of_pairs("ks", np.full((9, 2, CELLS), 0.5)).value == 0


def test_resampled_groups_keep_their_rows():
    counts = np.random.default_rng(10).poisson(3, (4, CELLS))
    for part in resample(counts, 5, np.random.default_rng(1)):
        assert (part.sum(axis=-1) == counts.sum(axis=-1)).all()


def test_resampled_buckets_keep_their_groups_together():
    counts = np.zeros((6, 2, 4))
    counts[:, 0, 1] = counts[:, 1, 2] = np.arange(6)
    for part in resample(counts, 5, np.random.default_rng(1)):
        assert (part[:, 0, 1] == part[:, 1, 2]).all()


@pytest.mark.parametrize("buckets", [False, True])
def test_samples_come_in_parts_that_fit_in_memory(monkeypatch, buckets):
    counts = np.ones((7, 4, CELLS) if buckets else (4, CELLS))
    monkeypatch.setattr("evenhand.stats.distance._CELLS_AT_ONCE", 9 * CELLS)
    parts = list(resample(counts, 5, np.random.default_rng(1)))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert all(part.shape[1:] == (4, CELLS) for part in parts)


def test_groups_take_the_place_of_too_many_pairs(monkeypatch):
    counts = np.random.default_rng(11).multinomial(300, shape(0.5), 5)
    by_pair = of_pairs("ks", counts)
    monkeypatch.setattr("evenhand.stats.distance._MOST_WORK", 1)
    by_group = of_pairs("ks", counts)
    assert by_pair.method.endswith("max-T over 10 pairs")
    assert by_group.method.endswith("max-T over 5 groups")
    assert np.array_equal(by_group.value, by_pair.value)
    assert (by_group.limits.high > by_pair.limits.high).all()
    assert (by_group.limits.high - by_group.value < 2 * (by_pair.limits.high - by_pair.value)).all()


def test_norm_intervals_take_any_curves():
    # One point, norm |.|: the interval of a difference of means, unsigned.
    rng = np.random.default_rng(12)
    samples = rng.normal([[0.0], [1.0]], 0.1, (4000, 2, 1))
    pairs = norm_intervals(
        np.array([1.0]),
        np.array([[0.0], [1.0]]),
        [samples],
        norm=lambda gap: np.abs(gap).max(axis=-1),
        trials=np.array([1e6, 1e6]),
        level=0.95,
        most=5.0,
    )
    half = 1.959964 * 0.1 * np.sqrt(2)
    assert pairs.limits.low[0] == pytest.approx(1 - half, rel=0.02)
    assert pairs.limits.high[0] == pytest.approx(1 + half, rel=0.02)


# Coverage


@dataclass(frozen=True)
class Situation:
    """Mean scores and sizes of two groups; positives of each score .2 higher than negatives."""

    means: tuple[float, float]
    rows: tuple[int, int]
    units: int = 0
    spread: float = 0.2

    def masses(self, name, shift=0.0):
        if name == "abroca":
            # The second group's positives are ranked worse by the gap of the two means.
            gap = self.means[1] - self.means[0]
            middles = [0.6, 0.6 - gap, 0.4, 0.4]
        else:
            middles = self.means
        return np.array([shape(middle + shift, self.spread) for middle in middles])

    def sizes(self, name):
        return np.array(self.rows if name != "abroca" else [part // 2 for part in 2 * self.rows])


SHIFTS = np.array([-0.15, 0.0, 0.15])


def coverage(name, situation, seed):
    """Return the share of data sets whose interval of the first pair holds the truth."""
    rng = np.random.default_rng(seed)
    sizes = situation.sizes(name)
    if situation.units:
        kinds = np.array([situation.masses(name, shift) for shift in SHIFTS])
        masses = kinds.mean(axis=0)
    else:
        masses = situation.masses(name)
    wanted = truth(name, masses)
    held = 0
    for index in range(SETS):
        if situation.units:
            kind = rng.integers(len(SHIFTS), size=situation.units)
            rows = rng.poisson(sizes / situation.units, (situation.units, len(sizes)))
            counts = rng.multinomial(rows, kinds[kind])
        else:
            counts = rng.multinomial(sizes, masses)
        pairs = of_pairs(name, counts, seed=index)
        held += pairs.limits.low[0] <= wanted <= pairs.limits.high[0]
        if settled(held / (index + 1), index + 1, SETS, least=LOWEST):
            break
    return held / (index + 1)


SITUATIONS = {
    "alike": Situation((0.5, 0.5), (150, 150)),
    "alike, unequal sizes": Situation((0.5, 0.5), (30, 1500)),
    "near": Situation((0.5, 0.55), (200, 100)),
    "apart": Situation((0.4, 0.7), (60, 300)),
    "alike, rough scores": Situation((0.5, 0.5), (100, 100), spread=0.01),
    "alike, 40 units": Situation((0.5, 0.5), (400, 400), units=40),
    "alike, 12 units": Situation((0.5, 0.5), (240, 240), units=12),
    "apart, 40 units": Situation((0.45, 0.6), (600, 200), units=40),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ks", "wasserstein", "abroca"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_interval_covers_the_distance(name, situation):
    assert coverage(name, SITUATIONS[situation], seed=1) >= LOWEST


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ks", "wasserstein"])
def test_limits_of_all_pairs_hold_together(name):
    masses = np.array([shape(mean) for mean in (0.5, 0.5, 0.5, 0.5, 0.6)])
    sizes = np.array([400, 100, 50, 200, 100])
    rng = np.random.default_rng(13)
    exact = [truth(name, masses[[i, j]]) for i, j in zip(*np.triu_indices(5, k=1), strict=True)]
    held = 0
    for index in range(SETS):
        low, high = of_pairs(name, rng.multinomial(sizes, masses), seed=index).limits
        held += ((low <= exact) & (exact <= high)).all()
        if settled(held / (index + 1), index + 1, SETS, least=LOWEST):
            break
    assert held / (index + 1) >= LOWEST
