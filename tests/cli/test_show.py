"""``evenhand show``: evidence in every format, on the terminal or in a file that was not there."""

from __future__ import annotations

import json
import sys

import pytest

from bundles import bundle as made
from evenhand.audits.evidence.archive import write_bundle
from evenhand.cli.main import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line and return its exit status, stdout and stderr."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["evenhand", "show", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return call


@pytest.fixture
def evidence(tmp_path):
    path = tmp_path / "x.evidence.zip"
    write_bundle(made(), path)
    return path


def test_the_terminal_shows_the_verdict_and_every_finding(run, evidence):
    code, out, err = run(evidence)
    assert (code, err) == (0, "")
    assert made().verdict.upper() in out
    assert all(finding.key in out for finding in made().findings)


def test_json_is_the_bundle(run, evidence):
    code, out, _ = run(evidence, "--json")
    assert code == 0
    assert json.loads(out) == made().to_dict()


@pytest.mark.parametrize("name", ["markdown", "latex", "text"])
def test_a_format_is_printed(run, evidence, name):
    code, out, _ = run(evidence, "--format", name)
    assert code == 0
    assert "selection" in out


def test_the_ending_of_the_file_names_the_format(run, evidence, tmp_path):
    out = tmp_path / "report.html"
    assert run(evidence, "--out", out)[0] == 0
    assert out.read_text().startswith("<!doctype html>")
    out = tmp_path / "report.md"
    assert run(evidence, "--out", out)[1].split()[0] == "markdown"


def test_a_file_that_is_there_is_not_written_over(run, evidence, tmp_path):
    out = tmp_path / "report.md"
    out.write_text("mine")
    code, _, err = run(evidence, "--out", out)
    assert code == 2
    assert "already" in err
    assert out.read_text() == "mine"
    assert run(evidence, "--out", out, "--force")[0] == 0
    assert out.read_text().startswith("# ")


def test_an_unknown_format_is_answered_with_those_there_are(run, evidence):
    code, _, err = run(evidence, "--format", "markdwon")
    assert code == 2
    assert "Did you mean 'markdown'?" in err


def test_an_ending_of_no_format_needs_its_name(run, evidence, tmp_path):
    code, _, err = run(evidence, "--out", tmp_path / "x.unheard")
    assert code == 2
    assert "--format" in err


def test_json_and_a_format_exclude_each_other(run, evidence):
    code, out, _ = run(evidence, "--format", "html", "--json")
    assert code == 2
    assert [*json.loads(out)] == ["errors"]


def test_what_is_no_evidence_is_refused(run, tmp_path):
    path = tmp_path / "x.evidence.zip"
    path.write_bytes(b"nothing")
    code, _, err = run(path)
    assert code == 2
    assert "x.evidence.zip" in err
