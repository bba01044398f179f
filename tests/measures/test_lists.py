"""Whole requests as arrays, against loops over rows and over all orders."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest

from evenhand.measures.lists import Lists, Membership
from naive_lists import Item, in_order, items, lists_of, random_requests, within

DISCOUNT = 1 / np.log2(np.arange(2.0, 14.0))
GAINS = {"linear": lambda x: x, "exp2": lambda x: np.exp2(x) - 1}


def worth(rng, grades, size):
    """Relevance of so many items."""
    return {
        "binary": lambda: (rng.random(size) < 0.4).astype(float),
        "graded": lambda: rng.choice([0.0, 1, 2, 4, 31], size),
        "many grades": lambda: rng.integers(0, 200, size).astype(float),
        "continuous": lambda: np.where(rng.random(size) < 0.3, 0.5, rng.random(size)),
    }[grades]()


@pytest.mark.parametrize("k", [None, 1, 3, 20])
@pytest.mark.parametrize("gain", GAINS)
@pytest.mark.parametrize("grades", ["binary", "graded", "many grades", "continuous"])
def test_best_is_the_largest_over_all_orders(grades, gain, k):
    rng = np.random.default_rng(1)
    requests = [[Item(None, w) for w in worth(rng, grades, n)] for n in (1, 2, 3, 4, 5, 6, 6)]
    found = lists_of(requests).best(GAINS[gain], DISCOUNT, k)
    cut = DISCOUNT * (np.arange(len(DISCOUNT)) < (k or len(DISCOUNT)))
    for request, best in zip(requests, found, strict=True):
        orders = itertools.permutations(item.relevance for item in request)
        over_all = [GAINS[gain](np.array(order)) @ cut[: len(request)] for order in orders]
        assert best == pytest.approx(max(over_all))


@pytest.mark.parametrize("grades", ["graded", "continuous"])
def test_best_does_not_depend_on_which_items_were_shown_or_where(grades):
    rng = np.random.default_rng(2)
    requests = random_requests(rng, 50, grades=grades)
    hidden = [[replace(item, slot=None) for item in request] for request in requests]
    shown, other = (lists_of(one).best(GAINS["linear"], DISCOUNT, 5) for one in (requests, hidden))
    assert shown == pytest.approx(other)


def test_what_is_not_judged_adds_nothing_to_the_best():
    lists = lists_of([items((1, 1), (2, None)), items((1, None), (2, None))])
    assert lists.best(GAINS["linear"], DISCOUNT, None).tolist() == [1, 0]


@pytest.mark.parametrize("most", [31.0, 32.0, 300.0, 2.0**33, 1e30])
def test_best_of_large_grades_is_quiet_and_right(most):
    lists = lists_of([[Item(None, 0.0), Item(None, most), Item(None, 1.0)]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = lists.best(GAINS["linear"], DISCOUNT, None)
    assert found == pytest.approx(most + DISCOUNT[1])


def test_sums_by_request_are_those_of_a_loop():
    rng = np.random.default_rng(3)
    requests = random_requests(rng, 40, soft=True)
    lists = lists_of(requests)
    values = rng.random(lists.rows)
    each = np.split(values, np.cumsum([len(request) for request in requests])[:-1])
    assert lists.total(values) == pytest.approx([part.sum() for part in each])
    assert lists.largest(values) == pytest.approx([part.max() for part in each])
    assert lists.running(values) == pytest.approx(np.concatenate([*map(np.cumsum, each)]))
    assert lists.position.tolist() == [place for part in each for place in range(len(part))]
    names, sums = lists.shares(values, "topic")
    for request, part, found in zip(requests, each, sums, strict=True):
        for name, total in zip(names, found, strict=True):
            expected = sum(
                value * (item.groups or ("unknown",)).count(name) / len(item.groups or ("unknown",))
                for item, value in zip(in_order(request), part, strict=True)
            )
            assert total == pytest.approx(expected)


@pytest.mark.parametrize("k", [None, 1, 4])
def test_within_are_the_rows_shown_at_slots_up_to_k(k):
    requests = random_requests(np.random.default_rng(4), 40)
    lists = lists_of(requests)
    expected = [item in within(request, k) for request in requests for item in in_order(request)]
    assert (lists.slot[lists.within(k)] > 0).all()
    assert lists.within(k).sum() == sum(len(within(request, k)) for request in requests)
    assert lists.within(k).sum() == sum(expected)


def test_relevance_that_is_not_known_counts_as_0_where_a_measure_says_so():
    lists = lists_of([items((1, 2), (2, None), (3, 1))])
    assert lists.judged().tolist() == [2, 0, 1]
    assert lists.relevant(2).tolist() == [True, False, False]


def test_a_log_without_relevance_has_no_judged_rows():
    lists = replace(lists_of([items((1, 2))]), relevance=None)
    with pytest.raises(TypeError, match="does not need it"):
        lists.judged()


def test_no_requests_have_no_sums():
    nothing = Lists(
        starts=np.zeros(1, np.intp),
        slot=np.zeros(0, np.int64),
        relevance=np.zeros(0),
        columns={},
        items={},
        sound=np.zeros(0, np.bool_),
    )
    assert nothing.requests == nothing.rows == nothing.queries == 0
    assert nothing.total(np.zeros(0)).shape == nothing.largest(np.zeros(0)).shape == (0,)
    assert nothing.best(GAINS["linear"], DISCOUNT, None).shape == (0,)


def test_some_of_the_requests_are_lists_of_their_own():
    rng = np.random.default_rng(5)
    requests = random_requests(rng, 30, soft=True)
    inside = rng.random(30) < 0.5
    some = lists_of(requests).only(inside)
    alone = lists_of([request for request, kept in zip(requests, inside, strict=True) if kept])
    assert some.starts.tolist() == alone.starts.tolist()
    assert some.slot.tolist() == alone.slot.tolist()
    np.testing.assert_array_equal(some.relevance, alone.relevance)
    assert {*some.columns} == {*alone.columns}
    for column, values in some.columns.items():
        np.testing.assert_array_equal(values, alone.columns[column])
    weights = rng.random(some.rows)
    for one in (some, alone):
        one.known("weights", lambda: weights)
    (names, sums), (others, others_sums) = (one.shares(weights, "topic") for one in (some, alone))
    assert names == others
    np.testing.assert_allclose(sums, others_sums)


def test_some_requests_keep_their_queries():
    lists = lists_of([items((1, 1)), items((1, 0)), items((1, 1)), items((1, 0))])
    lists = replace(lists, query=np.array([0, 0, 1, 2]))
    some = lists.only(np.array([False, True, False, True]))
    assert some.queries == 2
    assert some.query_of.tolist() == [0, 1]


def test_what_several_measures_need_is_found_once():
    lists, calls = lists_of([items((1, 1))]), []
    for _ in range(3):
        assert lists.known("it", lambda: calls.append(1) or 7) == 7
    assert calls == [1]


def test_an_item_of_several_groups_belongs_to_each_in_part():
    members = Membership(
        ("a", "b"), np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0.5, 0.5, 1.0]), soft=True
    )
    assert members.of("a", 2).tolist() == [0.5, 0]
    assert members.of("b", 2).tolist() == [0.5, 1]
    assert members.of("never seen", 2).tolist() == [0, 0]
    sums = members.sums(np.array([2.0, 4.0]), np.array([0, 1]), 2)
    assert sums.tolist() == [[1, 1], [0, 4]]
