"""Precision against a loop, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from naive_lists import assert_agree, finding_of, items, of_each, precision, random_requests


def test_precision_by_hand():
    request = items((1, 1), (2, 0), (4, 2), (None, 1))
    assert of_each("P@2", [request]) == [1 / 2]
    assert of_each("P@3", [request]) == [1 / 3]
    assert of_each("P@10", [request]) == [2 / 10]
    assert of_each("P(rel=2)@4", [request]) == [1 / 4]
    assert of_each("P", [request]) == [2 / 3]


@pytest.mark.parametrize("grades", ["binary", "graded", "continuous"])
@pytest.mark.parametrize(("k", "rel"), [(1, 1), (3, 1), (5, 0.5), (None, 1)])
def test_precision_is_what_a_loop_counts(grades, k, rel):
    requests = random_requests(np.random.default_rng(8), 60, grades=grades)
    notation = f"P(rel={rel})" + ("" if k is None else f"@{k}")
    if grades == "continuous" and rel == 1:
        requests.append(items((1, 1.0)))
    assert_agree(notation, lambda r: precision(r, rel=rel, k=k), requests)


def test_slots_without_an_item_count_against_precision():
    assert of_each("P@4", [items((1, 1), (4, 1))]) == [2 / 4]


def test_finding_says_what_is_divided_by():
    finding = finding_of("P@4", [items((1, 1)), items((2, 1), (3, 1))])
    assert finding.conventions["divides by"] == "4, however many shown"
    assert finding.conventions["relevant"] == "relevance of 1 or more"


def test_without_a_cutoff_requests_that_show_nothing_are_left_out():
    finding = finding_of("P", [items((1, 1)), items((1, 0), (2, 1)), items((None, 1))])
    assert finding.value == pytest.approx(3 / 4)
    assert [(part.reason, part.rows) for part in finding.excluded] == [("nothing was shown", 1)]
