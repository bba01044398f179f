"""``evenhand drift``: text, JSON and refusals."""

from __future__ import annotations

import json
import sys

import numpy as np
import polars as pl
import pytest

pytest.importorskip("sklearn")


@pytest.fixture
def files(tmp_path):
    """A reference, and current rows of older women, with a score and labels."""
    found = []
    for name, older in (("reference", 0.0), ("current", 6.0)):
        rng = np.random.default_rng(len(name))
        risk, sex = rng.beta(2, 2, 400), rng.choice(["f", "m"], 400, p=[0.95, 0.05])
        table = pl.DataFrame(
            {
                "sex": sex,
                "age": rng.normal(40, 10, 400) + older * (sex == "f"),
                "job": rng.choice(["a", "b"], 400),
                "risk": risk,
                "repaid": rng.random(400) < risk,
            }
        )
        found.append(tmp_path / f"{name}.parquet")
        table.write_parquet(found[-1])
    return found


def test_text_says_where_drift_is_and_how_tests_are_adjusted(evenhand, files):
    status, out, _ = evenhand("drift", *files, "--feature", "age", "--feature", "job")
    assert status == 0
    assert out.startswith("Drift in age")
    assert "4 p-values" not in out
    assert "3 p-values are adjusted together (Benjamini-Hochberg, false discovery rate 0.05)" in out
    assert "all features jointly" in out
    assert "KS 0." in out


def test_small_groups_are_said_as_such(evenhand, files):
    _, out, _ = evenhand("drift", *files, "--feature", "age", "--group", "sex")
    assert "small, so that only large drift could be seen: m (" in out


def test_the_assumption_is_printed_every_time(evenhand, files):
    said = (
        "calibrated on the current data and there is no concept drift: in a simulation a 20 % "
        "label flip left it at .687 where the truth was .610"
    )
    for more in ([], ["--label", "repaid"], ["--group", "sex"]):
        _, out, _ = evenhand("drift", *files, "--feature", "age", "--score", "risk", *more)
        assert said in " ".join(out.split())
    _, out, _ = evenhand("drift", *files, "--feature", "age")
    assert said not in out


def test_json_carries_tests_effects_and_sizes(read, files):
    status, found = read("drift", *files, "--score", "risk", "--label", "repaid", "--group", "sex")
    assert status == 0
    assert found["drift"] is True
    assert found["n"]["reference"] == 400
    age = found["features"][0]
    assert {"feature", "kind", "n", "test", "p_value", "adjusted_p_value", "effects"} <= {*age}
    assert [effect["unit"] for effect in age["effects"]] == [
        "share of rows",
        "pooled standard deviations",
    ]
    assert found["joint"][0]["auc"]["low"] < found["joint"][0]["auc"]["high"]
    assert found["performance"][0]["refuted_by_reference"] in {True, False}
    assert found["groups"]["m"]["small"] is True


def test_same_files_have_no_drift(evenhand, files):
    _, out, _ = evenhand("drift", files[0], files[0], "--feature", "age")
    assert out.startswith("No drift found")


@pytest.mark.parametrize("unit", ["row", "who"])
def test_units_are_named_and_counted(read, tmp_path, unit):
    rng = np.random.default_rng(1)
    paths = []
    for name in ("a", "b"):
        paths.append(tmp_path / f"{name}.csv")
        who = np.repeat([f"{name}{i}" for i in range(50)], 4)
        pl.DataFrame({"who": who, "x": rng.normal(size=200)}).write_csv(paths[-1])
    _, found = read("drift", *paths, "--feature", "x", "--unit", unit)
    assert found["unit"] == unit
    assert found["n"]["units_reference"] == (200 if unit == "row" else 50)


def test_bad_columns_files_and_levels_leave_with_2(evenhand, files, tmp_path):
    status, _, said = evenhand("drift", *files, "--feature", "agee", "--group", "sx")
    assert status == 2
    assert said.count("\n--") + said.startswith("--") == 4
    assert "Did you mean 'age'?" in said
    status, _, said = evenhand("drift", files[0], tmp_path / "none.parquet")
    assert status == 2
    assert "no such file" in said
    empty = tmp_path / "empty.parquet"
    pl.read_parquet(files[0]).head(0).write_parquet(empty)
    status, _, said = evenhand("drift", files[0], empty)
    assert (status, "has no rows" in said) == (2, True)
    (tmp_path / "bytes.parquet").write_bytes(b"")
    assert evenhand("drift", files[0], tmp_path / "bytes.parquet")[0] == 2
    assert evenhand("drift", *files, "--level", "95")[0] == 2


def test_without_scikit_learn_the_extra_is_named(evenhand, files, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    status, out, _ = evenhand("drift", *files, "--json")
    assert status == 2
    assert json.loads(out)["errors"][0]["hint"] == "pip install 'evenhand[drift]'"


def test_the_report_says_what_the_text_says_and_is_not_written_over(evenhand, files, tmp_path):
    page = tmp_path / "drift.html"
    words = ["drift", *files, "--score", "risk", "--group", "sex", "--report", page]
    assert evenhand(*words)[0] == 0
    html = page.read_text()
    for said in (
        "Drift in age",
        "Each feature",
        "All features jointly",
        "20 % label flip",
        "small",
    ):
        assert said in html
    assert "<script" not in html
    status, _, told = evenhand(*words)
    assert (status, "--force" in told) == (2, True)
    assert evenhand(*words, "--force")[0] == 0
