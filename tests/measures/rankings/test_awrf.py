"""AWRF against a loop, over all permutations; what chance gives beside it, and the best."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from naive_lists import assert_agree, finding_of, lists_of, of_each, random_requests
from naive_provider import awrf, clipped
from permuted import PERMUTED, TARGET, WRITTEN, listed


@pytest.mark.parametrize("requests", PERMUTED)
@pytest.mark.parametrize("k", [None, 3])
def test_every_permutation_has_the_share_that_a_loop_finds(requests, k):
    notation = f"AWRF(of=topic, target={WRITTEN})" + ("" if k is None else f"@{k}")
    assert of_each(notation, requests) == pytest.approx([awrf(r, TARGET, k=k) for r in requests])


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("target", ["candidates", "shares"])
@pytest.mark.parametrize("browsing", ["log2", "log2_clipped"])
def test_awrf_is_what_a_loop_finds_with_gaps_and_unknown_groups(soft, target, browsing):
    requests = random_requests(np.random.default_rng(4), 80, soft=soft)
    aims, written = (TARGET, WRITTEN) if target == "shares" else ("candidates", target)
    weight = {"weight": clipped} if browsing == "log2_clipped" else {}
    assert_agree(
        f"AWRF(of=topic, target={written}, browsing={browsing})@5",
        lambda r: awrf(r, aims, k=5, **weight),
        requests,
    )


@pytest.mark.parametrize("target", ["candidates", "relevant", "shares(a, 0.5, b, 0.5)"])
def test_items_all_of_unknown_group_have_no_figure_and_no_perfect_one(target):
    found = finding_of(f"AWRF(of=topic, target={target})", [listed("  "), listed(" ")])
    assert "no item of known topic was shown" in found.undefined


def equal(groups):
    return f"shares({', '.join(f'g{g}, {1 / groups}' for g in range(groups))})"


def number(finding, topic):
    return float(finding.conventions[topic].replace(":", "").split()[0])


CHANCE = [(2, 0.975), (5, 0.889), (10, 0.755), (50, 0.356)]


@pytest.mark.parametrize(("groups", "expected"), CHANCE)
def test_chance_of_ten_slots_and_equal_groups_is_the_known_one(groups, expected):
    # 4,000 lists: the known figure is rounded to .0005 and the limit is 4 standard errors beyond,
    # so that a sound build fails about once in 10,000 runs of new seeds.
    rng, n = np.random.default_rng(groups), 4_000
    rows = pl.DataFrame(
        {
            "q": np.repeat(np.arange(n), 10),
            "slot": np.tile(np.arange(1, 11), n),
            "by": [f"g{g}" for g in rng.integers(0, groups, 10 * n)],
        }
    )
    log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["by"])
    found = eh.estimate(f"AWRF(of=by, target={equal(groups)})@10", log)
    half = 4 * (found.high - found.low) / (2 * 1.96) + 0.0005
    assert abs(found.value - expected) < half
    assert abs(number(found, "chance") - expected) < half


def test_chance_draws_from_all_candidates_where_some_are_not_shown():
    # Only a is shown, b is half of the candidates.
    requests = [[*listed("aaaaa"), *listed("bbbbb", [None] * 5)] for _ in range(400)]
    requests.append([*listed("ab")])
    found = finding_of("AWRF(of=topic, target=candidates)", requests)
    drawn = [
        awrf(listed(order), {"a": 0.5, "b": 0.5})
        for order in {*itertools.permutations("aaaaabbbbb", 5)}
        for _ in range(1)
    ]
    assert min(drawn) < number(found, "chance") < 1
    assert found.value < number(found, "chance")


def test_chance_is_the_mean_over_all_orders():
    # Ten orders of aaabb alike: with 3,000 requests 4 standard errors are exceeded once in 10,000.
    requests = [listed("aaabb") for _ in range(3_000)]
    orders = [awrf(listed(order), TARGET) for order in {*itertools.permutations("aaabb")}]
    found = finding_of(f"AWRF(of=topic, target={WRITTEN})", requests)
    error = np.std(orders) / np.sqrt(len(requests))
    assert abs(number(found, "chance") - np.mean(orders)) < 4 * error + 5e-5
    told = float(found.conventions["chance"].split("standard error ")[1].split(")")[0])
    assert told == pytest.approx(error, rel=0.1)


def test_chance_is_the_same_however_the_log_is_read():
    rng = np.random.default_rng(3)
    rows = pl.DataFrame(
        {
            "q": np.repeat(np.arange(300), 8),
            "item": np.tile(np.arange(8), 300) + np.repeat(rng.integers(0, 90, 300), 8),
            "slot": pl.Series([1, 2, 3, 4, 5, None, None, None] * 300, dtype=pl.Int64),
            "by": rng.choice([*"abc"], 2400),
        }
    )
    found = []
    for frame in (rows, rows.sample(fraction=1, shuffle=True, seed=1), rows.reverse()):
        log = eh.log(frame, kind="search", request="q", item="item", rank="slot", item_groups="by")
        finding = eh.estimate("AWRF(of=by, target=candidates)@4", log)
        found.append(finding.conventions["chance"])
    assert len({*found}) == 1


def test_rows_that_random_order_moves_keep_their_slots_and_stay_in_their_request():
    from evenhand.measures.rankings.landmark import shuffled

    requests = random_requests(np.random.default_rng(2), 40, soft=True)
    lists = lists_of(requests)
    other = shuffled(lists, "topic", 0)
    assert (other.slot == lists.slot).all()
    every = np.ones(lists.rows)
    assert other.shares(every, "topic")[1] == pytest.approx(lists.shares(every, "topic")[1])
    assert (np.diff(other.items["topic"].row) >= 0).all()
    assert not np.array_equal(other.relevance, lists.relevance, equal_nan=True)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_best_attainable_is_at_most_the_best_of_all_lists_and_near_it(length):
    every = [awrf(listed(one), TARGET) for one in itertools.product("abc", repeat=length)]
    requests = [listed("c" * length), listed("b" * length)]
    found = finding_of(f"AWRF(of=topic, target={WRITTEN})", requests)
    best = number(found, "best attainable")
    assert max(every) - 0.02 < best < max(every) + 5e-5


def test_best_attainable_is_never_below_what_was_attained():
    requests = [listed(one) for one in itertools.product("abc", repeat=4)]
    lists = lists_of(requests)
    from evenhand.measures.registry import measure_named
    from evenhand.notation import parse

    measure = measure_named(parse(f"AWRF(of=topic, target={WRITTEN})"))
    own = measure.per_request(lists)
    best = measure.beside(lists, own)["best attainable"]
    assert (best >= own).all()
    assert len({*np.round(best[own < own.max() - 0.05], 12)}) == 1


def test_lists_with_gaps_have_a_best_of_their_own():
    requests = [listed("ab", [1, 2]), listed("ab", [1, 40]), listed("abab"), listed("aa", [2, 3])]
    from evenhand.measures.registry import measure_named
    from evenhand.notation import parse

    measure = measure_named(parse("AWRF(of=topic, target=shares(a, 0.5, b, 0.5))"))
    lists = lists_of(requests)
    best = measure.beside(lists, np.zeros(4))["best attainable"]
    for request, value in zip(requests, best, strict=True):
        slots = [item.slot for item in request]
        every = itertools.product("ab", repeat=len(slots))
        most = max(awrf(listed(one, slots), {"a": 0.5, "b": 0.5}) for one in every)
        assert value == pytest.approx(most)
