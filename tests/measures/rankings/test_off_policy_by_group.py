"""What goes to one group of items under another policy: by hand, by loops, from the truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError

VALUE = "policy_value(policy={}(new), of=tier, group={}){}"
GAIN = "policy_gain(policy={}(new), of=tier, group={}){}"


def log_of(rows, **more):
    roles = {
        "request": "request",
        "rank": "slot",
        "relevance": "click",
        "propensity": "by",
        "item_groups": ["tier"],
    }
    given = pl.DataFrame(rows) if isinstance(rows, dict) else rows
    return eh.log(given, kind="recommendation", **{**roles, **more})


def value(notation, log):
    return eh.estimate(notation, log).value


def finding(notation, log):
    (found,) = eh.estimates([notation], log)
    return found


FOUR = {
    "request": [1, 2, 3, 4],
    "slot": [1, 1, 1, 1],
    "by": [0.5, 0.25, 0.25, 0.5],
    "new": [0.1, 0.4, 0.5, 0.5],
    "click": [0, 1, 1, 0],
    "tier": ["a", "a", "b", "b"],
}


def test_four_items_by_hand():
    log = log_of(FOUR)  # weights .2, 1.6, 2, 1
    assert value(VALUE.format("ips", "a", ""), log) == pytest.approx(1.6 / 4)
    assert value(VALUE.format("ips", "b", ""), log) == pytest.approx(2.0 / 4)
    assert value(VALUE.format("snips", "a", ""), log) == pytest.approx(1.6 / 4.8)
    assert value(GAIN.format("ips", "a", ""), log) == pytest.approx(1.6 / 4 - 1 / 4)
    logged = "policy_value(policy=logged, of=tier, group=a)"
    assert value(logged, log) == pytest.approx(1 / 4)


def random_feed(seed, requests=60):
    """Requests with items of no, one or several groups, of which some are not shown."""
    rng = np.random.default_rng(seed)
    tiers = [["a"], ["b"], ["a", "b"], ["a", "a", "b"], None]
    rows = []
    for request in range(requests):
        slots = rng.choice(np.arange(1, 8), int(rng.integers(1, 5)), replace=False)
        for slot in [*slots.tolist(), None]:
            row = {"request": request, "slot": slot, "user": request % 13}
            row["by"] = float(rng.uniform(0.05, 1))
            row["new"] = float(rng.uniform(0, 1)) * int(rng.random() < 0.8)
            row["click"] = float(rng.integers(0, 3))
            row["tier"] = tiers[int(rng.integers(0, len(tiers)))]
            rows.append(row)
    schema = {"slot": pl.Int64, "tier": pl.List(pl.String)}
    return pl.DataFrame(rows, schema_overrides=schema)


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_figures_equal_slow_loops(seed, k):
    rows = random_feed(seed)
    log, cut = log_of(rows, user="user"), "" if k is None else f"@{k}"
    clicks, logged = dict.fromkeys("ab", 0.0), dict.fromkeys("ab", 0.0)
    items, weights = 0, 0.0
    for row in rows.to_dicts():
        if row["slot"] is None or row["slot"] > (k or math.inf):
            continue
        weight = row["new"] / row["by"]
        items += 1
        weights += weight
        for group in row["tier"] or []:
            part = row["click"] / len(row["tier"])
            clicks[group] += weight * part
            logged[group] += part
    for group in "ab":
        wanted = clicks[group] / items
        assert value(VALUE.format("ips", group, cut), log) == pytest.approx(wanted, rel=1e-12)
        gain = wanted - logged[group] / items
        assert value(GAIN.format("ips", group, cut), log) == pytest.approx(gain, rel=1e-12)
        wanted = clicks[group] / weights
        assert value(VALUE.format("snips", group, cut), log) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("kind", ["ips", "snips"])
def test_groups_add_up_to_the_whole_where_every_group_is_known(kind):
    rows = random_feed(4).filter(pl.col("tier").is_not_null())
    log = log_of(rows)
    whole = value(f"policy_value(policy={kind}(new))", log)
    parts = [value(VALUE.format(kind, group, ""), log) for group in "ab"]
    assert sum(parts) == pytest.approx(whole, rel=1e-12)


def test_items_of_unknown_group_are_shown_and_their_clicks_go_to_none():
    log = log_of({**FOUR, "tier": ["a", "a", None, "b"], "click": [0, 1, 1, 1]})
    assert value(VALUE.format("ips", "b", ""), log) == pytest.approx(1 / 4)
    found = finding(VALUE.format("ips", "a", ""), log)
    assert found.value == pytest.approx(1.6 / 4)
    assert found.conventions["unknown"].startswith("items of unknown tier are among those shown")


def test_a_log_with_each_list_as_often_as_its_chance_gives_the_true_figures():
    # One slot, four items; chances under the log are eighths.
    logging, other = [1, 2, 2, 3], [0.4, 0.3, 0.2, 0.1]
    worth, tiers = [1, 3, 2, 0], "abba"
    rows = []
    for item in itertools.chain.from_iterable(
        [place] * times for place, times in enumerate(logging)
    ):
        rows.append({"request": len(rows), "slot": 1, "by": logging[item] / 8, "new": other[item]})
        rows[-1] |= {"click": worth[item], "tier": tiers[item]}
    log = log_of(pl.DataFrame(rows))
    for group in "ab":
        true = sum(p * w for p, w, t in zip(other, worth, tiers, strict=True) if t == group)
        for kind in ("ips", "snips"):
            assert value(VALUE.format(kind, group, ""), log) == pytest.approx(true, rel=1e-12)


def test_the_policy_of_the_log_itself_has_the_plain_mean():
    log = log_of(random_feed(5), user="user")
    for kind in ("ips", "snips"):
        found = eh.estimate(f"policy_value(policy={kind}(by), of=tier, group=a)", log)
        wanted = eh.estimate("policy_value(policy=logged, of=tier, group=a)", log)
        assert found.value == pytest.approx(wanted.value, rel=1e-12)
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-9)


@pytest.mark.parametrize("notation", [VALUE, GAIN])
def test_duckdb_gives_what_polars_gives(notation):
    pytest.importorskip("duckdb")
    rows = random_feed(6).with_columns(pl.col("tier").list.first())
    asked = notation.format("snips", "a", "@3")
    one = eh.estimate(asked, log_of(rows, user="user"))
    other = eh.estimate(asked, log_of(rows, user="user", engine="duckdb"))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_a_group_that_is_never_shown_asks_to_check_the_name():
    told = finding(VALUE.format("ips", "z", ""), log_of(FOUR))
    assert told.conventions["group"] == "no item of tier 'z' is shown; check the name"
    assert "group" not in finding(VALUE.format("ips", "a", ""), log_of(FOUR)).conventions


def test_without_overlap_the_unsupported_mass_is_told():
    found = finding(VALUE.format("ips", "a", ""), log_of({**FOUR, "new": [0.0] * 4}))
    assert "unsupported mass is 1" in found.undefined


def rare(shown):
    """Two thousand items, of which few are of the group a; one of them has most of its weight."""
    number = np.arange(2_000)
    own = number < shown
    return {
        "request": number,
        "slot": np.ones(2_000, int),
        "by": np.where(number == 0, 0.01, 0.5),
        "new": np.full(2_000, 0.5),
        "click": number % 2,
        "tier": np.where(own, "a", "b"),
    }


def test_a_group_that_few_items_carry_is_flagged_though_the_whole_log_is_not():
    log = log_of(rare(10))  # weights 50 and 9 of 1
    found = finding(VALUE.format("ips", "a", ""), log)
    assert found.undefined is None
    effective = 59**2 / (2500 + 9)
    assert found.conventions["effective sample of tier a"] == f"{effective:.1f} of 10 shown items"
    told = found.conventions["dominated"]
    assert told == "one item has at least 85% of all weight, of tier a"
    other = finding(VALUE.format("ips", "b", ""), log)
    assert "dominated" not in other.conventions
    assert other.conventions["effective sample of tier b"] == "1,990.0 of 1,990 shown items"
    whole = finding("policy_value(policy=ips(new))", log)
    assert "dominated" not in whole.conventions


@pytest.mark.parametrize("notation", [VALUE, GAIN])
@pytest.mark.parametrize("kind", ["ips", "snips"])
def test_a_group_that_too_few_items_carry_has_no_figure(notation, kind):
    # Of 100 items of a one has 50 of 149 of the weight: 8.5 in effect, less than a tenth.
    log = log_of(rare(100))
    found = finding(notation.format(kind, "a", ""), log)
    assert "the log tells too little of the other policy" in found.undefined
    assert finding(f"policy_value(policy={kind}(new))", log).undefined is None


@pytest.mark.parametrize(
    ("notation", "says"),
    [
        ("policy_value(policy=ips(new), of=tier)", "of= and group= go together"),
        ("policy_value(policy=ips(new), group=a)", "of= and group= go together"),
        ("policy_gain(policy=ips(new), of=tier, group=unknown)", "which is known"),
        (
            "policy_value(policy=ips(new), of=trei, group=a)",
            "there is no item group or column 'trei'",
        ),
        ("policy_value(policy=ips(new), of=2, group=a)", "one attribute of items"),
    ],
)
def test_what_cannot_be_asked_says_why(notation, says):
    with pytest.raises(NotationError) as error:
        eh.estimates([notation], log_of(FOUR))
    assert says in str(error.value)
