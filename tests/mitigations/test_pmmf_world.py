"""P-MMF over days of feedback: the worst group rises, the guardrail holds, regret is within bounds.

Tiers are held against their shares of the catalogue. Stars are pushed by a boost, and popularity
feeds on itself, so that by score alone new creators have two fifths of theirs.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from evenhand.mitigations.candidates import Candidates
from evenhand.mitigations.controller import State
from evenhand.mitigations.pmmf import PMMF
from evenhand.worlds.short_video import feedback
from mitigations.days import WORLD, Days, run_section
from mitigations.naive import best_first, discounted
from naive_exposure import weight as attention_of

FEED = replace(WORLD, slots=8)
NAMES = tuple(FEED.creators.tiers)
ITEMS = {tier: FEED.creators.tiers[tier] * FEED.creators.items[tier] for tier in NAMES}
TARGETS = {tier: count / sum(ITEMS.values()) for tier, count in ITEMS.items()}
DUE = np.array([*TARGETS.values()])
START = PMMF(State.of(NAMES), weight=0.2, targets=TARGETS)
SHORT = replace(FEED, requests=200, days=2)


def learned(controller, candidates, seen):
    return controller.after(candidates, seen.order)


def worst_by(times, controller, seed):
    """The worst group's share of its target after so many requests, counted from orders alone."""
    attention = np.array([attention_of(slot) for slot in range(1, FEED.slots + 1)])
    received, count, found = np.zeros(len(NAMES)), 0, []
    for seen, _, _ in Days(controller, learned).walk(seed, world=FEED):
        shown = np.take_along_axis(seen.asked.group, seen.order, axis=1)
        for group in range(len(NAMES)):
            received[group] += ((shown == group) @ attention).sum() / attention.sum()
        count += len(shown)
        if count in times:
            found.append((received / DUE).min() / count)
    assert len(found) == len(times)
    return found


@pytest.mark.slow
def test_the_worst_group_rises_over_days_and_above_what_no_control_gives():
    # Over 16 seeds that are not used here the share rose by .058 from request 104 to 400, with a
    # spread of .025, by .028 to 1,600 (.007) and by .009 to 4,000 (.006), where it was .972 (.004).
    # Without control it was .394 at the end (.008), after a move of -.009 (.027). So what is held
    # here of means over 12 seeds is broken by a chance below 1e-4.
    times = (104, 400, 1600, 4000)
    found = np.array([worst_by(times, START, seed) for seed in range(12)])
    free = np.array([worst_by(times[::3], replace(START, weight=0.0), seed) for seed in range(12)])
    means = found.mean(axis=0)
    assert (np.diff(means) > 0).all()
    assert means[-1] > 0.95
    assert (found[:, -1] > free[:, -1]).all()
    assert free[:, -1].max() < 0.5
    assert abs(np.diff(free.mean(axis=0))[0]) < 0.05


@pytest.mark.slow
def test_regret_against_the_best_fixed_prices_in_hindsight_is_within_the_bound():
    # Without popularity requests are drawn alike. The best prices in hindsight have the lowest
    # dual, which no policy is above; any others would give a higher one, and so more regret.
    # Of 4 seeds that are not used here the regret was .0008 to .0012, and by score alone .066 or
    # more; the bound is .0137.
    alike = replace(FEED, feedback=0.0)
    attention = np.array([attention_of(slot) for slot in range(1, FEED.slots + 1)])
    attention /= attention.sum()
    for seed in range(2):
        days = Days(START, learned)
        walked = [seen for seen, _, _ in days.walk(seed, batch=1, world=alike)]
        score = np.concatenate([seen.asked.score for seen in walked])
        group = np.concatenate([seen.asked.group for seen in walked])
        order = np.concatenate([seen.order for seen in walked])

        def dual(free, score=score, group=group):
            prices = 0.2 * np.exp(free) / np.exp(free).sum()
            raised = score + (prices / DUE)[group]
            return (-np.sort(-raised, axis=1)[:, : FEED.slots] @ attention).mean()

        def objective(order, score=score, group=group):
            shown = np.take_along_axis(group, order, axis=1)
            got = [((shown == code) @ attention).mean() for code in range(len(NAMES))]
            mean = (np.take_along_axis(score, order, axis=1) @ attention).mean()
            return mean + 0.2 * (np.array(got) / DUE).min()

        best = minimize(dual, np.zeros(len(NAMES)), method="Nelder-Mead").fun
        bound = days.controller.bound(len(score))
        assert best - bound <= objective(order) <= best + 1e-9
        assert objective(np.argsort(-score, axis=1)[:, : FEED.slots]) < best - bound


