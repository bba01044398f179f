"""``evenhand gate``: the verdict of evidence, as an exit status."""

import json
import xml.etree.ElementTree as ET

import pytest


@pytest.fixture
def bundle(evenhand, plan, tmp_path):
    """Evidence of a plan with this rule."""

    def write(rule="difference(selection_rate, by=sex) <= 0.05", name="x", **more):
        out = tmp_path / f"{name}.evidence.zip"
        evenhand("audit", plan(rule, **more), "--out", out, "--force")
        return out

    return write


@pytest.mark.parametrize(
    ("rule", "status", "verdict"),
    [
        ("difference(selection_rate, by=sex) <= 0.05", 1, "fail"),
        ("difference(selection_rate, by=sex) <= 0.9", 0, "pass"),
        ("difference(selection_rate, by=sex) <= 0.6", 3, "undecided"),
    ],
)
def test_the_status_and_the_json_say_the_verdict(read, bundle, rule, status, verdict):
    left, document = read("gate", bundle(rule))
    assert left == status
    assert set(document) == {"verdict", "rules"}
    assert document["verdict"] == verdict
    assert document["rules"][0]["verdict"] == verdict


def test_several_bundles_are_one_gate(read, bundle):
    good = bundle("difference(selection_rate, by=sex) <= 0.9", "good")
    bad = bundle(name="bad")
    status, document = read("gate", good, bad)
    assert (status, document["verdict"]) == (1, "fail")
    assert [rule["verdict"] for rule in document["rules"]] == ["pass", "fail"]


def test_evidence_without_rules_is_a_usage_error(read, evenhand, decisions, tmp_path):
    out = tmp_path / "x.evidence.zip"
    evenhand("audit", decisions, "--prediction", "approved", "--out", out)
    status, document = read("gate", out)
    assert status == 2
    assert "it has no rules" in document["errors"][0]["what"]


def test_what_is_no_evidence_is_a_usage_error(read, decisions):
    status, document = read("gate", decisions)
    assert status == 2
    assert document["errors"]


def test_junit_and_sarif_point_at_the_line_of_the_plan(evenhand, bundle, tmp_path):
    junit, sarif = tmp_path / "j.xml", tmp_path / "s.sarif"
    flags = ["--junit", junit, "--sarif", sarif, "--plan", "plans/audit.yaml"]
    assert evenhand("gate", bundle(), *flags)[0] == 1
    case = ET.fromstring(junit.read_text()).find(".//testcase")  # noqa: S314 - our own file
    assert case.get("file") == "plans/audit.yaml"
    place = json.loads(sarif.read_text())["runs"][0]["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "plans/audit.yaml"
    assert place["physicalLocation"]["region"]["startLine"] == 10


def test_the_summary_of_a_github_step_is_added_to(evenhand, bundle, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    evenhand("gate", bundle())
    text = summary.read_text()
    assert text.startswith("# before\n")
    assert "gap" in text
    assert "fail" in text.lower()


def test_reports_are_not_written_over(evenhand, bundle, tmp_path):
    (tmp_path / "j.xml").write_text("mine")
    status, _, said = evenhand("gate", bundle(), "--junit", tmp_path / "j.xml")
    assert status == 2
    assert "it is there already" in said


def test_a_waiver_stands_beside_the_verdict(read, evenhand, bundle):
    waiver = "waivers: [{rule: gap, owner: o@example.org, expires: 2999-01-01, reason: known}]"
    path = bundle(more=waiver)
    status, document = read("gate", path)
    assert status == 1
    assert document["rules"][0]["waiver"] == {
        "owner": "o@example.org",
        "expires": "2999-01-01",
        "reason": "known",
    }
    assert evenhand("gate", path, "--honour-waivers")[0] == 0


def test_a_summary_that_cannot_be_written_is_an_error_in_words(
    evenhand, bundle, tmp_path, monkeypatch
):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "summary.md"))
    status, _, said = evenhand("gate", bundle())
    assert status == 2
    assert "cannot be written" in said
