"""What holds for every export: made from the file it is the same, and names cannot break it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import polars as pl
import pytest

from evenhand.audits.evidence.archive import read_bundle, write_bundle
from evenhand.render.format import formats

EXPORTS = (
    "cyclonedx",
    "junit",
    "local-law-144",
    "model-card",
    "model-card-toolkit",
    "sarif",
    "step-summary",
)

NAMES = [
    "a\x00\x1b|b\n---\n",
    "<script>alert(1)</script>",
    "[x](javascript:1){0}",
    "`*_~#",
    "\U0001d4b3]]>",
]

PLAN = """\
evenhand: 1
log: {source: log.parquet}
roles: {prediction: yes_or_no}
groups: {sex: sex}
min_units: 0
measures: ["difference(selection_rate, by=sex)"]
gate: [{id: gap, rule: "difference(selection_rate, by=sex) <= 0.01"}]
"""


@pytest.fixture(scope="module")
def hostile(audit):
    """A bundle whose groups have names full of marks."""
    names = [NAMES[place % 5] for place in range(400)]
    answers = [int((place % 5) * 20 + 10 > (place * 37) % 100) for place in range(400)]
    return audit(PLAN, pl.DataFrame({"sex": names, "yes_or_no": answers}))


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_of_the_file_is_that_of_the_audit(bundle, tmp_path, name):
    path = tmp_path / "v7.evidence.zip"
    write_bundle(bundle, path)
    assert formats()[name].render(read_bundle(path)) == formats()[name].render(bundle)


@pytest.mark.parametrize("name", EXPORTS)
def test_a_group_that_is_suppressed_shows_no_count(bundle, name):
    text = formats()[name].render(bundle)
    assert "Other" in text
    assert not re.search(r"(?<![\d,])7 units", text)
    assert "| 7 |" not in text


@pytest.mark.parametrize("name", ["local-law-144", "model-card", "step-summary"])
def test_names_are_only_text_in_markdown(hostile, name):
    text = formats()[name].render(hostile)
    body = text.split("---\n", 2)[2] if name == "model-card" else text
    assert "<script>" not in body
    assert "[x](" not in body
    assert "\n---\n" not in body
    assert "&lt;script&gt;" in body


def test_names_are_only_text_in_xml(hostile):
    root = ET.fromstring(formats()["junit"].render(hostile))  # noqa: S314 - our own output
    assert {one.tag for one in root.iter("script")} == set()
