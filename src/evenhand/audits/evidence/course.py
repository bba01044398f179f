"""The chart of figures against strength, or along a feature: a line for each group, with intervals.

Lines differ in colour, in dashes and in the shape of their points. At one strength they stand a
little beside each other, so that intervals can be told apart; along a feature intervals are bands.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from evenhand.audits.evidence.legible import cut, legible, visible
from evenhand.audits.evidence.look import BLUE, CONFIG, SCHEMA, VERMILLION, WIDTH
from evenhand.audits.evidence.strength import Course, Line
from evenhand.stats.estimate import Estimate

COLOURS = (BLUE, VERMILLION, "#00825F", "#A64D79", "#8A6D00", "currentColor")
"""Okabe and Ito's palette, the light ones darkened to three times the contrast of white paper."""

_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
_DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4], [12, 4])

MOST_LINES = len(COLOURS)
"""Of more groups those are drawn that end highest and lowest."""

_HEIGHT = 250
_LONGEST = 26
_BESIDE = 0.016
"""Between two lines at one strength, as a share of the axis."""


def name_of_course(one: Course) -> str:
    """Return what the picture of a course is called: stable, and safe as the name of a file."""
    how = "against" if one.shape == "strength" else "along"
    words = "-".join([one.measure, *one.by, how, one.axis])
    slug = re.sub(r"[^a-z0-9_]+", "-", words.lower()).strip("-")[:60]
    whole = json.dumps([one.measure, one.what, one.axis, one.by, one.where])
    return f"{slug}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def drawn_of(one: Course) -> list[str]:
    """Return the groups that are drawn: those compared with two figures at least, of many the ends.

    Ends are where they are at the largest strength at which they have a figure.
    """
    found = {name: points for name in one.names if len(points := _figures(one, name)) > 1}
    if len(found) <= MOST_LINES:
        return [*found]
    last = [one.alone] if one.alone in found else []
    rest = [name for name in found if name not in last]
    ordered = sorted(rest, key=lambda name: -found[name][-1][1].value)
    most = MOST_LINES - len(last)
    return [*ordered[: most - most // 2], *ordered[-(most // 2) :], *last]


def _figures(one: Course, name: str) -> list[tuple[float, Estimate, str, Line]]:
    """Return the figures of a group: strength, estimate, the strength as written, its line."""
    return [
        (point.strength, line.outcome, point.written, line)
        for point in one.points
        for line in point.lines
        if line.name == name
        and isinstance(line.outcome, Estimate)
        and line.compared
        and not line.suppressed
    ]


def course_chart(one: Course) -> Mapping[str, Any] | None:
    """Return the chart of a course; None where no group has two figures."""
    names = drawn_of(one)
    if not names:
        return None
    shown = _labels(names)
    strengths = [point.strength for point in one.points]
    bounded = any(found.identified for name in names for _, found, *_ in _figures(one, name))
    along = one.shape != "strength"
    beside = 0.0 if along else _BESIDE * (1 + bounded) * (strengths[-1] - strengths[0])
    lines = [
        {
            "name": shown[name],
            "at": strength + beside * (place - (len(names) - 1) / 2),
            "strength": written,
            "low": found.low,
            "high": found.high,
            "units": line.units,
            **({"piece": line.piece} if along else {}),
            **_figure(found),
        }
        for place, name in enumerate(names)
        for strength, found, written, line in _figures(one, name)
    ]
    y = {
        "type": "quantitative",
        "title": legible(one.measure.replace("_", " ")),
        "scale": {"zero": False, "nice": True},
        "axis": {"tickCount": 5, "format": "~%" if one.is_rate else ",~r"},
    }
    legend = _LEGEND if one.by else None
    own = len(names) - 1 if one.by and one.alone == names[-1] else len(names)
    colour = {"color": {**_scale(shown, COLOURS, own), "legend": legend}}
    shape = {**_scale(shown, _SHAPES, own), "legend": legend}
    dashes = {**_scale(shown, _DASHES, own), "legend": legend}
    pieces = {"detail": {"field": "piece", "type": "nominal"}} if along else {}
    known = {"transform": [{"filter": "isValid(datum.value)"}]}
    about = f"{one.measure} {one.title}"
    if len(names) < len(one.names):
        about += f"; {len(names)} of {len(one.names):,} groups"
    return {
        "$schema": SCHEMA,
        "description": legible(about),
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": _HEIGHT,
        "background": None,
        "data": {"values": lines},
        "encoding": {"x": _along(one) if along else _x(one), "y": {**y, "field": "value"}},
        "layer": [
            {
                "mark": _BAND if along else _RULE,
                "encoding": {
                    "y": {**y, "field": "low"},
                    "y2": {"field": "high"},
                    **colour,
                    **pieces,
                },
            },
            *(_sets(y, colour, shape) if bounded else []),
            {
                **known,
                "mark": {
                    "type": "line",
                    "strokeWidth": 2,
                    "interpolate": "step-after" if one.in_steps else "linear",
                },
                "encoding": {**colour, "strokeDash": dashes, **pieces},
            },
            {
                **known,
                "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1},
                "encoding": {**colour, "shape": shape, "tooltip": _tooltip(one)},
            },
        ],
        "config": CONFIG,
    }


def _sets(
    y: Mapping[str, Any], colour: Mapping[str, Any], shape: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the layers of sets that figures lie in: thick, with the group's shape at both ends."""
    known: dict[str, Any] = {"transform": [{"filter": "isValid(datum.from)"}]}
    thick = {"type": "rule", "strokeWidth": 8, "opacity": 0.45}
    point = {"type": "point", "filled": True, "size": 75, "opacity": 1}
    ends = [
        {**known, "mark": point, "encoding": {"y": {**y, "field": end}, **colour, "shape": shape}}
        for end in ("from", "to")
    ]
    middle = {"y": {**y, "field": "from"}, "y2": {"field": "to"}, **colour}
    return [{**known, "mark": thick, "encoding": middle}, *ends]


def _figure(found: Estimate) -> dict[str, float]:
    """Return a figure, or the set that it is known to lie in."""
    if found.identified is None:
        return {"value": found.value}
    return {"from": found.identified[0], "to": found.identified[1]}


def _labels(names: Sequence[str]) -> dict[str, str]:
    """Return groups as they are written, all different."""
    found: dict[str, str] = {}
    for name in names:
        text = base = cut(visible(name), _LONGEST)
        count = 1
        while text in found.values():
            count += 1
            text = f"{base} ({count})"
        found[name] = text
    return found


def _scale(shown: Mapping[str, str], values: Sequence[Any], own: int) -> dict[str, Any]:
    """Return the looks of lines; what is no group's own, all together, has the last of them."""
    names = [*shown.values()]
    looks = [*values[:own], *([values[-1]] if own < len(names) else [])]
    return {
        "field": "name",
        "type": "nominal",
        "title": None,
        "scale": {"domain": names, "range": looks},
    }


# Legends of one field are merged; without an outline their symbols are shapes, not dashes.
_LEGEND = {
    "orient": "top",
    "direction": "horizontal",
    "columns": 3,
    "labelColor": "currentColor",
    "labelFontSize": 13,
    "labelLimit": 150,
    "symbolSize": 90,
    "symbolOpacity": 1,
    "symbolStrokeWidth": 0,
    "columnPadding": 18,
}


_RULE = {"type": "rule", "strokeWidth": 2, "strokeCap": "round", "opacity": 0.75}
_BAND = {"type": "area", "opacity": 0.18, "interpolate": "linear"}


def _along(one: Course) -> dict[str, Any]:
    """Return the axis of a feature, whose points may lie too close to be written each."""
    return {
        "field": "at",
        "type": "quantitative",
        "title": legible(one.axis),
        "scale": {"zero": False, "nice": False, "padding": 14},
        "axis": {"tickCount": 6, "format": ",~r", "grid": False},
    }


def _x(one: Course) -> dict[str, Any]:
    labels = [(point.strength, point.written) for point in one.points]
    # Written as their author wrote them, and not as decimals of a fraction.
    said = "".join(f"datum.value === {value!r} ? '{text}' : " for value, text in labels)
    return {
        "field": "at",
        "type": "quantitative",
        "title": legible(one.axis),
        "scale": {"zero": False, "nice": False, "padding": 14},
        "axis": {
            "values": [value for value, _ in labels],
            "labelExpr": f"{said}format(datum.value, '~g')",
            "grid": False,
        },
    }


def _tooltip(one: Course) -> list[dict[str, Any]]:
    shown = {"format": ".1%" if one.is_rate else ".4~g", "type": "quantitative"}
    return [
        {"field": "name", "type": "nominal", "title": ", ".join(one.by) or "rows"},
        {"field": "strength", "type": "nominal", "title": legible(one.axis)},
        {"field": "value", "title": "value", **shown},
        {"field": "low", "title": "from", **shown},
        {"field": "high", "title": "to", **shown},
        {"field": "units", "title": "units", "format": ",", "type": "quantitative"},
    ]
