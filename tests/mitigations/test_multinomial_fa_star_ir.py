"""Multinomial FA*IR against every order, and against FA*IR where one group is protected."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest

from evenhand.errors import EvenhandError, RoleError
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.fair_topk import FAStarIR
from evenhand.mitigations.multinomial_fair_topk import MultinomialFAStarIR
from evenhand.mitigations.registry import read, rerankers
from made_candidates import random_request
from mitigations.naive import best_first, discounted

TWO = {"a": 0.25, "b": 0.3, "m": 0.45}
THREE = {"a": 0.2, "b": 0.2, "c": 0.2, "m": 0.4}


@functools.cache
def at_most(counts, size, p):
    """The chance that so many throws fall on no group more often than counts say."""
    shares = [*p, 1 - sum(p)]
    return sum(
        math.prod(shares[one] for one in throws)
        for throws in itertools.product(range(len(shares)), repeat=size)
        if all(throws.count(group) <= count for group, count in enumerate(counts))
    )


def failing(groups, order, targets, level):
    """The prefixes of candidates of known group that fail."""
    known = [groups[place] for place in order if groups[place] is not None]
    names = [name for name in targets if name != "m"]
    p = tuple(targets[name] for name in names)
    return [
        size
        for size in range(1, len(known) + 1)
        if at_most(tuple(known[:size].count(n) for n in names), size, p) <= level * (1 + 1e-9)
    ]


def every_order(scores, groups, k):
    """Orders that leave candidates without a group where they are by score."""
    fixed = {
        slot: place for slot, place in enumerate(best_first(scores)[:k]) if groups[place] is None
    }
    for order in itertools.permutations(range(len(scores)), min(k, len(scores))):
        if fixed == {slot: place for slot, place in enumerate(order) if groups[place] is None}:
            yield order


def shown(order):
    return [place for place in order.tolist() if place != NOBODY]


def assert_best(targets, seed, trials, *, unknown, ties, size=6):
    rng = np.random.default_rng(seed)
    kept, moved = [], 0
    for _ in range(trials):
        scores = (rng.integers(-2, 3, size) if ties else rng.normal(size=size)).tolist()
        names = [*targets, "m", "m"]
        groups = rng.choice(names, size).tolist()
        if unknown:
            groups[int(rng.integers(size))] = None
        k = int(rng.integers(2, size + 1))
        method = MultinomialFAStarIR("m", targets, 0.4, adjusted=bool(rng.integers(2)))
        asked = candidates_of([scores], [groups], [*targets])
        level = method.test(asked, k).level
        every = [
            (len(failing(groups, order, targets, level)), -discounted(scores, order))
            for order in every_order(scores, groups, k)
        ]
        found = method.rerank(asked, k)
        order = shown(found.order[0])
        fails = failing(groups, order, targets, level)
        fewest, most = min(every)
        assert found.certificate.violated[0] == len(fails) == fewest
        worth = max(-lost for fail, lost in every if fail == fewest)
        assert found.certificate.utility[0] == pytest.approx(discounted(scores, order))
        assert discounted(scores, order) == pytest.approx(worth, abs=1e-12)
        assert most == pytest.approx(-worth, abs=1e-12)
        assert (0 in found.certificate.reasons) == bool(fails)
        kept.append(not fails)
        moved += order != best_first(scores)[:k]
    assert 0 < np.mean(kept) < 1
    assert moved > trials / 10


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("unknown", [False, True])
def test_no_order_fails_less_or_is_better(unknown, ties):
    assert_best(TWO, [1, unknown, ties], 20, unknown=unknown, ties=ties, size=5)


@pytest.mark.slow
@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("targets", [TWO, THREE])
def test_no_longer_order_fails_less_or_is_better(targets, unknown):
    assert_best(targets, [2, unknown, len(targets)], 30, unknown=unknown, ties=False)


def test_weights_are_those_of_the_slots_that_are_left():
    # The sixth slot is taken by one without a group: that decides whom to move down.
    scores, groups = [19, 1, 19, 11, 10, 12, 11], ["m", None, "m", "a", "b", "m", None]
    method = MultinomialFAStarIR("m", TWO, 0.4)
    asked = candidates_of([scores], [groups], [*TWO])
    level = method.test(asked, 7).level
    passing = [
        order for order in every_order(scores, groups, 7) if not failing(groups, order, TWO, level)
    ]
    best = max(discounted(scores, order) for order in passing)
    found = method.rerank(asked, 7)
    assert found.certificate.utility[0] == pytest.approx(best, abs=1e-12)
    assert tuple(found.order[0].tolist()) in passing


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("adjusted", [False, True])
def test_of_one_protected_group_it_is_fa_ir(adjusted, unknown):
    rng = np.random.default_rng([3, adjusted, unknown])
    requests = [random_request(rng, "am", 40, unknown=unknown) for _ in range(300)]
    asked = candidates_of(*zip(*requests, strict=True), "am")
    for p, k in ((0.3, 10), (0.6, 25)):
        found = MultinomialFAStarIR("m", {"a": p, "m": 1 - p}, adjusted=adjusted).rerank(asked, k)
        expected = FAStarIR("a", p, adjusted=adjusted).rerank(asked, k)
        # Where the group runs out FA*IR shows all of it as early as is due, and so does this.
        assert found.certificate.violated.tolist() == expected.certificate.violated.tolist()
        assert found.certificate.utility == pytest.approx(expected.certificate.utility, abs=1e-12)
        assert found.order.tolist() == expected.order.tolist()


def test_where_candidates_suffice_every_prefix_passes():
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(200, 100))
    groups = np.tile(np.repeat(np.arange(4), 25), (200, 1))
    scores -= (groups < 3) * np.array([1.0, 1.5, 2.0, 0.0])[groups]
    asked = Candidates(scores, groups, (*THREE,))
    found = MultinomialFAStarIR("m", THREE).rerank(asked, 20).certificate
    assert found.kept.all()
    assert found.lost.min() >= -1e-12
    assert found.lost.max() > 1
    # By score alone hardly any passes.
    by_score = MultinomialFAStarIR("m", {**THREE, "m": 1.0, "a": 0, "b": 0, "c": 0})
    assert (by_score.rerank(asked, 20).certificate.lost == 0).all()


def test_more_of_one_group_makes_up_for_fewer_of_another():
    method = MultinomialFAStarIR("m", TWO, 0.1)
    test = method.test(candidates_of([[1.0] * 3], [list("abm")]), 10)
    passes = {
        tuple(counts)
        for counts, fail in zip(test.lattice.counts.tolist(), test.fails[-1], strict=False)
        if not fail
    }
    least = [c for c in passes if not {(c[0] - 1, c[1]), (c[0], c[1] - 1)} & passes]
    assert len(least) > 1


def test_order_by_score_is_kept_where_it_passes_ties_and_all():
    asked = candidates_of([[2, 2, 2, 2, 2, 1]], [list("ambmab")])
    found = MultinomialFAStarIR("m", TWO).rerank(asked, 6)
    assert found.order.tolist() == [[0, 1, 2, 3, 4, 5]]
    assert found.certificate.lost.tolist() == [0]


def test_ties_keep_their_order():
    asked = candidates_of([[1.0] * 8], [list("mmmmmmab")])
    order = shown(MultinomialFAStarIR("m", TWO).rerank(asked, 8).order[0])
    # Those of a group stand as given, and no candidate earlier than the test asks.
    assert [place for place in order if place < 6] == [0, 1, 2, 3, 4, 5]
    assert order[:2] == [0, 1]


def test_a_request_comes_out_alone_as_among_others():
    rng = np.random.default_rng(5)
    requests = [random_request(rng, [*TWO], 30, ties=True, unknown=True) for _ in range(1500)]
    method = MultinomialFAStarIR("m", TWO, 0.3)
    whole = method.rerank(candidates_of(*zip(*requests, strict=True), [*TWO]), 9)
    for row in (0, 1, 700, 1498, 1499):
        scores, groups = requests[row]
        alone = method.rerank(candidates_of([scores], [groups], [*TWO]), 9)
        assert alone.order[0].tolist() == whole.order[row].tolist()
        assert alone.certificate.violated[0] == whole.certificate.violated[row]
        assert alone.certificate.reasons.get(0) == whole.certificate.reasons.get(row)


def test_a_group_that_runs_out_is_named():
    asked = candidates_of([[9, 8, 7, 6, 5, 4, 3, 2, 1]], [list("mmmmmmmma")], [*TWO])
    found = MultinomialFAStarIR("m", TWO, 0.3).rerank(asked, 9).certificate
    assert found.violated[0] > 0
    assert "of 'a', 0 of 'b', which is too few; there are no more of 'a', 'b'" in found.reasons[0]


def test_the_certificate_says_the_test():
    asked = candidates_of([[1.0] * 3], [list("abm")])
    method = MultinomialFAStarIR("m", TWO)
    test, told = method.test(asked, 3), method.rerank(asked, 3).certificate.guarantee
    assert "p = 'a' 0.25, 'b' 0.3, alpha = 0.1" in told
    assert f"alpha_c = {test.level:.6g}; " in told
    assert f"fails with probability {test.failure:.6g}" in told


def test_what_is_no_test_is_refused():
    asked = candidates_of([[1.0] * 3], [list("abm")])
    with pytest.raises(RoleError) as caught:
        MultinomialFAStarIR("m", "request", alpha=2)
    assert len(caught.value.problems) == 2
    for method, said in (
        (MultinomialFAStarIR("x", TWO), "no group 'x'"),
        (MultinomialFAStarIR("m", {"a": 0.5, "m": 0.5}), r"there is none for \['b'\]"),
        (MultinomialFAStarIR("m", {**TWO, "a": 0.3}), "add up to 1.05"),
    ):
        with pytest.raises(RoleError, match=said):
            method.rerank(asked, 2)
    with pytest.raises(RoleError, match="is 0, and then"):
        MultinomialFAStarIR("m", {"a": 0.5, "b": 0.5, "m": 0})
    with pytest.raises(RoleError, match="no other group"):
        MultinomialFAStarIR("m", {"m": 1}).rerank(candidates_of([[1]], [["m"]]), 1)
    with pytest.raises(RoleError, match="no number of slots"):
        MultinomialFAStarIR("m", TWO).rerank(asked, 0)
    with pytest.raises(RoleError, match=r"in 22,\d+,\d+ ways.*\n.*fewer slots"):
        MultinomialFAStarIR("m", TWO).rerank(asked, 510)


def test_no_requests_and_no_candidates_are_fine():
    method = MultinomialFAStarIR("m", TWO)
    assert method.rerank(candidates_of([], [], [*TWO]), 3).order.shape == (0, 3)
    empty = method.rerank(candidates_of([[], []], [[], []], [*TWO]), 3)
    assert empty.order.tolist() == [[NOBODY] * 3] * 2


def test_it_is_read_from_notation():
    assert "multinomial_fa_star_ir" in rerankers()
    method = read("multinomial_fa_star_ir(unprotected=m, alpha=0.2)", TWO)
    assert method == MultinomialFAStarIR("m", TWO, 0.2)
    with pytest.raises(EvenhandError, match="Say --target"):
        read("multinomial_fa_star_ir(unprotected=m)")
