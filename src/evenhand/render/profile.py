"""Figures of variants side by side as reports show them: a picture, and their table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.profile import (
    MOST,
    REST,
    Profile,
    profile_chart,
    profiles_of,
)
from evenhand.audits.evidence.strength import variant_column
from evenhand.measures.attributions.part import is_zero
from evenhand.render.svg import can_draw, svg
from evenhand.render.table import Table
from evenhand.render.view import embedded
from evenhand.render.wording import DASH, counted, interval_of, number, value_of, value_shown
from evenhand.stats.estimate import Estimate, Undefined

_LINES = 100
"""Lines of a table, which is folded away."""


def profiles_in(bundle: Bundle) -> Mapping[str, list[Profile]]:
    """Return the profiles of a bundle's figures, by the name of their measure."""
    found: dict[str, list[Profile]] = {}
    for one in profiles_of(bundle.findings, variant_column(bundle.plan), bundle.probes):
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
        "table_title": f"Figures of {counted(len(table.rows), 'line')}",
        "table_caption": cut(f"{one.measure} {one.title}", 200),
    }


def _caption(one: Profile) -> str:
    known = one.ordered
    levels = (line.outcome.level for line in one.lines if isinstance(line.outcome, Estimate))
    level = f"{100 * next(levels, 0.95):g}%"
    if one.adds_up:
        told = _of_parts(one, level)
    else:
        told = [f"Points are figures, lines their {level} intervals."]
        if one.of_parts:
            told.append(_LEVEL)
    if any(found.low is None for found in known):
        told.append("What is 0 in every row has no interval.")
    if len(known) > MOST:
        told.append(f"{MOST} of {len(known):,} are drawn by themselves: those farthest from 0.")
    return " ".join(told)


_LEVEL = (
    "Their level is that of the background that was drawn: another seed moves it by more than the "
    "lines say."
)


def _of_parts(one: Profile, level: str) -> list[str]:
    """Return what the bars of a waterfall are, whichever of the two groups has the higher score."""
    first, second = (cut(name, _NAME) for name in one.pair)
    starts = "Each bar begins where the last one ends: orange parts raise the mean score of"
    told = [f"{starts} {first} beside that of {second}, blue ones lower it."]
    if one.whole is not None:
        told.append("The grey bar is the gap of the mean scores, to which all parts add up.")
        if one.rest:
            told.append(f"'{REST}' is what parts make that have no figure here.")
    elif one.total is not None:
        told.append(
            "The grey bar is their sum: the gap of the mean scores, where every feature is audited."
        )
    else:
        told.append("No sum is drawn, since not all parts have a figure.")
    told.append(
        f"Lines are {level} intervals, of the examples: another background moves parts a little "
        "more, but not the gap."
    )
    return told


_NAME = 40


def table_of_profile(one: Profile) -> Table:
    """Return the figures of a profile; of parts what they add up to too."""
    rows = [
        (value_shown(line.name), number(0.0), DASH)
        if is_zero(line.outcome)
        else (value_shown(line.name), value_of(line.outcome), interval_of(line.outcome))
        for line in one.lines
    ]
    if one.adds_up and one.rest:
        rows.append((REST, number(one.rest), DASH))
    if one.adds_up and one.total is not None:
        whole = DASH if one.whole is None else interval_of(one.whole)
        rows.append((one.total.name, number(one.total.value), whole))
    notes = [
        f"{value_shown(line.name)}: undefined, {line.outcome.reason}."
        for line in one.lines
        if isinstance(line.outcome, Undefined) and not is_zero(line.outcome)
    ]
    left = len(rows) - _LINES
    if left > 0:
        notes = [f"{left:,} more lines are in the evidence file.", *notes]
    headings = ("variant", cut(one.measure), "interval")
    return Table(headings, 1, tuple(rows[:_LINES]), tuple(notes[:_LINES]))
