"""How far figures of groups spread beside their mean: PopRSP and PopREO, by hand and by loops."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.contrasts.relative_std import spread_within
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run
from evenhand.errors import NotationError
from evenhand.stats.interval import Limits
from made_lists import log_of_lists, random_lists


def log_of(rows, **more):
    named = {"request": "q", "rank": "slot", "relevance": "y", "item_groups": ["by"]}
    return eh.log(rows, kind="search", **{**named, **more})


def candidates(table, times=1):
    """A log of one request per time, of groups' candidates: (in the top, relevant) pairs."""
    rows = []
    for q in range(times):
        slots = {True: iter(range(1, 100)), False: itertools.repeat(None)}
        for name, pairs in table.items():
            rows += [(q, next(slots[bool(hit)]), y, name) for hit, y in pairs]
    return pl.DataFrame(
        rows, schema={"q": pl.Int64, "slot": pl.Int64, "y": pl.Int64, "by": pl.String}, orient="row"
    )


TABLE = {
    "a": [(1, 1), (1, 0), (0, 1), (0, 0)],  # 2 of 4 in the list, 1 of 2 that are relevant
    "b": [(1, 1), (0, 1), (0, 1), (0, 1)],  # 1 of 4, 1 of 4
    "c": [(1, 1), (1, 1), (1, 0), (0, 0)],  # 3 of 4, 2 of 2
}


def test_pop_rsp_by_hand():
    found = eh.estimate("PopRSP(of=by)@10", log_of(candidates(TABLE, 40)))
    rates = [1 / 2, 1 / 4, 3 / 4]
    assert found.value == pytest.approx(statistics.pstdev(rates) / statistics.mean(rates))
    assert found.value == pytest.approx((1 / 24) ** 0.5 / 0.5)
    assert found.key == "relative_std(recommended_rate@10, of=by)"
    assert found.low <= found.value <= found.high


def test_pop_reo_by_hand():
    found = eh.estimate("PopREO(of=by)@10", log_of(candidates(TABLE, 40)))
    rates = [1 / 2, 1 / 4, 1]
    assert found.value == pytest.approx(statistics.pstdev(rates) / statistics.mean(rates))
    assert found.key == "relative_std(relevant_rate@10, of=by)"
    assert {one.group["by"]: one.outcome.value for one in found.groups} == pytest.approx(
        dict(zip("abc", rates, strict=True))
    )


def parts(row, of):
    groups = row[of] if isinstance(row[of], list) else [row[of]]
    return [(group, 1 / len(groups)) for group in groups if group is not None]


@pytest.mark.parametrize("k", [3, 6])
@pytest.mark.parametrize("of", ["tier", "genres"])
@pytest.mark.parametrize("name", ["PopRSP", "PopREO"])
def test_spread_is_what_a_loop_counts_an_item_of_several_groups_in_parts(name, of, k):
    rows = random_lists(np.random.default_rng(1), 150)
    hits, among = Counter(), Counter()
    for row in rows.iter_rows(named=True):
        if name == "PopREO" and row["grade"] < 1:
            continue
        for group, part in parts(row, of):
            among[group] += part
            hits[group] += part * (row["slot"] is not None and row["slot"] <= k)
    rates = [hits[group] / among[group] for group in among]
    found = eh.estimate(f"{name}(of={of})@{k}", log_of_lists(rows))
    assert found.value == pytest.approx(statistics.pstdev(rates) / statistics.mean(rates))
    assert found.low <= found.value <= found.high


def test_interval_contains_0_at_parity():
    # A true .95 is in fewer than 24 of 30 with a probability of .06 %; the interval is wider.
    rng, contains = np.random.default_rng(2), 0
    for _ in range(30):
        slots = np.argsort(rng.random((60, 9)), axis=1).ravel() + 1
        rows = pl.DataFrame(
            {
                "q": np.repeat(np.arange(60), 9),
                "slot": [slot if slot <= 4 else None for slot in slots.tolist()],
                "y": 1,
                "by": [*"aaabbbccc"] * 60,
            }
        )
        contains += eh.estimate("PopRSP(of=by)@4", log_of(rows)).low == 0
    assert contains >= 24


def test_interval_is_the_range_over_all_figures_in_their_intervals():
    rng = np.random.default_rng(3)
    for groups in (2, 3, 5):
        low = rng.random(groups) * 0.5
        limits = Limits(low, low + rng.random(groups) * 0.4)
        least, most = spread_within(limits)
        inside = rng.uniform(limits.low, limits.high, (20_000, groups))
        drawn = inside.std(axis=1) / inside.mean(axis=1)
        assert least <= drawn.min() + 1e-3
        assert drawn.max() <= most + 1e-12
        assert drawn.max() >= 0.7 * most


