"""``evenhand probe explain.*``: a model of a table is explained, a gap of groups taken apart."""

from __future__ import annotations

import json
import shlex
import sys
import types

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from evenhand.audits.evidence.archive import read_bundle
from evenhand.cli.main import app
from evenhand.probes.log import libraries, read_made

joblib = pytest.importorskip("joblib")
pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

NAMES = ["age", "pay", "hours"]


@pytest.fixture
def given(tmp_path):
    """A logistic regression of named columns in a file, its rows, and the flags that name both."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    size = 240
    group = rng.choice(["east", "north", "south", "west"], size)
    x = rng.normal(size=(size, 3)) + (group == "west")[:, None] * [0.5, -1.0, 0.0]
    rows = pl.DataFrame(
        {**dict(zip(NAMES, x.T, strict=True)), "region": group, "side": ["a", "b"] * (size // 2)}
    ).with_columns(paid=pl.Series(x @ [0.5, 1.0, -0.3] + rng.normal(size=size) > 0))
    model = LogisticRegression().fit(rows.select(NAMES).to_pandas(), rows["paid"].to_numpy())
    joblib.dump(model, tmp_path / "model.joblib")
    rows.write_parquet(tmp_path / "rows.parquet")
    where = ["--model", str(tmp_path / "model.joblib"), "--inputs", str(tmp_path / "rows.parquet")]
    return model, rows, [*where, "--label", "paid", "--trust-pickle"]


def said(*words):
    return CliRunner().invoke(app, ["probe", *map(str, words)])


def test_evidence_names_the_libraries_that_made_the_rows(given, tmp_path):
    import sklearn

    _, _, where = given
    log, evidence = tmp_path / "log.parquet", tmp_path / "x.evidence.zip"
    found = said("explain.permutation", *where, "--out", log)
    assert found.exit_code == 0, found.output
    assert read_made(log).probe["packages"]["scikit-learn"] == sklearn.__version__
    words = ["audit", log, "--kind", "attributions", "--measure", "permutation_importance"]
    words += ["--slice", "variant == 'age'", "--out", evidence]
    made = CliRunner().invoke(app, [*map(str, words)])
    assert made.exit_code == 0, made.output
    environment = read_bundle(evidence).environment
    assert environment["packages"]["scikit-learn"] == sklearn.__version__
    assert {"numpy", "polars", "narwhals", "scipy"} <= {*environment["packages"]}
    (probe,) = environment["probes"]
    assert probe["probe"]["packages"]["scikit-learn"] == sklearn.__version__


def test_libraries_are_those_that_are_loaded_and_none_is_loaded_to_be_named(monkeypatch):
    for name in ("captum", "shap", "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", types.SimpleNamespace(__version__="1.99"))
    found = libraries()
    assert found["onnxruntime"] == "1.99"
    assert not {"captum", "shap", "torch"} & {*found}
    assert not {"captum", "shap", "torch"} & {*sys.modules}


def test_gap_of_two_groups_is_taken_apart_by_weights_times_means(given, tmp_path):
    model, rows, where = given
    out = tmp_path / "gap.parquet"
    found = said("explain.gap", *where, "--by", "side", "--out", out, "--json")
    assert found.exit_code == 0, found.output
    (gap,) = json.loads(found.stdout)["gaps"]
    assert gap["groups"] == ["a", "b"]
    x = rows.select(NAMES).to_numpy()
    apart = x[::2].mean(axis=0) - x[1::2].mean(axis=0)
    parts = {one["feature"]: one["value"] for one in gap["parts"]}
    wanted = dict(zip(NAMES, model.coef_[0] * apart, strict=True))
    assert parts == pytest.approx(wanted, abs=1e-12)
    assert [*parts] == sorted(wanted, key=lambda name: -abs(wanted[name]))
    assert gap["sum_of_parts"] == pytest.approx(gap["gap"]["value"], abs=1e-12)
    assert gap["gap"]["value"] == pytest.approx(float(model.coef_[0] @ apart), abs=1e-12)


def test_more_groups_than_three_are_each_beside_all_together(given, tmp_path):
    _, _, where = given
    out = tmp_path / "gap.parquet"
    found = said("explain.gap", *where, "--by", "region", "--out", out, "--json")
    gaps = json.loads(found.stdout)["gaps"]
    assert [one["groups"] for one in gaps] == [
        [name, "overall"] for name in ("east", "north", "south", "west")
    ]
    for one in gaps:
        assert one["sum_of_parts"] == pytest.approx(one["gap"]["value"], abs=1e-12)
    shown = said("explain.gap", *where, "--by", "region", "--out", out, "--force")
    assert "part of west minus overall" in shown.output
    assert "gap of mean scores" in shown.output
    assert "to_overall" not in shown.output


def test_feature_that_never_changes_leaves_the_sum_of_parts_known(given, tmp_path):
    from sklearn.linear_model import LogisticRegression

    _, rows, where = given
    rows = rows.with_columns(pl.lit(3.0).alias("hours"))
    rows.write_parquet(tmp_path / "rows.parquet")
    model = LogisticRegression().fit(rows.select(NAMES).to_pandas(), rows["paid"].to_numpy())
    joblib.dump(model, tmp_path / "model.joblib")
    out = tmp_path / "gap.parquet"
    found = said("explain.gap", *where, "--by", "side", "--out", out, "--json")
    (gap,) = json.loads(found.stdout)["gaps"]
    x = rows.select(NAMES).to_numpy()
    apart = model.coef_[0] @ (x[::2].mean(axis=0) - x[1::2].mean(axis=0))
    assert gap["sum_of_parts"] == pytest.approx(apart, abs=1e-12)
    assert gap["parts"][-1]["feature"] == "hours"
    assert pl.read_parquet(out).filter(variant="hours")["attribution"].unique().to_list() == [0]
    shown = said("explain.gap", *where, "--by", "side", "--out", out, "--force").output
    lines = {line.split("  ")[0]: line.split()[1:] for line in shown.splitlines()}
    assert lines["hours"][0] == "0"
    assert f"sum of parts        {apart:.3f}" in shown
    assert "nan" not in shown
    assert "undefined" not in shown


@pytest.mark.parametrize("written", ["gap", "permutation"])
def test_groups_whose_name_is_no_identifier_are_compared_and_audited(written, given, tmp_path):
    _, rows, where = given
    rows.rename({"side": "side-1"}).write_parquet(tmp_path / "rows.parquet")
    out = tmp_path / "explained.parquet"
    flag = "--by" if written == "gap" else "--group"
    found = said(f"explain.{written}", *where, flag, "side-1", "--out", out)
    assert found.exit_code == 0, found.output
    words = shlex.split(found.stdout.strip().splitlines()[-1])
    assert any("by='side-1'" in one for one in words)
    html = words.index("--html") + 1
    audited = CliRunner().invoke(app, [*words[1:html], str(tmp_path / "report.html")])
    assert audited.exit_code == 0, (audited.output, audited.exception)


@pytest.mark.parametrize(
    ("written", "measure", "count"),
    [
        # Of a linear score the sixty of a bin are alike, which may be by chance.
        ("ale(bins=4, link=probability)", "mean_local_effect", 4),
        ("pdp(points=4)", "mean_partial_effect", 4),
    ],
)
def test_curves_are_audited_at_each_place_of_the_widest(written, measure, count, given, tmp_path):
    _, _, where = given
    out = tmp_path / "curves.parquet"
    found = said(f"explain.{written}", *where, "--group", "side", "--out", out)
    words = shlex.split(found.stdout.strip().splitlines()[-1])
    slices = [word for word in words if word.startswith("variant ==")]
    assert len(slices) == count
    assert all(one.startswith("variant == 'pay' and ") for one in slices)
    assert f"difference({measure}, by=side)" in words
    page = tmp_path / "report.html"
    html = words.index("--html") + 1
    audited = CliRunner().invoke(app, [*words[1:html], str(page)])
    assert audited.exit_code == 0, (audited.output, audited.exception)
    assert "Along pay, by side" in page.read_text(encoding="utf-8")


def test_partial_dependence_of_a_linear_score_is_told_with_its_points(given, tmp_path):
    model, _, where = given
    out = tmp_path / "pdp.parquet"
    found = said("explain.pdp(points=4, link=logit)", *where, "--out", out, "--json")
    assert found.exit_code == 0, found.output
    curves = {one["feature"]: one["points"] for one in json.loads(found.stdout)["curves"]}
    for name, slope in zip(NAMES, model.coef_[0], strict=True):
        at, value, rows = ([one[key] for one in curves[name]] for key in ("at", "value", "rows"))
        assert np.diff(value) == pytest.approx(slope * np.diff(at))
        assert sum(value) == pytest.approx(0, abs=1e-9)
        assert rows == [240] * 4
    shown = said("explain.pdp(points=4)", *where, "--out", out, "--force")
    assert "examples" in shown.output
    assert "▁" in shown.output


def test_curves_of_a_linear_score_are_straight_and_told_with_their_ends(given, tmp_path):
    model, rows, where = given
    out = tmp_path / "ale.parquet"
    found = said("explain.ale(bins=4)", *where, "--out", out, "--json")
    assert found.exit_code == 0, found.output
    curves = {one["feature"]: one["points"] for one in json.loads(found.stdout)["curves"]}
    assert {*curves} == {*NAMES}
    for name, slope in zip(NAMES, model.coef_[0], strict=True):
        points = curves[name]
        rises = np.diff([one["value"] for one in points])
        assert rises == pytest.approx(slope * np.diff([one["at"] for one in points]))
        assert (points[0]["at"], points[-1]["at"]) == (rows[name].min(), rows[name].max())
        assert sum(one["rows"] or 0 for one in points) == len(rows)
    shown = said("explain.ale(bins=4)", *where, "--out", out, "--force")
    assert "▁" in shown.output
    assert "least in a bin" in shown.output


def test_gap_without_groups_is_refused(given, tmp_path):
    _, _, where = given
    found = said("explain.gap", *where, "--out", tmp_path / "gap.parquet")
    assert found.exit_code != 0
    assert "--by sex" in str(found.exception)


@pytest.mark.parametrize("written", ["permutation", "shap"])
def test_every_feature_has_its_figures_and_the_next_command_audits_them(written, given, tmp_path):
    _, _, where = given
    out = tmp_path / "explained.parquet"
    found = said(f"explain.{written}", *where, "--group", "side", "--out", out)
    assert found.exit_code == 0, found.output
    for name in NAMES:
        assert name in found.output
    assert pl.read_parquet(out)["variant"].unique(maintain_order=True).to_list() == NAMES
    words = found.stdout.strip().splitlines()[-1].split()
    assert words[:2] == ["evenhand", "audit"]
    audit = ["audit", str(out), "--kind", "attributions", "--group", "side", "--slice"]
    measure = {"permutation": "permutation_importance", "shap": "mean_absolute_attribution"}[
        written
    ]
    gap = ["--measure", f"difference({measure}, by=side)"]
    audited = CliRunner().invoke(app, [*audit, "variant == 'pay'", *gap])
    assert audited.exit_code == 0, audited.output
