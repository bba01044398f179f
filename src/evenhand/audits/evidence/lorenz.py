"""Lorenz's curve of exposure, the classical way round: from the least exposed item on.

A point says what share of all exposure the least exposed part of the catalogue has: one less than
that of the most exposed rest. The curve itself lies on or below the lines between its points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evenhand.audits.evidence.block import top_of
from evenhand.audits.evidence.legible import legible
from evenhand.audits.evidence.look import BLUE, CONFIG, SCHEMA
from evenhand.audits.finding import Finding
from evenhand.stats.estimate import Estimate

_SIDE = {"width": 360, "height": 300}
_TICKS = [0, 0.25, 0.5, 0.75, 1]


def lorenz_chart(block: Sequence[Finding]) -> Mapping[str, Any] | None:
    """Return the curve through the shares of the most exposed items; None where there are none."""
    points = _points(block)
    if not points:
        return None
    ends = [{"items": 0.0, "value": 0.0}, {"items": 1.0, "value": 1.0}]
    axis = {"format": "~%", "values": _TICKS, "grid": True}
    scale = {"domain": [0, 1], "nice": False}
    x = {"field": "items", "type": "quantitative", "scale": scale, "axis": axis}
    y = {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}
    quiet = {"color": "currentColor", "opacity": 0.75}
    note = {"type": "text", "align": "left", "fontSize": 12, **quiet}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": ends},
            "mark": {"type": "line", **quiet, "strokeDash": [4, 3], "strokeWidth": 1.5},
            "encoding": {"tooltip": None},
        },
        {"mark": {"type": "line", "color": BLUE, "strokeWidth": 2}, "encoding": {"tooltip": None}},
        {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "rule", "color": BLUE, "strokeWidth": 2},
            "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "circle", "color": BLUE, "size": 70, "opacity": 1},
        },
    ]
    layers += [
        {
            "data": {"values": [{"said": text}]},
            "mark": {**note, "fontWeight": 400 if place else 600},
            "encoding": {
                "x": {"value": 10},
                "y": {"value": 16 + 18 * place},
                "text": {"field": "said", "type": "nominal"},
                "tooltip": None,
            },
        }
        for place, text in enumerate(_said(block))
    ]
    about = "share of exposure of the least exposed items"
    return {
        "$schema": SCHEMA,
        "description": legible(about + (f" in {block[0].slice}" if block[0].slice else "")),
        **_SIDE,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "background": None,
        "data": {"values": [ends[0], *points, ends[1]]},
        "encoding": {
            "x": {**x, "title": "share of the catalogue, least exposed first"},
            "y": {**y, "title": "share of exposure"},
            "tooltip": _TOOLTIP,
        },
        "layer": layers,
        "config": CONFIG,
    }


_PERCENT = {"type": "quantitative", "format": ".1%"}
_TOOLTIP: Sequence[Mapping[str, Any]] = [
    {"field": "items", "title": "of the items", **_PERCENT},
    {"field": "value", "title": "have of the exposure", **_PERCENT},
    {"field": "low", "title": "from", **_PERCENT},
    {"field": "high", "title": "to", **_PERCENT},
]


def _points(block: Sequence[Finding]) -> list[dict[str, float]]:
    """Return points of the curve, from the least exposed item on."""
    points = []
    for one in block:
        part, found = top_of(one), one.outcome
        if part is not None and isinstance(found, Estimate):
            ends = {"low": 1 - found.high, "high": 1 - found.low}
            points.append({"items": 1 - part, "value": 1 - found.value, **ends})
    return sorted(points, key=lambda point: point["items"])


def _said(block: Sequence[Finding]) -> list[str]:
    """Return the Gini index of the curve, and what it would be by chance."""
    for one in block:
        if top_of(one) is None and isinstance(one.outcome, Estimate):
            found = one.outcome
            told = [f"Gini {found.value:.3f} ({found.low:.3f} to {found.high:.3f})"]
            chance = landmark(one, "chance")
            return [*told, *([f"by chance {float(chance):.3f}"] if chance else [])]
    return []


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?=[ :]|$)")


def landmark(one: Finding, topic: str) -> str:
    """Return the number beside which a figure is read; empty where none is told.

    Args:
        one: The finding.
        topic: ``chance`` or ``best attainable``.

    """
    found = _NUMBER.match(one.conventions.get(topic, ""))
    return found[0] if found else ""
