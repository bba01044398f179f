"""Drift as one HTML file that opens anywhere: no network, no script, no row."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

from evenhand.audits.drift import Drift, FeatureDrift, JointDrift
from evenhand.render.drift import (
    ASSUMED,
    feature_table,
    joint_table,
    notes_of,
    performance_of,
    said,
)
from evenhand.render.html import asset, environment
from evenhand.render.table import Table
from evenhand.render.wording import count_of

DRIFTED = "drift"
"""How lines are marked in which drift was found: a colour alone is not seen by all."""


def marked(table: Table, lines: Sequence[FeatureDrift | JointDrift], found: Drift) -> Table:
    """Return a table of drift that says in each line what was found; effects below each other.

    Args:
        table: The table.
        lines: What its lines are about, in their order.
        found: The drift.

    """
    words = [
        "not tested"
        if math.isnan(one.test.p_value)
        else (DRIFTED if found.drifted(one) else "none shown")
        for one in lines
    ]
    rows = (
        (*row[: table.names], word, *(cell.replace("  ", "\n") for cell in row[table.names :]))
        for row, word in zip(table.rows, words, strict=True)
    )
    headings = (*table.headings[: table.names], "found", *table.headings[table.names :])
    return Table(headings, table.names, tuple(rows), table.notes)


def page(found: Drift, *, version: str, reference: str = "", current: str = "") -> str:
    """Return what was found as a page.

    Args:
        found: The drift.
        version: The version of Evenhand.
        reference: The reference, as it is named.
        current: The current rows, as they are named.

    """
    title, sizes = said(found)
    facts = [
        ("reference", reference),
        ("current", current),
        ("unit", found.unit or "row"),
        ("units of the reference", count_of(found.size.units_reference)),
        ("current units", count_of(found.size.units_current)),
        ("groups", found.group or ""),
        ("intervals", f"{100 * found.level:g}%"),
        ("false discovery rate", f"{found.rate:g}"),
        ("seed", str(found.seed)),
    ]
    view: dict[str, Any] = {
        "version": version,
        "created": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
        "style": asset("report.css"),
        "said": title,
        "sentence": sizes[:1].upper() + sizes[1:] + ".",
        "tone": "undecided" if found.alarm else "none",
        "drifted": DRIFTED,
        "features": marked(feature_table(found), found.features, found),
        "joint": marked(joint_table(found), found.joint, found),
        "performance": [performance_of(one) for one in found.performance],
        "assumed": ASSUMED,
        "facts": [(name, value) for name, value in facts if value],
        "notes": notes_of(found),
    }
    return environment().get_template("drift.html").render(**view)
