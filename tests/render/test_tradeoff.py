"""Comparisons of re-rankers as text and as a page: what is said, and what a reader can use."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from rich.console import Console

import evenhand as eh
from evenhand.audits.choosing import choose
from evenhand.audits.tradeoff import BY_SCORE, Choice
from evenhand.render.tradeoff import said, text
from evenhand.render.tradeoff_page import page, short_name, spots_of, table_of
from markup import Page

METHODS = ["det_greedy", "calibrated(weight=0.5)", "calibrated(weight=0.9)", "fa_star_ir(p=0.4)"]


def lists(groups=2, requests=40):
    rng = np.random.default_rng(6)
    group = rng.integers(0, groups, (requests, 8))
    return eh.log(
        pl.DataFrame(
            {
                "request": np.repeat(np.arange(requests), 8),
                "slot": np.tile(np.arange(1, 9), requests),
                "value": (rng.random((requests, 8)) - 0.3 * (group == 0)).ravel(),
                "tier": pl.Series(group.ravel()).cast(pl.String),
            }
        ),
        kind="search",
        request="request",
        rank="slot",
        score="value",
    )


@pytest.fixture(scope="module")
def found():
    return choose(lists(), "tier", 4, methods=METHODS, at_least=0.6)


def faults(html):
    # A page of its own: its one style sheet is inside it.
    return [one for one in Page(html).faults() if one != "inline style"]


def test_a_page_can_be_read_by_everybody(found):
    html = page(found, version="1", source="lists.parquet", following="evenhand mitigate lists")
    assert faults(html) == []
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "<script" not in html
    one = Page(html)
    assert "half held out" in one.text
    for name in METHODS:
        assert name in one.text.replace("\u200b", "")
    assert "evenhand mitigate lists" in one.text


def test_a_page_of_many_groups_folds_their_shares():
    many = choose(lists(6), "tier", 4, methods=METHODS[:2])
    html = page(many, version="1")
    assert faults(html) == []
    assert html.count("<details>") == sum(
        1 for one in many.contenders if not one.like and one.name != BY_SCORE
    )


def test_of_very_many_groups_the_largest_are_told():
    html = page(choose(lists(40, 60), "tier", 4, methods=METHODS[1:2]), version="1")
    assert "10 smaller groups are in the document" in html


def test_the_table_has_both_halves_of_every_contender(found):
    table = table_of(found)
    assert len(table.rows) == len(found.contenders)
    assert all(len(row) == len(table.headings) for row in table.rows)
    failed = table.rows[-1]
    assert failed[0] == "fa_star_ir(p=0.4)"
    assert {*failed[1:]} == {"\N{EN DASH}"}


def test_like_lists_are_one_point_and_failed_ones_none(found):
    names = ", ".join(spot.name for spot in spots_of(found))
    assert "by score, as they were" in names
    assert "fa_star_ir" not in names
    assert sum(spot.chosen for spot in spots_of(found)) == 1


def test_names_are_short_where_they_tell_enough(found):
    assert short_name("det_greedy", found) == "det_greedy"
    assert short_name("calibrated(weight=0.5)", found) == "calibrated(0.5)"
    assert short_name("fa_star_ir(p=0.4)", found) == "fa_star_ir"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (None, ["Nothing was chosen", "--at-least 0.8"]),
        (Choice(0.9, "", "det_greedy", ""), ["None reaches 0.9", "det_greedy comes closest"]),
        (Choice(0.6, "det_greedy", "", "yes"), ["Chosen: det_greedy", "surely no less than 0.6"]),
        (Choice(0.6, "det_greedy", "", "no"), ["surely less than 0.6"]),
        (Choice(0.6, BY_SCORE, "", "open"), ["Chosen: the order by score", "is open"]),
    ],
)
def test_what_was_chosen_is_said_in_words(found, choice, words):
    told = " ".join(said(replace(found, choice=choice)))
    for one in words:
        assert one in told


def test_a_terminal_has_the_failures_and_the_next_command(found):
    stream = io.StringIO()
    Console(file=stream, width=150).print(text(found, "evenhand mitigate x"))
    told = stream.getvalue()
    assert "fa_star_ir(p=0.4) failed" in told
    assert "needs protected" in told
    assert told.rstrip().endswith("evenhand mitigate x")
