"""The best order under minima against all orders, and against an assignment of candidates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, candidates_of
from evenhand.mitigations.minimum import floors
from evenhand.mitigations.optimum import best_under_minima
from made_candidates import random_request
from mitigations.naive import best_first, discounted, orders_that_hold, weight


def random_minima(rng, k, count):
    """Minima of few groups, which most requests can meet, and some cannot."""
    chances = [*[0.4 / count] * count, 0.6]
    return np.cumsum(rng.multinomial(1, chances, size=k)[:, :count], axis=0)


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("size", [3, 5, 6])
def test_is_the_best_of_all_orders(size, ties, unknown):
    rng = np.random.default_rng([size, ties, unknown])
    met = 0
    for _ in range(40):
        scores = (rng.integers(-2, 3, size) if ties else rng.normal(size=size)).tolist()
        groups = rng.choice(["a", "b", "c", None] if unknown else ["a", "b", "c"], size).tolist()
        k = int(rng.integers(1, size + 1))
        minima = random_minima(rng, k, 3)
        found = best_under_minima(candidates_of([scores], [groups], "abc"), minima, k)
        asked = [dict(zip("abc", row, strict=True)) for row in minima.tolist()]
        every = [*orders_that_hold(scores, groups, k, asked)]
        if not every:
            assert found.reasons[0]
            assert np.isnan(found.utility[0])
            assert (found.order == NOBODY).all()
            continue
        met += tuple(best_first(scores)[:k]) not in every
        assert not found.reasons
        most = max(discounted(scores, order) for order in every)
        assert found.utility[0] == pytest.approx(most, abs=1e-12)
        assert tuple(place for place in found.order[0].tolist() if place != NOBODY) in every
    assert met > 1


def assigned(scores, groups, minima):
    """The highest utility, as an assignment of candidates to slots with deadlines."""
    order, k = best_first(scores), len(minima)
    pool, last = [], []
    for group in range(minima.shape[1]):
        own = [place for place in order if groups[place] == group][:k]
        late = [np.flatnonzero(minima[:, group] > nth) for nth in range(len(own))]
        pool += own
        last += [slots[0] if len(slots) else k for slots in late]
    worth = np.array(scores)[pool][:, None] * [weight(slot + 1) for slot in range(k)]
    worth[np.arange(k) > np.array(last)[:, None]] = -1e6
    padded = np.concatenate([worth, np.zeros((len(pool), len(pool) - k))], axis=1)
    padded[:, k:][np.array(last) < k] = -1e6
    rows, columns = linear_sum_assignment(padded, maximize=True)
    return padded[rows, columns].sum()


@pytest.mark.parametrize("shares", [[0.6, 0.4], [0.1, 0.2, 0.3, 0.4], [0.1] * 4 + [0.6]])
def test_of_long_lists_it_is_the_best_assignment(shares):
    rng = np.random.default_rng(len(shares))
    count, k = len(shares), 20
    scores = rng.normal(size=(40, 60))
    groups = np.tile(np.arange(60) % count, (40, 1))
    rng.permuted(groups, axis=1, out=groups)
    scores += groups == 0
    minima = floors(np.array(shares), k)
    asked = candidates_of(scores, groups, range(count))
    found = best_under_minima(asked, minima, k)
    for row in range(40):
        expected = assigned(scores[row].tolist(), groups[row].tolist(), minima)
        assert found.utility[row] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("k", [1, 7, 30])
def test_a_request_comes_out_alone_as_among_others(k):
    rng = np.random.default_rng(4)
    requests = [random_request(rng, "abc", 20, ties=True, unknown=True) for _ in range(2500)]
    minima = np.stack([random_minima(rng, k, 3) for _ in requests])
    whole = best_under_minima(candidates_of(*zip(*requests, strict=True), "abc"), minima, k)
    assert 0 < len(whole.reasons) < 2500
    for row in (0, 1, 2, 2046, 2047, 2048, 2499):
        scores, groups = requests[row]
        alone = best_under_minima(candidates_of([scores], [groups], "abc"), minima[row], k)
        assert alone.order[0].tolist() == whole.order[row].tolist()
        assert alone.reasons.get(0) == whole.reasons.get(row)


def test_a_candidate_without_a_group_keeps_its_slot():
    asked = candidates_of([[5, 4, 3, 2, 1]], [["m", None, "m", "m", "f"]])
    minima = np.array([[0, 0], [1, 0], [1, 0]])
    # The second of known group stands in slot 3.
    assert best_under_minima(asked, minima, 3).order.tolist() == [[0, 1, 4]]


def test_without_groups_it_is_the_order_by_score():
    asked = candidates_of([[1, 2], [3]], [[None, None], [None]])
    found = best_under_minima(asked, np.zeros((2, 0), np.int64), 2)
    assert found.order.tolist() == [[1, 0], [0, NOBODY]]


def test_minima_that_a_list_does_not_reach_are_not_asked_for():
    asked = candidates_of([[3, 1]], [["m", "m"]], ["f", "m"])
    found = best_under_minima(asked, np.array([[0, 0], [0, 0], [1, 0]]), 3)
    assert found.order.tolist() == [[0, 1, NOBODY]]
    assert found.reasons == {}


def test_without_minima_it_is_the_order_by_score():
    asked = candidates_of([[0.5, 0.9, 0.5], [0.1]], [["a", "b", "b"], ["a"]])
    found = best_under_minima(asked, np.zeros((2, 2), np.int64), 2)
    assert found.order.tolist() == asked.best(2).tolist()


def test_names_the_group_that_runs_out():
    asked = candidates_of([[3, 2, 1]], [["m", "m", "f"]])
    minima = np.array([[0, 0], [1, 0], [2, 0]])
    found = best_under_minima(asked, minima, 3)
    assert found.reasons == {0: "1 of 2 of group 'f' by slot 3"}


def test_names_the_prefix_that_cannot_hold_all():
    asked = candidates_of([[3, 2, 1]], [["m", "m", "f"]])
    found = best_under_minima(asked, np.array([[1, 1], [1, 1], [1, 1]]), 3)
    assert found.reasons == {0: "groups must have 2 in the first 1"}


def test_fewer_candidates_than_slots_leave_slots_empty():
    asked = candidates_of([[3, 1], []], [["m", "f"], []], ["f", "m"])
    found = best_under_minima(asked, np.array([[1, 0], [1, 0], [1, 0]]), 3)
    assert found.order.tolist() == [[1, 0, NOBODY], [NOBODY] * 3]
    assert found.reasons == {}


def test_minima_may_differ_between_requests():
    asked = candidates_of([[3, 1]] * 2, [["m", "f"]] * 2)
    minima = np.array([[[0, 0], [0, 0]], [[1, 0], [1, 0]]])
    assert best_under_minima(asked, minima, 2).order.tolist() == [[0, 1], [1, 0]]


def test_refuses_minima_of_another_shape():
    with pytest.raises(RoleError, match="slots and groups"):
        best_under_minima(candidates_of([[1]], [["a"]]), np.zeros((1, 2), np.int64), 1)
