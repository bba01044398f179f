import numpy as np
import pytest

from evenhand.mitigations.top import top


def naively(values, k):
    found = []
    for row in values.tolist():
        order = sorted(range(len(row)), key=lambda one, row=row: (-row[one], one))
        order = [one for one in order if row[one] > -np.inf][:k]
        found.append(order + [-1] * (k - len(order)))
    return found


@pytest.mark.parametrize("seed", range(30))
def test_is_the_sorted_order(seed):
    rng = np.random.default_rng(seed)
    rows, width = rng.integers(1, 9), rng.choice([1, 2, 7, 40, 333])
    levels = rng.choice([2, 5, 1_000_000])
    values = rng.integers(0, levels, (rows, width)) / 7 - 3
    size = rng.integers(0, width + 1, rows)
    values[np.arange(width) >= size[:, None]] = -np.inf
    for k in (1, 2, 5, 50):
        assert top(values, k).tolist() == naively(values, k)


def test_nothing_to_choose_from():
    assert top(np.empty((2, 0)), 2).tolist() == [[-1, -1], [-1, -1]]
    assert top(np.empty((0, 3)), 2).shape == (0, 2)
