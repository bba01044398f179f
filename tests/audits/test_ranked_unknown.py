"""Ranked lists: what is unjudged, unknown or not in the catalogue is never taken for a number."""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import ValueInLogError


def lists(**other):
    """Two requests of two users, each of three items."""
    columns = {
        "user": [1, 1, 1, 2, 2, 2],
        "q": [1, 1, 1, 2, 2, 2],
        "doc": [1, 2, 3, 1, 4, 3],
        "slot": [1, 2, 3, 1, 2, 3],
        "grade": [1, 0, 2, 0, 1, 1],
        "tier": ["a", "b", "a", "a", "b", "b"],
        "seen": [1.0, 0.5, 0.0, 1.0, 1.0, 0.5],
    }
    return pl.DataFrame({**columns, **other}, strict=False)


def log_of(rows, **how):
    wanted = {"user": "user", "request": "q", "item": "doc", "rank": "slot", "relevance": "grade"}
    wanted |= {"item_groups": ["tier"], **how}
    return eh.log(rows, kind="search", **wanted)


@pytest.mark.parametrize(
    "notation",
    [
        "AWRF(of=tier, target=relevant)",
        "AWRF(of=tier, target=mean(relevant, equal))",
        "NDKL(of=tier, target=mean(relevant, equal))",
        "AWRF(of=tier, target=equal, browsing=cascade)",
        "exposure(browsing=cascade)",
        "amortised_unfairness",
        "exposure_gini(browsing=cascade)",
    ],
)
def test_a_shown_item_that_is_not_judged_leaves_no_figure(notation):
    judged = lists(grade=[1, 0, 1, 0, 1, 1])
    assert eh.estimate(notation, log_of(judged)).undefined is None
    found = eh.estimate(notation, log_of(lists(grade=[1, None, 1, 0, 1, 1])))
    assert "relevance" in found.undefined
    assert "what was not observed is not guessed" in found.undefined


def test_a_candidate_that_is_not_judged_leaves_no_rate_of_relevant_ones():
    rows = lists(slot=[1, 2, None, 1, 2, None], grade=[1, 0, None, 0, 1, 1])
    assert "relevance of the item" in eh.estimate("relevant_rate@1", log_of(rows)).undefined


def test_lists_of_unknown_groups_alone_are_no_perfect_match():
    rows = lists(tier=pl.Series([None] * 6, dtype=pl.String))
    found = eh.estimate("calibration_divergence(of=tier)", log_of(rows))
    assert found.undefined


def test_levels_that_print_alike_are_told_apart():
    rows = lists(grade=[0.33333333, 0.0, 0.0, 0.33333335, 0.0, 0.0])
    notations = ["RR(rel=0.33333332)", "RR(rel=0.33333334)", "relevant_rate(rel=0.33333332)@1"]
    rows = pl.concat([rows, lists(slot=[None] * 6, doc=[7, 8, 9, 7, 8, 9], grade=[0.0] * 6)])
    log = log_of(rows)
    together = eh.estimates(notations, log)
    assert [one.value for one in together] == [eh.estimate(n, log).value for n in notations]
    assert together[1].rows == 1


def test_a_tail_is_named_as_logs_name_values():
    rows = lists(rare=[True, False, True, False, False, False])
    log = log_of(rows, item_groups=["rare"])
    for tail in ("True", "true"):
        assert eh.estimate(f"APLT(of=rare, tail={tail})", log).value == pytest.approx(1 / 3)


def test_units_of_two_kinds_may_be_named_in_any_order():
    one, other = (
        eh.estimate("nDCG", log_of(lists(), unit=unit))
        for unit in (["user", "doc"], ["doc", "user"])
    )
    assert one.to_dict() == {**other.to_dict(), "conventions": dict(one.conventions)}


@pytest.mark.parametrize(
    ("docs", "said"), [([1, 2, 3, 4, 4], "name an item again"), ([1, 2, 3, None], "have no item")]
)
def test_a_catalogue_names_each_item_once(docs, said):
    catalogue = pl.DataFrame({"doc": docs, "tier": ["a"] * len(docs)})
    with pytest.raises(ValueInLogError, match=said):
        eh.estimate("AWRF(of=tier)", log_of(lists(), catalogue=catalogue))


@pytest.mark.parametrize("browsing", ["observed(seen)", "empirical(seen)"])
@pytest.mark.parametrize("bad", [-1.0, float("-inf")])
def test_attention_is_never_below_0(browsing, bad):
    rows = lists(seen=[bad, 0.5, 0.0, bad, 1.0, 0.5])
    with pytest.raises(ValueInLogError, match=r"below 0|missing"):
        eh.estimate(f"exposure(browsing={browsing})", log_of(rows))


def test_consistency_of_a_request_does_not_depend_on_what_is_compared():
    rows = lists(device=["x", "y", "y", "x", "x", "x"])
    log = log_of(rows, groups=["device"])
    alone = eh.estimate("nDCG", log)
    with_groups, compared = eh.estimates(["nDCG", "difference(nDCG, by=device)"], log)
    assert alone.value == with_groups.value
    assert alone.rows == with_groups.rows
    shown = {one.group["device"]: one.rows for one in compared.groups}
    assert shown == {"x": 1, "unknown": 1}
