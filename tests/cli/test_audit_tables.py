"""``evenhand audit`` of a plan whose probes explain a model of a table: gates of its features."""

from __future__ import annotations

import json
import re

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import evenhand as eh
from evenhand.cli.main import app

MODULE = """
import numpy as np
from evenhand.models.function import linear
from evenhand.models.spec import Spec

def model():
    spec = Spec(labels=("no", "yes"), shape=(3,))
    return linear(np.array([[0.0] * 3, [2.0, 1.0, 0.0]]), np.array([0.0, -1.5]), spec)
"""

PLAN = """
evenhand: 1
subject: {{product: Loans, model: linear, version: 1}}
model:
  address: {module}:model
  inputs: people.parquet
  label: answer
  features: [income, debt, shoes]
probes: ["{probe}"]
groups: {{sex: sex}}
gate:
- {{id: rule, rule: "{rule}"}}
"""


@pytest.fixture
def audited(tmp_path, monkeypatch):
    """Audits a plan of one probe and one rule; returns what was said."""
    monkeypatch.chdir(tmp_path)
    module = "cli_tables_" + "".join(c if c.isalnum() else "_" for c in tmp_path.name)
    (tmp_path / f"{module}.py").write_text(MODULE)
    rng = np.random.default_rng(5)
    x = rng.random((300, 3))
    pl.DataFrame(dict(zip(["income", "debt", "shoes"], x.T, strict=True))).with_columns(
        answer=pl.Series(np.where(2 * x[:, 0] + x[:, 1] > 1.5, "yes", "no")),
        sex=pl.Series(rng.choice(["f", "m"], 300)),
    ).write_parquet("people.parquet")

    def audit(probe, rule, *more):
        (tmp_path / "plan.yaml").write_text(PLAN.format(module=module, probe=probe, rule=rule))
        return CliRunner().invoke(app, ["audit", "plan.yaml", "--json", *more])

    return audit


@pytest.mark.parametrize(
    ("probe", "rule"),
    [
        ("explain.permutation", "difference(permutation_importance, by=sex) <= 0.5"),
        ("explain.shap", "difference(mean_attribution, by=sex) <= 0.5"),
        ("explain.counterfactual(immutable=[debt])", "no_recourse <= 0.2"),
    ],
)
def test_rule_of_an_explanation_is_asked_of_every_feature(probe, rule, audited):
    found = audited(probe, rule)
    assert found.exit_code == 0, found.output
    evidence = json.loads(found.stdout)
    slices = {one["slice"] for one in evidence["findings"] if one["slice"]}
    whole = probe.startswith("explain.counterfactual")
    names = ["all features"] if whole else ["income", "debt", "shoes"]
    assert slices == {f"variant == '{name}'" for name in names}
    again = audited(probe, rule, "--force")
    assert "made by the same probe" in again.output + again.stderr


def test_python_explains_a_table_and_takes_its_own_range():
    rng = np.random.default_rng(0)
    rows = pl.DataFrame({"age": rng.integers(18, 90, 200), "pay": rng.normal(3e4, 1e4, 200)})
    rows = rows.with_columns(paid=pl.col("pay") > 3e4)

    def scores(x):
        logit = (x[:, 1] - 3e4) / 1e4
        return np.column_stack([np.zeros(len(x)), logit])

    log = eh.probe(scores, rows, "explain.counterfactual", labels="paid", features=["age", "pay"])
    short = rows.filter(~pl.col("paid"))["pay"]
    nearest = ((3e4 - short) / rows["pay"].std(ddof=0)).mean()
    # A function is searched: never cheaper than the way to the boundary, and seldom far behind it.
    assert nearest <= eh.estimate("mean_recourse_cost", log).value < 1.5 * nearest
    assert eh.estimate("no_recourse", log).value == 0


def test_both_kinds_of_curves_come_from_one_plan_and_their_logs_are_taken_again(audited, tmp_path):
    probes, rule = 'explain.ale(bins=3)", "explain.pdp(points=4)', "mean_local_effect <= 1"
    found = audited(probes, rule, "--html", "page.html", "--force")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)["findings"]
    assert len(told) == 3 * (3 + 4) * 2
    for one in told:
        feature, *at = re.findall(r"== '?([-\w.]+)", one["slice"])
        slope = {"income": 2.0, "debt": 1.0, "shoes": 0.0}[feature]
        if one["measure"] == "mean_local_effect" and one["contrast"] is None:
            low, high = map(float, at)
            assert one["value"] == pytest.approx(slope * (high - low), abs=1e-9)
        if one["contrast"] == "difference":
            assert one["high"] == pytest.approx(0, abs=1e-9)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('class="block course"') == 6
    again = audited(probes, rule, "--html", "page.html", "--force")
    assert "taken from" in again.output
    assert json.loads(again.stdout)["findings"] == told


def test_two_curves_of_one_kind_are_sent_to_plans_of_their_own(audited):
    found = audited('explain.ale", "explain.ale(bins=4)', "mean_local_effect <= 1")
    assert "makes the variant 'income' too" in str(found.exception)
