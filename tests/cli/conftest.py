"""What several tests of verbs share."""

import json
import sys

import polars as pl
import pytest

from evenhand.cli.main import main


@pytest.fixture
def evenhand(monkeypatch, capsys):
    """Run the command in this process; returns the status, stdout and stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["evenhand", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        out = capsys.readouterr()
        return left.value.code, out.out, out.err

    return run


@pytest.fixture
def read(evenhand):
    """Run the command with ``--json``; returns the status and the document."""

    def run(*words):
        status, out, _ = evenhand(*words, "--json")
        return status, json.loads(out)

    return run


@pytest.fixture
def decisions(tmp_path):
    """A log of a thousand decisions of two groups, of which one is selected half as often."""
    rows = pl.DataFrame(
        {
            "person": [f"p{i}" for i in range(1000)],
            "sex": ["f", "m"] * 500,
            "approved": [0, 1, 0, 1, 1, 1, 0, 0, 0, 1] * 100,
            "repaid": [1, 1, 0, 1, 1, 0, 0, 0, 1, 1] * 100,
            "channel": ["web"] * 500 + ["app"] * 500,
        }
    )
    path = tmp_path / "decisions.csv"
    rows.write_csv(path)
    return path


@pytest.fixture
def plan(tmp_path, decisions):
    """A plan with one rule; other keys can be added."""

    def write(rule="difference(selection_rate, by=sex) <= 0.05", more=""):
        text = f"""\
evenhand: 1
subject: {{product: lending, model: credit, version: v7}}
log: {{source: {decisions.name}}}
roles: {{prediction: approved, label: repaid}}
groups: {{sex: sex}}
measures:
  - difference(selection_rate, by=sex)
  - accuracy
gate:
  - {{id: gap, rule: "{rule}"}}
{more}
"""
        path = tmp_path / "audit.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A centre that listens, with a cache of its own and no pauses between tries."""
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("fastapi")
    from served import Served

    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / "cache"))
    for name in ("EVENHAND_CENTRE", "EVENHAND_TOKEN", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("evenhand.centre.client.connection.PAUSES", (0.0,))
    made = Served(tmp_path)
    made.start()
    yield made
    made.close()
