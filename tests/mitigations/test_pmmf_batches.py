"""The certificate's bound is of the largest batch so far; where that is unknown there is none."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import Candidates
from evenhand.mitigations.controller import State, Sums
from evenhand.mitigations.pmmf import PMMF
from evenhand.stats.estimate import Undefined

NAMES = ("a", "b")
START = PMMF(State.of(NAMES), weight=0.2)


def asked(count: int) -> Candidates:
    """Return requests with one candidate of each group; that of a has the higher score."""
    return Candidates(np.tile([[0.9, 0.8]], (count, 1)), np.tile(np.arange(2), (count, 1)), NAMES)


def counted(controller: PMMF, *batches: int) -> PMMF:
    for batch in batches:
        given = asked(batch)
        controller = controller.after(given, controller.rerank(given, 1).order)
    return controller


@pytest.mark.parametrize("batches", [(1000, 1), (1, 1000, 1), (300, 7, 200, 1)])
def test_the_bound_holds_after_a_large_batch_and_a_small_one(batches):
    controller, shown = START, 0.0
    for batch in batches:
        reranked = controller.rerank(asked(batch), 1)
        shown += reranked.certificate.utility.sum()
        controller = controller.after(asked(batch), reranked.order)
    # Half of the requests for each group: .85 of score, and every group has all of its target.
    lacking = 0.85 + 0.2 - (shown / sum(batches) + 0.2 * controller.worst)
    told = reranked.certificate
    assert lacking > START.bound(sum(batches))
    assert lacking <= told.bound == START.bound(sum(batches), at_once=max(batches))
    assert f"at most {max(batches)} at a time" in told.guarantee


@pytest.mark.parametrize("seed", range(4))
def test_prices_of_batches_of_many_sizes_have_no_more_regret_than_the_certificate_says(seed):
    # Whatever is shown: here the group whose price is highest, which pays most.
    rng, controller = np.random.default_rng(seed), START
    paid, received, count = 0.0, np.zeros(2), 0
    while count < 500:
        batch = int(rng.choice([1, 2, 40]))
        told = controller.rerank(asked(batch), 1).certificate
        prices = controller.prices()
        group = int(np.argmax(prices))
        controller = controller.after(asked(batch), np.full((batch, 1), group))
        paid += batch * prices[group] / controller.due[group]
        received[group] += batch
        count += batch
        assert paid - 0.2 * (received / controller.due).min() <= count * told.bound + 1e-9


def test_the_largest_batch_is_in_snapshots_and_stays_when_groups_are_new():
    state = counted(START, 3, 5, 1).state
    assert state.at_once == 5
    assert State.from_json(state.to_json()).at_once == 5
    assert state.grown(["c"]).at_once == 5
    assert START.state.at_once == 0


def test_a_snapshot_that_does_not_say_is_read_and_gives_no_bound():
    state = counted(START, 3, 5).state
    older = json.loads(state.to_json())
    del older["servers"]["server"]["at_once"]
    read = State.from_json(json.dumps(older))
    assert read == state
    for controller in (replace(START, state=read), counted(replace(START, state=read), 1)):
        told = controller.rerank(asked(1), 1).certificate
        assert told.bound == Undefined(
            "the state does not say how many requests were ranked at once"
        )
        assert "has no bound: the state does not say" in told.guarantee
        assert told.to_dict()["bound"] == {"undefined": told.bound.reason}
    # Whoever still knows tells it, in whatever order they meet.
    assert read.merge(state).at_once == state.merge(read).at_once == 5
    assert read.merge(read).at_once == read.at_once


def test_where_two_servers_answered_there_is_no_bound_and_the_certificate_says_why():
    left = counted(replace(START, server="left"), 40)
    right = counted(replace(START, server="right"), 40)
    # A server that answered nothing lags behind nothing.
    heard = replace(START, server="new").merge(left.state)
    assert heard.rerank(asked(1), 1).certificate.bound == START.bound(41, at_once=40)
    told = left.merge(right.state).rerank(asked(1), 1).certificate
    assert isinstance(told.bound, Undefined)
    assert "has no bound: 2 servers answered" in told.guarantee
    kept = replace(left, keep=0.9).merge(right.state).rerank(asked(1), 1).certificate
    assert kept.guarantee.startswith("utility of at least 0.9 of the top-k by score; how far")


def test_no_weight_leaves_nothing_to_fall_short_of_whoever_answered():
    left, right = (counted(replace(START, weight=0, server=name), 4) for name in ("x", "y"))
    assert left.merge(right.state).rerank(asked(1), 1).certificate.bound == 0


@pytest.mark.parametrize("at_once", [-1, 4])
def test_a_batch_of_more_requests_than_there_were_is_refused(at_once):
    with pytest.raises(RoleError, match="at once"):
        State(NAMES, {"s": Sums(np.ones(2), np.ones(2), 3, at_once)})
