"""``evenhand audit`` of a plan whose probes explain the model: explanations pass a gate or not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from evenhand.cli.main import app
from evenhand.errors import EvenhandError

MODULE = """
import numpy as np
from evenhand.models.function import linear
from evenhand.models.spec import Spec

def model():
    spec = Spec(labels=("no", "yes"), shape=(8,))
    return linear(np.stack([np.zeros(8), 2.0 ** -np.arange(8)]), np.zeros(2), spec)
"""

PLAN = """
evenhand: 1
subject: {{product: Loans, model: linear, version: 1}}
model:
  address: {module}:model
  inputs: people.parquet
  label: answer
  features: [a, b, c, d, e, f, g, h]
probes: [{probes}]
groups: {{sex: sex}}
gate:
- {{id: shown, rule: "faithful_share >= 0.9"{reliable}}}
"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Writes a plan of a linear model, whose explanations are exact."""
    monkeypatch.chdir(tmp_path)
    module = "cli_explained_" + "".join(c if c.isalnum() else "_" for c in tmp_path.name)
    (tmp_path / f"{module}.py").write_text(MODULE)
    rng = np.random.default_rng(5)
    x = rng.random((200, 8))
    pl.DataFrame(dict(zip("abcdefgh", x.T, strict=True))).with_columns(
        answer=pl.Series(np.where(x.sum(axis=1) > 2, "yes", "no")),
        sex=pl.Series(rng.choice(["f", "m"], 200)),
    ).write_parquet("people.parquet")

    def write(probes, reliable=""):
        (tmp_path / "audit.yaml").write_text(
            PLAN.format(module=module, probes=probes, reliable=reliable)
        )
        return "audit.yaml"

    return write


def run(*words, status=0):
    result = CliRunner().invoke(app, [*words])
    if isinstance(result.exception, EvenhandError):
        return str(result.exception)
    assert result.exit_code == status, result.output
    return result.stdout


def test_exact_parts_pass_the_gate_and_noise_fails_it(plan):
    # From the lowest value every part of the class "yes" counts towards the score.
    told = run(
        *("audit", plan('"attribute.gradient_x_input(fill=low)", "attribute.random(fill=low)"')),
        *("--gate", "--json"),
        status=1,
    )
    verdicts = {one["scope"]: one["verdict"] for one in json.loads(told)["rules"]}
    assert verdicts == {
        "variant == 'gradient_x_input low'": "pass",
        "variant == 'random low'": "fail",
    }


def test_probes_that_write_rows_of_two_kinds_are_refused_with_the_way_out(plan):
    said = run("check", plan("attribute.random, 'attack.fgsm(eps=0.1)'"), status=2)
    assert "attribute.random writes attributions" in said
    assert "attack.fgsm(eps=0.1) writes perturbed" in said
    assert "Write a plan for each." in said


def test_no_explanation_can_be_a_reliable_attack(plan):
    said = run("check", plan("attribute.random", ", reliable: true"), status=2)
    assert "come from no attack that could be reliable" in said


def test_a_report_says_nothing_of_attacks(plan):
    run("audit", plan("attribute.random"), "--html", "report.html", "--force")
    page = Path("report.html").read_text(encoding="utf-8")
    assert "attribute.random" in page
    assert "attack" not in page.split("What was done to the model")[1].split("Findings")[0]


def test_two_explanations_of_the_same_features_are_sent_to_plans_of_their_own(plan):
    path = plan("explain.shap, explain.permutation")
    with pytest.raises(EvenhandError) as error:
        CliRunner().invoke(app, ["audit", path], catch_exceptions=False)
    said = str(error.value)
    assert "probes[0] makes the variant 'a' too" in said
    assert "Audit each in a plan of its own." in said
    assert "eps" not in said
