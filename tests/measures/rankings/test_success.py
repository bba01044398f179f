"""Success against a loop, by hand, and in logs of shown items alone."""

from __future__ import annotations

import numpy as np
import pytest

from naive_lists import assert_agree, finding_of, items, of_each, random_requests, success


def test_success_by_hand():
    requests = [items((1, 0), (3, 1)), items((1, 0), (None, 1)), items((2, 2)), items((1, 0))]
    assert of_each("Success@2", requests) == [0, 0, 1, None]
    assert of_each("Success@3", requests) == [1, 0, 1, None]
    assert of_each("Success(none=zero)@3", requests) == [1, 0, 1, 0]


@pytest.mark.parametrize("grades", ["binary", "graded", "continuous"])
@pytest.mark.parametrize(("k", "rel"), [(2, 1), (5, 0.5), (None, 1)])
def test_success_is_what_a_loop_finds(grades, k, rel):
    requests = [*random_requests(np.random.default_rng(12), 60, grades=grades), items((1, 1.0))]
    notation = f"Success(rel={rel})" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: success(r, rel=rel, k=k), requests)


def test_log_of_shown_items_alone_says_that_requests_without_a_hit_are_left_out():
    requests = [items((1, 0), (2, 1)), items((1, 0), (2, 0))]
    finding = finding_of("Success", requests)
    assert finding.value == 1.0
    assert "the log has no others" in finding.conventions["requests"]
    every = finding_of("Success(none=zero)", requests)
    assert every.value == 0.5
    assert every.conventions["requests"] == "all; those without a relevant item count as 0"
