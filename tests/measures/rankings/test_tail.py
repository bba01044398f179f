"""Tail items against a loop, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from naive_lists import (
    assert_agree,
    finding_of,
    items,
    of_each,
    random_requests,
    tail_count,
    tail_share,
)


def test_tail_items_by_hand():
    request = items((1, 0), (2, 0), (5, 0), (None, 0), groups=["head", "tail", "tail", "tail"])
    assert of_each("APLT(of=topic, tail=tail)", [request]) == pytest.approx([2 / 3])
    assert of_each("APLT(of=topic, tail=tail)@2", [request]) == [1 / 2]
    assert of_each("ACLT(of=topic, tail=tail)", [request]) == [2]
    assert of_each("ACLT(of=topic, tail=tail)@3", [request]) == [1]
    assert of_each("APLT(of=topic, tail=[tail, head])", [request]) == [1]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("k", [3, None])
@pytest.mark.parametrize(("name", "loop"), [("APLT", tail_share), ("ACLT", tail_count)])
def test_tail_items_are_what_a_loop_counts(name, loop, k, soft):
    requests = random_requests(np.random.default_rng(18), 80, soft=soft)
    notation = f"{name}(of=topic, tail=[a, b])" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: loop(r, tail=("a", "b"), k=k), requests)


def test_items_of_unknown_attribute_take_no_part_and_are_counted():
    requests = [items((1, 0), (2, 0), groups=["tail", ()]), items((1, 0), groups=["head"])]
    finding = finding_of("APLT(of=topic, tail=tail)", requests)
    assert finding.value == 0.5
    assert (
        finding.conventions["unknown"]
        == "items of unknown topic take no part; 1 of them were shown"
    )


def test_value_that_no_item_has_is_said():
    requests = [items((1, 0), groups=["tail"]), items((1, 0), groups=["head"])]
    finding = finding_of("APLT(of=topic, tail=tial)", requests)
    assert finding.value == 0
    assert finding.conventions["tail"] == "no item of the log has topic tial"


def test_lists_that_never_show_the_tail_have_a_count_of_0():
    requests = [items((1, 0), groups=["head"]), items((1, 0), (None, 0), groups=["head", "tail"])]
    assert finding_of("ACLT(of=topic, tail=tail)@5", requests).value == 0
