"""Candidates that no share of a correction brings to the first slots are left out, and only those.

The oracle sorts all of them, in plain Python.
"""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.mitigations.candidates import Candidates
from evenhand.mitigations.correction import Corrected


def drawn(rng, size, *, steps):
    """Ragged requests of four groups and of none; with ties where scores are cut to steps."""
    groups = rng.integers(-1, 4, (6, size))
    scores = rng.random((6, size)) * (1 - 0.1 * np.maximum(groups, 0))
    if steps:
        scores = np.floor(scores * steps) / steps
    gone = np.arange(size) >= rng.integers(0, size + 1, 6)[:, None]
    scores[gone], groups[gone] = np.nan, -1
    return Candidates(scores, groups, tuple("abcd"))


def sorted_by_hand(candidates, row, k, correction, factor):
    """The first k places by corrected score, then by score, then as given."""
    score = candidates.scores[row]
    place = [one for one in range(len(score)) if not np.isnan(score[one])]
    group = candidates.groups[row]
    key = score + factor * correction[group]
    return sorted(place, key=lambda one: (-key[one], -score[one], one))[:k]


@pytest.mark.parametrize("k", [0, 1, 3, 10])
@pytest.mark.parametrize("size", [2, 40, 120])
@pytest.mark.parametrize("steps", [0, 8])
@pytest.mark.parametrize("kind", ["none", "slight", "middling", "beyond all scores", "downwards"])
def test_orders_with_any_share_are_those_of_all_candidates(k, size, steps, kind):
    rng = np.random.default_rng(9)
    most = {"none": 0, "slight": 1e-17, "middling": 0.25, "beyond all scores": 9, "downwards": -0.5}
    for _ in range(5):
        asked = drawn(rng, size, steps=steps)
        correction = np.append(most[kind] * rng.integers(0, 9, 4) / 8, 0.0)
        field = Corrected.of(asked, k, correction)
        for factor in (0.0, 0.125, 0.3, 1.0):
            order = asked.cut(field.ranked(np.full(6, factor)), k)
            for row in range(6):
                found = [one for one in order[row].tolist() if one >= 0]
                assert found == sorted_by_hand(asked, row, k, correction, factor)


def test_a_slight_correction_leaves_the_best_and_a_strong_one_k_of_each_group_that_it_lifts():
    rng = np.random.default_rng(10)
    asked = Candidates(rng.random((1, 1000)), rng.integers(0, 4, (1, 1000)), tuple("abcd"))
    slight = Corrected.of(asked, 10, np.array([0.0, 1e-9, 2e-9, 3e-9, 0.0]))
    best = asked.best(10)
    assert slight.place.tolist() == best.tolist()
    strong = Corrected.of(asked, 10, np.array([0.0, 10.0, 20.0, 30.0, 0.0]))
    unlifted = int((asked.groups_at(best) == 0).sum())
    assert np.bincount(asked.groups[0, strong.place[0]]).tolist() == [unlifted, 10, 10, 10]
    assert (np.diff(strong.score[0]) <= 0).all()


def test_a_request_of_few_candidates_does_not_make_the_others_wide():
    rng = np.random.default_rng(11)
    scores, groups = rng.random((2, 1000)), rng.integers(0, 4, (2, 1000))
    scores[1, 5:], groups[1, 5:] = np.nan, -1
    field = Corrected.of(Candidates(scores, groups, tuple("abcd")), 10, np.zeros(5))
    assert field.place.shape == (2, 10)


def test_who_ties_with_the_last_of_the_best_is_kept():
    asked = Candidates(np.array([[0.5, 0.5, 0.25]]), np.array([[0, 1, 1]]), tuple("ab"))
    for lift, kept in ((0.0, [0, 1]), (0.2, [0, 1]), (0.25, [0, 1, 2])):
        assert Corrected.of(asked, 1, np.array([0.0, lift, 0.0])).place.tolist() == [kept]
