"""Average precision against a loop, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from naive_lists import assert_agree, average_precision, finding_of, items, of_each, random_requests


def test_average_precision_by_hand():
    request = items((1, 1), (2, 0), (3, 1), (None, 1))
    assert of_each("AP", [request]) == pytest.approx([(1 + 2 / 3) / 3])
    assert of_each("AP@2", [request]) == pytest.approx([1 / 3])
    assert of_each("AP(ideal=shown)", [request]) == pytest.approx([(1 + 2 / 3) / 2])


@pytest.mark.parametrize("grades", ["binary", "graded", "continuous"])
@pytest.mark.parametrize(("k", "rel"), [(2, 1), (5, 0.5), (None, 1)])
@pytest.mark.parametrize("ideal", ["all", "shown"])
def test_average_precision_is_what_a_loop_counts(grades, k, rel, ideal):
    requests = random_requests(np.random.default_rng(10), 60, grades=grades)
    requests.append(items((1, 1.0), (None, 1.0)))
    notation = f"AP(rel={rel}, ideal={ideal})" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: average_precision(r, rel=rel, k=k, ideal=ideal), requests)


def test_precision_is_down_to_the_slot_not_to_the_number_of_items_above():
    assert of_each("AP(ideal=shown)", [items((2, 1), (8, 1))]) == [(1 / 2 + 2 / 8) / 2]


def test_average_precision_of_a_log_of_shown_items_alone_is_undefined():
    finding = finding_of("AP@2", [items((1, 1), (2, 0)), items((1, 0), (3, 1))])
    assert finding.undefined.startswith("what was not shown is not in the log")
