"""``evenhand init``: what it shows and writes, and how it refuses."""

from __future__ import annotations

import json

import polars as pl
import pytest

from evenhand.audits.plan.file import open_plan

ROWS = pl.DataFrame(
    {"sex": ["f", "m"] * 100, "repaid": [0, 1, 1, 0] * 50, "approved": ["yes", "no"] * 100}
)


@pytest.fixture
def run(evenhand, monkeypatch, tmp_path):
    """Run a command line in an empty folder and return its exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    return evenhand


@pytest.fixture
def log(tmp_path):
    ROWS.write_csv(tmp_path / "x.csv")
    return "x.csv"


def test_init_writes_a_plan_that_fits(run, log):
    code, out, err = run("init", log)
    assert (code, err) == (0, "")
    assert open_plan("audit.yaml").limits
    assert "approved == 'yes'" in out


def test_init_prints_the_next_command(run, log):
    assert "evenhand check 'my plan.yaml'" in run("init", log, "--out", "my plan.yaml")[1]


def test_init_as_json_has_the_guess_and_the_plan(run, log):
    code, out, _ = run("init", log, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["plan"] == "audit.yaml"
    assert document["next"] == "evenhand check audit.yaml"
    assert {one["part"] for one in document["guessed"]} == {"label", "prediction", "unit", "group"}


def test_init_writes_over_nothing(run, log, tmp_path):
    (tmp_path / "audit.yaml").write_text("mine")
    code, _, err = run("init", log)
    assert code == 2
    assert "--force" in err
    assert (tmp_path / "audit.yaml").read_text() == "mine"


def test_force_writes_over_it(run, log, tmp_path):
    (tmp_path / "audit.yaml").write_text("mine")
    assert run("init", log, "--force")[0] == 0
    assert (tmp_path / "audit.yaml").read_text() != "mine"


def test_the_source_is_relative_to_the_plan(run, log, tmp_path):
    (tmp_path / "plans").mkdir()
    assert run("init", log, "--out", "plans/a.yaml")[0] == 0
    assert open_plan("plans/a.yaml").plan.log.source == "../x.csv"


def test_flags_are_not_guessed_over(run, log):
    run("init", log, "--label", "approved == 'no'", "--prediction", "repaid", "--group", "sex")
    roles = open_plan("audit.yaml").plan.roles
    assert roles == {"label": "approved == 'no'", "prediction": "repaid"}


def test_a_log_of_which_nothing_can_be_told_writes_nothing(run, tmp_path):
    pl.DataFrame({"a": range(300), "b": range(300)}).write_csv(tmp_path / "x.csv")
    code, out, err = run("init", "x.csv")
    assert (code, out) == (2, "")
    assert "could not tell" in err
    assert "--prediction COLUMN" in err
    assert not (tmp_path / "audit.yaml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prediction", "aproved"], "Did you mean 'approved'?"),
        (["--group", "gender"], "there is no column 'gender'"),
        (["--unit", "person"], "person"),
        (["--kind", "decision"], "Did you mean 'decisions'?"),
    ],
)
def test_a_wrong_flag_says_what_there_is_and_writes_nothing(run, log, tmp_path, words, said):
    code, _, err = run("init", log, *words)
    assert code == 2
    assert said in err
    assert not (tmp_path / "audit.yaml").exists()


def test_a_missing_log_is_refused(run):
    code, _, err = run("init", "nowhere.csv")
    assert code == 2
    assert "no such file" in err