@pytest.mark.slow
@pytest.mark.parametrize("keep", [0.97, 0.99])
def test_the_guardrail_holds_in_every_request_and_says_where_it_bound(keep):
    days = Days(replace(START, weight=0.1, keep=keep), learned)
    bound = []
    for seen, candidates, certificate in days.walk(2, world=FEED):
        for row, order in enumerate(seen.order.tolist()):
            scores = candidates.scores[row].tolist()
            best = discounted(scores, best_first(scores)[: FEED.slots])
            # As exact as sums in another order are.
            assert discounted(scores, order) >= keep * best * (1 - 1e-11)
        bound += certificate.guarded.tolist()
        assert certificate.kept.all()
        assert ((certificate.shortfall > 0) <= certificate.guarded).all()
    assert 0.1 < np.mean(bound) < 0.95


@pytest.mark.parametrize("keep", [0.0, 0.97])
def test_going_back_to_a_snapshot_repeats_the_days_bit_for_bit(keep):
    days = Days(replace(START, keep=keep), learned)
    for _ in days.walk(3, world=SHORT):
        pass
    earlier = days.controller
    snapshot = earlier.state.to_json()
    first = [seen.order for seen, _, _ in days.walk(4, world=SHORT)]
    after = days.controller
    assert after.prices().tolist() != earlier.prices().tolist()
    days.controller = after.rollback(State.from_json(snapshot))
    assert days.controller.state == earlier.state
    assert days.controller.prices().tolist() == earlier.prices().tolist()
    assert days.controller.state.to_json() == snapshot
    again = [seen.order for seen, _, _ in days.walk(4, world=SHORT)]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert days.controller.state == after.state


@pytest.mark.parametrize(("slots", "keep"), [(1, 0.0), (1, 0.9), (8, 0.0), (8, 0.97)])
def test_two_servers_that_exchange_after_every_batch_rank_as_one(slots, keep):
    # One slot has all attention, so that sums are whole numbers and nothing may differ by a bit;
    # of more, sums that were added in another order may differ in the last.
    start = replace(START, keep=keep)
    pair = [replace(start, server=name) for name in "xy"]
    alone = start

    def rank(asked):
        nonlocal alone
        whole = Candidates(asked.score, asked.group, asked.names)
        expected = alone.rerank(whole, asked.slots).order
        alone = alone.after(whole, expected)
        found = []
        for at, half in enumerate((slice(0, 4), slice(4, 8))):
            mine = Candidates(asked.score[half], asked.group[half], asked.names)
            found.append(pair[at].rerank(mine, asked.slots).order)
            pair[at] = pair[at].after(mine, found[-1])
        states = [one.state for one in pair]
        pair[:] = [one.merge(other) for one, other in zip(pair, states[::-1], strict=True)]
        np.testing.assert_array_equal(np.concatenate(found), expected)
        return expected

    for _ in feedback(replace(SHORT, slots=slots, requests=400), rank, seed=5, batch=8):
        assert pair[0].state == pair[1].state
        if slots == 1:
            assert pair[0].prices().tolist() == alone.prices().tolist()
        else:
            assert pair[0].prices() == pytest.approx(alone.prices(), abs=1e-12)
    assert pair[0].state.requests == alone.state.requests == 400


def test_states_merged_in_any_order_and_any_number_of_times_give_the_same_bits():
    states = []
    for seed, server in enumerate("xyz"):
        days = Days(replace(START, server=server), learned)
        for _ in days.walk(seed, world=SHORT):
            pass
        states.append(days.controller.state)
    expected = START.merge(*states).prices().tolist()
    for order in itertools.permutations(states):
        assert START.merge(*order).prices().tolist() == expected
        assert START.merge(*order, *order[::-1]).prices().tolist() == expected
        one, two, three = order
        assert START.rollback(one).merge(three.merge(two)).prices().tolist() == expected
    assert START.merge(*states).state.requests == 600


def test_the_section_of_the_page_runs(capsys):
    assert run_section("Online: P-MMF")["controller"].state.requests == 400
    assert "shortfall" in capsys.readouterr().out
