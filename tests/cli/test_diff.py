"""``evenhand diff``: what changed, how sure that is, and the exit status."""

from __future__ import annotations

import functools
import json

import polars as pl
import pytest

import bundles
from evenhand.audits.evidence import write_bundle


@pytest.fixture
def run(evenhand):
    return functools.partial(evenhand, "diff")


@pytest.fixture
def paths(tmp_path):
    rows = bundles.rows_of()
    more = pl.when(pl.col("group") == "a").then(1).otherwise("prediction")
    files = tmp_path / "before.zip", tmp_path / "after.zip"
    write_bundle(bundles.bundle(), files[0])
    write_bundle(bundles.audited(rows.with_columns(prediction=more)), files[1])
    return files


def test_the_same_evidence_exits_with_0(run, paths):
    code, out, _ = run(paths[0], paths[0])
    assert code == 0
    assert out.startswith("the same figures")


def test_a_change_exits_with_1_and_is_shown_with_its_interval(run, paths):
    code, out, _ = run(*paths)
    assert code == 1
    assert "the audits are of the same units" in out
    assert "[+0." in out


def test_json_is_that_of_the_contract(run, paths):
    code, out, _ = run(*paths, "--json", "--level", "0.9")
    document = json.loads(out)
    assert code == 1
    assert document["paired"] is True
    assert document["level"] == 0.9
    assert document["changes"][0]["key"] == "selection_rate"
    assert document["changes"][0]["difference"]["low"] > 0


def test_json_says_which_groups_gained_and_whether_a_gap_was_levelled(run, paths):
    _, out, _ = run(*paths, "--json")
    found = {one["key"]: one for one in json.loads(out)["levelling"]}
    one = found["difference(selection_rate, by=group)"]
    assert [group["word"] for group in one["groups"]] == ["rose", "not_shown", "not_shown"]
    assert (one["better"], one["zero_sum"], one["state"]) == (None, False, "not_shown")
    assert one["level_of_each"] == pytest.approx(1 - 0.05 / 3)
    right = found["worst(accuracy, by=group)"]
    assert (right["slice"], right["better"]) == ("label == 1", "higher")
    assert right["groups"][0]["difference"]["low"] > 0


def test_a_report_is_written_beside_what_is_printed(run, paths, tmp_path):
    for name, begins in (
        ("changes.html", "<!doctype html>"),
        ("changes.md", "# loans / score / v1"),
    ):
        report = tmp_path / name
        code, out, _ = run(*paths, "--report", report)
        assert code == 1
        assert out.rstrip().endswith(f"report  {report}")
        assert report.read_text().startswith(begins)


def test_a_report_of_the_same_figures_exits_with_0(run, paths, tmp_path):
    code, out, _ = run(paths[0], paths[0], "--report", tmp_path / "same.html", "--json")
    assert code == 0
    assert json.loads(out)["report"] == str(tmp_path / "same.html")
    assert "Both audits have the same figures." in (tmp_path / "same.html").read_text()


def test_a_report_of_another_format_is_refused_before_any_work(run, paths, tmp_path):
    code, _, err = run(*paths, "--report", tmp_path / "changes.pdf")
    assert code == 2
    assert "Write changes.html or changes.md." in err


def test_a_report_that_is_there_stays_unless_forced(run, paths, tmp_path):
    report = tmp_path / "changes.html"
    report.write_text("mine")
    code, _, err = run(*paths, "--report", report)
    assert (code, report.read_text()) == (2, "mine")
    assert "--force" in err
    code, _, _ = run(*paths, "--report", report, "--force")
    assert code == 1
    assert report.read_text() != "mine"


def test_added_and_removed_findings_are_listed(run, paths, tmp_path):
    text = bundles.PLAN.split("measures:")[0] + "measures: [accuracy]\n"
    write_bundle(bundles.audited(bundles.rows_of(), text), tmp_path / "other.zip")
    code, out, _ = run(paths[0], tmp_path / "other.zip")
    assert code == 1
    assert "added    accuracy" in out
    assert "removed  selection_rate" in out


def test_changed_evidence_is_not_compared(run, paths):
    data = bytearray(paths[0].read_bytes())
    data[200] ^= 1
    paths[0].write_bytes(bytes(data))
    code, _, err = run(*paths)
    assert code == 2
    assert "evenhand verify" in err


def test_a_level_that_is_none_is_a_usage_error(run, paths):
    code, _, err = run(*paths, "--level", "95")
    assert code == 2
    assert "not between 0 and 1" in err
