import numpy as np
import pytest

from evenhand.stats.resample import bucket_replicates


def test_replicates_are_sums_over_drawn_buckets():
    sums = np.arange(12.0).reshape(4, 3)
    drawn = bucket_replicates(sums, 5, np.random.default_rng(1))
    times = np.random.default_rng(1).multinomial(4, np.full(4, 0.25), size=5)
    by_hand = [sum(count * row for count, row in zip(row, sums, strict=True)) for row in times]
    np.testing.assert_allclose(drawn, by_hand)


def test_variance_of_replicates_is_that_of_the_buckets():
    # False alarm below 1e-6: 20,000 replicates know a variance to about 1 %.
    sums = np.random.default_rng(2).normal(5, 2, (64, 1))
    drawn = bucket_replicates(sums, 20_000, np.random.default_rng(3))
    wanted = 64 * np.var(sums)
    assert drawn.var() == pytest.approx(wanted, rel=0.05)
    assert drawn.mean() == pytest.approx(sums.sum(), rel=0.01)


def test_leading_axes_share_the_draws():
    sums = np.random.default_rng(4).random((2, 8, 3))
    both = bucket_replicates(sums, 10, np.random.default_rng(5))
    one = bucket_replicates(sums[1], 10, np.random.default_rng(5))
    np.testing.assert_allclose(both[1], one)
