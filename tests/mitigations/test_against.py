"""Certificates held against the optimum: by trying every order."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from evenhand.mitigations.against import OPTIMUM, held_against
from evenhand.mitigations.calibrated import Calibrated
from evenhand.mitigations.candidates import NOBODY, candidates_of
from evenhand.mitigations.certificate import TOP_K
from evenhand.mitigations.deterministic import DetCons, DetConstSort, DetGreedy, DetRelaxed
from evenhand.mitigations.fair_topk import FAStarIR
from evenhand.mitigations.linear_program import FairnessOfExposure
from evenhand.mitigations.registry import reranked
from evenhand.mitigations.target import REQUEST
from made_candidates import floats, random_request
from mitigations.naive import (
    best_first,
    discounted,
    floor_of,
    orders_that_hold,
    short_prefixes,
    within,
)

STEPPED = [DetGreedy, DetCons, DetRelaxed, DetConstSort]


def shown(order):
    return [place for place in order.tolist() if place != NOBODY]


def best_of_all(scores, groups, k, order, minima):
    """The highest utility of all orders that hold what is due, or what this one holds of it."""
    held = within(groups, order, minima)
    return max(discounted(scores, one) for one in orders_that_hold(scores, groups, k, held))


def requests_of(rng, names, size, unknown):
    return [random_request(rng, names, size, unknown=unknown) for _ in range(25)]


def assert_is_held_against_the_best(method, names, requests, k, minima):
    """Return what is lost in each request and whether it keeps its minima."""
    asked = candidates_of(*zip(*requests, strict=True), names)
    before = method.rerank(asked, k)
    found = held_against(method, asked, before)
    assert found.order is before.order
    told = found.certificate
    assert told.violated is before.certificate.violated
    for row, (scores, groups) in enumerate(requests):
        order = shown(found.order[row])
        best = best_of_all(scores, groups, k, order, minima)
        assert told.best[row] == pytest.approx(best, abs=1e-12)
        assert told.by_score[row] == pytest.approx(discounted(scores, best_first(scores)[:k]))
        assert told.utility[row] == pytest.approx(discounted(scores, order))
    assert (told.lost >= -1e-12).all()
    return told.lost, told.kept


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("kind", STEPPED)
def test_what_is_lost_is_lost_against_the_best_of_all_orders(kind, unknown):
    rng = np.random.default_rng([3, unknown])
    lost, kept = [], []
    for parts in ((1, 1), (3, 1), (1, 2, 1), (1, 1, 2, 2)):
        names = "abcd"[: len(parts)]
        target = {n: Fraction(p, sum(parts)) for n, p in zip(names, parts, strict=True)}
        k = int(rng.integers(2, 7))
        minima = [{n: int(p * size) for n, p in target.items()} for size in range(1, k + 1)]
        requests = requests_of(rng, names, 6, unknown)
        found = assert_is_held_against_the_best(kind(floats(target)), names, requests, k, minima)
        lost += found[0].tolist()
        kept += found[1].tolist()
    # Some are the optimum, some are not, and of some groups run out.
    assert np.mean(np.array(lost) < 1e-12) > 0.2
    assert max(lost) > 0.01
    assert not all(kept)


@pytest.mark.parametrize("unknown", [False, True])
def test_fa_ir_loses_nothing(unknown):
    rng = np.random.default_rng([4, unknown])
    kept = []
    for _ in range(8):
        method = FAStarIR("a", float(rng.uniform(0.3, 0.9)), 0.3, adjusted=False)
        k = int(rng.integers(2, 7))
        minima = [{"a": least} for least in method.test(k).minimum]
        requests = requests_of(rng, "ab", 6, unknown)
        found = assert_is_held_against_the_best(method, "ab", requests, k, minima)
        assert found[0] == pytest.approx(0, abs=1e-12)
        kept += found[1].tolist()
    # Nor where protected candidates run out, against orders that show them as early as is due.
    assert 0 < np.mean(kept) < 1


def test_fa_ir_loses_nothing_in_long_lists():
    rng = np.random.default_rng(5)
    requests = [random_request(rng, "ab", 80, unknown=True) for _ in range(3000)]
    asked = candidates_of(*zip(*requests, strict=True), "ab")
    method = FAStarIR("a", 0.6)
    found = held_against(method, asked, method.rerank(asked, 25)).certificate
    assert found.lost == pytest.approx(0, abs=1e-12)
    assert (found.by_score - found.best).max() > 0.1


@pytest.mark.parametrize("targets", [{"a": 0.3, "b": 0.7}, {"a": 0.55, "b": 0.45}, REQUEST])
def test_of_two_groups_greedy_loses_nothing(targets):
    rng = np.random.default_rng(6)
    requests = [random_request(rng, "ab", 60, unknown=True) for _ in range(2000)]
    asked = candidates_of(*zip(*requests, strict=True), "ab")
    method = DetGreedy(targets)
    found = held_against(method, asked, method.rerank(asked, 25)).certificate
    assert found.lost == pytest.approx(0, abs=1e-12)
    assert (found.by_score - found.best).max() > 0.1


def test_of_three_groups_greedy_may_lose():
    # The first two may hold one a at most, though no minimum asks for another before the fourth.
    method = DetGreedy({"a": 0.5, "b": 0.25, "c": 0.25})
    asked = candidates_of([[9, 8, 1, 1]], [list("aabc")])
    found = held_against(method, asked, method.rerank(asked, 4))
    assert found.order.tolist() == [[0, 2, 1, 3]]
    assert found.certificate.best[0] == pytest.approx(discounted([9, 8, 1, 1], [0, 1, 2, 3]))
    assert found.certificate.lost[0] == pytest.approx(7 / math.log2(3) - 7 / math.log2(4))


def test_the_certificate_says_in_how_many_requests_minima_were_not_kept():
    target = {"a": 0.5, "b": 0.5}
    asked = candidates_of([[4, 3, 2, 1]] * 3, [list("bbbb"), list("bbaa"), list("bbba")])
    method = DetConstSort(target)
    whole = held_against(method, asked, method.rerank(asked, 4)).certificate
    assert whole.kept.tolist() == [False, True, False]
    assert whole.against == f"{OPTIMUM}, or in 2 requests under as much of them as was kept"
    assert whole.to_dict()["against"] == whole.against
    assert whole.to_dict()["by_score"] == pytest.approx(discounted([4, 3, 2, 1], range(4)))
    one = candidates_of([[4, 3, 2, 1]], [list("bbaa")])
    assert held_against(method, one, method.rerank(one, 4)).certificate.against == OPTIMUM


def test_where_greedy_breaks_a_minimum_that_could_be_kept_it_is_asked_for_what_it_keeps():
    # At prefix 3 two groups are due, and one comes too late.
    target = dict(zip("abcd", map(Fraction, ("1/6", "1/6", "1/3", "1/3")), strict=True))
    method, groups = DetGreedy(floats(target)), [*"abcdcd", *"abcd"]
    scores = [10, 9, 3, 2.9, 2.8, 2.7, 0, 0, 0, 0]
    asked = candidates_of([scores], [groups])
    done = held_against(method, asked, method.rerank(asked, 6))
    assert short_prefixes(groups, shown(done.order[0]), floor_of(target)) == [3]
    assert done.certificate.lost[0] == pytest.approx(0, abs=1e-12)
    # The best that keeps the minimum is worse: beside it nothing would seem to be lost.
    kept = [{n: int(p * size) for n, p in target.items()} for size in range(1, 7)]
    best = max(discounted(scores[:6], one) for one in orders_that_hold(scores[:6], groups, 6, kept))
    assert best < done.certificate.utility[0] - 0.1


def test_it_is_told_from_the_order_alone():
    asked = candidates_of([[4, 3, 2, 1]], [list("bbaa")])
    method = DetConstSort({"a": 0.5, "b": 0.5})
    done = method.rerank(asked, 4)
    worse = replace(
        done,
        order=done.order[:, ::-1],
        certificate=replace(done.certificate, utility=done.certificate.utility - 1),
    )
    found = held_against(method, asked, worse).certificate
    # a, b, a, b in place of b, a, b, a holds the minima as well, so the optimum is the same.
    assert found.best[0] == held_against(method, asked, done).certificate.best[0]
    assert found.lost[0] == pytest.approx(1 + held_against(method, asked, done).certificate.lost[0])


@pytest.mark.parametrize("method", [Calibrated(0.5, {"a": 0.5, "b": 0.5}), FairnessOfExposure()])
def test_what_guarantees_no_minima_keeps_its_certificate(method):
    asked = candidates_of([[4, 3, 2, 1]], [list("bbaa")])
    done = method.rerank(asked, 2)
    assert held_against(method, asked, done) is done


@pytest.mark.parametrize("method", [DetGreedy({"a": 0.5, "b": 0.5}), FAStarIR("a", 0.5)])
def test_no_requests_and_no_candidates_are_fine(method):
    for asked in (candidates_of([], [], "ab"), candidates_of([[], []], [[], []], "ab")):
        found = held_against(method, asked, method.rerank(asked, 3)).certificate
        assert found.lost.tolist() == [0] * asked.requests
        assert found.to_dict()["by_score"] == (0 if asked.requests else None)


def test_held_twice_it_is_the_same():
    asked = candidates_of([[4, 3, 2, 1]], [list("bbaa")])
    method = FAStarIR("a", 0.5)
    once = held_against(method, asked, method.rerank(asked, 4))
    assert held_against(method, asked, once) is once


def test_lists_of_a_log_are_held_against_the_optimum():
    asked = candidates_of([[4, 3, 2, 1]], [list("bbaa")])
    held = reranked(DetConstSort({"a": 0.5, "b": 0.5}), asked, 4, ["q"]).certificate
    assert held.against == OPTIMUM
    drawn = reranked(FairnessOfExposure(), asked, 4, ["q"]).certificate
    assert drawn.against == TOP_K
