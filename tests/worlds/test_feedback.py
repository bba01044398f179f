"""Days of feedback in the short-video feed: any ranker, viewers with position bias, popularity.

Rates are compared with their exact variances at 5 standard errors: a true one fails with
probability 6e-7, and there are fewer than 40 comparisons.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.worlds.short_video import Creators, ShortVideo, Viewers, feedback

WORLD = ShortVideo(
    viewers=Viewers(count=200),
    creators=Creators(
        tiers={"star": 10, "new": 30},
        items={"star": 10, "new": 2},
        quality_shift={"star": 0.5},
        moves=0.0,
    ),
    requests=2_000,
    days=4,
    candidates=12,
    slots=8,
    boost={"star": 1.0},
    noise_of={},
    feedback=0.0,
)


def by_score(asked):
    return np.argsort(-asked.score, axis=1, kind="stable")[:, : asked.slots]


def at_random(seed):
    rng = np.random.default_rng(seed)
    return lambda asked: np.argsort(rng.random(asked.score.shape), axis=1)[:, : asked.slots]


def test_a_day_has_its_requests_and_batches_end_with_it():
    sizes = [
        (seen.asked.day, len(seen.order)) for seen in feedback(WORLD, by_score, seed=1, batch=300)
    ]
    assert sizes == [(day, size) for day in range(4) for size in (300, 200)]


def test_the_same_seed_gives_the_same_days():
    once = list(feedback(WORLD, by_score, seed=3, batch=500))
    again = list(feedback(WORLD, by_score, seed=3, batch=500))
    for one, other in zip(once, again, strict=True):
        np.testing.assert_array_equal(one.clicks, other.clicks)
        np.testing.assert_array_equal(one.asked.score, other.asked.score)


def test_the_ranker_sees_one_batch_before_the_loop_goes_on():
    calls = []

    def rank(asked):
        calls.append(asked.day)
        return by_score(asked)

    loop = feedback(WORLD, rank, seed=1, batch=500)
    for expected in range(1, 4):
        next(loop)
        assert len(calls) == expected


def test_clicks_have_the_rate_of_their_slot_and_preference():
    hits, expected, variance = np.zeros(8), np.zeros(8), np.zeros(8)
    for seen in feedback(WORLD, at_random(1), seed=5, batch=500):
        chance = seen.reach * np.take_along_axis(seen.preference, seen.order, axis=1)
        hits += seen.clicks.sum(axis=0)
        expected += chance.sum(axis=0)
        variance += (chance * (1 - chance)).sum(axis=0)
    assert (np.abs(hits - expected) < 5 * np.sqrt(variance)).all()


def test_a_viewer_who_reaches_a_slot_reached_those_above():
    sure = replace(WORLD, like=60.0)
    for seen in feedback(sure, by_score, seed=2, batch=500):
        assert (np.diff(seen.clicks, axis=1) <= 0).all()


def test_without_popularity_what_is_asked_does_not_depend_on_the_ranker():
    pairs = zip(
        feedback(WORLD, by_score, seed=4, batch=500),
        feedback(WORLD, at_random(2), seed=4, batch=500),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_array_equal(one.asked.score, other.asked.score)
        np.testing.assert_array_equal(one.preference, other.preference)


def test_popularity_makes_those_richer_that_were_shown_most():
    rich = replace(WORLD, feedback=0.5)
    first, last = {}, {}
    for world in (WORLD, rich):
        shares = []
        for seen in feedback(world, by_score, seed=6, batch=500):
            groups = np.take_along_axis(seen.asked.group, seen.order, axis=1)
            shares.append(float(((groups == 0) * seen.reach).sum() / (seen.reach.sum() * 500)))
        first[world.feedback], last[world.feedback] = shares[0], shares[-1]
    assert first[0.0] == first[0.5]
    assert last[0.5] > last[0.0]


def test_the_boost_lifts_its_tier_above_its_merit():
    star = merit = shown = all_merit = 0.0
    for seen in feedback(WORLD, by_score, seed=7, batch=500):
        groups = np.take_along_axis(seen.asked.group, seen.order, axis=1)
        star += float(((groups == 0) * seen.reach).sum())
        shown += float(seen.reach.sum() * len(seen.order))
        merit += float(seen.preference[seen.asked.group == 0].sum())
        all_merit += float(seen.preference.sum())
    assert star / shown > merit / all_merit


@pytest.mark.parametrize(
    ("rank", "says"),
    [
        (lambda asked: by_score(asked)[:, :3], "8 slots"),
        (lambda asked: np.zeros((len(asked.score), asked.slots), int), "twice"),
        (lambda asked: by_score(asked) + 12, "no candidate"),
        (lambda asked: by_score(asked) - 12, "no candidate"),
    ],
)
def test_what_is_no_order_is_refused(rank, says):
    with pytest.raises(RoleError, match=says):
        next(feedback(WORLD, rank, seed=1))


def test_no_requests_at_a_time_are_refused():
    with pytest.raises(RoleError, match="1 or more"):
        next(feedback(WORLD, by_score, seed=1, batch=0))
