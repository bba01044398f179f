"""Rank-biased precision against a loop, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import ValueInLogError
from naive_lists import assert_agree, finding_of, items, of_each, random_requests, rbp


def test_rbp_by_hand():
    request = items((1, 1), (2, 0), (4, 2))
    assert of_each("RBP(p=0.5)", [request]) == [1 / 2 + 1 / 16]
    assert of_each("RBP(p=0.5)@3", [request]) == [1 / 2]
    assert of_each("RBP(rel=2, p=0.5)", [request]) == [1 / 16]


@pytest.mark.parametrize("grades", ["binary", "graded", "continuous"])
@pytest.mark.parametrize(("k", "rel", "p"), [(2, 1, 0.8), (5, 0.5, 0.5), (None, 1, 0.95)])
def test_rbp_is_what_a_loop_sums(grades, k, rel, p):
    requests = [*random_requests(np.random.default_rng(13), 60, grades=grades), items((1, 1.0))]
    notation = f"RBP(rel={rel}, p={p})" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: rbp(r, rel=rel, k=k, p=p), requests)


@pytest.mark.parametrize("k", [None, 4])
def test_rbp_of_continuous_relevance_is_what_a_loop_sums(k):
    requests = random_requests(np.random.default_rng(14), 60, grades="continuous")
    notation = "RBP(gain=linear)" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: rbp(r, k=k, gain="linear"), requests)


def test_grades_are_no_linear_gain():
    with pytest.raises(ValueInLogError, match="relevance from 0 to 1, here up to 2"):
        finding_of("RBP(gain=linear)", [items((1, 2))])


def test_list_of_relevant_items_alone_falls_short_of_1_by_what_lies_below_it():
    assert of_each("RBP(p=0.5)", [items((1, 1), (2, 1), (3, 1))]) == pytest.approx([1 - 0.5**3])
