"""The order by score, beside a stable sort."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.mitigations.candidates import candidates_of
from evenhand.mitigations.queue import along, by_score, picked_by


@pytest.mark.parametrize("values", [2, 20, 10**6])
def test_candidates_are_sorted_as_a_stable_sort_does(values):
    rng = np.random.default_rng(values)
    for width in (1, 2, 17, 300):
        scores = rng.integers(-values, values, (200, width)) / 7
        # Zero is its own negative.
        scores[rng.random(scores.shape) < 0.1] *= -0.0
        expected = np.argsort(-scores, axis=1, kind="stable")
        assert (by_score(scores) == expected).all()


def test_missing_candidates_are_last():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(50, 9))
    sizes = rng.integers(0, 10, 50)
    scores[np.arange(9) >= sizes[:, None]] = np.nan
    for order, size, given in zip(by_score(scores).tolist(), sizes.tolist(), scores, strict=True):
        assert order[:size] == sorted(range(size), key=lambda place: -given[place])
        assert sorted(order) == list(range(9))


def test_columns_are_taken_row_by_row():
    rng = np.random.default_rng(2)
    values, columns = rng.normal(size=(20, 7)), rng.integers(0, 7, (20, 11))
    assert (along(values, columns) == np.take_along_axis(values, columns, axis=1)).all()


def test_the_order_by_score_is_that_of_the_candidates_themselves():
    rng = np.random.default_rng(3)
    sizes = rng.integers(0, 12, 3000).tolist()
    scores = [rng.integers(0, 6, size).tolist() for size in sizes]
    groups = [rng.choice([None, "a", "b"], size).tolist() for size in sizes]
    candidates = candidates_of(scores, groups, "ab")
    found = picked_by(candidates, 8, lambda q: np.tile(np.arange(8), (len(q.order), 1)))
    assert (found.best == candidates.best(8)).all()
    # Whoever picks the best that is left changes nothing.
    assert (found.picked == found.best).all()
