"""What changed, on the terminal: suppressed is said as that, and notes name their rows."""

from __future__ import annotations

import io

from rich.console import Console

from evenhand.audits.evidence.comparison import diff
from evenhand.render import comparison
from made import bundle_of, contrast, group


def shown(before, after) -> str:
    file = io.StringIO()
    console = Console(file=file, width=160, color_system=None)
    console.print(comparison.text(diff(bundle_of(before), bundle_of(after))))
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
