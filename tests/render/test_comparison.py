"""What changed, on the terminal: suppressed is said as that, and notes name their rows."""

from __future__ import annotations

import io

from rich.console import Console

from evenhand.audits.evidence.comparison import diff
from evenhand.audits.evidence.moves import levellings
from evenhand.render import comparison
from made import bundle_of, contrast, group


def shown(before, after) -> str:
    file = io.StringIO()
    console = Console(file=file, width=160, color_system=None)
    one, other = bundle_of(before), bundle_of(after)
    console.print(comparison.text(diff(one, other), levellings(one, other)))
    return file.getvalue()


def test_a_suppressed_group_is_said_to_be_suppressed():
    both = contrast(group("a", 0.3), group("b", 0.5), group("few", None))
    page = shown(both, both)
    (row,) = [line for line in page.splitlines() if line.strip().startswith("few ")][:1]
    assert row.count("suppressed") == 2
    assert "none" not in page


def test_a_note_names_the_rows_that_it_is_about():
    before = contrast(group("a", 0.3), group("b", 0.5), group("few", None))
    after = contrast(group("a", 0.3), group("b", 0.5), group("few", 0.4))
    note = "few in difference(false_positive_rate, by=g): before: fewer than 30 units"
    assert note in shown(before, after)


HIGHER = {"conventions": {"better": "higher"}}


def test_levelling_down_is_named_with_who_lost():
    before = contrast(group("a", 0.9), group("b", 0.3), **HIGHER)
    after = contrast(group("a", 0.4), group("b", 0.3), **HIGHER)
    page = " ".join(shown(before, after).split())
    assert (
        "levelled down difference(false_positive_rate, by=g): the gap became smaller while a lost; "
        "no group is shown to have gained"
    ) in page
    assert "levelling down is not shown" not in page
    assert "intervals of the groups of a finding hold together at 95%" in page


def test_that_it_is_not_shown_is_said():
    before = contrast(group("a", 0.9), group("b", 0.3), **HIGHER)
    after = contrast(group("a", 0.4), group("b", 0.7), **HIGHER)
    page = shown(before, after)
    assert "shifted       difference(false_positive_rate, by=g): b gained, a lost" in page
    assert "levelling down is not shown" in page


def test_nothing_is_said_of_the_same_figures():
    both = contrast(group("a", 0.9), group("b", 0.3), **HIGHER)
    page = shown(both, both)
    assert "levelling" not in page
    assert "shifted" not in page
