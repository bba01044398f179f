"""``evenhand probe`` and ``audit`` of how far explanations disagree, from the cost to the page."""

from __future__ import annotations

import json
import shlex
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
"""

OF = "of=[gradient, gradient_x_input, integrated_gradients(steps=3)]"
PAIR = "gradient_x_input and integrated_gradients(steps=3)"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A linear model of eight features and 200 people, beside each other in this folder."""
    monkeypatch.chdir(tmp_path)
    name = "cli_disagreement_" + "".join(c if c.isalnum() else "_" for c in tmp_path.name)
    Path(f"{name}.py").write_text(MODULE)
    rng = np.random.default_rng(5)
    x = rng.random((200, 8))
    pl.DataFrame(dict(zip("abcdefgh", x.T, strict=True))).with_columns(
        answer=pl.Series(np.where(x.sum(axis=1) > 2, "yes", "no")),
        sex=pl.Series(rng.choice(["f", "m"], 200)),
    ).write_parquet("people.parquet")
    return name


def said(*words, status=0):
    result = CliRunner().invoke(app, [*map(str, words)])
    if isinstance(result.exception, EvenhandError):
        return str(result.exception)
    assert result.exit_code == status, result.output
    return result.stdout if "--json" in words else result.output


def audited(module, probes, *words):
    Path("audit.yaml").write_text(PLAN.format(module=module, probes=probes))
    return said("audit", "audit.yaml", *words)


def figures(told):
    return {
        (one["measure"], one["slice"]): one
        for one in json.loads(told)["findings"]
        if not one.get("by")
    }


def test_probe_says_its_cost_before_and_the_command_that_it_ends_with_audits_it(module):
    model = ("--model", f"{module}:model", "--inputs", "people.parquet", "--label", "answer")
    features = ("--features", "a,b,c,d,e,f,g,h", "--group", "sex")
    written = f"attribute.disagreement({OF}, top=3)"
    told = said("probe", written, *model, *features, "--out", "log.parquet")
    assert "at most" in told.splitlines()[0]
    assert "the 3 largest of 8 parts are compared; random orders share 0.375 of them" in told
    words = shlex.split(told.strip().splitlines()[-1])
    assert f"variant == '{PAIR}'" in words
    assert "difference(feature_agreement, by=sex)" in words
    said(*words[1:])
    assert "feature_agreement" in Path("log.html").read_text(encoding="utf-8")


def test_plan_tells_every_pair_by_group_and_what_chance_gives(module):
    audited(module, f"'attribute.disagreement({OF})'", "--html", "page.html", "--out", "e.zip")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "the 2 largest of 8 parts are compared; random orders share 0.25 of them" in page
    for one in ("gradient and gradient_x_input", PAIR):
        assert one in page
    assert "by sex" in page


def test_a_card_and_a_disagreement_stand_in_one_plan(module):
    probes = f"attribute.gradient_x_input, 'attribute.disagreement({OF})'"
    found = figures(audited(module, probes, "--json"))
    same = found["feature_agreement", f"variant == '{PAIR}'"]
    assert same["value"] == pytest.approx(1)
    assert ("insertion_gain", "variant == 'gradient_x_input mean'") in found
    assert ("insertion_gain", f"variant == '{PAIR}'") not in found


def test_two_disagreements_of_one_pair_are_sent_to_plans_of_their_own(module):
    probes = f"'attribute.disagreement({OF})', 'attribute.disagreement({OF}, top=3)'"
    told = audited(module, probes)
    assert "makes the variant 'gradient and gradient_x_input' too" in told
    assert "Audit each in a plan of its own." in told


def test_what_does_not_suit_the_model_is_told_by_check(module):
    written = "'attribute.disagreement(of=[gradient, edges, grad_cam], top=9)'"
    Path("audit.yaml").write_text(PLAN.format(module=module, probes=written))
    told = said("check", "audit.yaml", status=2)
    for one in ("only images have edges", "attribute.grad_cam", "there are 8 parts"):
        assert one in told


def test_importance_by_several_methods_and_by_permutation_is_put_in_order_in_one_report(module):
    written = "attribute.importance(of=[occlusion, shap], background=20)"
    told = audited(module, f"'{written}', explain.permutation", "--json", "--html", "page.html")
    found = figures(told)
    x = pl.read_parquet("people.parquet").select([*"abcdefgh"]).to_numpy()
    background = x[np.sort(np.random.default_rng([1, 4]).permutation(200)[:20])]
    sizes = np.abs(2.0 ** -np.arange(8) * (x - background.mean(axis=0))).mean(axis=0)
    for by in ("occlusion", "shap"):
        for name, size in zip("abcdefgh", sizes, strict=True):
            one = found["mean_absolute_attribution", f"variant == '{by}: {name}'"]
            assert one["value"] == pytest.approx(size)
    assert ("permutation_importance", "variant == 'a'") in found
    page = Path("page.html").read_text(encoding="utf-8")
    for one in ("Which features come first", "occlusion and shap", "How far groups agree, by sex"):
        assert one in page
    assert "explained is the logit of the class that the model predicts, less that of the" in page


def test_probe_of_importance_ends_with_a_command_whose_report_has_the_orders(module):
    model = ("--model", f"{module}:model", "--inputs", "people.parquet", "--label", "answer")
    features = ("--features", "a,b,c,d,e,f,g,h", "--group", "sex")
    written = "attribute.importance(of=[gradient, shap], background=20)"
    told = said("probe", written, *model, *features, "--out", "log.parquet")
    assert "told against 20 of 200 examples, drawn by seed 1" in told
    assert "gradient against none" in told
    said(*shlex.split(told.strip().splitlines()[-1])[1:])
    page = Path("log.html").read_text(encoding="utf-8")
    assert "Which features come first" in page
