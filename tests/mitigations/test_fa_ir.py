"""FA*IR against two queues a request at a time, and against every order that passes its test."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, candidates_of
from evenhand.mitigations.fair_topk import FAStarIR
from made_candidates import random_request
from mitigations.naive import best_first, discounted, fa_ir, short_prefixes, table_of


def shown(order):
    return [place for place in order.tolist() if place != NOBODY]


def reranked(method, scores, groups, k, names="ab"):
    found = method.rerank(candidates_of([scores], [groups], names), k)
    return shown(found.order[0]), found.certificate


def test_by_hand():
    # None of four has a chance of 1/16, which is below alpha; none of three has 1/8.
    method = FAStarIR("f", 0.5)
    assert method.test(6).minimum == (0, 0, 0, 1, 1, 1)
    scores, groups = [9, 8, 7, 6, 5, 4, 3], list("mmmmmmf")
    order, certificate = reranked(method, scores, groups, 6, "fm")
    assert order == [0, 1, 2, 6, 3, 4]
    assert certificate.violated.tolist() == [0]
    assert certificate.reasons == {}
    expected = (6 - 3) / math.log2(5) + (5 - 6) / math.log2(6) + (4 - 5) / math.log2(7)
    assert certificate.lost[0] == pytest.approx(expected)


def test_the_certificate_says_the_test_and_its_exact_chance():
    _, certificate = reranked(FAStarIR("a", 0.5), [1.0] * 20, list("ab") * 10, 10)
    assert "alpha_c = 0.0546875" in certificate.guarantee
    assert "0.0751953" in certificate.guarantee
    _, certificate = reranked(FAStarIR("a", 0.5, adjusted=False), [1.0] * 7, list("aaabbbb"), 7)
    assert "alpha_c = 0.1, not adjusted" in certificate.guarantee
    assert "0.09375" in certificate.guarantee


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_orders_are_those_of_two_queues(ties, unknown):
    rng = np.random.default_rng([1, ties, unknown])
    for _ in range(40):
        requests = [random_request(rng, "ab", 30, ties=ties, unknown=unknown) for _ in range(40)]
        method = FAStarIR("a", float(rng.uniform(0.05, 0.95)), float(rng.choice([0.01, 0.1, 0.3])))
        k = int(rng.integers(1, 26))
        table = method.test(k).minimum
        found = method.rerank(candidates_of(*zip(*requests, strict=True), "ab"), k)
        for row, (scores, groups) in enumerate(requests):
            expected = fa_ir(scores, groups, k, "a", table)
            assert shown(found.order[row]) == expected
            assert (found.order[row, len(expected) :] == NOBODY).all()
            short = short_prefixes(groups, expected, table_of("a", table))
            assert found.certificate.violated[row] == len(short)
            assert (row in found.certificate.reasons) == bool(short)
            assert found.certificate.utility[row] == pytest.approx(discounted(scores, expected))
            best = discounted(scores, best_first(scores)[:k])
            assert found.certificate.best[row] == pytest.approx(best)


def passing_orders(scores, groups, k, table):
    """Every order of k candidates that passes and leaves those without a group where they are."""
    fixed = {
        slot: place for slot, place in enumerate(best_first(scores)[:k]) if groups[place] is None
    }
    for order in itertools.permutations(range(len(scores)), min(k, len(scores))):
        stay = {slot: place for slot, place in enumerate(order) if groups[place] is None}
        if stay == fixed and not short_prefixes(groups, order, table_of("a", table)):
            yield order


def loss_of_selection(scores, order):
    """The most by which one left out is better than one selected."""
    out = [score for place, score in enumerate(scores) if place not in order]
    return max(0.0, max(out, default=-math.inf) - min(scores[place] for place in order))


def loss_of_ordering(scores, order):
    """The most by which one is better than one above it."""
    pairs = itertools.combinations([scores[place] for place in order], 2)
    return max([0.0, *(below - above for above, below in pairs)])


def assert_best(seed, size, unknown):
    rng = np.random.default_rng(seed)
    tried = 0
    for _ in range(60):
        scores = rng.normal(size=size).tolist()
        groups = rng.choice(["a", "b", "b"], size).tolist()
        if unknown:
            groups[int(rng.integers(size))] = None
        k = int(rng.integers(2, size + 1))
        method = FAStarIR("a", float(rng.uniform(0.3, 0.9)), 0.3, adjusted=False)
        every = [*passing_orders(scores, groups, k, method.test(k).minimum)]
        order, certificate = reranked(method, scores, groups, k)
        if not every:
            assert certificate.violated[0] > 0
            continue
        tried += tuple(order) != tuple(best_first(scores)[:k])
        assert tuple(order) in every
        most = max(discounted(scores, one) for one in every)
        assert discounted(scores, order) == pytest.approx(most)
        if unknown:
            continue
        selection = min(loss_of_selection(scores, one) for one in every)
        assert loss_of_selection(scores, order) == pytest.approx(selection)
        ordering = min(
            loss_of_ordering(scores, one)
            for one in every
            if loss_of_selection(scores, one) <= selection + 1e-12
        )
        assert loss_of_ordering(scores, order) == pytest.approx(ordering)
    assert tried > 5


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("size", [4, 5])
def test_no_order_that_passes_is_better(size, unknown):
    assert_best([size, unknown], size, unknown)


@pytest.mark.slow
@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("size", [6, 7])
def test_no_longer_order_that_passes_is_better(size, unknown):
    assert_best([size, unknown], size, unknown)


def test_a_request_comes_out_alone_as_among_others():
    rng = np.random.default_rng(3)
    requests = [random_request(rng, "ab", 40, ties=True, unknown=True) for _ in range(2500)]
    method = FAStarIR("a", 0.6)
    whole = method.rerank(candidates_of(*zip(*requests, strict=True), "ab"), 12)
    for row in (0, 1, 2047, 2048, 2499):
        scores, groups = requests[row]
        alone = method.rerank(candidates_of([scores], [groups], "ab"), 12)
        assert alone.order[0].tolist() == whole.order[row].tolist()
        assert alone.certificate.violated[0] == whole.certificate.violated[row]
        assert alone.certificate.reasons.get(0) == whole.certificate.reasons.get(row)


def test_where_protected_candidates_run_out_the_certificate_says_so():
    scores, groups = list(range(20, 0, -1)), ["b"] * 18 + ["a", "a"]
    order, certificate = reranked(FAStarIR("a", 0.5), scores, groups, 10)
    # m = 0, 0, 0, 0, 1, 1, 1, 2, 2, 3: both stand where they are due, a third is not there.
    assert [slot for slot, place in enumerate(order, start=1) if place >= 18] == [5, 8]
    assert certificate.violated.tolist() == [1]
    assert certificate.reasons == {
        0: "group 'a' runs out: 2 candidates have it, 3 are due among the first 10"
    }
    assert not certificate.kept[0]


def test_where_there_is_no_protected_candidate_the_order_is_by_score():
    order, certificate = reranked(FAStarIR("a", 0.5), [1, 3, 2, 5, 4], ["b"] * 5, 5)
    assert order == [3, 4, 1, 2, 0]
    assert certificate.violated.tolist() == [2]  # m = 0, 0, 0, 1, 1
    assert "group 'a' runs out: 0 candidates have it, 1 is due" in certificate.reasons[0]


def test_a_requirement_that_begins_at_the_last_slot_is_kept_and_counted():
    # fairsearchcore does not count it: k = 7 asks for a second one at slot 7 alone.
    method = FAStarIR("a", 0.5, adjusted=False)
    assert method.test(7).minimum == (0, 0, 0, 1, 1, 1, 2)
    order, certificate = reranked(method, list(range(9, 0, -1)), list("bbbbbbbaa"), 7)
    assert order == [0, 1, 2, 7, 3, 4, 8]
    assert certificate.violated.tolist() == [0]
    _, certificate = reranked(method, list(range(8, 0, -1)), list("bbbbbbba"), 7)
    assert certificate.violated.tolist() == [1]


def test_a_list_shorter_than_k_is_tested_as_far_as_it_goes():
    order, certificate = reranked(FAStarIR("a", 0.5), [3, 2, 1], list("bbb"), 10)
    assert order == [0, 1, 2]
    assert certificate.violated.tolist() == [0]


def test_no_requests_and_no_candidates_are_fine():
    method = FAStarIR("a", 0.5)
    assert method.rerank(candidates_of([], [], "ab"), 3).order.shape == (0, 3)
    assert (
        method.rerank(candidates_of([[], []], [[], []], "ab"), 3).order.tolist() == [[-1] * 3] * 2
    )


def test_every_parameter_out_of_range_is_named_at_once():
    with pytest.raises(RoleError) as caught:
        FAStarIR("a", 1.0, alpha=0)
    assert [problem.where for problem in caught.value.problems] == ["FA*IR, p", "FA*IR, alpha"]
    for p, alpha in ((-0.1, 0.1), (math.nan, 0.1), (0.5, 1.5), (0.5, True)):
        with pytest.raises(RoleError, match="is not between 0 and 1"):
            FAStarIR("a", p, alpha)


def test_a_number_of_numpy_is_a_number():
    assert FAStarIR("a", np.float32(0.5)).test(10) == FAStarIR("a", 0.5).test(10)


def test_a_group_that_is_not_there_is_refused_with_those_that_are():
    candidates = candidates_of([[1, 2]], [["a", "b"]])
    with pytest.raises(RoleError, match=r"no group 'c'.\n.*There are 'a', 'b'"):
        FAStarIR("c", 0.5).rerank(candidates, 2)


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "3"])
def test_what_is_no_number_of_slots_is_refused(k):
    with pytest.raises(RoleError, match="no number of slots"):
        FAStarIR("a", 0.5).rerank(candidates_of([[1, 2]], [["a", "b"]]), k)


def test_a_test_of_very_many_slots_is_refused():
    with pytest.raises(RoleError, match="5,001 prefixes is too long"):
        FAStarIR("a", 0.5).rerank(candidates_of([[1, 2]], [["a", "b"]]), 5001)
