"""The simulated feed as another policy would have ordered it, beside what that policy does show."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.worlds import ranked
from evenhand.worlds.short_video import ShortVideo

REQUESTS, SLOTS = 1_500, 3
WEIGHT = 1 / np.log2(np.arange(2, 2 + SLOTS))
ABOVE = "policy=ips(new, given=above)"


def chances(scores: np.ndarray) -> np.ndarray:
    """Return the chance of each item given those before it, of rows of scores in their order."""
    weight = np.exp(scores)
    return weight / np.cumsum(weight[:, ::-1], axis=1)[:, ::-1]


@pytest.fixture(scope="module")
def feed():
    """The feed's log with tiers, and chances under a policy that lifts who is not a star."""
    world = ShortVideo(requests=REQUESTS).simulate(seed=5, unshown="all")
    tiers = world.tier_history.sort("event_time").group_by("creator_id").last()
    rows = world.log.join(tiers.select("creator_id", "creator_tier"), on="creator_id")
    rows = rows.sort("request_id", "slot", nulls_last=True)
    lifted = pl.col("score") + 0.4 * (pl.col("creator_tier") != "star").cast(pl.Float64)
    rows = rows.with_columns(lifted=lifted)
    new = chances(rows["lifted"].to_numpy().reshape(REQUESTS, -1))
    return rows.with_columns(new=new.ravel())


def log_of(rows):
    return eh.log(
        rows,
        kind="recommendation",
        user="user",
        request="request_id",
        item="item",
        rank="slot",
        propensity="propensity",
        item_groups=["creator_tier"],
    )


def test_the_chances_of_the_feed_are_those_given_the_items_above(feed):
    own = chances(feed["score"].to_numpy().reshape(REQUESTS, -1))
    shown = feed["slot"].is_not_null().to_numpy()
    assert feed["propensity"].to_numpy()[shown] == pytest.approx(own.ravel()[shown])


@pytest.mark.slow
def test_exposure_of_the_other_policy_is_what_it_shows_when_it_is_run(feed):
    rng = np.random.default_rng(6)
    star = (feed["creator_tier"] == "star").to_numpy().reshape(REQUESTS, -1)
    lifted = feed["lifted"].to_numpy().reshape(REQUESTS, -1)
    drawn = [ranked.rank(lifted, rng).order[:, :SLOTS] for _ in range(40)]
    ran = np.mean([np.take_along_axis(star, order, axis=1) @ WEIGHT for order in drawn])
    asked = "exposure_share(of=creator_tier, group=star"
    log = log_of(feed)
    found = eh.estimate(f"{asked}, {ABOVE})@{SLOTS}", log)
    plain = eh.estimate(f"{asked})@{SLOTS}", log)
    assert found.low < ran / WEIGHT.sum() < found.high
    assert found.high < plain.low
    weight = eh.estimate(f"mean_weight({ABOVE})@{SLOTS}", log)
    assert weight.low < 1 < weight.high
