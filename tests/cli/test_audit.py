"""``evenhand audit``: a plan, or a log with flags, becomes evidence and a report."""

import signal
import subprocess
import sys

import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import OutputError, PlanError


def test_json_has_the_keys_of_the_contract(read, plan):
    status, document = read("audit", plan())
    assert status == 0
    assert set(document) == {"verdict", "rules", "findings", "bundle"}
    assert (document["verdict"], document["bundle"]) == ("fail", None)
    (rule,) = document["rules"]
    assert set(rule) >= {
        *("id", "rule", "certainty", "scope", "verdict", "pass_share", "undecided_groups"),
        *("units_needed", "waiver"),
    }
    assert rule["scope"] == "all rows"


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ("difference(selection_rate, by=sex) <= 0.05", 1),
        ("difference(selection_rate, by=sex) <= 0.9", 0),
        ("difference(selection_rate, by=sex) <= 0.6", 3),
    ],
)
def test_with_gate_the_status_is_the_verdict(evenhand, plan, rule, status):
    assert evenhand("audit", plan(rule), "--gate")[0] == status
    assert evenhand("audit", plan(rule))[0] == 0


def test_evidence_and_report_are_written_and_said(evenhand, plan, tmp_path):
    out, html = tmp_path / "x.evidence.zip", tmp_path / "x.html"
    _, text, _ = evenhand("audit", plan(), "--out", out, "--html", html)
    assert str(out) in text.replace("\n", "")
    assert eh.read_bundle(out).verdict == "fail"
    assert "<!doctype html>" in html.read_text().lower()


def test_what_is_there_is_not_written_over_and_said_before_any_work(evenhand, plan, tmp_path):
    out, html = tmp_path / "x.evidence.zip", tmp_path / "x.html"
    out.write_text("mine")
    html.write_text("mine too")
    status, _, said = evenhand("audit", plan(), "--out", out, "--html", html)
    assert status == 2
    assert said.count("it is there already") == 2
    assert (out.read_text(), html.read_text()) == ("mine", "mine too")
    assert evenhand("audit", plan(), "--out", out, "--html", html, "--force")[0] == 0


def test_a_folder_that_is_not_there_is_named(evenhand, plan, tmp_path):
    status, _, said = evenhand("audit", plan(), "--out", tmp_path / "no" / "x.evidence.zip")
    assert status == 2
    assert "there is no folder" in said


def test_gate_without_rules_is_a_usage_error_before_any_work(read, decisions):
    status, document = read(
        *("audit", decisions, "--prediction", "approved", "--group", "sex", "--gate")
    )
    assert status == 2
    assert "no rules" in document["errors"][0]["what"]


def test_a_log_with_flags_is_audited_by_all_that_applies(read, decisions):
    status, document = read("audit", decisions, "--prediction", "approved", "--group", "sex")
    keys = [finding["key"] for finding in document["findings"]]
    assert status == 0
    assert keys == ["selection_rate", "difference(selection_rate, by=sex)"]


def test_flags_say_what_a_plan_says(read, plan, decisions):
    flags = ["--prediction", "approved", "--label", "repaid", "--group", "sex"]
    flags += ["--measure", "difference(selection_rate, by=sex)", "--measure", "accuracy"]
    flags += ["--rule", "difference(selection_rate, by=sex) <= 0.05"]
    _, by_flags = read("audit", decisions, *flags)
    _, by_plan = read("audit", plan())
    assert by_flags["findings"] == by_plan["findings"]
    assert by_flags["verdict"] == by_plan["verdict"]


def test_slices_are_measured_beside_all_rows(read, decisions):
    flags = ["--prediction", "approved", "--slice", "channel == 'web'"]
    _, document = read("audit", decisions, *flags)
    assert [one["slice"] for one in document["findings"]] == [None, "channel == 'web'"]
    assert [one["rows"] for one in document["findings"]] == [1000, 500]


def test_bins_of_a_group_are_written_as_for_measure(read, tmp_path):
    rows = pl.DataFrame({"age": [20, 30, 50, 60] * 50, "ok": [1, 0] * 100})
    rows.write_parquet(tmp_path / "x.parquet")
    flags = ["--prediction", "ok", "--group", "age: [25, 45]", "--min-units", "10"]
    _, document = read("audit", tmp_path / "x.parquet", *flags)
    groups = document["findings"][1]["groups"]
    assert [one["group"]["age"] for one in groups] == ["<=25", "(25, 45]", ">45"]


def test_flags_beside_a_plan_are_refused(evenhand, plan):
    status, _, said = evenhand("audit", plan(), "--label", "repaid")
    assert status == 2
    assert "a plan says everything" in said


