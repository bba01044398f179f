"""Bad input of explanations, as a user meets it: exit status 2 with a reason, or a note."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evenhand.cli.main import main

joblib = pytest.importorskip("joblib")
pytest.importorskip("sklearn")
pytest.importorskip("pandas")

CLASSES = ["approve", "refer", "refuse"]


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """Runs ``evenhand probe`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["evenhand", "probe", *words])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return left.value.code, captured.out, " ".join(captured.err.split())

    yield call
    sys.modules.pop("badinputnets", None)


@pytest.fixture
def run(ask):
    """Runs ``evenhand probe`` on a model of three classes; columns and rows may be changed."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    scores = np.stack([x[:, 0], x[:, 1], x[:, 2]], axis=1) + rng.normal(size=(120, 3))
    home = rng.integers(0, 2, 120)
    table = pl.DataFrame(
        {
            **{f"x{place}": x[:, place] for place in range(3)},
            "again": 2 * x[:, 0],
            "fixed": np.full(120, 3.0),
            "owns": home.astype(float),
            "rents": 1.0 - home,
            "side": ["a", "b"] * 60,
            "decision": np.array(CLASSES)[scores.argmax(axis=1)],
        }
    )

    def call(written, *more, rows=120, label=None, features=("x0", "x1", "x2"), called="decision"):
        model = LogisticRegression().fit(
            table.select(features).to_pandas(), table["decision"].to_numpy()
        )
        joblib.dump(model, "model.joblib")
        inputs = table.head(rows)
        if label is not None:
            inputs = inputs.with_columns(decision=pl.Series(label))
        inputs.rename({"decision": called}).write_parquet("rows.parquet")
        words = ["--model", "model.joblib", "--trust-pickle", "--inputs", "rows.parquet"]
        words += ["--label", called, "--out", "out.parquet", "--force", *more]
        return ask(written, *words)

    return call


@pytest.mark.parametrize(
    ("written", "more"),
    [
        ("explain.shap(target=reject)", []),
        ("explain.gap(target=reject)", ["--by", "side"]),
        ("explain.ale(target=reject)", []),
        ("explain.counterfactual(favourable=reject)", []),
        ("explain.counterfactual(favourable=3)", []),
    ],
)
def test_class_that_there_is_not_is_refused_with_those_that_there_are(run, written, more):
    code, _, err = run(written, *more)
    assert code == 2
    assert "there is no class '" in err
    assert "There are: approve, refer, refuse." in err


@pytest.mark.parametrize("written", ["explain.shap", "explain.ale", "explain.counterfactual"])
def test_of_three_classes_one_is_to_be_named_and_they_are_told(run, written):
    code, _, err = run(written)
    assert code == 2
    assert "which of 3 classes is meant?" in err
    assert "There are: approve, refer, refuse." in err


@pytest.mark.parametrize("written", ["explain.permutation", "attribute.occlusion"])
def test_labels_of_inputs_that_the_model_does_not_have_are_refused_with_its_own(run, written):
    label = ["approve", "reject", "pending"] * 40
    code, _, err = run(written, label=label)
    assert code == 2
    assert "'pending', 'reject' are none of the labels approve, refer, refuse" in err


@pytest.mark.parametrize("name", ["decision", "what was decided"])
def test_rows_without_a_label_are_left_out_by_what_the_hint_says(run, name):
    label = [None, *["approve", "refer", "refuse"] * 39, "refer", "refer"]
    code, _, err = run("explain.permutation", label=label, called=name)
    assert code == 2
    assert "1 of 120 labels are missing" in err
    (flag,) = re.findall(r"Leave those rows out: (--where .*)\.$", err)
    words = shlex.split(flag)
    code, out, err = run("explain.permutation", "--json", *words, label=label, called=name)
    assert code == 0, err
    assert json.loads(out)["rows"] == 119 * 3


def test_background_below_10_is_refused_and_below_50_told_of(run):
    code, _, err = run("explain.shap(target=refer, background=9)")
    assert code == 2
    assert "background=9 is too small: from 10 on" in err
    code, _, err = run("explain.shap(target=refer)", rows=9)
    assert code == 2
    assert "of 9 examples no background can be drawn; 10 are the least" in err
    # Of few inputs all are the background, which is as small.
    for size, rows, small in ((10, 120, True), (49, 120, True), (50, 120, False), (100, 30, True)):
        code, out, _ = run(f"explain.shap(target=refer, background={size})", "--json", rows=rows)
        assert code == 0
        notes = json.loads(out)["notes"]
        assert any("is small: another one may give other parts" in one for one in notes) is small


@pytest.mark.parametrize(
    "written",
    ["explain.permutation", "explain.shap(target=refer)", "explain.ale(target=refer)"],
)
def test_constant_duplicated_and_one_hot_features_are_said(run, written):
    features = ("x0", "x1", "again", "fixed", "owns", "rents")
    code, out, _ = run(written, "--json", features=features)
    assert code == 0
    notes = json.loads(out)["notes"]
    assert any("fixed" in one and "constant" in one for one in notes), notes
    assert any("x0" in one and "again" in one for one in notes), notes
    assert any("owns" in one and "rents" in one for one in notes), notes


def test_change_that_reaches_nothing_is_counted_and_shown(run):
    more = ["--immutable", "x0,x1,again", "--ranges", "x2=0:0.000001", "--json"]
    code, out, _ = run(
        "explain.counterfactual(favourable=approve)", *more, features=("x0", "x1", "again", "x2")
    )
    assert code == 0
    (variant,) = json.loads(out)["variants"]
    rows = pl.read_parquet("out.parquet")
    asked = rows["recourse"].drop_nulls()
    assert 0 < (asked == 0).sum() <= len(asked)
    assert variant["no_recourse"]["value"] == pytest.approx((asked == 0).mean())


NET = """
import torch

torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Flatten(), torch.nn.Linear(16, 8), torch.nn.LayerNorm(8), torch.nn.{bend}(),
    torch.nn.Linear(8, 3),
)
"""


@pytest.mark.parametrize(
    ("written", "bend", "reason"),
    [
        ("attribute.deep_lift", "Tanh", "LayerNorm '2'"),
        ("attribute.guided_backprop", "Tanh", "it is the plain gradient"),
        ("attribute.guided_backprop", "GELU", "a Gelu, and the rule is of ReLU alone"),
        ("attribute.guided_backprop", "ReLU", None),
    ],
)
def test_maps_that_would_be_others_are_refused_before_the_probe(ask, written, bend, reason):
    pytest.importorskip("torch")
    pytest.importorskip("captum")
    Path("badinputnets.py").write_text(NET.format(bend=bend))
    rng = np.random.default_rng(0)
    pl.DataFrame({"image": rng.random((6, 16)).tolist(), "label": [0, 1, 2] * 2}).write_parquet(
        "in.parquet"
    )
    words = ["--model", "badinputnets:net", "--inputs", "in.parquet", "--pixels", "image"]
    words += ["--shape", "1x4x4", "--label", "label", "--out", "out.parquet"]
    code, _, err = ask(written, *words)
    assert code == (2 if reason else 0), err
    assert (reason or "") in err
    assert Path("out.parquet").exists() is (reason is None)
