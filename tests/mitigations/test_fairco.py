"""FairCo: orders against a naive controller, the guardrail against all crossings, feedback."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.controller import State, Sums
from evenhand.mitigations.fairco import FairCo
from evenhand.stats.estimate import Undefined
from mitigations import naive

NAMES = ("a", "b", "c")


def state(received=(4.0, 1.0, 6.0), merit=(8.0, 4.0, 6.0), requests=10):
    return State(NAMES, {"s": Sums(np.array(received), np.array(merit), requests)})


def drawn(seed, n, m, *, levels=None, unknown=0.2, ragged=True):
    """Requests with ties where there are levels, some without a group, some shorter."""
    rng = np.random.default_rng(seed)
    scores = rng.random((n, m)) if levels is None else rng.integers(0, levels, (n, m)) / levels
    groups = np.where(rng.random((n, m)) < unknown, -1, rng.integers(0, 3, (n, m)))
    if ragged:
        gone = np.arange(m) >= rng.integers(1, m + 1, n)[:, None]
        scores[gone], groups[gone] = np.nan, -1
    return Candidates(scores, groups, NAMES)


def rows(candidates):
    """Each request as lists of scores and names of groups."""
    for scores, groups in zip(candidates.scores, candidates.groups, strict=True):
        there = ~np.isnan(scores)
        named = [None if g < 0 else NAMES[g] for g in groups[there]]
        yield scores[there].tolist(), named


def kept(order):
    return [row[row != NOBODY].tolist() for row in order]


def correction_of(controller):
    added = np.minimum(controller.gain * controller.state.errors(), controller.cap)
    return dict(zip(NAMES, added.tolist(), strict=True))


def test_the_group_that_is_behind_rises_by_gain_times_error():
    # q = .5, .25, 1 over 10 requests: errors 5, 7.5, 0.
    candidates = candidates_of([[0.9, 0.5, 0.2, 0.1]], [["c", "a", "b", None]], NAMES)
    assert FairCo(state(), gain=0.05).rerank(candidates, 4).order.tolist() == [[0, 1, 2, 3]]
    assert FairCo(state(), gain=0.1).rerank(candidates, 4).order.tolist() == [[1, 2, 0, 3]]
    assert FairCo(state(), gain=1.0).rerank(candidates, 4).order.tolist() == [[2, 1, 0, 3]]


@pytest.mark.parametrize("shape", [(60, 8, 5), (60, 60, 4), (40, 5, 9)])
@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize("cap", [math.inf, 0.3])
def test_orders_are_those_of_a_naive_controller(shape, levels, cap):
    n, m, k = shape
    candidates = drawn(1, n, m, levels=levels)
    controller = FairCo(state(), gain=0.05, cap=cap)
    found = kept(controller.rerank(candidates, k).order)
    added = correction_of(controller)
    for (scores, groups), order in zip(rows(candidates), found, strict=True):
        assert order == naive.fairco(scores, groups, k, added)


@pytest.mark.parametrize("shape", [(30, 8, 5), (30, 40, 4)])
@pytest.mark.parametrize("keep", [0.8, 0.97, 1.0])
def test_the_guardrail_keeps_its_share_with_the_largest_factor_there_is(shape, keep):
    n, m, k = shape
    candidates = drawn(2, n, m)
    controller = FairCo(state(), gain=0.1, keep=keep)
    reranked = controller.rerank(candidates, k)
    added = correction_of(controller)
    binding = 0
    for place, (scores, groups) in enumerate(rows(candidates)):
        order = kept(reranked.order)[place]
        best = naive.discounted(scores, naive.best_first(scores)[:k])
        assert naive.discounted(scores, order) >= keep * best - 1e-9
        largest = naive.fairco_factor(scores, groups, k, added, keep)
        factor = reranked.certificate.factor[place]
        assert factor == pytest.approx(largest, abs=1e-4)
        assert order == naive.fairco(scores, groups, k, added, factor)
        assert reranked.certificate.guarded[place] == (largest < 1)
        binding += largest < 1
    assert 0 < binding < n


def test_a_request_comes_out_the_same_alone_and_among_others():
    candidates = drawn(3, 50, 70)
    controller = FairCo(state(), gain=0.1, keep=0.9)
    together = controller.rerank(candidates, 5)
    for place in range(50):
        size = candidates.sizes[place]
        single = Candidates(
            candidates.scores[place : place + 1, :size],
            candidates.groups[place : place + 1, :size],
            NAMES,
        )
        alone = controller.rerank(single, 5)
        assert kept(alone.order) == [kept(together.order)[place]]
        assert alone.certificate.factor[0] == together.certificate.factor[place]


@pytest.mark.parametrize("controller", [FairCo(state(), gain=0.0), FairCo(State.of(NAMES), 5.0)])
def test_without_gain_or_history_the_order_is_by_score(controller):
    candidates = drawn(4, 20, 9, levels=3)
    np.testing.assert_array_equal(controller.rerank(candidates, 6).order, candidates.best(6))


def test_the_certificate_says_what_it_cost_and_what_bound():
    candidates = drawn(5, 40, 12)
    certificate = FairCo(state(), gain=0.1, cap=0.6, keep=0.9).rerank(candidates, 5).certificate
    told = certificate.to_dict()
    assert told["kept"] == 40
    assert told["disparity"] == 0.5
    assert told["gap"] == 0.75
    assert told["requests_before"] == 10
    assert told["lost"] == pytest.approx(told["best"] - told["utility"])
    # Errors 5 and 7.5 by a gain of .1: only group b's .75 is above the cap.
    has_b = [("b" in groups) for _, groups in rows(candidates)]
    assert certificate.capped.tolist() == has_b
    assert told["guarded"] == np.mean(certificate.factor < 1)


def test_a_group_without_merit_is_not_corrected_and_the_certificate_says_so():
    controller = FairCo(state(merit=(8.0, 0.0, 6.0)), gain=1.0)
    candidates = candidates_of([[0.9, 0.5, 0.2]], [["c", "b", "a"]], NAMES)
    reranked = controller.rerank(candidates, 3)
    assert reranked.order.tolist() == [[2, 0, 1]]
    assert isinstance(reranked.certificate.disparity, Undefined)
    told = reranked.certificate.to_dict()
    assert "'b'" in told["disparity"]["undefined"]
    assert told["reasons"] == ["no correction for 'b': no merit so far"]


def test_items_may_be_groups_of_their_own():
    items = tuple(range(30))
    controller = FairCo(State.of(items), gain=0.5)
    candidates = Candidates(np.linspace(1, 0.5, 30)[None], np.arange(30)[None], items)
    merit = np.ones((1, 30))
    for _ in range(60):
        order = controller.rerank(candidates, 5).order
        controller = controller.after(candidates, order, merit=merit)
    first = controller.state.gap()
    assert (controller.state.total.received > 0).all()
    for _ in range(600):
        order = controller.rerank(candidates, 5).order
        controller = controller.after(candidates, order, merit=merit)
    assert controller.state.gap() < first / 5


def test_exposure_and_given_merit_are_summed_by_group():
    candidates = drawn(6, 25, 7)
    order = candidates.best(4)
    merit = np.random.default_rng(0).random((25, 7))
    total = FairCo(State.of(NAMES)).after(candidates, order, merit=merit).state.total
    received, merits = dict.fromkeys(NAMES, 0.0), dict.fromkeys(NAMES, 0.0)
    for place, (_, groups) in enumerate(rows(candidates)):
        for slot, shown in enumerate(kept(order)[place]):
            if groups[shown]:
                received[groups[shown]] += 1 / math.log2(slot + 2)
        for at, group in enumerate(groups):
            if group:
                merits[group] += merit[place, at]
    assert total.received == pytest.approx([*received.values()])
    assert total.merit == pytest.approx([*merits.values()])
    assert total.requests == 25


def test_merit_from_expected_clicks_is_the_sum_of_relevance():
    # Linear in clicks, so that their expectation gives the expectation of the estimate.
    candidates = drawn(7, 30, 6, unknown=0.0)
    examined = (1.0, 0.8, 0.5, 0.4, 0.2, 0.1)
    relevance = np.random.default_rng(1).random((30, 6))
    order = candidates.best(6)
    clicks = np.where(
        order == NOBODY, 0, np.take_along_axis(relevance, np.maximum(order, 0), axis=1)
    ) * np.array(examined)
    controller = FairCo(State.of(NAMES), examined=examined)
    estimated = controller.after(candidates, order, clicks=clicks).state.total
    true = controller.after(candidates, order, merit=relevance).state.total
    assert estimated.merit == pytest.approx(true.merit)


def test_propensities_of_a_policy_stand_in_for_candidates_that_were_not_shown():
    # One of two candidates is shown, each with its chance: the expectation over both is exact.
    candidates = candidates_of([[0.6, 0.4]], [["a", "b"]], NAMES)
    chance, relevance = np.array([[0.75, 0.25]]), (0.6, 0.3)
    controller = FairCo(State.of(NAMES))
    merit = sum(
        chance[0, shown]
        * controller.after(
            candidates,
            np.array([[shown]]),
            clicks=np.array([[relevance[shown]]]),
            propensity=chance,
        ).state.total.merit
        for shown in (0, 1)
    )
    assert merit == pytest.approx([0.6, 0.3, 0.0])


def test_clicks_are_what_is_received_where_they_are_to_be_fair():
    candidates = candidates_of([[0.6, 0.4]], [["a", "b"]], NAMES)
    controller = FairCo(State.of(NAMES), of="clicks")
    after = controller.after(
        candidates, np.array([[0, 1]]), merit=np.ones((1, 2)), clicks=np.array([[1.0, 0.0]])
    )
    assert after.state.total.received.tolist() == [1.0, 0.0, 0.0]


def test_a_rollback_goes_on_as_if_nothing_had_been_between():
    candidates = [drawn(seed, 10, 9) for seed in range(12)]

    def follow(controller, requests):
        orders = []
        for one in requests:
            order = controller.rerank(one, 4).order
            orders.append(order)
            controller = controller.after(one, order, merit=np.nan_to_num(one.scores))
        return controller, orders

    before, _ = follow(FairCo(State.of(NAMES), gain=0.3), candidates[:4])
    snapshot = before.state.to_json()
    gone, _ = follow(before, candidates[4:8])
    back = gone.rollback(State.from_json(snapshot))
    assert back.state != gone.state
    straight, orders = follow(before, candidates[8:])
    returned, again = follow(back, candidates[8:])
    assert straight.state == returned.state
    for one, other in zip(orders, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_servers_that_exchange_states_rank_as_one_that_answers_all():
    # Chances in quarters and whole merits: sums are exact, so nothing may differ by a bit.
    rng = np.random.default_rng(8)
    single = FairCo(State.of(NAMES), gain=0.02, examined=(1.0, 0.5, 0.25))
    servers = [replace(single, server=name) for name in ("x", "y")]
    for _ in range(50):
        scores, groups = rng.random((8, 9)), rng.integers(-1, 3, (8, 9))
        merit = rng.integers(0, 3, (8, 9)).astype(float)
        halves = [slice(0, 4), slice(4, 8)]
        whole = Candidates(scores, groups, NAMES)
        order = single.rerank(whole, 3).order
        single = single.after(whole, order, merit=merit)
        for place, half in enumerate(halves):
            mine = Candidates(scores[half], groups[half], NAMES)
            found = servers[place].rerank(mine, 3).order
            np.testing.assert_array_equal(found, order[half])
            servers[place] = servers[place].after(mine, found, merit=merit[half])
        merged = servers[0].state.merge(servers[1].state)
        servers = [server.merge(merged) for server in servers]
        assert merged.total == single.state.total


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"gain": -1.0}, "gain"),
        ({"gain": math.nan}, "gain"),
        ({"cap": -0.1}, "cap"),
        ({"keep": 1.2}, "keep"),
        ({"of": "impressions"}, "impressions"),
        ({"examined": (0.5, 0.6)}, "examined"),
        ({"examined": (0.5, 0.0)}, "examined"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(parameters, says):
    with pytest.raises(RoleError, match=says):
        FairCo(state(), **parameters)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("shape", [(0, 4), (2, 0), (2, 1)])
def test_nothing_to_rank_is_ranked_as_nothing(shape, k):
    candidates = Candidates(np.ones(shape), np.zeros(shape, np.int64), NAMES)
    controller = FairCo(state(), gain=0.1, keep=0.9)
    reranked = controller.rerank(candidates, k)
    assert reranked.order.shape == (shape[0], k)
    assert (reranked.order != NOBODY).sum() == shape[0] * min(shape[1], k)
    assert reranked.certificate.kept.all()
    after = controller.after(candidates, reranked.order, merit=np.ones(shape))
    assert after.state.requests == 10 + shape[0]


def test_groups_that_the_controller_does_not_know_are_refused():
    candidates = candidates_of([[0.6]], [["d"]])
    with pytest.raises(RoleError, match=r"'d'.*\n.*Grow"):
        FairCo(state()).rerank(candidates, 1)


def test_groups_in_another_order_are_refused():
    candidates = candidates_of([[0.6]], [["a"]], ("b", "a", "c"))
    with pytest.raises(RoleError, match="same order"):
        FairCo(state()).rerank(candidates, 1)


def test_a_share_of_negative_scores_is_refused():
    candidates = candidates_of([[-1.0, -2.0]], [["a", "b"]], NAMES)
    assert FairCo(state()).rerank(candidates, 2).order.shape == (1, 2)
    with pytest.raises(RoleError, match="Shift"):
        FairCo(state(), keep=0.9).rerank(candidates, 2)


ONE = candidates_of([[0.6, 0.4]], [["a", "b"]], NAMES)
BOTH = np.array([[0, 1]])


@pytest.mark.parametrize(
    ("order", "feedback", "says"),
    [
        (BOTH, {}, "Give merit"),
        (BOTH[:, :1], {"clicks": np.ones((1, 1))}, "not shown"),
        (BOTH, {"merit": np.ones((1, 3))}, "shape"),
        (BOTH, {"merit": np.array([[1.0, -1.0]])}, "negative"),
        (BOTH, {"merit": np.array([[1.0, np.nan]])}, "missing"),
        (BOTH, {"clicks": np.array([[np.inf, 0.0]])}, "infinite"),
        (BOTH, {"clicks": np.ones((1, 2)), "propensity": np.array([[1.0, 0.0]])}, "above 0"),
        (BOTH, {"clicks": np.ones((1, 2)), "propensity": np.array([[1.0, 1.1]])}, "above 0"),
        (BOTH * 0, {"merit": np.ones((1, 2))}, "twice"),
        (BOTH + 1, {"merit": np.ones((1, 2))}, "no candidate"),
        (BOTH[0], {"merit": np.ones((1, 2))}, "requests"),
    ],
)
def test_feedback_that_does_not_fit_is_refused(order, feedback, says):
    with pytest.raises(RoleError, match=says):
        FairCo(state()).after(ONE, order, **feedback)


def test_clicks_are_needed_where_they_are_to_be_fair():
    with pytest.raises(RoleError, match="clicks are what is counted"):
        FairCo(state(), of="clicks").after(ONE, BOTH, merit=np.ones((1, 2)))


def test_more_slots_than_have_a_chance_are_refused():
    with pytest.raises(RoleError, match="1 slots, and 2"):
        FairCo(state(), examined=(1.0,)).after(ONE, BOTH, merit=np.ones((1, 2)))
