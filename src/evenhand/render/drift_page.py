"""Drift as one HTML file that opens anywhere: no network, no script, no row."""

from __future__ import annotations

import datetime as dt
from typing import Any

from evenhand.audits.drift import Drift
from evenhand.render.drift import (
    ASSUMED,
    feature_table,
    joint_table,
    notes_of,
    performance_of,
    said,
)
from evenhand.render.html import asset, environment
from evenhand.render.wording import count_of


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
        "features": feature_table(found),
        "joint": joint_table(found),
        "performance": [performance_of(one) for one in found.performance],
        "assumed": ASSUMED,
        "facts": [(name, value) for name, value in facts if value],
        "notes": notes_of(found),
    }
    return environment().get_template("drift.html").render(**view)
