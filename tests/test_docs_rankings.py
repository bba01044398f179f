"""The page about ranked lists: its commands run, and its figures are those of the plans."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import evenhand
from evenhand.audits.plan.file import open_plan
from evenhand.cli.main import app
from evenhand.measures.browsing import MODELS
from evenhand.measures.ranking import Ranking
from evenhand.measures.registry import own

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "rankings.md").read_text()
BLOCKS = re.findall(r"^```(python|sh|yaml)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
AUDITS = {"Coat": "coat", "MovieLens": "movielens", "XING": "xing", "TREC 2020": "trec2020"}


@pytest.mark.slow
def test_every_block_of_the_page_runs_in_turn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    assert {kind for kind, _ in BLOCKS} == {"python", "sh", "yaml"}
    for kind, text in BLOCKS:
        if kind == "python":
            exec(compile(text, "rankings.md", "exec"), names)  # noqa: S102 - our own page
        elif kind == "yaml":
            name = re.fullmatch(r"# (\S+\.yaml)", text.splitlines()[0])[1]
            (tmp_path / name).write_text(text)
        else:
            for line in text.splitlines():
                program, *words = shlex.split(line)
                assert program == "evenhand"
                result = CliRunner().invoke(app, words)
                assert result.exit_code == 0, result.output


def test_every_measure_and_every_browsing_model_of_lists_is_on_the_page():
    lists = {name for name, cls in own().items() if issubclass(cls, Ranking)}
    missing = {name for name in lists if not re.search(rf"`{name}\b|\({name}\b", PAGE)}
    assert not missing
    assert not {name for name in MODELS if f"`{name}" not in PAGE}


def rows_of(title: str) -> list[tuple[str, str, str, str, str]]:
    section = PAGE.partition(f"### {title}\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\|(.*?)\|(.*?)\|(.*?)\|(.*?)\|(.*?)\|$", section, re.MULTILINE)
    return [tuple(cell.strip() for cell in row) for row in rows[2:]]


@pytest.mark.parametrize("title", AUDITS)
def test_figures_of_the_page_are_those_of_the_plan(title, monkeypatch, data, prepared):
    monkeypatch.setenv("EVENHAND_DATA", str(data.resolve()))
    monkeypatch.setenv("EVENHAND_LISTS", str(prepared))
    fit = open_plan(ROOT / "examples" / f"{AUDITS[title]}.yaml")
    rows = rows_of(title)
    notations = [figure.strip("`") for figure, *_ in rows if figure]
    assert notations
    plan = {str(entry.measure) for entry in fit.plan.measures}
    assert {*notations} <= plan
    findings = iter(evenhand.estimates(notations, fit.log))
    for figure, group, value, interval, chance in rows:
        if figure:
            finding = next(findings)
            found = finding
            said = finding.conventions.get("chance", "")
            assert chance == (re.match(r"-?[\d.]+", said)[0] if said else "")
        else:
            (found,) = [g.outcome for g in finding.groups if [*g.group.values()] == [group]]
        assert (value, interval) == (
            f"{found.value:.4f}",
            f"{found.low:.4f} to {found.high:.4f}",
        )
