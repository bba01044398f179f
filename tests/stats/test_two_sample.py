"""Two-sample tests against SciPy, against enumeration, and by how often they raise false alarms."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import (  # noqa: TID251 - the oracles, in a test only
    chi2_contingency,
    ks_2samp,
    mannwhitneyu,
)

from evenhand.stats.multiplicity import benjamini_hochberg
from evenhand.stats.two_sample import (
    area_of,
    chi_squared_p_value,
    distance_of,
    homogeneity,
    homogeneity_of,
    kolmogorov_smirnov_p_value,
    least_distance,
    unit_p_value,
)
from looks import settled


def counted(one, other):
    values = np.unique(np.concatenate((one, other)))
    return [np.array([(part == value).sum() for value in values]) for part in (one, other)]


def ks(one, other, seed=1):
    return kolmogorov_smirnov_p_value(*counted(one, other), np.random.default_rng(seed))


# Kolmogorov-Smirnov


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (7, 9), (12, 12), (40, 25), (150, 260)])
@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_without_ties_the_p_value_is_the_exact_one_of_scipy(n, m, shift):
    rng = np.random.default_rng([n, m])
    one, other = rng.normal(size=n), rng.normal(shift, size=m)
    p, how = ks(one, other)
    assert how == "exact"
    assert p == pytest.approx(ks_2samp(one, other, method="exact").pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 1, 2, 2, 3], [2, 3, 3, 3]),
        ([0, 0, 0, 0], [0, 1, 1, 1]),
        ([1, 2, 3], [1, 2, 3, 3, 3, 3]),
        ([5, 5, 6, 7], [1, 2, 5, 5, 5]),
    ],
)
def test_with_ties_the_p_value_is_that_of_all_relabellings(one, other):
    pooled = np.array([*one, *other])
    code = np.unique(pooled, return_inverse=True)[1]
    distance = distance_of(code, code.max() + 1)
    observed = distance(np.arange(len(pooled)) >= len(one))
    extreme = []
    for chosen in combinations(range(len(pooled)), len(other)):
        second = np.isin(np.arange(len(pooled)), chosen)
        extreme.append(distance(second) >= observed - 1e-12)
    p, how = ks(np.array(one), np.array(other))
    assert how == "exact"
    assert p == pytest.approx(np.mean(extreme), rel=1e-12)


def test_ties_make_the_limit_too_large_and_tables_are_permuted_then():
    rng = np.random.default_rng(4)
    one, other = rng.binomial(1, 0.5, 5000), rng.binomial(1, 0.512, 5000)
    p, how = ks(one, other)
    table = np.stack(counted(one, other), axis=1)
    assert how == "permutation"
    # Of two values the distance is that of shares: chi-squared says the same.
    assert p == pytest.approx(chi2_contingency(table, correction=True).pvalue, abs=0.02)
    assert p < 0.5 * ks_2samp(one, other, method="asymp").pvalue


def test_large_samples_without_ties_take_the_limit():
    rng = np.random.default_rng(5)
    one, other = rng.normal(size=5000), rng.normal(0.03, size=5000)
    p, how = ks(one, other)
    assert how == "limit"
    assert p == pytest.approx(ks_2samp(one, other, method="exact").pvalue, abs=0.01)


def test_equal_samples_have_a_p_value_of_one_and_an_empty_one_has_none():
    assert ks(np.arange(5), np.arange(5)) == (1.0, "exact")
    p, _ = kolmogorov_smirnov_p_value(np.array([0, 0]), np.array([1, 2]), np.random.default_rng(1))
    assert np.isnan(p)


def test_far_apart_samples_keep_a_p_value_above_zero():
    p, _ = ks(np.arange(400), np.arange(400) + 1000)
    assert 0 < p < 1e-200


def test_the_least_distance_is_where_the_test_begins_to_reject():
    least = least_distance(1000, 1000, 0.05)
    counts = np.ones(1000, dtype=int)
    for excess, rejected in ((0.9, False), (1.1, True)):
        moved = int(least * excess * 1000)
        one = np.concatenate((counts, np.zeros(moved, dtype=int)))
        other = np.concatenate((np.zeros(moved, dtype=int), counts))
        p, _ = kolmogorov_smirnov_p_value(one, other, np.random.default_rng(1))
        assert (p <= 0.05) is rejected


# Categories


def test_large_counts_have_the_chi_squared_p_value_of_scipy():
    table = np.array([[30, 45], [61, 52], [12, 9]])
    p, how = chi_squared_p_value(table, np.random.default_rng(1))
    assert how == "limit"
    assert p == pytest.approx(chi2_contingency(table, correction=False).pvalue, rel=1e-12)


def test_small_counts_have_the_p_value_of_all_tables():
    table = np.array([[3, 0], [2, 6]])
    unit = np.repeat([0, 0, 1, 1], [3, 0, 2, 6])
    found = [
        homogeneity_of(unit, 2)(np.isin(np.arange(11), chosen))
        for chosen in combinations(range(11), 6)
    ]
    exact = np.mean(np.array(found) >= homogeneity(table) - 1e-9)
    p, how = chi_squared_p_value(table, np.random.default_rng(1), replicates=40_000)
    assert how == "permutation"
    assert p == pytest.approx(exact, abs=0.01)


def test_one_category_alone_or_an_empty_sample_has_no_p_value():
    rng = np.random.default_rng(1)
    for table in ([[5, 3], [0, 0]], [[5, 0], [3, 0]], [[0, 0]]):
        assert np.isnan(chi_squared_p_value(np.array(table), rng)[0])


# Units


def test_the_area_is_mann_whitneys():
    rng = np.random.default_rng(2)
    score = rng.integers(0, 6, 60)
    second = rng.random(60) < 0.4
    u = mannwhitneyu(score[second], score[~second]).statistic
    assert area_of(score)(second) == pytest.approx(u / (second.sum() * (~second).sum()))


def test_each_row_its_own_unit_gives_the_p_value_of_rows():
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=40), rng.normal(0.45, size=50)
    code = np.unique(np.concatenate((one, other)), return_inverse=True)[1]
    p = unit_p_value(
        distance_of(code, 90), np.arange(90), np.arange(90) >= 40, rng, replicates=4000
    )
    assert p == pytest.approx(ks(one, other)[0], abs=0.01)


def test_units_in_both_samples_swap_their_sides():
    # Six units, each higher by one in the second sample: 2 of 2^6 swaps are as extreme.
    code = np.concatenate((np.arange(6), np.arange(6) + 1)) * 1
    unit, second = np.tile(np.arange(6), 2), np.repeat([False, True], 6)
    rise = unit_p_value(
        lambda sample: abs(code[sample].mean() - code[~sample].mean()),
        unit,
        second,
        np.random.default_rng(1),
        replicates=20_000,
    )
    assert rise == pytest.approx(2 / 64, abs=0.007)


def clustered(rng, units=40, rows=10):
    """Return codes, units and samples of units whose rows are nearly alike, without drift."""
    unit = np.repeat(np.arange(units), rows)
    value = np.repeat(rng.normal(size=units), rows) + 0.2 * rng.normal(size=units * rows)
    code = np.unique(value, return_inverse=True)[1]
    return code, unit, unit >= units // 2


@pytest.mark.slow
def test_units_that_repeat_keep_the_level_where_rows_do_not():
    runs, by_unit, by_row = 300, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        code, unit, second = clustered(rng)
        by_unit += unit_p_value(distance_of(code, len(code)), unit, second, rng) <= 0.05
        counts = [np.bincount(code[part], minlength=len(code)) for part in (~second, second)]
        by_row += kolmogorov_smirnov_p_value(*counts, rng)[0] <= 0.05
        drawn = seed + 1
        many = settled(by_row / drawn, drawn, runs, least=0.5)
        if many and settled(by_unit / drawn, drawn, runs, greatest=28 / 300):
            break
    # .05 over 300 runs: 29 or more have a chance below 1e-3.
    assert by_unit / drawn <= 28 / 300
    assert by_row / drawn > 0.5


# Many features


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "runs", "uncorrected"), [(10, 400, (0.3, 0.5)), (50, 200, (0.8, 0.99))]
)
def test_without_drift_corrected_tests_raise_no_more_alarms_than_they_say(
    columns, runs, uncorrected
):
    corrected, raw = 0, 0
    error = np.sqrt(0.05 * 0.95 / runs)
    least, greatest = uncorrected
    for seed in range(runs):
        rng = np.random.default_rng([columns, seed])
        p = []
        for _ in range(columns):
            second = rng.permutation(np.arange(240) < 120)
            p.append(kolmogorov_smirnov_p_value((~second) * 1, second * 1, rng)[0])
        corrected += benjamini_hochberg(np.array(p), 0.05).any()
        raw += min(p) <= 0.05
        drawn = seed + 1
        known = settled(raw / drawn, drawn, runs, least=least, greatest=greatest)
        if known and settled(corrected / drawn, drawn, runs, greatest=0.05 + 3 * error):
            break
    assert corrected / drawn <= 0.05 + 3 * error
    assert least < raw / drawn < greatest
