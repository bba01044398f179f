"""What is tried where nobody names a re-ranker, and why others are not."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.mitigations.candidates import Candidates, candidates_of
from evenhand.mitigations.registry import read, rerankers
from evenhand.mitigations.tried import tried

TWO = candidates_of([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]], [["a", "a", "b"], ["a", "b", "a"]])


def test_every_re_ranker_is_tried_or_has_a_reason():
    found = tried(TWO, 2, {"a": 2 / 3, "b": 1 / 3})
    named = {method.partition("(")[0] for method in found.methods}
    assert named | {*found.left_out} == {*rerankers()}
    assert not named & {*found.left_out}


def test_what_is_tried_can_be_read_and_run():
    targets = {"a": 2 / 3, "b": 1 / 3}
    for method in tried(TWO, 2, targets).methods:
        assert read(method, targets).rerank(TWO, 2).order.shape == (2, 2)


def test_the_smaller_group_is_protected():
    assert "fa_star_ir(protected=b, p=0.3333)" in tried(TWO, 2, {"a": 2 / 3, "b": 1 / 3}).methods


@pytest.mark.parametrize(
    ("candidates", "targets", "name", "said"),
    [
        (
            candidates_of([[3.0, 2.0, 1.0]], [["a", "b", "c"]]),
            {"a": 0.5, "b": 0.3, "c": 0.2},
            "fa_star_ir",
            "there are 3",
        ),
        (TWO, {"a": 1.0, "b": 0.0}, "fa_star_ir", "the target of 'b' is 0"),
        (
            Candidates(np.ones((1, 201)), np.zeros((1, 201), np.int64), ("a",)),
            {"a": 1.0},
            "fairness_of_exposure",
            "201 candidates",
        ),
        (
            Candidates(np.ones((2_001, 1)), np.zeros((2_001, 1), np.int64), ("a",)),
            {"a": 1.0},
            "fairness_of_exposure",
            "2,001 requests",
        ),
    ],
)
def test_what_does_not_apply_is_left_out_with_the_reason(candidates, targets, name, said):
    found = tried(candidates, 2, targets)
    assert said in found.left_out[name]
    assert not any(method.startswith(name) for method in found.methods)
