"""NDKL against a loop over prefixes, over all permutations, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from naive_lists import assert_agree, finding_of, items, of_each, random_requests
from naive_provider import ndkl
from permuted import PERMUTED, TARGET, WRITTEN, listed

HALF = "shares(a, 0.5, b, 0.5)"


def test_ndkl_by_hand():
    # Prefixes a, ab, aba: KL ln 2, 0, and (2/3) ln (4/3) + (1/3) ln (2/3).
    last = 2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3)
    weights = [1, 1 / math.log2(3), 1 / 2]
    expected = (math.log(2) + weights[2] * last) / sum(weights)
    assert of_each(f"NDKL(of=topic, target={HALF})", [listed("aba")]) == pytest.approx([expected])


@pytest.mark.parametrize("requests", PERMUTED)
@pytest.mark.parametrize(("k", "smoothing"), [(None, 0.0), (3, 0.0), (None, 2.5)])
def test_every_permutation_has_the_divergence_that_a_loop_finds(requests, k, smoothing):
    notation = f"NDKL(of=topic, target={WRITTEN}, smoothing={smoothing})"
    cut = "" if k is None else f"@{k}"
    found = of_each(notation + cut, requests)
    assert found == pytest.approx([ndkl(r, TARGET, k=k, smoothing=smoothing) for r in requests])


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("k", [None, 4])
@pytest.mark.parametrize("target", ["candidates", "shares"])
def test_ndkl_is_what_a_loop_finds_with_gaps_and_unknown_groups(soft, k, target):
    requests = random_requests(np.random.default_rng(5), 80, soft=soft)
    aims, written = (TARGET, WRITTEN) if target == "shares" else ("candidates", target)
    cut = "" if k is None else f"@{k}"
    assert_agree(
        f"NDKL(of=topic, target={written}, smoothing=0.5){cut}",
        lambda r: ndkl(r, aims, k=k, smoothing=0.5),
        requests,
    )


def test_a_gap_changes_the_weights_and_nothing_else():
    notation = f"NDKL(of=topic, target={HALF})"
    whole, gap = of_each(notation, [listed("ab"), listed("ab", slots=[1, 3])])
    assert whole == pytest.approx(math.log(2) / (1 + 1 / math.log2(3)))
    assert gap == pytest.approx(math.log(2) / (1 + 1 / 2))


def test_items_of_unknown_group_are_in_no_count_and_prefixes_begin_with_the_first_known():
    notation = f"NDKL(of=topic, target={HALF})"
    (found,) = of_each(notation, [listed(" a b")])
    weights = [1 / math.log2(i + 1) for i in (2, 3, 4)]
    assert found == pytest.approx(math.log(2) * (weights[0] + weights[1]) / sum(weights))


def test_a_group_without_target_makes_it_undefined_and_says_what_to_do():
    found = finding_of("NDKL(of=topic, target=shares(a, 1, b, 0))", [listed("ab"), listed("a")])
    assert "divergence is infinite" in found.undefined
    assert "target=mean(catalogue, equal)" in found.undefined
    assert "chance" not in found.conventions


def test_requests_without_a_known_item_are_left_out():
    requests = [listed("a"), listed("ab"), listed(" "), items((None, 0), groups=["a"])]
    found = finding_of(f"NDKL(of=topic, target={HALF})", requests)
    assert [(one.reason, one.rows) for one in found.excluded] == [
        ("no item of known topic was shown", 2)
    ]


def test_best_attainable_is_the_least_of_all_lists_where_groups_are_few():
    requests = [listed("aabb"), listed("bbbb"), listed("abab")]
    found = finding_of(f"NDKL(of=topic, target={HALF})", requests)
    best = ndkl(listed("abab"), {"a": 0.5, "b": 0.5})
    assert float(found.conventions["best attainable"].split(":")[0]) == pytest.approx(
        best, abs=5e-5
    )


@pytest.mark.parametrize("smoothing", [-1, "'x'"])
def test_smoothing_is_a_number_of_items(smoothing):
    with pytest.raises(ValueError, match="smoothing is a number of items"):
        finding_of(f"NDKL(of=topic, smoothing={smoothing})", [listed("ab")])


def test_items_all_of_unknown_group_have_no_figure():
    found = finding_of("NDKL(of=topic, target=candidates)", [listed("  "), listed(" ")])
    assert "no item of known topic was shown" in found.undefined
