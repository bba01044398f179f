"""Sums of deviations: how many are kept, what they keep, and that fewer follow from more."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.audits.evidence.replicate import folded, kept


def deviations(buckets: int = 128, figures: int = 3, seed: int = 2) -> np.ndarray:
    moved = np.random.default_rng(seed).normal(size=(buckets, figures))
    return moved - moved.mean(axis=0)


@pytest.mark.parametrize(
    ("most", "expected"),
    [(2.9, 0), (3, 3), (5.7, 5), (15.9, 15), (16, 16), (31.9, 16), (32, 32), (900, 128)],
)
def test_a_sum_is_kept_for_as_many_units_as_a_group_needs(most, expected):
    assert kept(deviations(), most, "column") == expected


def test_powers_of_two_are_buckets_of_equal_last_bits():
    moved = deviations()
    for buckets in (4, 8, 16, 64):
        expected = [moved[np.arange(128) % buckets == one].sum(axis=0) for one in range(buckets)]
        np.testing.assert_allclose(folded(moved, "column", buckets), expected)


@pytest.mark.parametrize("buckets", range(3, 17))
def test_kept_sums_behave_like_buckets(buckets):
    # Every bucket is of independent units: sums have the variance of the figure on average.
    moved = np.random.default_rng(4).normal(size=(128, 2_000)) / np.sqrt(128)
    moved -= moved.mean(axis=0)
    found = folded(moved, "column", buckets)
    assert found.shape == (buckets, 2_000)
    np.testing.assert_allclose(found.sum(axis=0), 0, atol=1e-12)
    variance = np.square(found).sum(axis=0) * buckets / (buckets - 1)
    # The mean of 2,000, each with a relative standard deviation of sqrt(2 / (buckets - 1)).
    assert variance.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / (buckets - 1) / 2_000) + 0.01)


def test_fewer_sums_follow_from_more_whichever_way_they_came():
    moved = deviations()
    for many in (128, 16, 15, 12, 8, 7):
        of_many = folded(moved, "column", many)
        for few in range(3, min(many, 16) + 1):
            np.testing.assert_allclose(
                folded(of_many, "column", few), folded(moved, "column", few), atol=1e-12
            )


@pytest.mark.parametrize("buckets", range(3, 16))
def test_every_unit_is_told_to_the_same_small_part(buckets):
    # What a sum takes from each bucket; beside them the figure itself, in which all count alike.
    weights = folded(np.eye(128), "column", buckets)
    known = np.vstack([weights, np.ones(128)])
    # Buckets whose columns are alike in all that is known cannot be told apart.
    alike = np.unique(np.round(known, 9), axis=1, return_counts=True)[1]
    assert alike.min() >= 128 / (2 * buckets)
    # The share of what a bucket moved that the best guess finds: that of 128 / buckets together.
    told = np.linalg.pinv(known) @ known
    np.testing.assert_allclose(np.diag(told), buckets / 128)


def fewest(known: np.ndarray, tries: int = 200) -> int:
    """Return the fewest buckets that a combination is found to be about, by leaving out others."""
    rng = np.random.default_rng(6)
    found = known.shape[1]
    for _ in range(tries):
        basis, left = known, rng.permutation(known.shape[1])
        for place in left:
            column = basis[:, place]
            if len(basis) == 1 or not np.abs(column).max() > 1e-9:
                continue
            # All combinations that leave this bucket out, one fewer than before.
            keep = np.linalg.svd(column[None, :])[2][1:]
            basis = keep @ basis
        found = min(found, int((np.abs(basis[0]) > 1e-9).sum()))
    return found


@pytest.mark.parametrize("buckets", [3, 4, 5, 6, 7])
def test_no_combination_of_sums_is_about_fewer_than_one_in_so_many_buckets(buckets):
    known = np.vstack([folded(np.eye(32), "column", buckets), np.ones(32)])
    known = np.linalg.svd(known)[2][: np.linalg.matrix_rank(known)]
    assert fewest(known) >= 32 / buckets
