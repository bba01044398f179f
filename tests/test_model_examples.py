"""The models of the examples: each plan fits its model and inputs; one is audited to its report."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

import evenhand as eh
from evenhand.cli.main import app

FOLDER = Path(__file__).parent.parent / "examples" / "models"
PLANS = sorted(FOLDER.glob("*.yaml"))
EPS = ("0.02", "0.05", "0.1")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def inputs(tmp_path_factory):
    """The folder that ``inputs.py`` writes: digits, and what the data at hand allow."""
    pytest.importorskip("torch", reason="torch is not installed")
    folder, data = tmp_path_factory.mktemp("inputs"), os.environ.get("EVENHAND_DATA")
    with pytest.MonkeyPatch.context() as patch:
        there = Path(data or Path(__file__).parents[2] / "shared" / "data")
        if there.is_dir():
            patch.setenv("EVENHAND_DATA", str(there.resolve()))
        else:
            patch.delenv("EVENHAND_DATA", raising=False)
        patch.setenv("EVENHAND_INPUTS", str(folder))
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location("inputs", FOLDER / "inputs.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main(str(folder))
        yield folder
    for name in ("models", "inputs"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.stem)
def test_plan_fits_its_model_and_inputs(plan, inputs):
    named = yaml.safe_load(plan.read_text())["model"]["inputs"]
    if not (inputs / Path(named).name).exists():
        pytest.skip("the data are not here: EVENHAND_DATA names no folder that holds them")
    result = CliRunner().invoke(app, ["check", str(plan)])
    assert result.exit_code == 0, result.output
    assert "no probe was run" in result.output


def test_digits_are_audited_by_group_from_one_plan(inputs, tmp_path):
    plan = yaml.safe_load((FOLDER / "digits.yaml").read_text())
    plan["model"]["inputs"] = str(inputs / "digits.parquet")
    # The same with attacks that take seconds.
    attack = "attack.pgd(eps=[0.02, 0.05, 0.1], steps=10, certificate=ibp)"
    plan["probes"] = [attack, "corrupt.fog(severity=1)"]
    for entry in plan["measures"][-2:]:
        entry["slices"] = ["severity == 1"]
    page = tmp_path / "digits.html"
    bundle = eh.audit(plan, html=page, probes=tmp_path / "probes", pictures=True)
    found = {(one.key, one.slice): one.outcome for one in bundle.findings}
    accuracies = [found["robust_accuracy", f"variant == 'linf {eps}'"].value for eps in EPS]
    clean = found["clean_accuracy", "variant == 'linf 0.05'"].value
    assert clean > accuracies[0] > accuracies[1] > accuracies[2]
    for eps, value in zip(EPS, accuracies, strict=True):
        both = found["bounds(robust_accuracy, missing=certificate)", f"variant == 'linf {eps}'"]
        low, high = both.identified
        assert low <= value == pytest.approx(high)
    assert "Some of the examples" in page.read_text()
    assert bundle.verdict in {"pass", "fail", "undecided"}


def test_recourse_keeps_what_it_is_told_and_rises_with_the_cost(inputs, tmp_path):
    if not (inputs / "people.parquet").exists():
        pytest.skip("the data are not here: EVENHAND_DATA names no folder that holds them")
    plan = yaml.safe_load((FOLDER / "adult_recourse.yaml").read_text())
    first = pl.read_parquet(inputs / "people.parquet").head(400)
    plan["model"] |= {
        "inputs": str(inputs / "people.parquet"),
        "where": f"person <= {first['person'].max()}",
    }
    bundle = eh.audit(plan, html=tmp_path / "page.html", probes=tmp_path / "probes")
    found = {one.key: one.outcome for one in bundle.findings}
    shares = [one.value for key, one in found.items() if key.startswith("recourse_within")]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1] <= 1 - found["no_recourse"].value + 1e-12
    assert "Against cost, by sex" in (tmp_path / "page.html").read_text()
    rows = pl.read_parquet(tmp_path / "probes" / "*.parquet").filter(pl.col("recourse") == 1)
    changes = [json.loads(one) for one in rows["changes"]]
    stay = {"sex", "race", "age", "marital_status", "relationship"}
    assert not stay & {name for one in changes for name in one}
    assert all(one.get("hours_per_week", [0, 0])[1] <= 60 for one in changes)


def test_slopes_and_edges_fail_the_rule_that_parts_pass(inputs, tmp_path):
    plan = yaml.safe_load((FOLDER / "digits_explained.yaml").read_text())
    plan["model"] |= {"inputs": str(inputs / "digits.parquet"), "where": "image_id < 300"}
    named = ("gradient", "gradient_x_input", "edges")
    plan["probes"] = [f"attribute.{name}(randomisations=0)" for name in named]
    bundle = eh.audit(plan, html=tmp_path / "page.html", probes=tmp_path / "probes", pictures=True)
    verdicts = {rule.scope: rule.verdict for rule in bundle.rules}
    wanted = {"gradient": "fail", "gradient_x_input": "pass", "edges": "fail"}
    assert verdicts == {f"variant == '{name} mean'": one for name, one in wanted.items()}
    assert "not above random orders" in (tmp_path / "page.html").read_text()
