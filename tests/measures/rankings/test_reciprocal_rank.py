"""Reciprocal rank against a loop, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from naive_lists import assert_agree, items, of_each, random_requests, reciprocal_rank


def test_reciprocal_rank_by_hand():
    requests = [items((1, 0), (3, 1), (4, 2)), items((1, 0), (None, 1)), items((2, 2))]
    assert of_each("RR", requests) == pytest.approx([1 / 3, 0, 1 / 2])
    assert of_each("RR@2", requests) == [0, 0, 1 / 2]
    assert of_each("RR(rel=2)", requests) == [1 / 4, None, 1 / 2]


@pytest.mark.parametrize("grades", ["binary", "graded", "continuous"])
@pytest.mark.parametrize(("k", "rel"), [(2, 1), (5, 0.5), (None, 1)])
def test_reciprocal_rank_is_what_a_loop_finds(grades, k, rel):
    requests = [*random_requests(np.random.default_rng(11), 60, grades=grades), items((1, 1.0))]
    notation = f"RR(rel={rel})" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: reciprocal_rank(r, rel=rel, k=k), requests)
