"""Exposure shares, exposure and clicks per relevance, and the ratios that papers know by name."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from naive_lists import finding_of, random_requests, within
from naive_provider import clipped, discount, exposures, part
from permuted import listed

MERIT = [0.82, 0.81, 0.80, 0.79, 0.78, 0.77]


def applicants(times=3, order=range(6)):
    """Six applicants of Singh and Joachims 2018, men first by merit, found for several queries."""
    rows = {
        "q": [q for q in range(times) for _ in range(6)],
        "slot": [1 + place for _ in range(times) for place in order],
        "u": MERIT * times,
        "sex": [*"mmmfff"] * times,
    }
    return eh.log(
        pl.DataFrame(rows),
        kind="search",
        request="q",
        rank="slot",
        relevance="u",
        item_groups=["sex"],
    )


def by_group(finding):
    return {one.group["sex"]: one.outcome.value for one in finding.groups}


def test_six_applicants_have_the_exposure_of_the_paper():
    found = eh.estimate("demographic_parity_of_exposure(of=sex)", applicants())
    groups = by_group(found)
    assert groups["m"] == pytest.approx(0.7103, abs=5e-5)
    assert groups["f"] == pytest.approx(0.3912, abs=5e-5)
    assert found.value == pytest.approx(groups["f"] / groups["m"])
    assert found.key == "ratio(exposure, of=sex)"
    assert "demographic_parity_of_exposure" in found.conventions


def test_six_applicants_have_the_disparate_treatment_ratio_of_the_paper():
    found = eh.estimate("disparate_treatment_ratio(of=sex)", applicants())
    assert 1 / found.value == pytest.approx(1.7483, abs=5e-5)
    assert found.key == "ratio(exposure_per_relevance, of=sex)"


def test_pairs_say_which_group_is_favoured():
    (found,) = eh.estimates(["pairs(exposure_per_relevance, of=sex)"], applicants())
    assert [tuple(one.values()) for one in found.pair] == [("f",), ("m",)]
    weights = [discount(slot) for slot in range(1, 7)]
    men, women = sum(weights[:3]) / sum(MERIT[:3]), sum(weights[3:]) / sum(MERIT[3:])
    assert found.value == pytest.approx(women - men)


def test_disparate_impact_is_expected_clicks_beside_merit():
    found = eh.estimate("disparate_impact_ratio(of=sex)@5", applicants())
    weights = [*(discount(slot) for slot in range(1, 6)), 0]
    men, women = (
        sum(w * u for w, u in zip(weights[s], MERIT[s], strict=True)) / sum(MERIT[s])
        for s in (slice(0, 3), slice(3, 6))
    )
    assert found.value == pytest.approx(women / men)
    assert found.key == "ratio(clicks_per_relevance@5, of=sex)"


def test_an_alias_takes_the_parameters_of_its_measure():
    found = eh.estimate(
        "disparate_treatment_ratio(of=sex, browsing=geometric(p=0.5))@4", applicants()
    )
    assert found.key == "ratio(exposure_per_relevance(browsing=geometric(p=0.5))@4, of=sex)"
    men, women = (1 + 1 / 2 + 1 / 4) / sum(MERIT[:3]), 1 / 8 / sum(MERIT[3:])
    assert found.value == pytest.approx(women / men)


@pytest.mark.parametrize("written", ["(by=sex)", "", "(0.5, of=sex)", "(of=sex, p=1)"])
def test_an_alias_of_items_is_refused_without_the_groups_of_items(written):
    with pytest.raises(ValueError, match=r"of=|has no parameter"):
        eh.estimate(f"disparate_treatment_ratio{written}", applicants())


def test_an_alias_of_items_is_not_for_decisions():
    rows = pl.DataFrame({"g": ["a", "b"], "p": [1, 0]})
    log = eh.log(rows, kind="decisions", prediction="p", groups=["g"])
    with pytest.raises(ValueError, match="groups of ranked items"):
        eh.estimate("disparate_impact_ratio(of=g)", log)


def test_merit_of_0_is_undefined_and_says_why():
    rows = pl.DataFrame(
        {
            "q": [1, 1, 2, 2, 3, 3],
            "slot": [1, 2] * 3,
            "u": [1.0, 0.0] * 3,
            "sex": ["m", "f"] * 3,
        }
    )
    log = eh.log(rows, kind="search", request="q", rank="slot", relevance="u", item_groups=["sex"])
    for name in ("disparate_treatment_ratio", "disparate_impact_ratio"):
        found = eh.estimate(f"{name}(of=sex)", log)
        assert "f: the relevance is 0 everywhere: nothing is due to such items" in found.undefined


def test_merit_of_items_not_shown_counts():
    rows = pl.DataFrame(
        {"q": [1, 1, 2, 2], "slot": [1, None, 2, 1], "u": [0.5, 1.5, 1.0, 0.25], "sex": [*"mfmf"]}
    )
    log = eh.log(rows, kind="search", request="q", rank="slot", relevance="u", item_groups=["sex"])
    found = eh.estimate("exposure_per_relevance", log)
    assert found.value == pytest.approx((2 + discount(2)) / 3.25)


def test_merit_that_is_not_known_leaves_no_figure():
    rows = pl.DataFrame({"q": [1, 1, 2], "slot": [1, 2, 1], "u": [0.5, None, 1.0]})
    log = eh.log(rows, kind="search", request="q", rank="slot", relevance="u")
    found = eh.estimate("exposure_per_relevance", log)
    assert "relevance of an item is missing for 1 of 3 rows" in found.undefined


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("k", [None, 4])
@pytest.mark.parametrize("browsing", ["log2", "log2_clipped"])
def test_exposure_share_is_what_a_loop_sums_with_gaps_and_unknown_groups(soft, k, browsing):
    requests = random_requests(np.random.default_rng(11), 80, soft=soft)
    weight = {"log2": discount, "log2_clipped": clipped}[browsing]
    cut = "" if k is None else f"@{k}"
    found = finding_of(f"exposure_share(of=topic, group=b, browsing={browsing}){cut}", requests)
    own, every = exposures(requests, "b", k=k, weight=weight)
    assert found.value == pytest.approx(own / every)
    left = {one.reason: one.rows for one in found.excluded}
    shown = [item for request in requests for item in within(request, k)]
    rows = sum(map(len, requests))
    assert left == {
        "not shown" + (cut and f" at slots 1 to {k}"): rows - len(shown),
        "unknown topic of the item": sum(not item.groups for item in shown),
    }


def test_shares_of_all_groups_add_up_to_1():
    requests = random_requests(np.random.default_rng(12), 50, soft=True)
    names = [f"exposure_share(of=topic, group={g})" for g in "abc"]
    assert sum(finding_of(name, requests).value for name in names) == pytest.approx(1)


def test_exposure_share_differs_between_users():
    rows = pl.DataFrame(
        {
            "user": np.repeat(np.arange(40), 2),
            "slot": [1, 2] * 40,
            "tier": [*"sl", *"ls"] * 20,
            "age": ["young", "young", "old", "old"] * 20,
        }
    )
    log = eh.log(
        rows,
        kind="recommendation",
        user="user",
        request="user",
        rank="slot",
        item_groups=["tier"],
        groups=["age"],
    )
    found = eh.estimate("difference(exposure_share(of=tier, group=s), by=age)", log)
    first, second = 1, 1 / math.log2(3)
    assert found.value == pytest.approx((first - second) / (first + second))


def test_exposure_share_has_both_margins_where_users_and_items_cross():
    rng = np.random.default_rng(13)
    rows = pl.DataFrame(
        {
            "user": np.repeat(np.arange(200), 5),
            "item": rng.permuted(np.tile(np.arange(60), (200, 1)), axis=1)[:, :5].ravel(),
            "slot": np.tile(np.arange(1, 6), 200),
        }
    ).with_columns(tier=pl.when(pl.col("item") % 3 == 0).then(pl.lit("s")).otherwise(pl.lit("l")))
    found = {}
    for unit in ("user", ["user", "item"]):
        log = eh.log(
            rows,
            kind="recommendation",
            user="user",
            request="user",
            item="item",
            rank="slot",
            item_groups=["tier"],
            unit=unit,
        )
        found[str(unit)] = eh.estimate("exposure_share(of=tier, group=s)", log)
    one, both = found.values()
    assert both.value == pytest.approx(one.value)
    assert both.high - both.low > one.high - one.low


def test_a_group_that_is_nowhere_has_a_share_of_0_and_a_note():
    found = finding_of("exposure_share(of=topic, group=x)", [listed("ab"), listed("b")])
    assert found.value == 0
    assert found.conventions["group"] == "no item of topic 'x' has any exposure; check the name"


@pytest.mark.parametrize("group", ["unknown", "0.5", "[a, b]"])
def test_exposure_share_is_of_one_group_that_is_known(group):
    with pytest.raises(ValueError, match="group= names one group"):
        finding_of(f"exposure_share(of=topic, group={group})", [listed("ab")])


def test_groups_may_be_numbers_and_truth_values():
    rows = pl.DataFrame(
        {"q": [1, 1, 2], "slot": [1, 2, 1], "n": [1, 2, 2], "new": [True, False, False]}
    )
    log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["n", "new"])
    expected = 1 / (2 + discount(2))
    assert eh.estimate("exposure_share(of=n, group=1)", log).value == pytest.approx(expected)
    assert eh.estimate("exposure_share(of=new, group=True)", log).value == pytest.approx(expected)


def test_parts_of_naive_items_add_up():
    requests = random_requests(np.random.default_rng(14), 20, soft=True)
    assert all(
        sum(part(item, g) for g in "abc") == bool(item.groups)
        for request in requests
        for item in request
    )
