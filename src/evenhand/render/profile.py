"""Figures of variants side by side as reports show them: a picture, and their table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.profile import MOST, Profile, profile_chart, profiles_of
from evenhand.audits.evidence.strength import variant_column
from evenhand.render.svg import can_draw, svg
from evenhand.render.table import Table
from evenhand.render.view import embedded
from evenhand.render.wording import DASH, interval_of, number, value_of, value_shown
from evenhand.stats.estimate import Estimate, Undefined

_LINES = 100
"""Lines of a table, which is folded away."""


def profiles_in(bundle: Bundle) -> Mapping[str, list[Profile]]:
    """Return the profiles of a bundle's figures, by the name of their measure."""
    found: dict[str, list[Profile]] = {}
    for one in profiles_of(bundle.findings, variant_column(bundle.plan)):
        found.setdefault(one.measure, []).append(one)
    return found


def profile_view(one: Profile, place: int, *, drawn: bool, live: bool) -> dict[str, Any]:
    """Return a profile for templates.

    Args:
        one: The profile.
        place: Its number in the page, from 1.
        drawn: Whether it has its picture.
        live: Whether a program on the page can draw it too.

    """
    spec = profile_chart(one) if drawn and can_draw() else None
    table = table_of_profile(one)
    return {
        "id": f"p{place}",
        "title": cut(one.title[:1].upper() + one.title[1:], 200),
        "svg": "" if spec is None else svg(spec),
        "spec": embedded(spec) if live and spec is not None else "",
        "caption": _caption(one),
        "table": table,
        "table_title": f"Figures of {len(table.rows):,} lines",
        "table_caption": cut(f"{one.measure} {one.title}", 200),
    }


def _caption(one: Profile) -> str:
    known = one.ordered
    level = next((100 * found.level for _, found in known), 95.0)
    if not one.adds_up:
        told = [f"Points are figures, lines their {level:g}% intervals."]
    else:
        told = [
            "Each bar begins where the last one ends, and the grey one is their sum: the gap of",
            "the mean scores, where every feature is audited. Orange adds to it, blue takes away.",
            f"Lines are the parts' {level:g}% intervals.",
        ]
    if len(known) > MOST:
        told.append(f"{MOST} of {len(known):,} are drawn by themselves: those farthest from 0.")
    return " ".join(told)


def table_of_profile(one: Profile) -> Table:
    """Return the figures of a profile; of parts their sum too."""
    rows = [
        (value_shown(line.name), value_of(line.outcome), interval_of(line.outcome))
        for line in one.lines
    ]
    known = [line.outcome for line in one.lines if isinstance(line.outcome, Estimate)]
    if one.adds_up and len(known) == len(one.lines):
        rows.append(("sum", number(sum(found.value for found in known)), DASH))
    notes = [
        f"{value_shown(line.name)}: undefined, {line.outcome.reason}."
        for line in one.lines
        if isinstance(line.outcome, Undefined)
    ]
    left = len(rows) - _LINES
    if left > 0:
        notes = [f"{left:,} more lines are in the evidence file.", *notes]
    headings = ("variant", cut(one.measure), "interval")
    return Table(headings, 1, tuple(rows[:_LINES]), tuple(notes[:_LINES]))
