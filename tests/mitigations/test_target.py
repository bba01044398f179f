"""Targets by request: each request's own shares, as exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.against import held_against
from evenhand.mitigations.calibrated import Calibrated
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.deterministic import DetCons, DetConstSort, DetGreedy, DetRelaxed
from evenhand.mitigations.registry import read
from evenhand.mitigations.target import REQUEST, own_of
from made_candidates import random_request
from mitigations.naive import best_first, const_sort, discounted, floor_of, short_prefixes, stepwise

METHODS = {
    DetGreedy: lambda *given: stepwise("greedy", *given),
    DetCons: lambda *given: stepwise("cons", *given),
    DetRelaxed: lambda *given: stepwise("relaxed", *given),
    DetConstSort: const_sort,
}
NAMES = "abcde"


def own_shares(groups, names):
    """Fractions of the candidates of known group; None where there are none."""
    known = [group for group in groups if group is not None]
    return {n: Fraction(known.count(n), len(known)) for n in names} if known else None


def shown(order):
    return [place for place in order.tolist() if place != NOBODY]


def random_requests(rng, count, *, names=NAMES, most=30, ties=False):
    return [random_request(rng, names, most, ties=ties, unknown=True) for _ in range(count)]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("kind", METHODS)
def test_orders_are_those_of_a_loop_in_exact_fractions(kind, count, ties):
    rng = np.random.default_rng([count, ties])
    names = NAMES[:count]
    requests = random_requests(rng, 300, names=names, ties=ties)
    # All of one group, and all of none.
    requests += [([3, 1, 2], ["a"] * 3), ([3, 1, 2], [None] * 3)]
    for k in (1, 7, 25):
        found = kind(REQUEST).rerank(candidates_of(*zip(*requests, strict=True), names), k)
        for row, (scores, groups) in enumerate(requests):
            shares = own_shares(groups, names)
            order = shown(found.order[row])
            if shares is None:
                assert order == best_first(scores)[:k]
                continue
            assert order == METHODS[kind](scores, groups, k, shares)
            short = short_prefixes(groups, order, floor_of(shares))
            assert found.certificate.violated[row] == len(short)
            assert found.certificate.utility[row] == pytest.approx(discounted(scores, order))
            assert (row in found.certificate.reasons) == bool(short)


@pytest.mark.parametrize("kind", METHODS)
def test_a_request_is_as_alone_with_its_shares_given(kind):
    # Given as floats: what is due alike in fractions is so there too.
    rng = np.random.default_rng(7)
    requests = random_requests(rng, 200, names="abc", most=40)
    found = kind(REQUEST).rerank(candidates_of(*zip(*requests, strict=True), "abc"), 12)
    for row, (scores, groups) in enumerate(requests):
        shares = own_shares(groups, "abc")
        if shares is None:
            continue
        given = kind({name: float(share) for name, share in shares.items()})
        alone = given.rerank(candidates_of([scores], [groups], "abc"), 12)
        assert alone.order[0].tolist() == found.order[row].tolist()
        assert alone.certificate.violated[0] == found.certificate.violated[row]
        assert alone.certificate.reasons.get(0) == found.certificate.reasons.get(row)


@pytest.mark.parametrize("kind", METHODS)
def test_a_request_comes_out_alone_as_among_others(kind):
    rng = np.random.default_rng(8)
    requests = random_requests(rng, 2500, most=40, ties=True)
    whole = kind(REQUEST).rerank(candidates_of(*zip(*requests, strict=True), NAMES), 12)
    for row in (0, 1, 2047, 2048, 2499):
        scores, groups = requests[row]
        alone = kind(REQUEST).rerank(candidates_of([scores], [groups], NAMES), 12)
        assert alone.order[0].tolist() == whole.order[row].tolist()
        assert alone.certificate.violated[0] == whole.certificate.violated[row]
        assert alone.certificate.reasons.get(0) == whole.certificate.reasons.get(row)


@pytest.mark.parametrize("kind", [DetCons, DetRelaxed, DetConstSort])
def test_no_group_runs_out_and_every_minimum_is_kept(kind):
    rng = np.random.default_rng(9)
    requests = random_requests(rng, 1000)
    found = kind(REQUEST).rerank(candidates_of(*zip(*requests, strict=True), NAMES), 40)
    assert found.certificate.kept.all()
    assert found.certificate.reasons == {}
    # To the last prefix, where all candidates of every group are due.
    for order, (_, groups) in zip(found.order, requests, strict=True):
        assert sorted(shown(order)) == list(range(len(groups)))


@pytest.mark.parametrize("size", [7, 49, 100, 1000])
def test_minima_are_floors_of_fractions(size):
    # 49 times 1/49 is .9999999999999999 in some orders of rounding.
    groups = ["a"] + ["b"] * (size // 2) + ["c"] * (size - 1 - size // 2)
    minima = own_of(candidates_of([[0.0] * size], [groups])).minima(size)[0]
    for prefix in range(1, size + 1):
        counts = [groups.count(name) for name in "abc"]
        assert minima[prefix - 1].tolist() == [c * prefix // size for c in counts]
    assert minima[-1].tolist() == [groups.count(name) for name in "abc"]


@pytest.mark.parametrize("kind", METHODS)
def test_what_is_behind_the_last_candidate_is_in_no_share(kind):
    asked = Candidates(np.array([[2.0, 1.0, math.nan]]), np.array([[0, 1, 1]]), ("a", "b"))
    same = Candidates(np.array([[2.0, 1.0]]), np.array([[0, 1]]), ("a", "b"))
    found, expected = (kind(REQUEST).rerank(one, 2) for one in (asked, same))
    assert found.order.tolist() == expected.order.tolist()
    assert found.certificate.violated.tolist() == expected.certificate.violated.tolist() == [0]
    assert own_of(asked).shares.tolist() == [[0.5, 0.5]]


def test_the_guarantee_names_it():
    asked = candidates_of([[2, 1]], [["a", "b"]])
    told = DetGreedy(REQUEST).rerank(asked, 2).certificate.guarantee
    assert told == (
        "the first i of 2 hold floor(p i) of each group or more, p = the group's share of the "
        "request's own candidates; sure for up to three groups, and none runs out"
    )
    told = Calibrated(0.5, REQUEST).rerank(asked, 2).certificate.guarantee
    assert "calibration to the group's share of the request's own candidates" in told


def test_greedy_with_four_groups_may_break_one_and_says_so():
    # 1/6, 1/6, 1/3, 1/3: the first two take slots 1 and 2, and slot 3 is due twice.
    asked = candidates_of([[9, 8, 7, 6, 5, 4]], [list("abcdcd")])
    found = DetGreedy(REQUEST).rerank(asked, 6).certificate
    assert found.violated.tolist() == [1]
    assert found.reasons == {0: "group 'd' comes too late: 0 of 1 due among the first 3"}


@pytest.mark.parametrize("kind", METHODS)
def test_it_is_held_against_the_optimum_of_each_request(kind):
    asked = candidates_of([[4, 3, 2, 1]] * 2, [list("bbaa"), list("bbba")])
    method = kind(REQUEST)
    found = held_against(method, asked, method.rerank(asked, 4)).certificate
    # One of two by 2, and one of four by 4.
    assert found.best == pytest.approx(
        [discounted([4, 3, 2, 1], order) for order in ([0, 2, 1, 3], [0, 1, 2, 3])]
    )


@pytest.mark.parametrize("weight", [0.3, 0.9])
def test_calibrated_lists_take_each_requests_own_shares(weight):
    rng = np.random.default_rng(10)
    requests = random_requests(rng, 100, names="abc", most=15)
    found = Calibrated(weight, REQUEST).rerank(
        candidates_of(*zip(*requests, strict=True), "abc"), 6
    )
    for row, (scores, groups) in enumerate(requests):
        shares = own_shares(groups, "abc")
        asked = candidates_of([scores], [groups], "abc")
        if shares is None:
            # Nothing is asked of them, so nothing is missed.
            assert found.divergence[row] == 0
            assert sorted(scores, reverse=True)[:6] == (
                [scores[place] for place in shown(found.order[row])]
            )
            continue
        profile = np.array([[float(shares[name]) for name in "abc"]])
        alone = Calibrated(weight).rerank(asked, 6, profiles=profile)
        assert alone.order[0].tolist() == found.order[row].tolist()
        assert alone.divergence[0] == found.divergence[row]


def test_calibrated_takes_no_profiles_beside():
    asked = candidates_of([[2, 1]], [["a", "b"]])
    with pytest.raises(RoleError, match="there are two"):
        Calibrated(0.5, REQUEST).rerank(asked, 1, profiles=np.array([[0.5, 0.5]]))


def test_it_is_read_from_notation_and_beside_it():
    assert read("det_greedy(targets=request)") == DetGreedy(REQUEST)
    assert read("det_cons", "request") == DetCons(REQUEST)
    assert read("calibrated(weight=0.5)", "request") == Calibrated(0.5, REQUEST)
    # What the text says is nearer.
    assert read("det_cons(targets=request)", {"a": 1.0}) == DetCons(REQUEST)


@pytest.mark.parametrize("text", ["det_relaxed(targets=population)", "det_greedy(targets=0.5)"])
def test_another_word_is_no_target(text):
    with pytest.raises(RoleError, match=r"targets: .* is none\.\n.*'request'"):
        read(text)
    with pytest.raises(RoleError, match="'population' is none"):
        Calibrated(0.5, "population")


def test_without_any_group_there_is_nothing_to_balance():
    with pytest.raises(RoleError, match="nothing to balance"):
        DetGreedy(REQUEST).rerank(candidates_of([[1, 2]], [[None, None]]), 2)


@pytest.mark.parametrize("kind", METHODS)
def test_no_requests_and_no_candidates_are_fine(kind):
    assert kind(REQUEST).rerank(candidates_of([], [], "ab"), 3).order.shape == (0, 3)
    empty = kind(REQUEST).rerank(candidates_of([[], []], [[], []], "ab"), 3)
    assert empty.order.tolist() == [[NOBODY] * 3] * 2
