"""The short-video feed: known propensities, planted boosts and noise, truths that logs bear out.

A planted figure passes within 5 standard errors where they are known (a true one fails with
probability 6e-7), and within 6 where they are estimated from at least 20 runs (9e-6, t with 19
degrees). There are fewer than 150 such comparisons: all pass with probability 0.998 were the seeds
drawn anew; they are fixed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from evenhand.errors import RoleError
from evenhand.worlds.ranked import log_discount
from evenhand.worlds.short_video import Creators, ShortVideo, Viewers

KNOWN, ESTIMATED, RUNS = 5.0, 6.0, 24

SMALL = ShortVideo(
    viewers=Viewers(count=300),
    creators=Creators(
        tiers={"star": 10, "established": 30, "rising": 40, "new": 60},
        items={"star": 10, "established": 5, "rising": 4, "new": 2},
        moves=0.05,
    ),
    requests=2_000,
    days=4,
    candidates=20,
    slots=12,
)
TINY = ShortVideo(
    viewers=Viewers(count=1),
    creators=Creators(tiers={"star": 1, "new": 3}, items={"star": 1, "new": 1}),
    requests=20_000,
    days=1,
    candidates=4,
    slots=3,
    noise=0.0,
    noise_of={},
    feedback=0.0,
)


@pytest.fixture(scope="module")
def tables():
    return SMALL.simulate(1)


@pytest.fixture(scope="module")
def candidates():
    return SMALL.simulate(1, unshown="all").log


@pytest.fixture(scope="module")
def truth():
    return SMALL.truth(runs=RUNS)


def assert_rate(hits, p):
    hits = np.asarray(hits, float)
    assert abs(hits.mean() - p) <= KNOWN * np.sqrt(p * (1 - p) / len(hits))


def assert_mean_of_logs(values, true):
    """One value a log agrees with a Monte Carlo truth: both vary."""
    error = np.hypot(np.std(values, ddof=1) / np.sqrt(len(values)), true.error)
    assert abs(np.mean(values) - true.value) <= ESTIMATED * error


def test_every_ranking_of_a_tiny_world_is_as_frequent_as_its_propensities_say():
    log = TINY.simulate(1, unshown="all").log
    score = dict(log.select("item", "score").unique().iter_rows())
    assert len(score) == 4  # One viewer and no noise: the same scores in every request.
    items = log["item"].to_numpy().reshape(-1, 4)[:, :3]
    propensity = log["propensity"].drop_nulls().to_numpy().reshape(-1, 3)
    total = 0.0
    for order in permutations(score, 3):
        left, factors = dict(score), []
        for item in order:
            factors.append(np.exp(left[item]) / np.exp(list(left.values())).sum())
            del left[item]
        here = (items == order).all(axis=1)
        assert propensity[here] == pytest.approx(np.tile(factors, (here.sum(), 1)))
        assert_rate(here, np.prod(factors))
        total += np.prod(factors)
    assert total == pytest.approx(1)


def test_propensity_follows_from_the_scores_of_those_not_yet_placed(candidates):
    for (_,), rows in candidates.head(2_000).group_by("request_id"):
        weight = np.exp(rows["score"].to_numpy())
        left = np.array([weight[i:].sum() for i in range(len(weight))])
        shown = rows["slot"].is_not_null().to_numpy()
        assert rows["propensity"].drop_nulls().to_numpy() == pytest.approx((weight / left)[shown])


def test_boost_is_the_log_odds_that_it_adds():
    plain = replace(SMALL, boost={}, feedback=0.0).simulate(2, unshown="all")
    boosted = replace(SMALL, boost={"star": 0.8, "new": -0.5}, feedback=0.0)
    keys = ["request_id", "item"]
    both = plain.log.join(boosted.simulate(2, unshown="all").log, on=keys, validate="1:1")
    assert len(both) == len(plain.log)
    both = both.sort("event_time").join_asof(
        plain.tier_history.sort("event_time"), on="event_time", by="creator_id"
    )
    added = both["creator_tier"].replace_strict({"star": 0.8, "new": -0.5}, default=0.0)
    assert (both["score_right"] - both["score"] - added).abs().max() < 1e-12


def test_slots_run_from_one_without_ties_and_no_item_repeats(tables, candidates):
    for log in (tables.log, candidates):
        assert log.select("request_id", "item").is_duplicated().sum() == 0
        slots = log.drop_nulls("slot").group_by("request_id").agg(pl.col("slot"))["slot"]
        assert slots.list.sort().to_list() == [list(range(1, 13))] * SMALL.requests
        assert log["slot"].dtype == pl.Int64
        assert (log["slot"].is_null() == log["propensity"].is_null()).all()


def test_unshown_candidates_are_logged_as_asked(tables, candidates):
    assert set(tables.log.filter(pl.col("slot").is_null())["relevance"]) == {1}
    assert len(candidates) == SMALL.requests * SMALL.candidates
    relevant = candidates.filter(pl.col("slot").is_not_null() | (pl.col("relevance") == 1))
    assert_frame_equal(relevant, tables.log)
    assert_frame_equal(SMALL.simulate(1, unshown="none").log, tables.log.drop_nulls("slot"))
    happened = pl.col("reached", "watched", "watch_share", "skipped").cast(float).sum()
    assert not any(candidates.filter(pl.col("slot").is_null()).select(happened).row(0))


@pytest.mark.parametrize("items", [4, 1])
def test_candidates_are_drawn_alike(items):
    # With few items all are ordered at random; with many, repeats are drawn again.
    creators = Creators(tiers={"star": 40}, items={"star": items})
    world = replace(SMALL, creators=creators, boost={}, candidates=12)
    counts = world.simulate(3, unshown="all").log["item"].value_counts()["count"].to_numpy()
    n, p = world.requests, 12 / creators.videos
    assert len(counts) == creators.videos
    assert np.abs(counts / n - p).max() <= KNOWN * np.sqrt(p * (1 - p) / n)


def test_reach_is_the_survival_curve(tables, truth):
    assert truth.reach == pytest.approx([0.9**i for i in range(12)])
    shown = tables.log.drop_nulls("slot")
    for i, p in enumerate(truth.reach):
        assert_rate(shown.filter(pl.col("slot") == i + 1)["reached"], p)
    by_request = shown.sort("request_id", "slot")["reached"].to_numpy().reshape(-1, 12)
    assert (by_request[:, 1:] <= by_request[:, :-1]).all()


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_viewers_may_never_go_on_or_always(p):
    log = replace(SMALL, continuation=p).simulate(4, unshown="none").log
    assert (log["reached"] == ((log["slot"] == 1) | (p == 1))).all()


def test_watching_is_what_reaching_and_relevance_make_of_it(tables):
    log = tables.log
    assert (log["watched"] == (log["reached"] & (log["relevance"] == 1))).all()
    assert ((log["watch_share"] == 1) == (log["watched"] == 1)).all()
    assert (log.filter(~pl.col("reached"))["watch_share"] == 0).all()
    partly = log.filter(pl.col("reached") & (pl.col("watched") == 0))
    share = partly["watch_share"].to_numpy()
    # A beta distribution with parameters 1 and 3: mean 1/4, variance 3/80.
    assert abs(share.mean() - 0.25) <= KNOWN * np.sqrt(3 / 80 / len(share))
    assert_rate(partly["skipped"], 1 - 0.9**3)
    assert not log.filter(pl.col("watched") == 1)["skipped"].any()


def test_relevance_has_the_probability_of_the_preference(candidates):
    p = candidates["preference"].to_numpy()
    gap = candidates["relevance"].to_numpy() - p
    for part in np.array_split(np.argsort(p), 5):
        error = np.sqrt((p[part] * (1 - p[part])).sum())
        assert abs(gap[part].sum()) <= KNOWN * error


def still(**creators):
    """A world in which creators stay in their tiers, so that tiers' shares of items are fixed."""
    return replace(SMALL, creators=replace(SMALL.creators, moves=0.0, **creators))


