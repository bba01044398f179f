"""The example of docs/drift.md runs, and finds what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evenhand.cli.main import app

pytest.importorskip("sklearn")

PAGE = (Path(__file__).parents[3] / "docs" / "drift.md").read_text()


def test_the_example_of_the_page_finds_what_the_page_shows(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"```\n\$ evenhand (.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "drift.md", "exec"), {})  # noqa: S102 - our own page
    command, _, told = shown.partition("\n")
    monkeypatch.setenv("COLUMNS", "125")
    out = CliRunner().invoke(app, command.split()).stdout
    # What the forest does may differ between its versions; samples do not.
    for start in ("Drift in", "mean texture", "expected accuracy"):
        said, page = (
            [line for line in text.splitlines() if line.startswith(start)] for text in (out, told)
        )
        assert said == page
        assert said
