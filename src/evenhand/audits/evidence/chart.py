"""Charts as Vega-Lite specifications: data that can be compared, tested and drawn anywhere.

A chart is made of findings alone: aggregates, and no value of a group that is suppressed. Text and
axes take the colour of the page, so that one picture serves light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evenhand.audits.evidence.block import has_target, is_of_items, name_of, shape_of, together
from evenhand.audits.evidence.course import course_chart, name_of_course
from evenhand.audits.evidence.curve import curves_of
from evenhand.audits.evidence.depth import depth_chart
from evenhand.audits.evidence.legible import cut, legible, visible
from evenhand.audits.evidence.look import BLUE, CONFIG, SCHEMA, WIDTH
from evenhand.audits.evidence.lorenz import lorenz_chart
from evenhand.audits.evidence.probed import ProbeRecord
from evenhand.audits.evidence.profile import name_of_profile, profile_chart, profiles_of
from evenhand.audits.evidence.strength import courses_of
from evenhand.audits.finding import Finding, GroupFinding
from evenhand.stats.estimate import Estimate, Outcome

MOST = 40
"""Lines of a chart; of more groups it shows the ends, which are what a contrast is about."""

_LONGEST = 80
_LINE = 26


def charts_of(
    findings: Iterable[Finding],
    variant: str = "",
    *,
    apart: bool = True,
    probes: Sequence[ProbeRecord] = (),
) -> dict[str, Mapping[str, Any]]:
    """Return the charts of findings by the name of their file, such as ``charts/x.vl.json``.

    Args:
        findings: The findings.
        variant: The column that tells variants apart; empty for rows without.
        apart: Whether no unit is in two bins of a curve.
        probes: What made the rows, which says what score is explained.

    """
    findings = [*findings]
    found: dict[str, Mapping[str, Any]] = {}
    curves = curves_of(findings, variant, apart=apart)
    told = {about for one in curves for about in one.told}
    for block in together(findings):
        if {(one.key, one.slice) for one in block} <= told:
            continue
        for name, spec in charts(block).items():
            found.setdefault(f"charts/{name}.vl.json", spec)
    for course in [*courses_of(findings, variant), *(one.course for one in curves)]:
        drawn = course_chart(course)
        if drawn is not None:
            found.setdefault(f"charts/{name_of_course(course)}.vl.json", drawn)
    for profile in profiles_of(findings, variant, probes):
        drawn = profile_chart(profile)
        if drawn is not None:
            found.setdefault(f"charts/{name_of_profile(profile)}.vl.json", drawn)
    return found


def charts(block: Sequence[Finding]) -> dict[str, Mapping[str, Any]]:
    """Return the charts of a block by name, the most telling first."""
    drawn: dict[str, Mapping[str, Any] | None]
    match shape_of(block):
        case "depths":
            drawn = {f"{name_of(block)}-by-depth": depth_chart(block)}
            drawn |= {name_of([one]): chart([one]) for one in block}
        case "curve":
            drawn = {f"{name_of(block)}-lorenz": lorenz_chart(block)}
        case _:
            drawn = {name_of(block): chart(block)}
    return {name: spec for name, spec in drawn.items() if spec is not None}


def chart(block: Sequence[Finding]) -> Mapping[str, Any] | None:
    """Return the dot-and-interval chart of a block; None where nothing in it has a figure."""
    family = bool(block[0].pair)
    lines = [_pair(one) for one in block] if family else [_group(one) for one in block[0].groups]
    # Whoever is compared comes first, from the largest to the smallest.
    lines.sort(key=lambda line: (line["note"] != "", "apart" in line, -_middle(line)))
    if not any("low" in line for line in lines):
        return None
    left = len(lines) - MOST
    if left > 0:
        lines = [*lines[: MOST // 2], *lines[len(lines) - MOST // 2 :]]
    _tell_apart(lines)
    what = f"{'share of ' if has_target(block[0]) else ''}{block[0].measure}"
    over = "of" if is_of_items(block[0]) else "by"
    about = block[0].key if family else f"{what} {over} {', '.join(block[0].by)}"
    if block[0].slice:
        about += f" in {block[0].slice}"
    if left > 0:
        about += f"; the {MOST // 2} at either end of {left + MOST:,}"
    return {
        "$schema": SCHEMA,
        "description": legible(about),
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": len(lines) * _LINE,
        "background": None,
        "data": {"values": lines},
        "encoding": {"y": _y(lines), "tooltip": _tooltip(block[0])},
        "layer": _layers(block[0], lines, family=family),
        "config": CONFIG,
    }


def _pair(one: Finding) -> dict[str, Any]:
    name = " \N{MINUS SIGN} ".join(_named(group) for group in one.pair)
    name = " \N{MIDDLE DOT} ".join(filter(None, (name, one.part)))
    line = _line(name, one.outcome)
    return line if line["note"] else {**line, "units": one.units}


def _group(one: GroupFinding) -> dict[str, Any]:
    name = _named(one.group)
    if one.suppressed:
        return {"name": cut(name, _LONGEST), "note": "suppressed"}
    line = _line(name, one.outcome)
    line["units"] = one.units
    if one.target is not None:
        line["target"] = one.target
    if not one.compared:
        line["apart"] = True
    return line


def _named(group: Mapping[str, str]) -> str:
    return ", ".join(map(visible, group.values()))


def _line(name: str, outcome: Outcome) -> dict[str, Any]:
    name = cut(name, _LONGEST)
    if not isinstance(outcome, Estimate):
        return {"name": name, "note": "undefined"}
    line = {"name": name, "note": "", "low": outcome.low, "high": outcome.high}
    if outcome.identified is None:
        return {**line, "value": outcome.value}
    return {**line, "from": outcome.identified[0], "to": outcome.identified[1]}


def _middle(line: Mapping[str, Any]) -> float:
    if "value" in line:
        return float(line["value"])
    return float(line.get("low", 0.0) + line.get("high", 0.0)) / 2


def _tell_apart(lines: Sequence[dict[str, Any]]) -> None:
    """Number lines of one name, since a name is a place on the axis."""
    seen: dict[str, int] = {}
    for line in lines:
        name = line["name"]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            line["name"] = f"{name} ({seen[name]})"


def _y(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "field": "name",
        "type": "nominal",
        "title": None,
        "scale": {"domain": [line["name"] for line in lines]},
        "axis": {"labelLimit": 165},
    }


def _layers(
    one: Finding, lines: Sequence[Mapping[str, Any]], *, family: bool
) -> list[dict[str, Any]]:
    percent = "format(100 * datum.value, '~g')" if family else "format(datum.value, '~%')"
    numbers = {"labelExpr": percent} if one.is_rate else {"format": ",~r"}
    x = {
        "field": "low",
        "type": "quantitative",
        "title": _title(one, family=family),
        "scale": {"zero": False, "nice": True},
        "axis": {"tickCount": 5, **numbers},
    }
    shape = {"condition": {"test": "datum.apart", "value": "transparent"}, "value": BLUE}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "strokeWidth": 2, "color": BLUE, "strokeCap": "round"},
            "encoding": {"x": x, "x2": {"field": "high"}},
        },
        {
            "transform": [{"filter": "isValid(datum.from)"}],
            "mark": {"type": "rule", "strokeWidth": 9, "color": BLUE, "opacity": 0.6},
            "encoding": {"x": {**x, "field": "from"}, "x2": {"field": "to"}},
        },
        {
            "transform": [{"filter": "isValid(datum.value)"}],
            "mark": {"type": "circle", "size": 90, "opacity": 1, "stroke": BLUE},
            "encoding": {"x": {**x, "field": "value"}, "fill": shape},
        },
        {
            "transform": [{"filter": "datum.note"}],
            "mark": {
                "type": "text",
                "align": "left",
                "fontStyle": "italic",
                "fontSize": 12,
                "color": "currentColor",
                "opacity": 0.75,
            },
            "encoding": {"x": {"value": 6}, "text": {"field": "note"}, "tooltip": None},
        },
    ]
    aims = [layer for layer in (_aims(x),) if any("target" in line for line in lines)]
    if not any("from" in line for line in lines):
        del layers[1]
    if not any(line["note"] for line in lines):
        del layers[-1]
    if family:
        parity = {
            "data": {"values": [{"parity": 0}]},
            "mark": {
                "type": "rule",
                "color": "currentColor",
                "opacity": 0.6,
                "strokeDash": [4, 3],
            },
            "encoding": {"x": {**x, "field": "parity"}, "y": None, "tooltip": None},
        }
        layers.insert(0, parity)
    return [*aims, *layers]


def _aims(x: Mapping[str, Any]) -> dict[str, Any]:
    """Return ticks at what the groups should have."""
    tick = {"type": "tick", "color": "currentColor", "opacity": 0.8, "thickness": 2, "size": 20}
    return {
        "transform": [{"filter": "isValid(datum.target)"}],
        "mark": tick,
        "encoding": {"x": {**x, "field": "target"}},
    }


def _title(one: Finding, *, family: bool) -> str:
    name = legible(one.measure.replace("_", " "))
    if not family:
        return f"share of {name}" if has_target(one) else name
    return f"difference of {name}" + (", percentage points" if one.is_rate else "")


def _tooltip(one: Finding) -> list[dict[str, Any]]:
    shown = {"format": ".1%" if one.is_rate else ".4~g", "type": "quantitative"}
    return [
        {"field": "name", "title": "group"},
        {"field": "value", "title": "value", **shown},
        {"field": "low", "title": "from", **shown},
        {"field": "high", "title": "to", **shown},
        *([{"field": "target", "title": "target", **shown}] if has_target(one) else []),
        {"field": "units", "title": "units", "format": ",", "type": "quantitative"},
    ]