def shares_of_items(world):
    tiers, items = world.creators.tiers, world.creators.items
    return {tier: count * items[tier] / world.creators.videos for tier, count in tiers.items()}


def test_without_boost_and_feedback_items_of_all_tiers_are_exposed_alike():
    # Videos of one creator are independent here: otherwise they would compete with their like.
    world = replace(still(creator_share=0.0), requests=500, boost={}, feedback=0.0)
    truth = world.truth(runs=60, catalogues="fresh")
    for weights in (truth.reach, log_discount(10)):
        for tier, share in truth.shown["creator_tier"].exposure_share(weights).items():
            expected = shares_of_items(world)[tier]
            assert abs(share.value - expected) <= ESTIMATED * share.error, tier
            catalogue = truth.catalogue["creator_tier"][tier]
            assert (catalogue.value, catalogue.error) == pytest.approx((expected, 0))


def test_merit_of_all_tiers_is_alike_unless_quality_is_shifted():
    world = replace(still(), requests=200)
    merits = world.truth(runs=60, catalogues="fresh").merit["creator_tier"]
    for tier, expected in shares_of_items(world).items():
        assert abs(merits[tier].value - expected) <= ESTIMATED * merits[tier].error, tier
    better = replace(still(quality_shift={"new": 1.0}), requests=200)
    shifted = better.truth(runs=60, catalogues="fresh").merit["creator_tier"]["new"]
    error = np.hypot(shifted.error, merits["new"].error)
    assert shifted.value - merits["new"].value > ESTIMATED * error