def test_intervals_that_share_a_value_have_no_least_spread():
    limits = Limits(np.array([0.1, 0.2, 0.15]), np.array([0.3, 0.4, 0.25]))
    assert spread_within(limits)[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("groups", [13, 14])
def test_many_groups_are_parted_in_two(groups):
    low = np.linspace(0.1, 0.5, groups)
    limits = Limits(low, low + 0.02)
    _, most = spread_within(limits)
    # Of intervals as wide, those below the middle are at their lower ends, the others above.
    parted = np.where(np.arange(groups) < groups / 2, low, low + 0.02)
    assert most >= parted.std() / parted.mean() - 1e-12


def test_a_group_that_is_never_recommended_has_a_rate_of_0():
    table = {"a": [(1, 1), (1, 1)], "b": [(0, 1), (0, 1)]}
    found = eh.estimate("PopRSP(of=by)@10", log_of(candidates(table, 40)))
    assert found.value == pytest.approx(1)


def test_rates_that_are_all_0_have_no_relative_spread():
    rows = candidates({"a": [(0, 1), (0, 1)], "b": [(0, 1), (0, 1)]}, 40)
    found = eh.estimate("PopRSP(of=by)@10", log_of(rows))
    assert found.undefined == "the groups' figures have a mean of 0"


@pytest.mark.parametrize("name", ["PopRSP", "PopREO"])
def test_a_log_of_shown_items_alone_does_not_tell_what_was_passed_over(name):
    rows = candidates(TABLE, 40).filter(pl.col("slot").is_not_null())
    found = eh.estimate(f"{name}(of=by)@10", log_of(rows))
    assert "no items that were not shown" in found.undefined


def test_a_group_without_a_relevant_item_has_no_rate_and_is_named():
    rows = candidates({**TABLE, "d": [(1, 0), (0, 0)]}, 40)
    found = eh.estimate("PopREO(of=by)@10", log_of(rows))
    (group,) = [one for one in found.groups if one.group == {"by": "d"}]
    assert group.outcome.reason == "no such item in this group"
    rates = [1 / 2, 1 / 4, 1]
    assert found.value == pytest.approx(statistics.pstdev(rates) / statistics.mean(rates))


def test_a_single_group_is_not_compared():
    found = eh.estimate("PopRSP(of=by)@10", log_of(candidates({"a": TABLE["a"]}, 40)))
    assert "only one group" in found.undefined


def test_unknown_groups_take_no_part_and_are_counted():
    rows = candidates({**TABLE, "?": [(1, 1), (1, 1)]}, 40)
    rows = rows.with_columns(by=pl.col("by").replace({"?": None}))
    found = eh.estimate("PopRSP(of=by)@20", log_of(rows))
    assert found.value == pytest.approx((1 / 24) ** 0.5 / 0.5)
    assert [(part.reason, part.rows) for part in found.excluded] == [("by is unknown", 80)]


@pytest.mark.parametrize(
    "notation",
    ["PopRSP(by=age)@5", "PopRSP@5", "PopREO(0.5, of=tier)", "relative_std(of=tier)"],
)
def test_what_names_no_groups_of_items_is_refused(notation):
    log = log_of_lists(random_lists(np.random.default_rng(4), 20))
    with pytest.raises(NotationError, match=r"of=|takes one measure"):
        eh.estimate(notation, log)


def test_relative_std_is_for_groups_of_users_and_decisions_too():
    rows = pl.DataFrame({"g": [*"aabbcc"] * 40, "p": [1, 0, 1, 1, 0, 0] * 40})
    log = eh.log(rows, kind="decisions", prediction="p", groups=["g"])
    found = eh.estimate("relative_std(selection_rate, by=g)", log)
    assert found.value == pytest.approx(statistics.pstdev([0.5, 1, 0]) / 0.5)


@pytest.mark.parametrize(("limit", "expected"), [(0.1, "fail"), (0.33, "undecided"), (0.6, "pass")])
def test_a_rule_about_pop_rsp_passes_fails_or_is_undecided(limit, expected):
    figure = "relative_std(recommended_rate@12, of=by)"
    content = {
        "evenhand": 1,
        "log": {"source": "a table", "kind": "search"},
        "roles": {"request": "q", "rank": "slot"},
        "item_groups": {"by": "by"},
        "measures": [figure],
        "gate": [{"id": "r", "rule": f"{figure} <= {limit}", "certainty": 0.95}],
    }
    rng, rates = np.random.default_rng(5), {"a": 0.7, "b": 0.5, "c": 0.3}
    table = pl.concat(
        candidates({g: [(int(rng.random() < p), 1)] * 4 for g, p in rates.items()}).with_columns(
            q=pl.lit(q)
        )
        for q in range(300)
    )
    (one,) = run(fit(plan_from(Located("", content, {})), table=table), version="test").rules
    assert one.verdict == expected


def test_items_of_decisions_are_told_apart_from_groups():
    rows = pl.DataFrame({"sex": ["f", "m"] * 20, "yes": [0, 1, 1, 1] * 10})
    log = eh.log(rows, kind="decisions", prediction="yes", groups=["sex"])
    with pytest.raises(NotationError, match="logs of kind 'decisions' have none"):
        eh.estimate("relative_std(selection_rate, of=sex)", log)
    # Rates 1/2 and 1: their standard deviation is 1/4, their mean 3/4.
    assert eh.estimate("relative_std(selection_rate, by=sex)", log).value == pytest.approx(1 / 3)
