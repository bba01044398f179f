"""Open Bandit, random to Thompson sampling: clicks do not tell, exposure does."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run

PAGE = Path(__file__).parents[3] / "docs" / "rankings.md"
ROLES = {
    "request": "source_row",
    "item": "item_id",
    "rank": "position",
    "relevance": "click",
    "propensity": "propensity_score",
}


@pytest.fixture(scope="module")
def bandit(data):
    """Rows of both policies, with a short name of the item's category."""
    items = pl.read_parquet(data / "open_bandit_men_items.parquet").select(
        "item_id", category=pl.col("item_feature_3").str.slice(0, 4)
    )
    rows = pl.read_parquet(data / "open_bandit_men.parquet")
    rows = rows.with_columns(pl.col("item_id").cast(pl.Int64)).join(items, on="item_id")
    return {name[0]: part for name, part in rows.group_by("behavior_policy")}


@pytest.fixture(scope="module")
def logged(bandit):
    """Rows of the random policy, with two guesses at the chances of the other.

    ``share`` is the share of the item in what the other policy showed in the slot, ``mean`` the
    mean of the propensities of those rows.
    """
    chances = (
        bandit["bts"]
        .group_by("item_id", "position")
        .agg(mean=pl.col("propensity_score").mean(), share=pl.len())
    )
    chances = chances.with_columns(pl.col("share") / pl.col("share").sum().over("position"))
    return bandit["random"].join(chances, on=["item_id", "position"])


def log_of(rows):
    return eh.log(rows, kind="recommendation", item_groups=["category"], **ROLES)


def category(bandit):
    """The category that the other policy shows most."""
    return bandit["bts"]["category"].mode().item()


def test_clicks_of_both_policies_are_too_few_to_tell_them_apart(bandit, logged):
    assert {name: rows["click"].sum() for name, rows in bandit.items()} == {"random": 46, "bts": 69}
    log = log_of(logged)
    for kind in ("ips", "snips"):
        found = eh.estimate(f"policy_value(policy={kind}(share))", log)
        assert found.low < 46 / 10_000 < 69 / 10_000 < found.high
        gain = eh.estimate(f"policy_gain(policy={kind}(share))", log)
        assert gain.low < 0 < gain.high


def test_clicks_on_one_category_are_told_apart_no_better(bandit, logged):
    of = f"of=category, group='{category(bandit)}'"
    own = eh.estimate(f"policy_value(policy=logged, {of})", log_of(bandit["bts"]))
    log = log_of(logged)
    for kind in ("ips", "snips"):
        found = eh.estimate(f"policy_value(policy={kind}(share), {of})", log)
        assert found.low < own.value < found.high
        gain = eh.estimate(f"policy_gain(policy={kind}(share), {of})", log)
        assert gain.low < 0 < gain.high


def test_a_gate_on_the_gain_is_undecided(logged):
    gain = "policy_gain(policy=snips(share))"
    content = {
        "evenhand": 1,
        "log": {"source": "a table", "kind": "recommendation"},
        "roles": ROLES,
        "measures": [gain],
        "gate": [
            {"id": "better", "rule": f"{gain} >= 0"},
            {"id": "worse", "rule": f"{gain} <= 0"},
        ],
    }
    bundle = run(fit(plan_from(Located("", content, {})), table=logged), version="test")
    assert [rule.verdict for rule in bundle.rules] == ["undecided", "undecided"]


def test_exposure_of_the_other_policy_is_found_from_the_random_log(bandit, logged):
    name = category(bandit)
    asked = f"exposure_share(of=category, group='{name}'"
    own = eh.estimate(f"{asked})", log_of(bandit["bts"]))
    found = eh.estimate(f"{asked}, policy=ips(share))", log_of(logged))
    random = eh.estimate(f"{asked})", log_of(logged))
    assert found.low < own.value < found.high
    assert random.high < found.low


def test_the_mean_weight_shows_that_means_of_drifting_propensities_are_no_chances(logged):
    # Where its chance is high an item is shown often, so means over what was shown are too high.
    log = log_of(logged)
    mean = eh.estimate("mean_weight(policy=ips(mean))", log)
    share = eh.estimate("mean_weight(policy=ips(share))", log)
    assert mean.low > 1.5
    assert share.low < 1 < share.high


def rows_of_the_page():
    section = PAGE.read_text().partition("### Open Bandit\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(.*?)` \| (.*?) \| (.*?) \| (.*?) \|$", section, re.MULTILINE)


def test_figures_of_the_page_are_those_of_the_data(bandit, logged):
    rows = rows_of_the_page()
    assert len(rows) == 14
    for notation, of, value, interval in rows:
        log = log_of(bandit["bts"] if of == "Thompson" else logged)
        found = eh.estimate(notation, log)
        assert value == f"{found.value:.4f}"
        assert interval == f"{found.low:.4f} to {found.high:.4f}"