def test_boost_raises_the_share_of_stars(truth):
    boosted = truth.shown["creator_tier"].exposure_share(truth.reach)
    plain = truth.unboosted["creator_tier"].exposure_share(truth.reach)
    gap = {group: boosted[group].value - plain[group].value for group in plain}
    error = np.hypot(boosted["star"].error, plain["star"].error)
    assert gap["star"] > ESTIMATED * error
    assert sum(gap.values()) == pytest.approx(0)
    assert all(gap[group] < 0 for group in gap if group != "star")


def test_noise_lowers_ndcg_of_its_group_alone(truth):
    age, gender = truth.ndcg["age_band"], truth.ndcg["gender"]
    for other in ("18-24", "25-44"):
        error = np.hypot(age[other].error, age["45+"].error)
        assert age[other].value - age["45+"].value > ESTIMATED * error
    gap = abs(age["18-24"].value - age["25-44"].value)
    assert gap <= ESTIMATED * np.hypot(age["18-24"].error, age["25-44"].error)
    gap = abs(gender["female"].value - gender["male"].value)
    assert gap <= ESTIMATED * np.hypot(gender["female"].error, gender["male"].error)
    assert truth.ndcg_gap["age_band"].value == pytest.approx(
        max(v.value for v in age.values()) - age["45+"].value
    )


def test_logs_bear_out_the_truth(truth):
    shares, utilities, times = [], [], []
    for seed in range(RUNS):
        drawn = SMALL.simulate(seed)
        weight = pl.lit(pl.Series(SMALL.reach)).gather(pl.col("slot") - 1)
        log = drawn.log.sort("event_time").join_asof(
            drawn.tier_history.sort("event_time"), on="event_time", by="creator_id"
        )
        shown = log.drop_nulls("slot")
        star = shown["creator_tier"] == "star"
        exposure = shown.select(weight).to_series()
        shares.append(exposure.filter(star).sum() / exposure.sum())
        times.append(shown["watch_share"].filter(star).sum() / shown["watch_share"].sum())
        utilities.append(ndcg_of_log(drawn.log.filter(pl.col("age_band") == "45+")))
    true = truth.shown["creator_tier"].exposure_share(truth.reach)["star"]
    assert_mean_of_logs(shares, true)
    assert_mean_of_logs(times, truth.watch_time["creator_tier"]["star"])
    assert_mean_of_logs(utilities, truth.ndcg["age_band"]["45+"])


def ndcg_of_log(log):
    """Mean nDCG@10 by the rows of a log: those shown, and the relevant that were not."""
    gain = pl.when(pl.col("slot") <= 10).then(pl.col("relevance") / (pl.col("slot") + 1).log(2))
    sums = log.group_by("request_id").agg(gain=gain.sum(), relevant=pl.col("relevance").sum())
    some = sums.filter(pl.col("relevant") > 0)
    ideal = np.cumsum(log_discount(10))[np.minimum(some["relevant"].to_numpy(), 10) - 1]
    return (some["gain"].to_numpy() / ideal).mean()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_truth_does_not_read_the_log_of_the_same_seed(seed):
    world = replace(SMALL, requests=200)
    value = ndcg_of_log(world.simulate(seed).log.filter(pl.col("age_band") == "45+"))
    assert abs(world.truth(seed=seed, runs=1).ndcg["age_band"]["45+"].value - value) > 1e-6


