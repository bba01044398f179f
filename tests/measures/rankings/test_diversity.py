"""Diversity and entropy against loops over pairs, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.measures.lists import Lists, Membership
from evenhand.measures.rankings.diversity import Diversity
from naive_lists import (
    assert_agree,
    diversity,
    entropy,
    finding_of,
    items,
    of_each,
    random_requests,
)


def listed(*groups):
    """A list that shows items of these groups."""
    return items(*((slot + 1, 0) for slot in range(len(groups))), groups=list(groups))


def test_diversity_by_hand():
    assert of_each("diversity(of=topic)", [listed("a", "a", "b")]) == pytest.approx([2 / 3])
    assert of_each("diversity(of=topic)@2", [listed("a", "a", "b")]) == [0]
    assert of_each("diversity(of=topic)", [listed("a", "b", "c")]) == [1]
    # Parts .5 a, .5 b beside a: alike by .5.
    assert of_each("diversity(of=topic)", [listed(("a", "b"), "a")]) == [0.5]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("k", [3, None])
@pytest.mark.parametrize(("name", "loop"), [("diversity", diversity), ("entropy", entropy)])
def test_diversity_and_entropy_are_what_loops_find(name, loop, k, soft):
    requests = random_requests(np.random.default_rng(17), 80, soft=soft)
    notation = f"{name}(of=topic)" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: loop(r, k=k), requests)


def test_lists_with_fewer_than_two_known_items_are_left_out_and_counted():
    requests = [listed("a", "b"), listed("a"), listed("a", ()), items((None, 0), groups=["a"])]
    finding = finding_of("diversity(of=topic)", requests)
    assert finding.value == 1
    assert [(part.reason, part.rows) for part in finding.excluded] == [
        ("fewer than 2 items of known topic were shown", 3)
    ]
    assert finding.conventions["unknown"] == "items of unknown topic take no part"


def test_entropy_by_hand():
    assert of_each("entropy(of=topic)", [listed(*"aabb")]) == [1]
    assert of_each("entropy(of=topic)", [listed(*"aaaa")]) == [0]
    assert of_each("entropy(of=topic, base=nats)", [listed(*"abc")]) == pytest.approx([np.log(3)])
    assert of_each("entropy(of=topic)", [listed(("a", "b"), "a")]) == pytest.approx(
        [-(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))]
    )


def test_partly_known_items_count_by_what_is_known():
    lists = Lists(
        starts=np.array([0, 2]),
        slot=np.array([1, 2]),
        relevance=None,
        columns={},
        items={
            "topic": Membership(
                ("a", "unknown"),
                np.array([0, 0, 1]),
                np.array([0, 1, 0]),
                np.array([0.5, 0.5, 1.0]),
                soft=True,
            )
        },
        sound=np.ones(1, np.bool_),
    )
    assert Diversity(of="topic").per_request(lists).tolist() == [0.0]
