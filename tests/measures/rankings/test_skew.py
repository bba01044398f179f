"""Skew, MinSkew and MaxSkew against a loop, over all permutations, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from naive_lists import assert_agree, finding_of, of_each, random_requests
from naive_provider import max_skew, min_skew, skew
from permuted import PERMUTED, TARGET, WRITTEN, listed

HALF = "shares(a, 0.5, b, 0.5)"


def test_skew_by_hand():
    # Three of four are a: ln(.75 / .5); one is b: ln(.25 / .5).
    requests = [listed("aaba")]
    assert of_each(f"Skew(of=topic, group=a, target={HALF})", requests) == pytest.approx(
        [math.log(1.5)]
    )
    assert of_each(f"Skew(of=topic, group=b, target={HALF})@3", requests) == pytest.approx(
        [math.log(2 / 3)]
    )
    assert of_each(f"MinSkew(of=topic, target={HALF})", requests) == pytest.approx([math.log(0.5)])
    assert of_each(f"MaxSkew(of=topic, target={HALF})", requests) == pytest.approx([math.log(1.5)])


def test_smoothing_adds_items_as_the_target_says():
    # Of a list of two b and one such item half a and half b, a has 1/6.
    notation = f"Skew(of=topic, group=a, target={HALF}, smoothing=1)"
    assert of_each(notation, [listed("bb")]) == pytest.approx([math.log(0.5 / 3 / 0.5)])


@pytest.mark.parametrize("requests", PERMUTED)
@pytest.mark.parametrize("k", [None, 2, 3])
def test_every_permutation_has_the_skew_that_a_loop_finds(requests, k):
    cut = "" if k is None else f"@{k}"
    more = {"k": k, "smoothing": 1.0}
    for name, loop in [("MinSkew", min_skew), ("MaxSkew", max_skew)]:
        found = of_each(f"{name}(of=topic, target={WRITTEN}, smoothing=1){cut}", requests)
        assert found == pytest.approx([loop(r, TARGET, **more) for r in requests])
    for group in TARGET:
        notation = f"Skew(of=topic, group={group}, target={WRITTEN}, smoothing=1){cut}"
        expected = [skew(r, group, TARGET, **more) for r in requests]
        assert of_each(notation, requests) == pytest.approx(expected)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("target", ["candidates", "shares"])
def test_skew_is_what_a_loop_finds_with_gaps_and_unknown_groups(soft, target):
    requests = random_requests(np.random.default_rng(6), 80, soft=soft)
    aims, written = (TARGET, WRITTEN) if target == "shares" else ("candidates", target)
    more = {"k": 5, "smoothing": 0.5}
    for name, loop in [("MinSkew", min_skew), ("MaxSkew", max_skew)]:
        notation = f"{name}(of=topic, target={written}, smoothing=0.5)@5"
        assert_agree(notation, lambda r, loop=loop: loop(r, aims, **more), requests)
    notation = f"Skew(of=topic, group=b, target={written}, smoothing=0.5)@5"
    assert_agree(notation, lambda r: skew(r, "b", aims, **more), requests)


def test_an_absent_group_makes_skew_undefined_and_says_what_to_do():
    found = finding_of(f"Skew(of=topic, group=b, target={HALF})", [listed("ab"), listed("aa")])
    assert "the skew is infinite" in found.undefined
    assert "smoothing=1" in found.undefined
    assert not {"chance"} & {*found.conventions}


def test_chance_that_is_infinite_is_said_to_be():
    # b is among the candidates of every request; in some random orders it is not shown.
    requests = [[*listed("b"), *listed("aaaaaaa", [None] * 7)] for _ in range(20)]
    requests += [listed("ab")]
    found = finding_of("Skew(of=topic, group=b, target=candidates)", requests)
    assert found.value > 0
    assert found.conventions["chance"].startswith("infinite, for ")


def test_requests_in_which_the_group_has_no_target_are_left_out():
    requests = [listed("ab"), listed("aa"), listed("abb")]
    found = finding_of("Skew(of=topic, group=b, target=candidates)", requests)
    assert [(one.reason, one.rows) for one in found.excluded] == [("the target of topic b is 0", 1)]


def test_a_group_that_is_nowhere_has_no_target():
    found = finding_of("Skew(of=topic, group=x, target=candidates)", [listed("ab"), listed("a")])
    assert "the target of topic x is 0" in found.undefined


def test_skew_is_of_a_group_that_is_known():
    with pytest.raises(ValueError, match="group= names one group"):
        finding_of("Skew(of=topic, group=unknown)", [listed("ab")])


def test_items_all_of_unknown_group_have_no_figure():
    found = finding_of("MinSkew(of=topic, target=candidates)", [listed("  "), listed(" ")])
    assert "no item of known topic was shown" in found.undefined
