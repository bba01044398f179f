"""Recall against a loop, by hand, and where it cannot be known."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import NotationError
from naive_lists import assert_agree, finding_of, items, of_each, random_requests, recall


def test_recall_by_hand():
    request = items((1, 1), (2, 0), (5, 2), (None, 1), (None, 0))
    assert of_each("R@1", [request]) == [1 / 3]
    assert of_each("R@5", [request]) == [2 / 3]
    assert of_each("R(rel=2)@5", [request]) == [1.0]
    assert of_each("R(ideal=shown)@1", [request]) == [1 / 2]


@pytest.mark.parametrize("grades", ["binary", "graded", "continuous"])
@pytest.mark.parametrize(("k", "rel"), [(1, 1), (3, 1), (5, 0.5)])
@pytest.mark.parametrize("ideal", ["all", "shown"])
def test_recall_is_what_a_loop_counts(grades, k, rel, ideal):
    requests = random_requests(np.random.default_rng(9), 60, grades=grades)
    requests.append(items((1, 1.0), (None, 1.0)))
    notation = f"R(rel={rel}, ideal={ideal})@{k}"
    assert_agree(notation, lambda r: recall(r, rel=rel, k=k, ideal=ideal), requests)


def test_recall_of_a_log_of_shown_items_alone_is_undefined():
    finding = finding_of("R@2", [items((1, 1), (2, 0)), items((1, 0), (3, 1))])
    assert finding.undefined.startswith("what was not shown is not in the log")


def test_recall_within_what_was_shown_says_so():
    finding = finding_of("R(ideal=shown)@2", [items((1, 1), (2, 0)), items((1, 0), (3, 1))])
    assert finding.value == 0.5
    assert finding.conventions["ideal"] == "shown"


def test_recall_of_all_says_so():
    finding = finding_of("R@2", [items((1, 1), (None, 1)), items((1, 0), (3, 1))])
    assert finding.value == 0.25
    assert (
        finding.conventions["ideal"]
        == "all items of the request whose relevance is known, shown or not"
    )


def test_requests_of_which_nothing_relevant_was_shown_count_where_all_is_known():
    requests = [items((1, 1), (None, 0)), items((1, 0), (None, 1))]
    assert finding_of("R@2", requests).value == 0.5
    within = finding_of("R(ideal=shown)@2", requests)
    assert within.value == 1.0
    assert [(part.reason, part.rows) for part in within.excluded] == [
        ("no relevant item was shown", 1)
    ]


def test_recall_of_the_whole_list_within_what_was_shown_is_refused():
    with pytest.raises(NotationError, match=r"write R\(ideal=shown\)@10"):
        finding_of("R(ideal=shown)", [items((1, 1))])


def test_candidates_that_nobody_judged_leave_recall_unknown():
    finding = finding_of("R@2", [items((1, 1), (None, None)), items((1, 1), (None, 1))])
    assert "relevance of an item that was not shown is missing" in finding.undefined


def test_levels_that_every_item_reaches_are_refused():
    with pytest.raises(NotationError, match="rel is a number above 0"):
        finding_of("R(rel=0)@2", [items((1, 1))])
