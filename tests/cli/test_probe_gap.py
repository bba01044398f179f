"""``evenhand probe explain.gap`` on groups as they come: missing, one, none, far too many."""

from __future__ import annotations

import json
import shlex

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from evenhand.cli.main import app

MODULE = """
import numpy as np
from evenhand.models.function import linear
from evenhand.models.spec import Spec

def model():
    spec = Spec(labels=("no", "yes"), shape=(2,))
    return linear(np.array([[0.0, 0.0], [2.0, 1.0]]), np.array([0.0, -1.5]), spec)
"""
SIZE = 120


@pytest.fixture
def gap(tmp_path, monkeypatch):
    """Takes a gap of a linear score apart, by a column with these values."""
    monkeypatch.chdir(tmp_path)
    module = "cli_gap_" + "".join(c if c.isalnum() else "_" for c in tmp_path.name)
    (tmp_path / f"{module}.py").write_text(MODULE)
    x = np.random.default_rng(2).random((SIZE, 2))
    rows = pl.DataFrame({"income": x[:, 0], "debt": x[:, 1]})
    rows = rows.with_columns(paid=pl.Series(np.where(2 * x[:, 0] + x[:, 1] > 1.5, "yes", "no")))

    def call(values, *more, by="side", probe="explain.gap"):
        rows.with_columns(pl.Series(by, values)).write_parquet("people.parquet")
        words = [probe, "--model", f"{module}:model", "--inputs", "people.parquet"]
        words += ["--label", "paid", "--features", "income,debt", "--by", by]
        words += ["--out", "gap.parquet", "--force", *more]
        return CliRunner().invoke(app, ["probe", *words])

    return call


def test_examples_whose_group_is_missing_are_counted_and_told(gap):
    values = [None if place % 5 == 0 else "ab"[place % 2] for place in range(SIZE)]
    found = gap(values)
    assert found.exit_code == 0, found.output
    assert "24 examples left out: side is unknown" in found.stdout
    (told,) = json.loads(gap(values, "--json").stdout)["gaps"]
    assert told["gap"]["excluded"] == [{"reason": "side is unknown", "rows": 24}]
    assert "left out" not in gap(["a", "b"] * (SIZE // 2)).stdout


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a"] * SIZE, "all 120 examples whose group is known are of one group"),
        (["a", None] * (SIZE // 2), "all 60 examples whose group is known are of one group"),
        ([None] * SIZE, "nobody's group is known"),
        ([f"p{place}" for place in range(SIZE)], "it has 120 groups, of which 120 hold a single"),
        (["a"] * (SIZE - 2) + ["b", "c"], "of its 3 groups 2 hold a single example"),
    ],
    ids=["one group", "one and missing", "all missing", "one each", "too few to compare"],
)
def test_groups_that_cannot_be_compared_are_refused_before_the_model_is_asked(values, said, gap):
    found = gap(pl.Series(values, dtype=pl.String))
    assert said in str(found.exception)
    assert "group 'side'" in str(found.exception)
    assert "queries" not in found.output


def test_of_many_groups_the_largest_gaps_are_shown_and_all_are_told_as_json(gap):
    values = [f"g{place % 30}" for place in range(SIZE)]
    found = gap(values)
    assert found.exit_code == 0, found.output
    assert found.stdout.count("gap of mean scores") == 20
    assert "and 10 smaller gaps" in found.stdout
    assert len(json.loads(gap(values, "--json").stdout)["gaps"]) == 30


def test_the_next_command_asks_for_the_gap_once_and_for_no_level_of_the_background(gap):
    words = shlex.split(gap(["a", "b"] * (SIZE // 2)).stdout.strip().splitlines()[-1])
    audited = CliRunner().invoke(app, [*words[1 : words.index("--html")], "--json"])
    assert audited.exit_code == 0, audited.output
    asked = [(one["key"], one["slice"]) for one in json.loads(audited.stdout)["findings"]]
    assert sorted(asked) == [
        ("pairs(mean_attribution, by=side)", "variant == 'debt'"),
        ("pairs(mean_attribution, by=side)", "variant == 'income'"),
        ("pairs(mean_explained_score, by=side)", "variant == 'income'"),
    ]
    (shown,) = json.loads(gap(["a", "b"] * (SIZE // 2), "--json").stdout)["gaps"]
    (whole,) = [
        one
        for one in json.loads(audited.stdout)["findings"]
        if one["measure"] == "mean_explained_score"
    ]
    assert [shown["gap"][key] for key in ("value", "low", "high")] == [
        whole[key] for key in ("value", "low", "high")
    ]
    assert shown["sum_of_parts"] == pytest.approx(whole["value"], abs=1e-12)


def test_plan_without_groups_is_refused_where_nothing_else_is_asked(gap, tmp_path):
    gap(["a", "b"] * (SIZE // 2))
    (module,) = [one.stem for one in tmp_path.glob("cli_gap_*.py")]
    plan = f"""
evenhand: 1
model: {{address: "{module}:model", inputs: people.parquet, label: paid, features: [income, debt]}}
probes: [explain.gap]
"""
    (tmp_path / "plan.yaml").write_text(plan)
    found = CliRunner().invoke(app, ["audit", "plan.yaml"])
    assert found.exit_code != 0
    assert "the plan has none" in str(found.exception)
    assert "groups: {sex: sex}" in str(found.exception)


def test_notes_say_what_hangs_on_the_background(gap):
    notes = " ".join(json.loads(gap(["a", "b"] * (SIZE // 2), "--json").stdout)["notes"])
    assert "the gap has nothing of the background" in notes


def test_how_far_another_background_moves_a_part_is_told_from_its_halves(gap):
    values = ["a", "b"] * (SIZE // 2)
    found = json.loads(gap(values, "--json").stdout)
    rows = pl.read_parquet("gap.parquet")
    (told,) = found["gaps"]
    # Of a linear score every example's part moves alike, and the difference not at all.
    assert [one["background_shift"] for one in told["parts"]] == [0, 0]
    assert rows["background_shift"].abs().max() > 0.001
    shown = gap(values).stdout
    assert "another background moves no part" in shown
    probe = "explain.gap(link=probability)"
    (told,) = json.loads(gap(values, "--json", probe=probe).stdout)["gaps"]
    rows = pl.read_parquet("gap.parquet")
    for one in told["parts"]:
        of = rows.filter(variant=one["feature"])
        means = [of.filter(side=side)["background_shift"].mean() for side in "ab"]
        assert one["background_shift"] == pytest.approx(means[0] - means[1], abs=1e-12)
        assert one["background_shift"] != 0
    assert "another background moves parts too" in gap(values, probe=probe).stdout
