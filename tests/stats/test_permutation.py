"""Permutation tests against enumeration of every table and of every relabelling of rows."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from math import comb

import numpy as np
import pytest

from evenhand.stats.permutation import permutation_p_value, permuted


def rate_gap(tables):
    """Largest difference of the groups' rates of the first cell."""
    rates = tables[..., 0, :] / tables.sum(axis=-2)
    return rates.max(axis=-1) - rates.min(axis=-1)


def homogeneity(tables):
    """Pearson's statistic of a table."""
    expected = tables.sum(axis=-1, keepdims=True) * tables.sum(axis=-2, keepdims=True)
    expected = expected / tables.sum(axis=(-1, -2), keepdims=True)
    return (np.square(tables - expected) / expected).sum(axis=(-1, -2))


# 40,000 permutations: .01 is 4 standard errors at most, one false alarm in 16,000 runs.
@pytest.mark.parametrize(
    "table", [[[8, 3], [2, 9]], [[1, 4], [9, 6]], [[5, 5], [5, 5]], [[0, 30], [12, 200]]]
)
def test_two_by_two_equals_enumeration(table):
    counts = np.array(table)
    (a, b), (c, d) = table
    favoured, first, total = a + b, a + c, a + b + c + d
    observed, exact = rate_gap(counts), 0.0
    for x in range(max(0, favoured + first - total), min(favoured, first) + 1):
        gap = abs(x / first - (favoured - x) / (total - first))
        if gap >= observed - 1e-12:
            exact += comb(favoured, x) * comb(total - favoured, first - x) / comb(total, first)
    p = permutation_p_value(counts, rate_gap, np.random.default_rng(1), 40_000)
    assert p == pytest.approx(exact, abs=0.01)


def test_tables_are_as_frequent_as_among_all_relabellings_of_the_rows():
    counts = np.array([[2, 1, 0], [0, 1, 1], [0, 0, 1]])
    cells = np.repeat(np.arange(3), counts.sum(axis=1))
    labels = np.repeat(np.arange(3), counts.sum(axis=0))
    relabelled: Counter[bytes] = Counter()
    for order in set(permutations(labels)):
        table = np.zeros((3, 3), dtype=np.int64)
        np.add.at(table, (cells, order), 1)
        relabelled[table.tobytes()] += 1
    replicates = 40_000
    drawn = Counter(
        table.tobytes() for table in permuted(counts, np.random.default_rng(2), replicates)
    )
    total = relabelled.total()
    assert set(drawn) == set(relabelled)
    for table, ways in relabelled.items():
        share = ways / total
        error = np.sqrt(share * (1 - share) / replicates)
        # 5 standard errors: over all tables a false alarm in 10,000 runs.
        assert drawn[table] / replicates == pytest.approx(share, abs=5 * error)


def test_margins_are_kept():
    counts = np.array([[8, 0, 3], [2, 9, 1], [0, 0, 0], [70, 1, 4]])
    tables = permuted(counts, np.random.default_rng(3), 50)
    assert tables.shape == (50, 4, 3)
    assert (tables >= 0).all()
    assert (tables.sum(axis=2) == counts.sum(axis=1)).all()
    assert (tables.sum(axis=1) == counts.sum(axis=0)).all()


def test_counts_are_left_as_they_were():
    counts = np.array([[8, 3], [2, 9]])
    permuted(counts, np.random.default_rng(3), 5)
    assert counts.tolist() == [[8, 3], [2, 9]]


def test_groups_without_rows_stay_without():
    tables = permuted(np.array([[3, 0, 4], [1, 0, 2]]), np.random.default_rng(4), 20)
    assert (tables[:, :, 1] == 0).all()


# 1,000 tables of three equal groups: each share is 4 standard errors at most from its level, one
# false alarm in 10,000 runs.
def test_p_values_are_uniform_when_groups_are_exchangeable():
    rng = np.random.default_rng(5)
    p = np.array(
        [
            permutation_p_value(
                np.stack([rng.multinomial(n, [0.5, 0.3, 0.2]) for n in (60, 40, 90)], axis=1),
                homogeneity,
                rng,
                199,
            )
            for _ in range(1000)
        ]
    )
    for level in (0.05, 0.2, 0.5, 0.8):
        error = np.sqrt(level * (1 - level) / 1000)
        assert (p <= level).mean() == pytest.approx(level, abs=4 * error)


def test_groups_that_differ_get_the_smallest_p_value():
    counts = np.array([[90, 10, 50], [10, 90, 50]])
    assert permutation_p_value(counts, homogeneity, np.random.default_rng(6), 99) == 0.01


def test_same_seed_gives_the_same_value():
    counts = np.array([[12, 8], [8, 13]])
    first, second = (
        permutation_p_value(counts, rate_gap, np.random.default_rng(7)) for _ in range(2)
    )
    assert first == second


def test_undefined_statistic_counts_as_extreme():
    counts = np.array([[2, 2], [2, 2]])
    always = permutation_p_value(
        counts, lambda tables: np.full(len(tables), np.nan), np.random.default_rng(8), 9
    )
    assert always == 1.0


def test_many_cells_are_drawn_in_batches(monkeypatch):
    monkeypatch.setattr("evenhand.stats.permutation._MOST_CELLS", 10)
    sizes = []

    def spy(tables):
        sizes.append(len(tables))
        return rate_gap(tables)

    permutation_p_value(np.array([[8, 3], [2, 9]]), spy, np.random.default_rng(9), 5)
    assert sizes == [1, 2, 2, 1]
