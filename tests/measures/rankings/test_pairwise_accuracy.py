"""Pairwise accuracy against a look at every pair, over all permutations, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.measures.registry import measure_named
from evenhand.notation import parse
from naive_lists import Item, finding_of, items, lists_of, random_requests
from naive_provider import pairs
from permuted import PERMUTED, listed

AGAINST = ["any", "other", "same"]


def counted(notation, requests):
    measure = measure_named(parse(notation))
    numbers = measure.numbers(lists_of(requests))
    return list(zip(*(numbers[name].tolist() for name in measure.counted), strict=True))


def test_pairs_by_hand():
    # b at 2 is liked: above a at 3 and a not shown, below a at 1.
    request = items((1, 0), (2, 1), (3, 0), (None, 0), (None, 1), groups=list("abaab"))
    # b not shown is liked too: below a at 1 and 3, and no pair with a not shown.
    assert counted("pairwise_accuracy(of=topic, group=b)", [request]) == [(2, 5)]
    assert counted("pairwise_accuracy(of=topic, group=b, against=same)", [request]) == [(0, 0)]


@pytest.mark.parametrize("against", AGAINST)
@pytest.mark.parametrize("requests", PERMUTED)
def test_every_permutation_has_the_pairs_that_a_loop_finds(requests, against):
    for group in "ab":
        notation = f"pairwise_accuracy(of=topic, group={group}, against={against})"
        assert counted(notation, requests) == [pairs(r, group, against) for r in requests]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("against", AGAINST)
@pytest.mark.parametrize("level", [1, 2])
def test_pairs_are_what_a_loop_finds_with_gaps_and_unknown_groups(soft, against, level):
    requests = random_requests(np.random.default_rng(10), 150, soft=soft)
    notation = f"pairwise_accuracy(of=topic, group=a, against={against}, level={level})"
    expected = [pairs(r, "a", against, level) for r in requests]
    assert np.array(counted(notation, requests)) == pytest.approx(np.array(expected))
    finding = finding_of(notation, requests)
    ordered, every = np.sum(expected, axis=0)
    assert finding.value == pytest.approx(ordered / every)
    assert sum(one.rows for one in finding.excluded) == sum(not pair[1] for pair in expected)


def test_relevance_that_is_not_known_of_a_shown_item_leaves_no_figure():
    requests = [items((1, 1), (2, None), groups=["a", "b"]), items((1, 1), (2, 0), groups="ab")]
    found = finding_of("pairwise_accuracy(of=topic, group=a)", requests)
    assert "relevance of a shown item is missing" in found.undefined


def test_an_item_not_shown_and_not_judged_is_in_no_pair():
    request = [Item(1, 1.0, ("a",)), Item(2, 0.0, ("b",)), Item(None, None, ("b",))]
    assert counted("pairwise_accuracy(of=topic, group=a)", [request]) == [(1, 1)]


def test_requests_without_a_pair_are_left_out():
    requests = [items((1, 1), (2, 0), groups="aa"), items((1, 0), (2, 1), groups="ab")]
    found = finding_of("pairwise_accuracy(of=topic, group=a)", requests)
    reason = "no pair of a relevant item of topic a and one not relevant"
    assert [(one.reason, one.rows) for one in found.excluded] == [(reason, 1)]


def test_finding_says_how_pairs_are_made():
    requests = [items((1, 1), (2, 0), groups="aa"), items((1, 0), (2, 1), groups="aa")]
    found = finding_of("pairwise_accuracy(of=topic, group=a, against=same)", requests)
    assert found.value == 0.5
    assert found.conventions["against"] == "items of the same group (intra-group)"
    assert "two that were not are no pair" in found.conventions["not shown"]


@pytest.mark.parametrize(
    ("notation", "message"),
    [
        ("pairwise_accuracy(of=topic, group=a, against=all)", "against is any, other, same"),
        ("pairwise_accuracy(of=topic, group=a, level=0)", "level is the least relevance"),
        ("pairwise_accuracy(of=topic, group=0.5)", "group= names one group"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(notation, message):
    with pytest.raises(ValueError, match=message):
        finding_of(notation, [items((1, 1), groups="a")])


def test_items_all_of_unknown_group_have_no_figure():
    found = finding_of("pairwise_accuracy(of=topic, group=a)", [listed("  "), listed(" ")])
    assert "no pair of a relevant item" in found.undefined