def test_a_waiver_changes_the_status_only_where_it_is_honoured(evenhand, plan):
    waived = plan(
        more="waivers: [{rule: gap, owner: o@example.org, expires: 2999-01-01, reason: known}]"
    )
    status, text, _ = evenhand("audit", waived, "--gate")
    assert status == 1
    assert "FAIL" in text
    assert "waived until 2999-01-01 by o@example.org" in text
    assert evenhand("audit", waived, "--gate", "--honour-waivers")[0] == 0


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def test_engines_give_the_same_evidence(request, read, plan, tmp_path, engine):
    if engine == "spark":
        request.getfixturevalue("spark")
    pytest.importorskip("duckdb" if engine == "duckdb" else "pyspark")
    more = "unit: person\nlevel: 0.9"
    one, other = tmp_path / "one.evidence.zip", tmp_path / "other.evidence.zip"
    assert read("audit", plan(more=more), "--out", one)[0] == 0
    assert read("audit", plan(more=more), "--out", other, "--engine", engine)[0] == 0
    status, document = read("diff", one, other)
    assert status == 0
    assert document["same"] is True


def test_python_audits_again_and_again(plan, tmp_path):
    first = eh.audit(plan(), out=tmp_path / "x.evidence.zip", html=tmp_path / "x.html")
    second = eh.audit(str(plan()))
    assert (
        first.to_dict() == second.to_dict() == eh.read_bundle(tmp_path / "x.evidence.zip").to_dict()
    )
    with pytest.raises(OutputError, match="it is there already"):
        eh.audit(plan(), html=tmp_path / "x.html")


def test_python_audits_a_table_by_a_mapping():
    rows = pl.DataFrame({"sex": ["f", "m"] * 50, "ok": [1, 0, 1, 1] * 25})
    content = {
        "evenhand": 1,
        "log": {"source": "a table"},
        "roles": {"prediction": "ok"},
        "groups": {"sex": "sex"},
    }
    bundle = eh.audit(content, table=rows)
    assert bundle.verdict is None
    assert bundle.findings[1].key == "difference(selection_rate, by=sex)"
    with pytest.raises(PlanError, match="there is no key 'extra'"):
        eh.audit({**content, "extra": 1}, table=rows)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_ctrl_c_while_evidence_is_written_leaves_nothing_half_written(decisions, tmp_path):
    # The process says when it is in the middle of writing, and waits there.
    slow = "import os, time\nos.fsync = lambda _: (print('writing', flush=True), time.sleep(60))"
    code = f"{slow}\nfrom evenhand.cli.main import main\nmain()"
    out = tmp_path / "y.evidence.zip"
    words = ["audit", str(decisions), "--prediction", "approved", "--out", str(out)]
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"half-written" in said
    assert b"Traceback" not in said
    assert [file.name for file in tmp_path.iterdir()] == [decisions.name]


def test_a_signature_without_evidence_or_key_is_refused_before_any_work(evenhand, plan, tmp_path):
    pytest.importorskip("securesystemslib")
    status, _, said = evenhand("audit", plan(), "--sign", tmp_path / "no.pem")
    assert status == 2
    assert "only evidence that is written can be signed" in said
    out = tmp_path / "x.evidence.zip"
    assert evenhand("audit", plan(), "--out", out, "--sign", tmp_path / "no.pem")[0] == 2
    assert not out.exists()


@pytest.mark.parametrize(
    "words",
    [
        *(("--level", "0.95"), ("--kind", "decisions"), ("--min-units", "30"), ("--seed", "1")),
        *(("--top", "3"), ("--unit", "row"), ("--class", "a"), ("--score", "s"), ("--weight", "w")),
        *(("--group", "sex"), ("--where", "p > 1"), ("--measure", "m"), ("--rule", "r")),
        *(("--slice", "p > 1"), ("--neighbours", "n"), ("--prediction", "p")),
    ],
)
def test_every_flag_that_a_plan_would_outvote_is_refused_by_its_name(read, plan, words):
    status, document = read("audit", plan(), *words)
    assert status == 2
    (error,) = document["errors"]
    assert error["where"] == words[0]
    assert "a plan says everything" in error["what"]


def test_flags_that_say_how_to_audit_stand_beside_a_plan(evenhand, plan, tmp_path):
    words = ["--engine", "polars", "--gate", "--honour-waivers", "--force"]
    words += ["--out", tmp_path / "x.evidence.zip", "--html", tmp_path / "x.html"]
    assert evenhand("audit", plan(), *words)[0] == 1
    assert (tmp_path / "x.html").exists()


def test_evidence_and_report_in_one_file_are_refused_before_any_work(evenhand, plan, tmp_path):
    out = tmp_path / "same"
    status, _, said = evenhand("audit", plan(), "--out", out, "--html", out)
    assert status == 2
    assert "two outputs would be this file" in said
    assert not out.exists()


def test_where_the_report_cannot_be_written_there_is_no_evidence(evenhand, plan, tmp_path):
    out, html = tmp_path / "x.evidence.zip", tmp_path / "folder"
    html.mkdir()
    status, _, said = evenhand("audit", plan(), "--out", out, "--html", html)
    assert status == 2
    assert "this is a folder" in said
    assert not out.exists()
    with pytest.raises(OutputError, match="this is a folder"):
        eh.audit(plan(), out=out, html=html)
    assert not out.exists()


def test_a_key_to_sign_with_that_is_not_there_is_said(evenhand, plan, tmp_path):
    pytest.importorskip("securesystemslib")
    out = tmp_path / "x.evidence.zip"
    status, _, said = evenhand("audit", plan(), "--out", out, "--sign", tmp_path / "no.pem")
    assert status == 2
    assert "no.pem: no such file." in said
