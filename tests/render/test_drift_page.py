"""Drift as a page: lines with drift say so in a word, and on a phone nothing is beside it."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from evenhand.render.drift_page import page

pytest.importorskip("sklearn")

from evenhand.audits.drift import find_drift


@pytest.fixture(scope="module")
def found():
    """Current rows whose ages are otherwise, and whose jobs are not."""
    rng = np.random.default_rng(2)
    tables = [
        pl.DataFrame(
            {"age": rng.normal(mean, 10, 400), "job": np.tile(["clerk", "smith"], 200), "one": 1.0}
        )
        for mean in (40, 60)
    ]
    return find_drift(*tables)


def lines(text):
    """Return the lines of all tables: whether each is marked, its name, and its other cells."""
    line = r'<tr role="row"( class="drifted")?><th role="rowheader"[^>]*>(.*?)</th>(.*?)</tr>'
    return re.findall(line, text, re.DOTALL)


def test_a_line_with_drift_says_so_in_a_word_beside_its_colour(found):
    text = page(found, version="test")
    words = {
        name: (re.search(r'data-label="found">(.*?)<', cells)[1], bool(marked))
        for marked, name, cells in lines(text)
    }
    wanted = {one.feature: found.drifted(one) for one in found.features}
    assert wanted["age"]
    assert not wanted["job"]
    for name, drifted in wanted.items():
        assert words[name][1] == drifted
        assert (words[name][0] == "drift") == drifted
    assert words["job"][0] in {"none shown", "not tested"}


def test_every_cell_names_its_column_for_where_lines_are_stacked(found):
    text = page(found, version="test")
    for _, _, cells in lines(text):
        assert cells.count("<td") == cells.count("data-label=") > 0
    # Effects stand below each other: beside each other they are wider than a phone.
    (effects,) = re.findall(r'<th[^>]*>age</th>.*?data-label="effect">(.*?)</td>', text, re.DOTALL)
    assert [one[:2].strip() for one in effects.split("\n")] == ["KS", "W"]
