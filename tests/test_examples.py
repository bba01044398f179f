"""The examples: each parses, fits, runs, and has the verdict that it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import evenhand
from evenhand.audits.plan.file import open_plan
from evenhand.audits.run import run

FOLDER = Path(__file__).parent.parent / "examples"
PLANS = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture(autouse=True)
def _folders(monkeypatch, data, prepared):
    monkeypatch.setenv("EVENHAND_DATA", str(data.resolve()))
    monkeypatch.setenv("EVENHAND_LISTS", str(prepared))


def said(plan: Path) -> str:
    (verdict,) = re.findall(r"^# verdict: (pass|fail|undecided)$", plan.read_text(), re.MULTILINE)
    return verdict


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.stem)
def test_example_fits_its_data(plan):
    assert open_plan(plan).limits


@pytest.mark.slow
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.stem)
def test_example_has_the_verdict_that_it_says(plan):
    assert run(open_plan(plan), version=evenhand.__version__).verdict == said(plan)


def test_the_examples_show_every_verdict():
    assert {said(plan) for plan in PLANS} == {"pass", "fail", "undecided"}


@pytest.mark.slow
def test_the_table_of_verdicts_is_current(examples):
    text = (FOLDER / "README.md").read_text()
    assert text == examples.written(text), "run python examples/verdicts.py"


def test_the_fields_hold_what_the_source_says_of_them():
    """Known rates of the sources, so that a verdict is about the right columns."""
    fit = open_plan(FOLDER / "hmda_boston.yaml")
    found = evenhand.estimate("difference(selection_rate, by=black)", fit.log)
    assert found.value == pytest.approx(0.2831858407 - 0.0926016659)
    fit = open_plan(FOLDER / "resume_callbacks.yaml")
    found = evenhand.estimate("ratio(selection_rate, by=race)", fit.log)
    assert found.value == pytest.approx(0.06447638603696099 / 0.09650924024640657)
