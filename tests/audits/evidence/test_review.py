"""Replicates and changes against their definitions, as an independent review left them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.audits.estimate import asked_of
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.comparison import diff
from evenhand.audits.evidence.replicate import replicates_of
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import Fit, fit
from evenhand.audits.run import run

GAP = "difference(selection_rate, by=group)"


def people(units: int, rows: int, seed: int = 5) -> pl.DataFrame:
    """Return decisions about units of several rows, whose rows are alike."""
    rng = np.random.default_rng(seed)
    unit = rng.integers(0, units, rows) if rows > units else np.arange(rows)
    score = np.clip(rng.random(rows) * 0.6 + 0.2 + rng.normal(0, 0.1, units)[unit], 0, 1).round(3)
    return pl.DataFrame(
        {
            "unit": [f"u{one}" for one in unit],
            "group": rng.choice(["a", "b"], rows),
            "score": score,
            "label": (rng.random(rows) < score).astype(int),
            "decided": (score > 0.5).astype(int),
        }
    )


def fitted(rows: pl.DataFrame, *measures: str) -> Fit:
    """Return a plan of these measures, fitted to rows with units."""
    content = {
        "evenhand": 1,
        "log": {"source": "a table"},
        "roles": {"prediction": "decided", "label": "label", "score": "score"},
        "unit": "unit",
        "measures": [*measures],
    }
    return fit(plan_from(Located("", content, {})), table=rows)


def bundle_of(rows: pl.DataFrame, *measures: str) -> Bundle:
    """Return the evidence of an audit."""
    return run(fitted(rows, *measures), version="test")


@pytest.mark.parametrize("measure", ["selection_rate", "true_positive_rate", "auc", "brier_score"])
def test_squared_deviations_add_up_to_the_clustered_variance(measure):
    plan = fitted(people(300, 1500), f"difference({measure}, by=group)")
    (one,) = asked_of(plan.questions[None], plan.log, level=0.95, seed=1, min_units=0)
    grouped = one.grouped()
    figures = grouped.compare(grouped.compared)
    _, variance = figures.variances(0.95)
    by_group = replicates_of([one]).group_by("group", maintain_order=True)
    for place, (_, moved) in enumerate(by_group):
        b, deviation = moved.height, moved["deviation"].to_numpy()
        assert deviation.sum() == pytest.approx(0, abs=1e-12)
        # Variances are shrunk towards those of independent rows where these are larger.
        found = np.square(deviation).sum() * b / (b - 1)
        assert found == pytest.approx(variance[place], rel=0.15)


def test_an_audit_differs_from_itself_in_nothing():
    bundle = bundle_of(
        people(300, 1500), GAP, "worst(auc, by=group)", "ratio(brier_score, by=group)"
    )
    found = diff(bundle, bundle)
    assert found.same
    assert found.paired
    assert {one.difference.value for one in found.changes} == {0.0}


def test_decisions_about_single_people_do_not_follow_from_replicates():
    rows = people(120, 120)
    bundle = bundle_of(rows, GAP)
    group = bundle.findings[0].groups[0]
    n, rate = group.rows, group.outcome.value
    moved = bundle.replicates.filter(pl.col("group") == '["a"]')["deviation"].to_list()
    sums = [
        [(k, m) for m in range(1, 6) for k in range(m + 1) if abs((k - rate * m) / n - one) < 1e-12]
        for one in moved
    ]
    alone = [one for one in sums if len(one) == 1 and one[0][1] == 1]
    assert not alone, f"the decision about {len(alone)} of {n} people is told"


def test_a_group_that_is_always_selected_does_not_undo_the_pairing_of_a_gap():
    rows = people(300, 3000)
    sure = pl.DataFrame({"group": ["c"] * 600, "unit": [f"c{i // 2}" for i in range(600)]})
    sure = sure.with_columns(score=pl.lit(0.9), label=1, decided=1)
    both = pl.concat([rows.select(sure.columns), sure], how="vertical_relaxed")
    bundle = bundle_of(both, GAP)
    # Every tenth unit of the others is decided anew.
    anew = pl.col("unit").str.ends_with("7") & (pl.col("group") != "c")
    later = both.with_columns(
        decided=pl.when(anew).then(1 - pl.col("decided")).otherwise(pl.col("decided"))
    )
    whole, *groups = diff(bundle, bundle_of(later, GAP)).changes
    assert whole.difference.paired
    wide = [one.difference.high - one.difference.low for one in (whole, *groups)]
    assert 0 < wide[0] < 4 * max(wide[1:])