def test_feedback_concentrates_what_is_shown():
    def gini(feedback):
        world = replace(SMALL, feedback=feedback, slots=5)
        last = world.simulate(5, unshown="none").log.filter(pl.col("day") == 3)
        counts = np.bincount(last["item"].to_numpy(), minlength=world.creators.videos)
        n = len(counts)
        return (2 * np.arange(1, n + 1) - n - 1) @ np.sort(counts) / (n * counts.sum())

    assert gini(0.0) < gini(1.0) - 0.05
    assert gini(1.0) < gini(2.0)


def test_feedback_begins_on_the_second_day():
    plain, fed = (replace(SMALL, feedback=f).simulate(6).log for f in (0.0, 1.0))
    first = pl.col("day") == 0
    assert_frame_equal(plain.filter(first), fed.filter(first))
    assert not plain.filter(pl.col("day") == 1).equals(fed.filter(pl.col("day") == 1))


def test_the_same_seed_gives_the_same_tables_and_another_the_same_catalogue(tables):
    again, other = SMALL.simulate(1), SMALL.simulate(2)
    for name in ("log", "catalogue", "creators", "tier_history"):
        assert_frame_equal(getattr(again, name), getattr(tables, name))
        same = getattr(other, name).equals(getattr(tables, name))
        assert same == (name != "log")
    elsewhere = replace(SMALL, catalogue_seed=2).simulate(1)
    assert not elsewhere.catalogue.equals(tables.catalogue)


def test_tier_history_is_that_of_the_days(tables):
    tier = SMALL.catalogue().tier
    names = list(SMALL.creators.tiers)
    history = tables.tier_history
    rows = tables.log.sort("event_time").join_asof(
        history.sort("event_time"), on="event_time", by="creator_id"
    )
    expected = tier[rows["day"].to_numpy(), rows["creator_id"].to_numpy()]
    assert rows["creator_tier"].to_list() == [names[code] for code in expected]
    first = history.group_by("creator_id").agg(pl.col("event_time").min())
    assert set(first["event_time"]) == {dt.datetime.combine(SMALL.start, dt.time())}
    last = history.sort("event_time").group_by("creator_id").agg(pl.col("creator_tier").last())
    assert_frame_equal(
        last, tables.creators.drop("region"), check_row_order=False, check_dtypes=True
    )
    # A few creators moved, each to a neighbouring tier.
    assert 5 < len(history) - len(tables.creators) < 60
    assert np.abs(np.diff(tier, axis=0)).max() == 1


def test_creators_and_items_are_as_many_as_asked(tables):
    names = list(SMALL.creators.tiers)
    first = SMALL.catalogue().tier[0]
    assert {name: (first == i).sum() for i, name in enumerate(names)} == SMALL.creators.tiers
    owned = np.bincount(tables.catalogue["creator_id"].to_numpy(), minlength=len(first))
    assert owned.tolist() == [SMALL.creators.items[names[code]] for code in first]
    assert (tables.catalogue["duration"] > 0).all()
    assert set(tables.creators["region"]) == set(SMALL.creators.regions)


def test_one_tier_does_not_move():
    tiers = {"all": 5}
    creators = Creators(tiers=tiers, items={"all": 20}, moves=1.0)
    world = replace(SMALL, creators=creators, boost={}, requests=10)
    assert len(world.simulate(1).tier_history) == 5


def test_rows_of_the_log_are_in_time_and_viewers_keep_their_groups(tables):
    log = tables.log
    assert log["event_time"].is_sorted()
    assert (
        log["event_time"].dt.date()
        == pl.select(SMALL.start + pl.duration(days=log["day"])).to_series()
    ).all()
    users = log.select("user", "age_band", "gender").unique()
    assert users["user"].is_duplicated().sum() == 0
    requests = log.select("request_id", "user", "event_time").unique()
    assert len(requests) == SMALL.requests
    owner = tables.catalogue.select("item", "creator_id")
    assert len(log.join(owner, on=["item", "creator_id"])) == len(log)


def test_a_world_that_plants_something_nowhere_is_refused_with_all_reasons():
    with pytest.raises(RoleError) as raised:
        ShortVideo(boost={"stars": 1.0}, noise_of={"45": 1.0}, slots=60)
    assert [problem.where.split()[0] for problem in raised.value.problems] == [
        "boost",
        "noise_of",
        "sizes",
    ]
