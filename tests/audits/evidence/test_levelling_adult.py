"""Two ways to close a gap on Adult: what docs/mitigations.md says of them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import bundles
from evenhand.audits.evidence.moves import levellings

PLAN = """
evenhand: 1
log: {source: adult.parquet}
roles: {label: income_gt_50k, prediction: approved}
unit: person
groups: {sex: sex}
measures: ["difference(true_positive_rate, by=sex)"]
gate: [{id: gap, rule: "difference(true_positive_rate, by=sex) <= 0.05"}]
"""
NUMBERS = ("age", "education_num", "hours_per_week", "capital_gain", "capital_loss")


@pytest.fixture(scope="module")
def people(data):
    """Three in ten people of Adult, with the chance that a logistic regression gives each."""
    rows = pl.read_parquet(data / "adult_1994.parquet").with_row_index("person")
    label = rows["income_gt_50k"].cast(int).to_numpy()
    known = [np.log1p(rows[name].to_numpy().astype(float)) for name in NUMBERS]
    known.append((rows["marital_status"] == "Married-civ-spouse").to_numpy().astype(float))
    x = np.column_stack([np.ones(len(rows)), *((one - one.mean()) / one.std() for one in known)])
    weights = np.zeros(x.shape[1])
    for _ in range(20):  # Newton's method
        chance = 1 / (1 + np.exp(-x @ weights))
        information = (x * (chance * (1 - chance))[:, None]).T @ x
        weights += np.linalg.solve(information, x.T @ (label - chance))
    kept = np.random.default_rng(0).random(len(rows)) < 0.3
    return rows.with_columns(chance=pl.Series(chance)).filter(pl.Series(kept))


def audited(people: pl.DataFrame, men: float, women: float):
    """Return the audit where each sex has its own threshold."""
    threshold = pl.when(pl.col("sex") == "Male").then(men).otherwise(women)
    return bundles.audited(
        people.with_columns(approved=(pl.col("chance") >= threshold).cast(int)), PLAN
    )


@pytest.mark.parametrize(
    ("thresholds", "state", "rates", "verdict"),
    [
        ((0.675, 0.5), "levelled_down", {"Female": 0.35, "Male": 0.38}, "undecided"),
        ((0.5, 0.3125), "levelled_up", {"Female": 0.57, "Male": 0.57}, "pass"),
    ],
)
def test_a_gap_is_closed_by_taking_or_by_giving(people, thresholds, state, rates, verdict):
    before, after = audited(people, 0.5, 0.5), audited(people, *thresholds)
    (one,) = levellings(before, after)
    assert one.state == state
    was = {move.group["sex"]: move.before for move in one.groups}
    now = {move.group["sex"]: move.after for move in one.groups}
    assert was == pytest.approx({"Female": 0.35, "Male": 0.57}, abs=0.006)
    assert now == pytest.approx(rates, abs=0.006)
    assert (before.verdict, after.verdict) == ("fail", verdict)
