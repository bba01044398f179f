"""DetGreedy, DetCons, DetRelaxed and DetConstSort against loops in exact arithmetic."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, candidates_of
from evenhand.mitigations.deterministic import DetCons, DetConstSort, DetGreedy, DetRelaxed
from evenhand.mitigations.minimum import ceilings, floors
from made_candidates import floats, random_request, random_target
from mitigations.naive import (
    best_first,
    const_sort,
    discounted,
    floor_of,
    short_prefixes,
    stepwise,
)

METHODS = {
    DetGreedy: lambda *given: stepwise("greedy", *given),
    DetCons: lambda *given: stepwise("cons", *given),
    DetRelaxed: lambda *given: stepwise("relaxed", *given),
    DetConstSort: const_sort,
}


def shown(order):
    return [place for place in order.tolist() if place != NOBODY]


def reranked(method, scores, groups, k):
    found = method.rerank(candidates_of([scores], [groups], sorted(method.targets)), k)
    return shown(found.order[0]), found.certificate


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", METHODS)
def test_orders_are_those_of_a_loop(kind, count, ties, unknown):
    rng = np.random.default_rng([count, ties, unknown])
    for trial in range(12):
        target = random_target(rng, count, zeros=trial % 3 == 0)
        requests = [
            random_request(rng, [*target], 30, ties=ties, unknown=unknown) for _ in range(30)
        ]
        k = int(rng.integers(1, 26))
        candidates = candidates_of(*zip(*requests, strict=True), [*target])
        found = kind(floats(target)).rerank(candidates, k)
        for row, (scores, groups) in enumerate(requests):
            expected = METHODS[kind](scores, groups, k, target)
            assert shown(found.order[row]) == expected
            assert (found.order[row, len(expected) :] == NOBODY).all()
            short = short_prefixes(groups, expected, floor_of(target))
            assert found.certificate.violated[row] == len(short)
            assert (row in found.certificate.reasons) == bool(short)
            assert found.certificate.utility[row] == pytest.approx(discounted(scores, expected))
            best = discounted(scores, best_first(scores)[:k])
            assert found.certificate.best[row] == pytest.approx(best)


def every_order(names, k):
    """A request for each order of groups among the best k, with enough of each group behind."""
    behind = [name for name in names for _ in range(k)]
    groups = [[*front, *behind] for front in itertools.product(names, repeat=k)]
    scores = list(range(k + len(behind), 0, -1))
    return candidates_of([scores] * len(groups), groups, names)


def targets(count, most):
    """All shares with one denominator up to `most`, each group with some, in ascending order."""
    for parts in range(count, most + 1):
        for shares in itertools.combinations_with_replacement(range(1, parts + 1), count):
            if sum(shares) == parts:
                yield {n: Fraction(one, parts) for n, one in zip("abcde", shares, strict=False)}


def breaks(kind, target, k):
    """How many of all orders of k by score are put in an order that breaks a minimum."""
    found = kind(floats(target)).rerank(every_order([*target], k), k)
    return int((~found.certificate.kept).sum()), found


SURE = [
    (kind, count, most)
    for count, most in ((2, 9), (3, 6), (4, 5))
    for kind in METHODS
    if kind is not DetGreedy or count <= 3
]


@pytest.mark.parametrize(("kind", "count", "most"), SURE)
def test_where_it_is_promised_every_prefix_is_kept_whatever_the_scores(kind, count, most):
    for target in targets(count, most):
        assert breaks(kind, target, most)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("count", "most"), [(2, 12), (3, 8), (4, 6), (5, 6)])
@pytest.mark.parametrize("kind", [DetCons, DetRelaxed, DetConstSort])
def test_longer_prefixes_of_more_groups_are_kept_whatever_the_scores(kind, count, most):
    for target in targets(count, most):
        assert breaks(kind, target, most)[0] == 0


def test_greedy_breaks_minima_of_four_groups_and_says_which():
    # Two take the first slots by score, and at prefix 3 the others are due, both.
    target = dict(zip("abcd", map(Fraction, ("1/6", "1/6", "1/3", "1/3")), strict=True))
    count, found = breaks(DetGreedy, target, 6)
    assert count > 0
    groups = [*itertools.product("abcd", repeat=6)]
    row = groups.index(tuple("abcdcd"))
    assert found.certificate.violated[row] == 1
    assert found.certificate.reasons[row] == (
        "group 'd' comes too late: 0 of 1 due among the first 3"
    )
    for other in (DetCons, DetRelaxed, DetConstSort):
        assert breaks(other, target, 6)[0] == 0


@pytest.mark.parametrize("kind", [DetCons, DetRelaxed, DetConstSort])
def test_minima_of_eight_groups_are_kept(kind):
    rng = np.random.default_rng(5)
    for _ in range(30):
        parts = rng.multinomial(100, rng.dirichlet([1] * 8))
        target = {n: Fraction(int(part), 100) for n, part in zip("abcdefgh", parts, strict=True)}
        groups = [[name for name in target for _ in range(25)]] * 20
        scores = rng.normal(size=(20, 200)).tolist()
        found = kind(floats(target)).rerank(candidates_of(scores, groups, [*target]), 25)
        for order, given in zip(found.order.tolist(), groups, strict=True):
            assert short_prefixes(given, order, floor_of(target)) == []


@pytest.mark.parametrize("kind", [DetGreedy, DetCons, DetRelaxed])
def test_no_group_holds_more_than_its_ceiling_where_none_runs_out(kind):
    for target in targets(3, 6):
        candidates = every_order([*target], 6)
        shown = candidates.groups_at(kind(floats(target)).rerank(candidates, 6).order)
        for group, share in enumerate(target.values()):
            held = np.cumsum(shown == group, axis=1)
            assert (held <= [math.ceil(share * size) for size in range(1, 7)]).all()


@pytest.mark.parametrize("hundredths", range(1, 100))
def test_no_decimal_share_is_rounded_wrongly_at_any_prefix_of_300(hundredths):
    # 100 x 0.29 is 28.999999999999996.
    share = Fraction(hundredths, 100)
    shares = np.array([hundredths / 100, (100 - hundredths) / 100])
    sizes = range(1, 301)
    assert floors(shares, 300).tolist() == [
        [math.floor(share * size), math.floor((1 - share) * size)] for size in sizes
    ]
    assert ceilings(shares, 300).tolist() == [
        [math.ceil(share * size), math.ceil((1 - share) * size)] for size in sizes
    ]


@pytest.mark.parametrize("parts", [(1, 9, 4), (3, 9, 2), (2, 9, 3)])
def test_what_is_due_alike_is_so_though_floats_differ(parts):
    # 14 is 1 / (1/14) and 9 / (9/14), and in floats the latter is 13.999999999999998.
    target = {name: Fraction(part, 14) for name, part in zip("abc", parts, strict=True)}
    rng = np.random.default_rng(parts)
    scores = rng.normal(size=(60, 75)).tolist()
    groups = [list("abc") * 25] * 60
    found = DetCons(floats(target)).rerank(candidates_of(scores, groups, "abc"), 25)
    for row, one in enumerate(scores):
        assert shown(found.order[row]) == stepwise("cons", one, groups[row], 25, target)


@pytest.mark.parametrize("parts", range(2, 60))
def test_no_fraction_is_rounded_wrongly(parts):
    for over in range(1, parts):
        share = Fraction(over, parts)
        found = floors(np.array([over / parts]), 200)[:, 0].tolist()
        assert found == [math.floor(share * size) for size in range(1, 201)]


@pytest.mark.parametrize("kind", METHODS)
def test_29_of_100_are_29(kind):
    scores, groups = list(range(200, 0, -1)), ["b"] * 130 + ["a"] * 70
    order, certificate = reranked(kind({"a": 0.29, "b": 0.71}), scores, groups, 100)
    assert sum(groups[place] == "a" for place in order) == 29
    assert certificate.kept.all()


@pytest.mark.parametrize("kind", METHODS)
def test_an_exhausted_group_asks_for_no_more_and_is_named(kind):
    # FairRankTune's DetConstSort goes on to raise the minimum of a group that has run out.
    scores, groups = list(range(20, 0, -1)), ["b"] * 9 + ["c"] * 9 + ["a"] * 2
    target = {"a": 0.5, "b": 0.25, "c": 0.25}
    order, certificate = reranked(kind(target), scores, groups, 12)
    assert len(order) == len(set(order)) == 12
    assert sum(groups[place] == "a" for place in order) == 2
    # Three are due from six on.
    assert certificate.violated.tolist() == [7]
    assert certificate.reasons == {
        0: "group 'a' runs out: 2 candidates have it, 3 are due among the first 6"
    }
    # The others are still held to their minima, up to the twelfth.
    short = short_prefixes(groups, order, floor_of({"b": Fraction(1, 4), "c": Fraction(1, 4)}))
    assert short == []


def test_a_candidate_moves_up_no_further_than_lets_the_others_be_in_time():
    # By prefix 2 one of each is due. The second b may pass no a that is due by then: an order
    # b, b, a, a is best by score and breaks prefix 2, which a swap one place too far would give.
    target = {"a": 0.5, "b": 0.5}
    order, certificate = reranked(DetConstSort(target), [9, 8, 2, 1], list("bbaa"), 4)
    assert order == [0, 2, 1, 3]
    assert certificate.violated.tolist() == [0]


@pytest.mark.parametrize("kind", METHODS)
def test_ties_keep_their_order_within_and_between_groups(kind):
    groups = list("abababab")
    order, _ = reranked(kind({"a": 0.5, "b": 0.5}), [1.0] * 8, groups, 8)
    assert order == list(range(8))


@pytest.mark.parametrize("kind", METHODS)
def test_a_candidate_without_a_group_keeps_its_slot(kind):
    scores, groups = list(range(8, 0, -1)), ["b", None, "b", "b", "b", None, "a", "a"]
    order, certificate = reranked(kind({"a": 0.5, "b": 0.5}), scores, groups, 6)
    assert [order.index(1), order.index(5)] == [1, 5]
    # b, a, b, a among the slots that are left.
    assert [place for place in order if groups[place] is not None] == [0, 6, 2, 7]
    assert certificate.violated.tolist() == [0]


@pytest.mark.parametrize("kind", METHODS)
def test_a_group_with_a_target_of_zero_is_shown_when_the_others_have_run_out(kind):
    scores, groups = [9, 8, 7, 6, 5], list("ccabc")
    order, _ = reranked(kind({"a": 0.5, "b": 0.5, "c": 0.0}), scores, groups, 5)
    assert order == [2, 3, 0, 1, 4]


@pytest.mark.parametrize("kind", METHODS)
def test_a_share_next_to_nothing_is_none(kind):
    order, certificate = reranked(kind({"a": 1.0, "b": 5e-324}), [4, 3, 2, 1], list("bbaa"), 4)
    assert order == [2, 3, 0, 1]
    assert certificate.violated.tolist() == [2]


@pytest.mark.parametrize("kind", METHODS)
def test_all_groups_that_come_short_are_named(kind):
    target = {"a": 0.4, "b": 0.4, "c": 0.2}
    _, certificate = reranked(kind(target), [9, 8, 7, 6, 5, 4, 3], list("cccccab"), 7)
    assert certificate.violated.tolist() == [3]
    assert certificate.reasons[0] == (
        "group 'a' runs out: 1 candidate has it, 2 are due among the first 5; "
        "group 'b' runs out: 1 candidate has it, 2 are due among the first 5"
    )


@pytest.mark.parametrize("kind", METHODS)
def test_a_request_comes_out_alone_as_among_others(kind):
    rng = np.random.default_rng(9)
    target = {"a": 0.2, "b": 0.3, "c": 0.5}
    requests = [random_request(rng, "abc", 40, ties=True, unknown=True) for _ in range(2500)]
    whole = kind(target).rerank(candidates_of(*zip(*requests, strict=True), "abc"), 12)
    for row in (0, 1, 2047, 2048, 2499):
        scores, groups = requests[row]
        alone = kind(target).rerank(candidates_of([scores], [groups], "abc"), 12)
        assert alone.order[0].tolist() == whole.order[row].tolist()
        assert alone.certificate.violated[0] == whole.certificate.violated[row]
        assert alone.certificate.reasons.get(0) == whole.certificate.reasons.get(row)


@pytest.mark.parametrize("kind", METHODS)
def test_no_requests_and_no_candidates_are_fine(kind):
    method = kind({"a": 0.5, "b": 0.5})
    assert method.rerank(candidates_of([], [], "ab"), 3).order.shape == (0, 3)
    empty = method.rerank(candidates_of([[], []], [[], []], "ab"), 3)
    assert empty.order.tolist() == [[NOBODY] * 3] * 2
    nameless = method.rerank(candidates_of([[2, 3]], [[None, None]], "ab"), 3)
    assert nameless.order.tolist() == [[1, 0, NOBODY]]


@pytest.mark.parametrize("kind", METHODS)
def test_targets_that_do_not_fit_are_refused(kind):
    candidates = candidates_of([[1, 2]], [["a", "b"]])
    for target, said in (
        ({"a": 0.5, "b": 0.4}, "shares add up to 0.9"),
        ({"a": 1.0}, r"there is none for \['b'\]"),
        ({"a": 0.5, "b": 0.5, "c": 0.0}, r"no candidates of \['c'\]"),
        ({"a": 1.5, "b": -0.5}, "no shares from 0 to 1"),
    ):
        with pytest.raises(RoleError, match=said):
            kind(target).rerank(candidates, 2)
    with pytest.raises(RoleError, match="no number of slots"):
        kind({"a": 0.5, "b": 0.5}).rerank(candidates, 0)
    with pytest.raises(RoleError, match="no candidate has a group"):
        kind({}).rerank(candidates_of([[1, 2]], [[None, None]]), 2)
