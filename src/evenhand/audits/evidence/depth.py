"""Shares of groups over depth: a panel for each group, with its interval and its target.

All panels span as many points, each around its own figures: a share of 9% and one of 42% are each
far from or near to their target at sight, and distances can be compared from panel to panel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evenhand.audits.evidence.block import depth_of
from evenhand.audits.evidence.legible import cut, legible, visible
from evenhand.audits.evidence.look import BLUE, CONFIG, SCHEMA
from evenhand.audits.finding import Finding
from evenhand.stats.estimate import Estimate

MOST_PANELS = 12
"""Of more groups those furthest from their targets are drawn."""

_SPAN, _AIR = 0.02, 1.15
"""The least that a panel spans, and how much more than its figures."""
_LONGEST = 40
_PANEL = {"width": 148, "height": 116}


def depth_chart(block: Sequence[Finding]) -> Mapping[str, Any] | None:
    """Return the chart of shares at several depths; None where no group has two of them."""
    panels = _panels(block)
    if not panels:
        return None
    half = _AIR * max(_SPAN, *(high - low for low, high in map(_ends, panels.values()))) / 2
    lines = [line for name in panels for line in _lines(panels[name], half)]
    x = {
        "field": "slots",
        "type": "quantitative",
        "title": "slots from 1 to",
        "scale": {"zero": False, "nice": False, "padding": 10},
        "axis": {"values": sorted({line["slots"] for line in lines}), "grid": False},
    }
    y = {"type": "quantitative", "title": None, "scale": {"zero": False, "nice": False}}
    numbers = {"axis": {"tickCount": 4, "format": "~%"}}

    def of(field: str) -> dict[str, Any]:
        return {**y, **numbers, "field": field}

    aim = {"type": "line", "color": "currentColor", "opacity": 0.75, "strokeDash": [4, 3]}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "area", "color": BLUE, "opacity": 0.22},
            "encoding": {"y": of("low"), "y2": {"field": "high"}},
        },
        {"mark": {**aim, "strokeWidth": 1.5}, "encoding": {"y": of("target")}},
        {"mark": {"type": "line", "color": BLUE, "strokeWidth": 2}, "encoding": {"y": of("value")}},
        {
            "mark": {"type": "circle", "color": BLUE, "size": 60, "opacity": 1},
            "encoding": {"y": of("value"), "tooltip": _TOOLTIP},
        },
        # Draws nothing, and gives every panel its span.
        {
            "mark": {"type": "rule", "opacity": 0},
            "encoding": {"y": of("least"), "y2": {"field": "most"}},
        },
    ]
    one = block[0]
    about = f"share of {one.measure.partition('@')[0]} by {', '.join(one.by)} and depth"
    label = {"labelColor": "currentColor", "labelFontSize": 13, "labelFontWeight": 600}
    return {
        "$schema": SCHEMA,
        "description": legible(about + (f" in {one.slice}" if one.slice else "")),
        "background": None,
        "data": {"values": lines},
        "facet": {
            "field": "name",
            "type": "nominal",
            "sort": [*panels],
            "header": {**label, "title": None, "labelAnchor": "start", "labelLimit": 148},
        },
        "columns": 2,
        "spacing": {"row": 14, "column": 18},
        "resolve": {"scale": {"y": "independent"}},
        "spec": {**_PANEL, "encoding": {"x": x}, "layer": layers},
        "config": CONFIG,
    }


_PERCENT = {"type": "quantitative", "format": ".1%"}
_TOOLTIP: Sequence[Mapping[str, Any]] = [
    {"field": "name", "type": "nominal", "title": "group"},
    {"field": "slots", "type": "quantitative", "title": "slots from 1 to"},
    {"field": "value", "title": "share", **_PERCENT},
    {"field": "low", "title": "from", **_PERCENT},
    {"field": "high", "title": "to", **_PERCENT},
    {"field": "target", "title": "target", **_PERCENT},
]


def panels_of(block: Sequence[Finding]) -> int:
    """Return how many groups could have a panel."""
    return len(_shares(block))


def _shares(block: Sequence[Finding]) -> dict[str, list[dict[str, Any]]]:
    """Return the shares of groups that have two at least, each by its depth."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in block:
        for group in one.groups:
            if group.suppressed or not isinstance(group.outcome, Estimate):
                continue
            name = cut(", ".join(map(visible, group.group.values())), _LONGEST)
            shown = group.outcome
            line = {"name": name, "slots": depth_of(one), "value": shown.value}
            line |= {"low": shown.low, "high": shown.high}
            if group.target is not None:
                line["target"] = group.target
            found.setdefault(name, []).append(line)
    return {name: lines for name, lines in found.items() if len({x["slots"] for x in lines}) > 1}


def _panels(block: Sequence[Finding]) -> dict[str, list[dict[str, Any]]]:
    """Return what is drawn, from the largest share to the smallest."""
    found = _shares(block)
    furthest = sorted(found, key=lambda name: -max(map(_apart, found[name])))[:MOST_PANELS]
    return {name: found[name] for name in sorted(furthest, key=lambda n: -found[n][-1]["value"])}


def _apart(line: Mapping[str, Any]) -> float:
    return abs(float(line["value"] - line.get("target", line["value"])))


def _ends(lines: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the lowest and the highest figure of a panel."""
    every = [line[x] for line in lines for x in ("low", "high", "target") if x in line]
    return min(every), max(every)


def _lines(lines: Sequence[Mapping[str, Any]], half: float) -> list[dict[str, Any]]:
    low, high = _ends(lines)
    # A share is between 0 and 1, and so is what is drawn.
    middle = min(max((low + high) / 2, half), max(1 - half, half))
    return [{**line, "least": middle - half, "most": middle + half} for line in lines]
