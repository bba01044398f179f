"""Watch time against a loop, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import NotationError, ValueInLogError
from naive_lists import assert_agree, finding_of, items, of_each, random_requests, watch_time


def test_watch_time_by_hand():
    request = items((1, 0), (2, 0), (5, 0), (None, 1), seconds=[30, 0, 12, 99])
    assert of_each("watch_time(column=seconds)", [request]) == [42]
    assert of_each("watch_time(column=seconds)@2", [request]) == [30]


@pytest.mark.parametrize("k", [1, 4, None])
def test_watch_time_is_what_a_loop_sums(k):
    requests = random_requests(np.random.default_rng(15), 60)
    notation = "watch_time(column=seconds)" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: watch_time(r, k=k), requests)


def test_time_of_a_shown_item_that_is_missing_leaves_the_figure_undefined():
    requests = [items((1, 0), (2, 0), seconds=[3, None]), items((1, 0), seconds=[3])]
    finding = finding_of("watch_time(column=seconds)", requests)
    assert "'seconds' of a shown item is missing for 1 of 2 rows" in finding.undefined


def test_time_of_an_item_that_was_not_shown_is_not_needed():
    requests = [items((1, 0), (None, 0), seconds=[3, None]), items((1, 0), seconds=[5])]
    assert finding_of("watch_time(column=seconds)", requests).value == 4


def test_negative_time_is_refused():
    with pytest.raises(ValueInLogError, match="watch_time takes numbers from 0, here down to -2"):
        finding_of("watch_time(column=seconds)", [items((1, 0), seconds=[-2])])


def test_column_that_the_log_lacks_is_named_with_what_it_has():
    with pytest.raises(NotationError, match="watch_time needs a column of numbers 'second'"):
        finding_of("watch_time(column=second)", [items((1, 0), seconds=[2])])
