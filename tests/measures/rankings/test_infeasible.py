"""Infeasible index and count against exact fractions, over all permutations, and by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from naive_lists import assert_agree, finding_of, of_each, random_requests
from naive_provider import infeasible_count, infeasible_index
from permuted import PERMUTED, TARGET, WRITTEN, listed

BOTH = [("infeasible_index", infeasible_index), ("infeasible_count", infeasible_count)]


def test_infeasible_by_hand():
    # Of aaab: aa and aaa lack one b, aaab has one of two.
    written = "shares(a, 0.5, b, 0.5)"
    assert of_each(f"infeasible_index(of=topic, target={written})", [listed("aaab")]) == [3]
    # b and c are due one each from five items on, d from two.
    written = "shares(a, 0.1, b, 0.2, c, 0.2, d, 0.5)"
    assert of_each(f"infeasible_index(of=topic, target={written})", [listed("aaaaa")]) == [4]
    assert of_each(f"infeasible_count(of=topic, target={written})", [listed("aaaaa")]) == [6]


@pytest.mark.parametrize("requests", PERMUTED)
@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize(("name", "loop"), BOTH)
def test_every_permutation_falls_short_where_a_loop_says_so(requests, k, name, loop):
    found = of_each(
        f"{name}(of=topic, target={WRITTEN})" + ("" if k is None else f"@{k}"), requests
    )
    assert found == [loop(r, TARGET, k=k) for r in requests]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("target", ["candidates", "shares"])
@pytest.mark.parametrize(("name", "loop"), BOTH)
def test_infeasible_is_what_a_loop_counts_with_gaps_and_unknown_groups(soft, target, name, loop):
    requests = random_requests(np.random.default_rng(7), 120, soft=soft)
    aims, written = (TARGET, WRITTEN) if target == "shares" else ("candidates", target)
    notation = f"{name}(of=topic, target={written})@7"
    assert_agree(notation, lambda r: loop(r, aims, k=7), requests)


@pytest.mark.parametrize("hundredths", range(1, 100))
def test_no_decimal_share_is_rounded_wrongly_at_any_prefix_of_300(hundredths):
    share = Fraction(hundredths, 100)
    written = f"shares(a, {hundredths / 100}, b, {(100 - hundredths) / 100})"
    # With floor(p i) at every prefix and not one more, any error of a floor shows.
    groups = ["a" if (share * i) // 1 > (share * (i - 1)) // 1 else "b" for i in range(1, 301)]
    (found,) = of_each(f"infeasible_count(of=topic, target={written})", [listed(groups)])
    rest = 1 - share
    expected = sum(groups[:i].count("b") < (rest * i) // 1 for i in range(1, 301))
    assert found == expected
    late = ["b", *groups[:-1]]
    (found,) = of_each(f"infeasible_count(of=topic, target={written})", [listed(late)])
    assert found == sum(
        late[:i].count(group) < (due * i) // 1
        for i in range(1, 301)
        for group, due in (("a", share), ("b", rest))
    )


def test_a_catalogue_of_thirds_asks_for_one_of_three():
    import polars as pl

    import evenhand as eh

    rows = pl.DataFrame({"q": [1] * 3 + [2] * 3, "slot": [1, 2, 3] * 2, "by": list("abcaab")})
    catalogue = pl.DataFrame({"by": list("abc")})
    log = eh.log(
        rows, kind="search", request="q", rank="slot", item_groups=["by"], catalogue=catalogue
    )
    # abc lacks nothing; aab lacks c at 3.
    assert eh.estimate("infeasible_index(of=by)", log).value == 0.5


def test_a_slot_without_an_item_is_no_prefix():
    written = "shares(a, 0.5, b, 0.5)"
    notation = f"infeasible_index(of=topic, target={written})"
    assert of_each(notation, [listed("ab", [1, 9]), listed("aa", [1, 9])]) == [0, 1]
    assert of_each(f"{notation}@8", [listed("aa", [1, 9])]) == [0]


def test_finding_says_what_chance_gives():
    found = finding_of(
        "infeasible_index(of=topic, target=shares(a, 0.5, b, 0.5))",
        [listed("aaabbb"), listed("ababab")],
    )
    assert "random order" in found.conventions["chance"]


def test_items_all_of_unknown_group_have_no_figure():
    found = finding_of("infeasible_index(of=topic, target=candidates)", [listed("  "), listed(" ")])
    assert "no item of known topic was shown" in found.undefined


@pytest.mark.parametrize("name", ["infeasible_index", "infeasible_count"])
def test_lists_that_all_have_what_is_asked_for_have_an_interval(name):
    requests = [listed("abab") for _ in range(60)]
    found = finding_of(f"{name}(of=topic, target=shares(a, 0.5, b, 0.5))@4", requests)
    assert found.value == 0
    assert 0 < found.high < 1
    assert found.low == 0
