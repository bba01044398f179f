"""What is printed, and how a command ends whose output cannot be."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evenhand.cli import output
from evenhand.cli.output import ENGINE

_CODE = "from evenhand.cli.main import main\nmain()"
_FULL = Path("/dev/full")


def _run(*words, **how):
    command = [sys.executable, "-c", _CODE, *words]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **how)  # noqa: S603 - our own command


@pytest.mark.skipif(not _FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [("measures",), ("measures", "--json"), ("--help",)])
def test_a_full_disk_under_stdout_is_no_failed_gate(words):
    with _FULL.open("w") as full:
        ended = _run(*words, stdout=full)
    assert ended.returncode == ENGINE
    assert ended.stderr == "evenhand: the output cannot be written: the disk is full.\n"


@pytest.mark.skipif(os.name == "nt", reason="descriptors of another kind")
def test_a_closed_stdout_is_no_failed_gate():
    ended = _run("--version", preexec_fn=lambda: os.close(1))
    assert ended.returncode == ENGINE
    assert ended.stderr == "evenhand: the output cannot be written: it is closed.\n"


def test_a_reader_who_goes_away_is_not_complained_about():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as nobody:
        ended = _run("measures", "--json", stdout=nobody)
    assert ended.returncode == ENGINE
    assert ended.stderr == ""


def test_a_file_that_the_system_refuses_is_a_usage_error(evenhand, plan, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", "x.csv")

    monkeypatch.setattr("evenhand.audits.run.count_rows", refuse)
    status, out, _ = evenhand("audit", plan(), "--json")
    assert status == 2
    assert json.loads(out)["errors"] == [
        {"where": "x.csv", "what": "you have no permission.", "hint": ""}
    ]


def test_piped_lines_end_where_their_text_ends(evenhand):
    _, out, _ = evenhand("measures")
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize(("columns", "widest"), [("60", 60), ("0", 160), ("wide", 160)])
def test_piped_lines_are_as_long_as_columns_says(capsys, monkeypatch, columns, widest):
    monkeypatch.setenv("COLUMNS", columns)
    output.show(" ".join(["word"] * 100), {}, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert widest - len("word ") < max(map(len, lines)) <= widest
