"""Calibration of lists against a loop, by hand, and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evenhand.errors import NotationError
from naive_lists import assert_agree, calibration, finding_of, items, of_each, random_requests

NAME = "calibration_divergence"


def test_divergence_by_hand():
    # The list shows a alone, the profile is half a and half b.
    request = items((1, 1), (None, 1), groups=["a", "b"])
    expected = 0.5 * math.log(0.5 / (0.99 + 0.01 * 0.5)) + 0.5 * math.log(0.5 / (0.01 * 0.5))
    assert of_each(f"{NAME}(of=topic)", [request]) == pytest.approx([expected])
    stronger = 0.5 * math.log(0.5 / (0.9 + 0.05)) + 0.5 * math.log(0.5 / 0.05)
    assert of_each(f"{NAME}(of=topic, alpha=0.1)", [request]) == pytest.approx([stronger])
    assert of_each(f"{NAME}(of=topic, divergence=hellinger)", [request]) == pytest.approx(
        [math.sqrt(1 - math.sqrt(0.5))]
    )
    # H(.75, .25) - (H(1) + H(.5, .5)) / 2 in bits.
    shannon = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)) - 0.5
    assert of_each(f"{NAME}(of=topic, divergence=js)", [request]) == pytest.approx([shannon])


def test_slots_weigh_by_attention():
    request = items((1, 1), (3, 2), groups=["a", "b"])
    listed = {"a": 2 / 3, "b": 1 / 3}
    expected = sum(
        p * math.log(p / (0.99 * listed[g] + 0.01 * p)) for g, p in (("a", 1 / 3), ("b", 2 / 3))
    )
    assert of_each(f"{NAME}(of=topic)", [request]) == pytest.approx([expected])


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("k", [3, None])
@pytest.mark.parametrize("divergence", ["kl", "js", "hellinger"])
@pytest.mark.parametrize("grades", ["graded", "continuous"])
def test_divergence_is_what_a_loop_finds(divergence, k, soft, grades):
    requests = random_requests(np.random.default_rng(21), 80, soft=soft, grades=grades)
    notation = f"{NAME}(of=topic, divergence={divergence})" + ("" if k is None else f"@{k}")
    assert_agree(notation, lambda r: calibration(r, k=k, divergence=divergence), requests)


@pytest.mark.parametrize(("divergence", "most"), [("kl", math.log(100)), ("js", 1)])
def test_list_with_nothing_of_the_profile_has_the_most(divergence, most):
    request = items((1, 0), (None, 1), groups=["a", "b"])
    assert of_each(f"{NAME}(of=topic, divergence={divergence})", [request]) == pytest.approx([most])


def test_list_that_mixes_as_the_profile_does_has_0():
    request = items((1, 2), (2, 2 / math.log2(3)), groups=["a", "b"])
    for divergence in ("kl", "js", "hellinger"):
        found = of_each(f"{NAME}(of=topic, divergence={divergence})", [request])
        assert found == pytest.approx([0], abs=1e-7)


def test_requests_without_profile_or_known_items_are_left_out_and_counted():
    requests = [
        items((1, 1), groups=["a"]),
        items((1, 0), (None, 0), groups=["a", "b"]),
        items((1, 1), (None, 1), groups=[(), "b"]),
    ]
    finding = finding_of(f"{NAME}(of=topic)", requests)
    assert finding.value == 0
    assert {(part.reason, part.rows) for part in finding.excluded} == {
        ("no item of known topic was shown", 1),
        ("no relevant item of known topic", 1),
    }


def test_shown_items_that_nobody_judged_leave_the_figure_undefined():
    requests = [items((1, 1), (2, None), groups=["a", "b"]), items((1, 1), groups=["a"])]
    finding = finding_of(f"{NAME}(of=topic)", requests)
    assert "relevance of a shown item is missing for 1 of 2 rows" in finding.undefined


def test_finding_says_how_it_is_defined():
    requests = [items((1, 1), (2, 0), groups=["a", "b"]), items((1, 1), groups=["a"])]
    says = finding_of(f"{NAME}(of=topic)@5", requests).conventions
    assert says["divergence"].endswith("in nats; alpha 0.01")
    assert says["profile"] == "relevant"
    assert says["profile from"] == "shown"
    assert says["browsing"] == "log2: 1 / log2(1 + slot)"
    assert "target" not in says


def test_profile_may_be_given():
    request = items((1, 0), groups=["a"])
    notation = f"{NAME}(of=topic, profile=shares('a', 0.5, 'b', 0.5), divergence=js)"
    shannon = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)) - 0.5
    assert finding_of(notation, [request]).value == pytest.approx(shannon)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("divergence=chi2", "divergence is kl, js, hellinger"),
        ("alpha=0", "between 0 and 1"),
        ("profile=history", "'history' is no target"),
        ("browsing=linear", "no browsing model"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(given, says):
    with pytest.raises(NotationError, match=says):
        finding_of(f"{NAME}(of=topic, {given})", [items((1, 1), groups=["a"])])
