"""The constant of O(1/t): it holds after every request, and is refused where nothing holds."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from evenhand.mitigations.candidates import Candidates, candidates_of
from evenhand.mitigations.controller import State
from evenhand.mitigations.disparity_bound import gap_bound
from evenhand.mitigations.fairco import FairCo
from evenhand.stats.estimate import Undefined


def requests(rng, groups, n, merit, *, favoured):
    """Requests of three candidates a group; each group's merit is the same every time."""
    codes = np.tile(np.repeat(np.arange(groups), 3), (n, 1))
    scores = rng.random(codes.shape) * 0.5 + 0.5 * (codes == favoured)
    split = rng.dirichlet(np.ones(3), (n, groups))
    merits = (split * merit[:, None]).reshape(n, -1)
    return Candidates(scores, codes, tuple(range(groups))), merits


def walk(controller, candidates, merits, k, at_once):
    """Yield t and the gap after each batch."""
    for first in range(0, candidates.requests, at_once):
        part = slice(first, first + at_once)
        some = Candidates(candidates.scores[part], candidates.groups[part], candidates.names)
        order = controller.rerank(some, k).order
        controller = controller.after(some, order, merit=merits[part])
        yield controller.state.requests, controller.state.gap()


CASES = [
    (np.array([1.0, 1.0]), 1),
    (np.array([2.0, 1.0]), 1),
    (np.array([2.0, 1.0]), 5),
    (np.array([1.5, 1.0, 1.0]), 1),
    (np.array([1.5, 1.0, 1.0]), 5),
    (np.array([1.0, 1.0, 1.0, 1.2]), 1),
]


@pytest.mark.parametrize(("merit", "at_once"), CASES)
@pytest.mark.parametrize("gain", [0.02, 0.5])
def test_the_gap_is_below_the_bound_after_every_batch_and_not_without_control(merit, at_once, gain):
    rng = np.random.default_rng(len(merit) + at_once)
    candidates, merits = requests(rng, len(merit), 600, merit, favoured=0)
    controller = FairCo(State.of(candidates.names), gain=gain)
    bound = gap_bound(controller, candidates, merit, 4, at_once=at_once)
    for t, gap in walk(controller, candidates, merits, 4, at_once):
        assert t * gap <= bound + 1e-9
    ((t, gap),) = walk(replace(controller, gain=0.0), candidates, merits, 4, 600)
    assert t * gap > bound


def test_servers_that_exchange_states_now_and_then_are_one_with_batches():
    # Two servers, eight requests each between exchanges: sixteen that do not see one another.
    merit = np.array([1.5, 1.0, 1.0])
    candidates, merits = requests(np.random.default_rng(1), 3, 640, merit, favoured=0)
    start = FairCo(State.of(candidates.names), gain=0.1)
    bound = gap_bound(start, candidates, merit, 4, at_once=16)
    servers = [replace(start, server=name) for name in "xy"]
    for first in range(0, 640, 16):
        for row in range(first, first + 16):
            some = Candidates(
                candidates.scores[row : row + 1],
                candidates.groups[row : row + 1],
                candidates.names,
            )
            mine = servers[row % 2]
            order = mine.rerank(some, 4).order
            servers[row % 2] = mine.after(some, order, merit=merits[row : row + 1])
        servers = [one.merge(other.state) for one, other in (servers, servers[::-1])]
        merged = servers[0].state
        assert merged == servers[1].state
        assert merged.requests == first + 16
        assert merged.requests * merged.gap() <= bound


def reachable(candidates, merit, slots):
    """Whether a mixture of all permutations gives groups exposure in proportion to merit."""
    groups = candidates.groups[0]
    points = []
    for order in itertools.permutations(range(len(groups)), len(slots)):
        exposure = np.bincount(groups[list(order)], weights=slots, minlength=len(merit))
        points.append(exposure)
    columns = np.vstack([np.array(points).T, np.ones(len(points))])
    wanted = np.append(slots.sum() * merit / merit.sum(), 1.0)
    return linprog(np.zeros(len(points)), A_eq=columns, b_eq=wanted).success


def five(seed):
    """Five candidates of two or three groups, merits, and a number of slots."""
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(2, 4))
    codes = np.concatenate([np.arange(groups), rng.integers(0, groups, 5 - groups)])
    candidates = Candidates(rng.random((1, 5)), codes[None], tuple(range(groups)))
    merit = rng.dirichlet(np.ones(groups)) + 1e-3
    k = int(rng.integers(1, 5))
    return candidates, merit, k


@pytest.mark.parametrize("seed", range(40))
def test_a_bound_is_refused_where_no_mixture_of_orders_gives_exposure_by_merit(seed):
    candidates, merit, k = five(seed)
    controller = FairCo(State.of(candidates.names))
    bound = gap_bound(controller, candidates, merit, k)
    assert isinstance(bound, float) == reachable(candidates, merit, controller.slots(k))


def test_both_outcomes_occur_among_the_seeds_above():
    found = set()
    for seed in range(40):
        candidates, merit, k = five(seed)
        found.add(reachable(candidates, merit, 1 / np.log2(np.arange(2, k + 2))))
    assert found == {True, False}


def test_two_groups_by_hand():
    # One candidate each, two slots of 1 and .5: scores .3 apart, .3 / .1 + 1 / 2.
    candidates = candidates_of([[0.8, 0.5]], [["a", "b"]])
    controller = FairCo(State.of(("a", "b")), gain=0.1, examined=(1.0, 0.5))
    assert gap_bound(controller, candidates, np.array([2.0, 2.0]), 2) == pytest.approx(3.5)


GIVEN = candidates_of([[0.8, 0.5, 0.4]], [["a", "b", "b"]])


@pytest.mark.parametrize(
    ("parameters", "merit", "candidates", "says"),
    [
        ({}, [1.0, 0.0], GIVEN, "above 0"),
        ({}, [1.0], GIVEN, "above 0"),
        ({"gain": 0.0}, [1.0, 1.0], GIVEN, "without gain"),
        ({"keep": 0.5}, [1.0, 1.0], GIVEN, "guardrail"),
        ({"of": "clicks"}, [1.0, 1.0], GIVEN, "viewers"),
        ({"cap": 0.1}, [1.0, 1.0], GIVEN, "cap may bind"),
        ({}, [9.0, 1.0], GIVEN, "'a' cannot receive"),
        ({}, [1.0, 1.0], candidates_of([[0.8, 0.5]], [["a", None]], ("a", "b")), "no group"),
        ({}, [1.0, 1.0], candidates_of([[], [0.5]], [[], ["a"]], ("a", "b")), "no candidates"),
        ({}, [1.0, 1.0], candidates_of([], [], ("a", "b")), "no requests"),
        ({}, [1.0], candidates_of([[0.5]], [["a"]]), "1 groups"),
    ],
)
def test_where_nothing_is_guaranteed_the_reason_is_given(parameters, merit, candidates, says):
    controller = FairCo(State.of(candidates.names), **{"gain": 0.1, **parameters})
    bound = gap_bound(controller, candidates, np.array(merit), 2)
    assert isinstance(bound, Undefined)
    assert says in bound.reason


def test_a_cap_that_cannot_bind_leaves_the_bound_as_it_is():
    free = FairCo(State.of(("a", "b")), gain=0.1)
    merit = np.array([1.0, 1.0])
    bound = gap_bound(free, GIVEN, merit, 2)
    assert gap_bound(replace(free, cap=0.1 * bound), GIVEN, merit, 2) == bound
