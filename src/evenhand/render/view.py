"""What templates show of a block: plain text in named places, nothing left to compute."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from evenhand.audits.evidence.block import has_target, shape_of, top_of
from evenhand.audits.evidence.chart import MOST, charts
from evenhand.audits.evidence.depth import MOST_PANELS, panels_of
from evenhand.audits.evidence.legible import cut
from evenhand.audits.finding import Finding
from evenhand.render.ranked import curve
from evenhand.render.reading import Roles, capital, reading
from evenhand.render.section import Block
from evenhand.render.svg import svg
from evenhand.render.table import margin, p_value, table_of
from evenhand.render.wording import (
    ALONE,
    ROWS,
    alone,
    count_of,
    counted,
    counted_in,
    hints,
    interval_of,
    value_of,
)
from evenhand.stats.estimate import Estimate, Undefined

_OPEN_UP_TO = 8


def block_view(block: Block, roles: Roles, *, drawn: bool, live: bool) -> dict[str, Any]:
    """Return a block.

    Args:
        block: The findings.
        roles: The expressions of the roles.
        drawn: Whether it has its picture.
        live: Whether a program on the page can draw it too.

    """
    pictures = pictures_of(block, live=live) if drawn else []
    table = table_of(block)
    count = _count(block)
    title = f"Figures of {counted(count, 'line' if block.is_family else 'group')}"
    if shape_of(block.findings) == "curve":
        title = f"Figures of {counted(len(table.rows) if table else 0, 'point')}"
    return {
        "number": block.number,
        "title": cut(block.title, 200),
        "rules": block.rules,
        "lines": _lines(block, roles),
        "pictures": pictures,
        "table": table,
        "table_title": title,
        "table_caption": cut(f"{block.lead.measure}, {block.title}", 200),
        "open": not pictures and count <= _OPEN_UP_TO,
        "warnings": warnings_of(block),
        "notes": notes_of(block),
    }


def pictures_of(
    block: Block, *, live: bool = False, only: Collection[int] | None = None
) -> list[dict[str, Any]]:
    """Return the pictures of a block, the most telling first.

    Args:
        block: The findings.
        live: Whether a program on the page can draw them too.
        only: Places of those that are wanted; None for all.

    """
    return [
        {
            "id": f"c{block.number}" + (f"-{place}" if place else ""),
            "svg": svg(spec),
            "spec": embedded(spec) if live else "",
            "caption": _caption(block, _count(block), first=place == 0),
        }
        for place, spec in enumerate(charts(block.findings).values())
        if only is None or place in only
    ]


def _count(block: Block) -> int:
    return len(block.findings) if block.is_family else len(block.lead.groups)


def _lines(block: Block, roles: Roles) -> list[dict[str, Any]]:
    if block.is_family:
        return [{"key": block.lead.key, "value": "", "readings": block.readings(roles)}]
    shown = block.findings
    points = curve(block.findings) if shape_of(shown) == "curve" else ""
    if points:
        # Its points are said in one sentence, and stand in the table.
        shown = tuple(one for one in shown if top_of(one) is None)
        found = [one for one in block.findings if top_of(one) is not None]
        keys = f"{found[0].key} to {found[-1].key}"
    told = [
        {
            "key": one.key,
            "value": "" if isinstance(one.outcome, Undefined) else value_of(one.outcome),
            "interval": interval_of(one.outcome),
            "readings": [text] if (text := reading_of(one, block, roles)) else [],
        }
        for one in shown
    ]
    return [*told, {"key": keys, "value": "", "readings": [points]}] if points else told


def reading_of(one: Finding, block: Block, roles: Roles) -> str:
    """Return the reading of one finding of a block, short after the first has named the measure."""
    return capital(reading(one, roles if one is block.lead or one.contrast is None else None))


def _caption(block: Block, count: int, *, first: bool) -> str:
    shape = shape_of(block.findings)
    if shape == "depths" and first:
        return _over_depth(block)
    if shape == "curve":
        return (
            "Lorenz's curve, the classical way round: from the least exposed item on. Points are "
            f"figures, lines across them their {_level(block)} intervals, the dashed line is "
            "equality. Between its points the curve lies on or below the line drawn."
        )
    found = [group.outcome for group in block.lead.groups] or [f.outcome for f in block.findings]
    levels = [100 * one.level for one in found if isinstance(one, Estimate)]
    told = [f"Points are figures, lines their {levels[0]:g}% intervals."] if levels else []
    if block.is_family:
        told.append("The dashed line is no difference.")
    if has_target(block.lead):
        told.append("Upright ticks are the targets.")
    if any(not group.compared for group in block.lead.groups):
        told.append("Hollow points are shown apart and not compared.")
    if any(isinstance(one, Estimate) and one.identified for one in found):
        told.append("Thick lines are the sets that figures are known to lie in.")
    if count > MOST:
        told.append(f"Of {count:,}, the {MOST // 2} at either end are drawn.")
    return " ".join(told)


def _level(block: Block) -> str:
    every = [one.outcome for one in block.findings]
    every += [group.outcome for one in block.findings for group in one.groups]
    return next((f"{100 * one.level:g}%" for one in every if isinstance(one, Estimate)), "")


def _over_depth(block: Block) -> str:
    told = (
        f"Lines are shares of the exposure in the first slots, bands their {_level(block)} "
        "intervals, dashed lines the targets. All panels span as many percentage points."
    )
    count = panels_of(block.findings)
    if count <= MOST_PANELS:
        return told
    return f"{told} Of {count:,} groups the {MOST_PANELS} furthest from their targets are drawn."


def notes_of(block: Block, *, methods: bool = True) -> list[str]:
    """Return what qualifies the figures of a block; methods where they are not told elsewhere."""
    one = block.lead
    units = count_of(one.units, exact=one.units_exact)
    what = counted_in(one)
    # The lines of a family have rows of their own; a figure without rows says why it has none.
    counts = f"{one.rows:,} {what} in the denominators, {units} units"
    weighed = f"weighed by {one.estimand}" if what == ROWS else ""
    hidden = block.is_family or not one.rows
    notes = [", ".join(filter(None, ["" if hidden else counts, weighed]))]
    notes = [note for note in notes if note]
    notes += block.methods() if methods else []
    notes += [f"{part.rows:,} {what} left out: {part.reason}" for part in block.excluded()]
    if not block.is_family:
        notes += [
            f"{f.key}: {text}" for f in block.findings for text in (p_value(f), margin(f)) if text
        ]
    notes += [f"{name}: {text}" for name, text in block.conventions().items()]
    notes += hints(_reasons(block))
    return [cut(text, 400) for text in notes]


def _reasons(block: Block) -> list[str]:
    outcomes = [f.outcome for f in block.findings] + [group.outcome for group in block.lead.groups]
    return [found.reason for found in outcomes if isinstance(found, Undefined)]


def warnings_of(block: Block) -> list[str]:
    """Return what must not be overlooked beside a block."""
    return [ALONE] if alone(block.lead) else []


def embedded(document: Mapping[str, Any]) -> str:
    """Return a chart as JSON that no text inside it can end, without what all charts share."""
    own = {key: value for key, value in document.items() if key not in {"$schema", "config"}}
    if "data" in own:
        # More digits than a pixel shows only make a page larger.
        values = [{k: _short(v) for k, v in line.items()} for line in own["data"]["values"]]
        own["data"] = {"values": values}
    text = json.dumps(own, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _short(value: object) -> object:
    return float(f"{value:.6g}") if isinstance(value, float) else value
