"""What a controller remembers: sums by server that merge in any order, errors, snapshots."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.errors import BundleError, RoleError, StateMergeError
from evenhand.mitigations.controller import State, Sums
from evenhand.stats.estimate import Undefined

NAMES = ("a", "b", "c")


def sums(received, merit, requests):
    return Sums(np.array(received, float), np.array(merit, float), requests)


def one(received, merit, requests):
    return State(NAMES[: len(merit)], {"s": sums(received, merit, requests)})


def test_errors_are_what_others_received_more_per_merit_times_the_requests():
    state = one([4.0, 1.0, 6.0], [8.0, 4.0, 6.0], 10)
    assert state.treatment.tolist() == [0.5, 0.25, 1.0]
    assert state.errors().tolist() == [5.0, 7.5, 0.0]
    assert state.gap() == 0.75
    assert state.disparity() == 0.5


def test_before_the_first_request_nobody_is_behind():
    state = State.of(NAMES)
    assert state.errors().tolist() == [0.0, 0.0, 0.0]
    assert isinstance(state.gap(), Undefined)


def test_a_group_without_merit_is_named_and_never_divided_by():
    state = one([4.0, 1.0, 6.0], [8.0, 0.0, 6.0], 10)
    assert state.errors().tolist() == [5.0, 0.0, 0.0]
    for figure in (state.gap(), state.disparity()):
        assert isinstance(figure, Undefined)
        assert "'b'" in figure.reason
    assert state.without_merit == ("b",)


def test_one_group_has_no_disparity():
    assert isinstance(one([1.0], [1.0], 1).disparity(), Undefined)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0.1, 9)), min_size=2, max_size=6))
def test_disparity_is_the_mean_over_pairs(groups):
    received, merit = zip(*groups, strict=True)
    state = State(tuple(range(len(groups))), {"s": sums(received, merit, 3)})
    q = [r / m for r, m in groups]
    pairs = [abs(x - y) for x, y in combinations(q, 2)]
    assert state.disparity() == pytest.approx(sum(pairs) / len(pairs), abs=1e-9)
    assert state.gap() == pytest.approx(max(pairs), abs=1e-9)


def histories():
    """States that servers had at some time: each server's sums grow with its requests."""
    steps = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=6, max_size=6)
    lengths = st.lists(st.integers(0, 6), min_size=9, max_size=9)
    return st.tuples(st.lists(steps, min_size=3, max_size=3), lengths)


def states(history):
    walks, lengths = history
    found = []
    for place in range(3):
        state = State.of(("a", "b"))
        for server, walk in enumerate(walks):
            for received, merit in walk[: lengths[3 * place + server]]:
                state = state.added(f"s{server}", sums([received, 1], [merit, 1], 1))
        found.append(state)
    return found


@settings(deadline=None)
@given(histories())
def test_merging_is_commutative_associative_and_idempotent_bit_for_bit(history):
    x, y, z = states(history)
    assert x.merge(y) == y.merge(x)
    assert x.merge(y).merge(z) == x.merge(y.merge(z))
    assert x.merge(y).merge(y) == x.merge(y)
    assert x.merge(y).total == y.merge(x).total


@settings(deadline=None)
@given(histories())
def test_merging_keeps_of_each_server_what_it_answered_last(history):
    parts = states(history)
    merged = parts[0].merge(parts[1]).merge(parts[2])
    for server in merged.by_server:
        known = [part.by_server[server] for part in parts if server in part.by_server]
        assert merged.by_server[server] == max(known, key=lambda found: found.requests)


def test_requests_of_servers_add_up_and_so_do_their_errors():
    first = State(("a", "b"), {"x": sums([3, 1], [2, 2], 4)})
    second = State(("a", "b"), {"y": sums([3, 1], [2, 2], 4)})
    assert first.merge(second).errors().tolist() == [0.0, 8.0]
    assert (first.errors() + second.errors()).tolist() == [0.0, 8.0]


def test_two_servers_of_one_name_are_refused():
    first = State(("a", "b"), {"x": sums([3, 1], [2, 2], 4)})
    second = State(("a", "b"), {"x": sums([3, 2], [2, 2], 4)})
    with pytest.raises(StateMergeError, match="name of its own"):
        first.merge(second)


def test_states_of_other_groups_are_refused():
    with pytest.raises(StateMergeError, match="a, b"):
        State.of(("a", "b")).merge(State.of(("a", "c")))


def test_new_groups_begin_with_nothing():
    state = one([4.0, 1.0], [8.0, 4.0], 10).grown(["b", "new"])
    assert state.names == ("a", "b", "new")
    assert state.without_merit == ("new",)
    assert state.errors().tolist() == [0.0, 2.5, 0.0]


@settings(deadline=None)
@given(histories())
def test_a_snapshot_is_read_as_the_same_state_bit_for_bit(history):
    state = states(history)[0]
    again = State.from_json(state.to_json())
    assert again == state
    assert again.total == state.total
    assert again.to_json() == state.to_json()


S = {"received": [1.0, 1.0], "merit": [1.0, 2.0], "requests": 1}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda found: {**found, "version": 2}, "version 2"),
        (lambda found: {"names": found["names"]}, "version"),
        (lambda found: {**found, "servers": {"s": {"received": [1]}}}, "merit"),
        (lambda found: {**found, "servers": 3}, "cannot be read"),
        (lambda found: {**found, "names": ["a"]}, "not of 1 groups"),
        (lambda found: [found], "cannot be read"),
        (lambda found: {**found, "names": ["a", "a"]}, "twice"),
        (lambda found: {**found, "servers": {"s": {**S, "requests": 1.5}}}, "cannot be read"),
        (lambda found: {**found, "servers": {"s": {**S, "merit": [1.0, None]}}}, "none"),
    ],
)
def test_what_is_no_snapshot_is_refused(change, says):
    found = json.loads(one([1.0, 1.0], [1.0, 2.0], 1).to_json())
    with pytest.raises(BundleError, match=says):
        State.from_json(json.dumps(change(found)))


def test_a_torn_snapshot_is_refused():
    with pytest.raises(BundleError, match="to_json"):
        State.from_json(one([1.0, 1.0], [1.0, 2.0], 1).to_json()[:-9])


@pytest.mark.parametrize(
    ("received", "merit", "requests", "says"),
    [
        ([-1.0, 1.0], [1.0, 1.0], 1, "negative"),
        ([1.0, 1.0], [float("nan"), 1.0], 1, "none"),
        ([1.0], [1.0], 1, "2 groups"),
        ([1.0, 1.0], [1.0, 1.0], -1, "-1 requests"),
    ],
)
def test_sums_that_are_none_are_refused(received, merit, requests, says):
    with pytest.raises(RoleError, match=says):
        State(("a", "b"), {"s": sums(received, merit, requests)})


def test_a_group_that_is_named_twice_is_refused():
    with pytest.raises(RoleError, match="twice"):
        State.of(("a", "a"))
