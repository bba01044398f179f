"""``evenhand audit --states``, ``merge`` and ``audit --from-states`` as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
import yaml

import evenhand as eh
from daily import plan_of, rows_of


@pytest.fixture
def days(tmp_path):
    """Three days of a log, and a plan for each."""
    for day in range(3):
        (tmp_path / f"day={day}").mkdir()
        rows_of(day).write_parquet(tmp_path / f"day={day}" / "part.parquet")
        plan = plan_of(f"day={day}/*.parquet")
        (tmp_path / f"{day}.yaml").write_text(yaml.safe_dump(plan))
    (tmp_path / "all.yaml").write_text(yaml.safe_dump(plan_of("day=*/*.parquet")))
    return tmp_path


def test_daily_states_merge_and_answer_the_plan(evenhand, days):
    for day in range(3):
        status, said, _ = evenhand(
            "audit", days / f"{day}.yaml", "--states", days / f"{day}.states"
        )
        assert status == 0
        assert "300 rows of about" in said
    wanted = [days / f"{day}.states" for day in range(3)]
    status, said, _ = evenhand("merge", *wanted, "--out", days / "all.states")
    assert status == 0
    assert "900 rows" in said
    evenhand("audit", days / "all.yaml", "--out", days / "whole.evidence.zip")
    status, _, _ = evenhand(
        *("audit", "--from-states", days / "all.states", "--plan", days / "all.yaml"),
        *("--out", days / "merged.evidence.zip", "--html", days / "merged.html", "--gate"),
    )
    assert status in {0, 3}
    assert evenhand("diff", days / "whole.evidence.zip", days / "merged.evidence.zip")[0] == 0
    assert (days / "merged.html").exists()


def test_json_says_what_was_counted(read, days):
    _, counted = read("audit", days / "0.yaml", "--states", days / "0.states")
    assert counted["rows"] == 300
    assert counted["states"] == str(days / "0.states")
    assert counted["inputs"][0]["name"] == "day=0/part.parquet"
    read("audit", days / "1.yaml", "--states", days / "1.states")
    _, merged = read("merge", days / "0.states", days / "1.states", "--out", days / "x.states")
    assert (merged["rows"], len(merged["inputs"])) == (600, 2)
    assert merged["plan"] == counted["plan"]


def test_a_day_twice_is_refused_and_nothing_is_written(evenhand, days):
    evenhand("audit", days / "0.yaml", "--states", days / "0.states")
    wanted = ("merge", days / "0.states", days / "0.states", "--out", days / "x.states")
    status, _, said = evenhand(*wanted)
    assert status == 2
    assert "day=0/part.parquet" in said
    assert not (days / "x.states").exists()


def test_states_of_a_log_without_a_plan_merge_too(evenhand, days):
    flags = ("--label", "y", "--prediction", "p", "--group", "sex", "--unit", "who")
    for day in range(2):
        source = days / f"day={day}" / "*.parquet"
        assert evenhand("audit", source, *flags, "--states", days / f"{day}.states")[0] == 0
    merged = ("merge", days / "0.states", days / "1.states", "--out", days / "x.states")
    assert evenhand(*merged)[0] == 0
    status, said, _ = evenhand("audit", "--from-states", days / "x.states")
    assert status == 0
    assert "from 600 rows" in said


def test_states_may_be_written_beside_a_report(evenhand, days):
    html = days / "x.html"
    evenhand("audit", days / "0.yaml", "--states", days / "x.states", "--html", html)
    assert html.exists()
    assert (days / "x.states").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("audit",), "a plan or a log is needed"),
        (("audit", "x.parquet", "--from-states", "x.states"), "--plan PLAN"),
        (("audit", "a.yaml", "--plan", "b.yaml"), "it is for --from-states"),
        (("audit", "--from-states", "x.states", "--group", "sex"), "flags would contradict"),
        (("merge", "no.states", "--out", "y.states"), "no such file"),
        (("audit", "x.parquet", "--engine", "duckdb", "--master", "local"), "has no master"),
    ],
)
def test_words_that_contradict_themselves_are_refused(evenhand, words, said):
    status, _, error = evenhand(*words)
    assert status == 2
    assert said in error


def test_broken_files_that_are_left_out_are_told_everywhere(evenhand, read, days):
    whole = (days / "day=1" / "part.parquet").read_bytes()
    (days / "day=1" / "part.parquet").write_bytes(whole[:-100])
    assert evenhand("audit", days / "all.yaml")[0] == 2
    paths = {end: days / f"x.{end}" for end in ("evidence.zip", "html")}
    words = ("audit", days / "all.yaml", "--on-bad-file", "skip", "--states", days / "x.states")
    status, said, _ = evenhand(*words, "--out", paths["evidence.zip"], "--html", paths["html"])
    assert status == 0
    told = "Left out: 1 file of"
    assert told in said
    assert told in paths["html"].read_text()
    for form in ("markdown", "latex"):
        assert told in evenhand("show", paths["evidence.zip"], "--format", form)[1]
    (left,) = eh.read_bundle(paths["evidence.zip"]).skipped
    assert left["file"].endswith("day=1/part.parquet")
    again = eh.audit(from_states=days / "x.states")
    assert again.skipped == eh.read_bundle(paths["evidence.zip"]).skipped
    _, document = read("audit", days / "all.yaml", "--on-bad-file", "skip")
    assert document["skipped"][0]["bytes"] == len(whole) - 100


_INTERRUPTED = """
import os, signal, sys
from evenhand.engine import partition
from evenhand.cli.main import main

partition.PART_BYTES = {"polars": 1}
scan, seen = partition.scan, []

def interrupted(*args, **how):
    if len(seen) == 2:
        os.kill(os.getpid(), signal.SIGINT)
    seen.append(1)
    return scan(*args, **how)

if "--stop" in sys.argv:
    sys.argv.remove("--stop")
    partition.scan = interrupted
main()
"""


def test_an_interrupted_audit_leaves_nothing_half_written_and_goes_on(days):
    plan = plan_of("day=*/*.parquet")
    plan["measures"], plan["gate"] = ["accuracy", "difference(accuracy, by=sex)"], []
    (days / "all.yaml").write_text(yaml.safe_dump(plan))

    def run(*more):
        words = ("audit", "all.yaml", "--out", "x.evidence.zip", "--json", *more)
        return subprocess.run(  # noqa: S603
            [sys.executable, "-c", _INTERRUPTED, *words],
            cwd=days,
            capture_output=True,
            text=True,
            check=False,
        )

    stopped = run("--stop")
    assert stopped.returncode == 128 + signal.SIGINT
    assert "2 finished parts of the log are kept in x.evidence.zip.parts" in stopped.stderr
    assert not (days / "x.evidence.zip").exists()
    parts = {path.name for path in (days / "x.evidence.zip.parts").iterdir()}
    assert len(parts) == 2
    assert all(name.endswith(".state") for name in parts)
    finished = run()
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["bundle"] == "x.evidence.zip"
    assert not (days / "x.evidence.zip.parts").exists()
