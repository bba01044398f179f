"""Figures of variants side by side: explanations of one model, or features of its inputs.

What one measure says of each variant stands in one picture. Where it is what features add to a
difference of two groups, the figures add up, and the picture is a waterfall. Variants that differ
by strength stand on a course instead.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evenhand.audits.evidence.block import term_of
from evenhand.audits.evidence.legible import cut, legible, visible
from evenhand.audits.evidence.look import BLUE, CONFIG, SCHEMA, VERMILLION, WIDTH
from evenhand.audits.evidence.strength import on_curve, strength_of, variant_in
from evenhand.audits.finding import Finding
from evenhand.stats.estimate import Estimate, Outcome

MOST = 24
"""Lines of a picture; of more variants those farthest from 0."""

_PARTS = "mean_attribution"
"""The measure whose differences over groups add up over features."""

_MINUS = "\N{MINUS SIGN}"
_LONGEST = 60
_LINE = 26
_WIDE = 25
"""Characters of a name that have room beside a picture."""

_OF_TWO = " and "
"""What stands between the two names of a variant that compares two."""


@dataclass(frozen=True)
class Line:
    """The figure of a variant.

    Attributes:
        name: The variant.
        outcome: What is known of it.

    """

    name: str
    outcome: Outcome


@dataclass(frozen=True)
class Profile:
    """What a measure says of each variant.

    Attributes:
        measure: Its notation.
        by: The attributes that groups are made of; empty for all together.
        pair: The two groups of a signed difference, in order; empty for all together.
        where: What else the rows were chosen by; empty for nothing.
        lines: At least two, in the order of the findings.

    """

    measure: str
    by: tuple[str, ...]
    pair: tuple[str, ...]
    where: str
    lines: tuple[Line, ...]

    @property
    def adds_up(self) -> bool:
        """Whether the figures are parts of one difference."""
        return bool(self.pair) and term_of(self.measure).name == _PARTS

    @property
    def title(self) -> str:
        """What is told, and of whom."""
        who = f"by {', '.join(self.by)}: {f' {_MINUS} '.join(self.pair)}" if self.pair else ""
        told = f"{who}, part by part" if self.adds_up else f"side by side{who and ', '}{who}"
        return f"{told}{f' in {self.where}' if self.where else ''}"

    @property
    def ordered(self) -> list[tuple[str, Estimate]]:
        """Return the figures that are known, the farthest from 0 first."""
        known = [
            (one.name, one.outcome)
            for one in self.lines
            if isinstance(one.outcome, Estimate) and one.outcome.identified is None
        ]
        return sorted(known, key=lambda one: -abs(one[1].value))


def profiles_of(findings: Iterable[Finding], variant: str) -> list[Profile]:
    """Return the profiles that findings are lines of, in the order in which they come.

    Args:
        findings: The findings.
        variant: The column that tells variants apart; empty for rows without, which have none.

    """
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...], str], dict[str, Line]] = {}
    for one in findings if variant else ():
        if (one.by and not one.pair) or one.given or one.part or on_curve(one):
            continue
        name, where = variant_in(one.slice, variant)
        if name and not strength_of(name)[1]:
            pair = tuple(", ".join(map(visible, group.values())) for group in one.pair)
            place = found.setdefault((one.measure, one.by, pair, where), {})
            place.setdefault(name, Line(name, one.outcome))
    return [
        Profile(measure, by, pair, where, tuple(lines.values()))
        for (measure, by, pair, where), lines in found.items()
        if len(lines) > 1
    ]


def name_of_profile(one: Profile) -> str:
    """Return what the picture of a profile is called: stable, and safe as the name of a file."""
    words = " ".join([one.measure, *one.by, *one.pair])
    slug = re.sub(r"[^a-z0-9_]+", "-", words.lower()).strip("-")
    whole = json.dumps([one.measure, one.by, one.pair, one.where])
    return f"{slug[:60]}-profile-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def profile_chart(one: Profile) -> Mapping[str, Any] | None:
    """Return the chart of a profile; None where fewer than two figures are known."""
    known = one.ordered
    if len(known) < 2:  # noqa: PLR2004 - one figure is no profile
        return None
    whole = len(known) == len(one.lines)
    lines = _falling(known, whole=whole) if one.adds_up else _standing(known)
    named = "feature" if one.adds_up else "name"
    x = {
        "field": "value",
        "type": "quantitative",
        "title": legible(one.measure.replace("_", " ")),
        "scale": {"zero": True, "nice": True},
        "axis": {"tickCount": 5, "format": ",~r"},
    }
    axis: dict[str, Any] = {"labelLimit": 190}
    y = {
        "field": named,
        "type": "nominal",
        "title": None,
        "scale": {"domain": [line[named] for line in lines]},
        "axis": axis,
    }
    tall = _LINE
    if any(len(line[named]) > _WIDE and _OF_TWO in line[named] for line in lines):
        # One name under the other: cut on one line, pairs would be told apart by their first alone.
        axis |= {"labelExpr": _two_lines()}
        tall += _LINE // 2
    return {
        "$schema": SCHEMA,
        "description": legible(f"{one.measure} {one.title}"),
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": len(lines) * tall,
        "background": None,
        "data": {"values": lines},
        "encoding": {"y": y, "tooltip": _tooltip(named, "part" if one.adds_up else "value")},
        "layer": [_zero(x), *(_bars(x) if one.adds_up else _dots(x))],
        "config": CONFIG,
    }


def _two_lines() -> str:
    """Return the expression of Vega that writes the second of two wide names below the first.

    Each is cut in its middle: parameters, at the end, are often all that tells two apart.
    """
    label, at = "datum.label", f"indexof(datum.label, '{_OF_TWO}')"
    first = f"truncate(slice({label}, 0, {at}), {_WIDE}, 'center')"
    second = f"truncate(slice({label}, {at} + {len(_OF_TWO)}), {_WIDE - 4}, 'center')"
    broken = f"[{first}, '{_OF_TWO.lstrip()}' + {second}]"
    return f"length({label}) > {_WIDE} && {at} > 0 ? {broken} : {label}"


def _standing(known: list[tuple[str, Estimate]]) -> list[dict[str, Any]]:
    shown = sorted(known[:MOST], key=lambda one: -one[1].value)
    return [
        {
            "name": cut(name, 2 * _LONGEST),
            "note": "",
            "value": found.value,
            "low": found.low,
            "high": found.high,
        }
        for name, found in shown
    ]


def _falling(known: list[tuple[str, Estimate]], *, whole: bool) -> list[dict[str, Any]]:
    """Return each part from where the last one ended, then their sum if these are all."""
    lines, end = [], 0.0
    for name, found in known[:MOST]:
        start, end = end, end + found.value
        lines.append(
            {
                "feature": cut(name, _LONGEST),
                "part": found.value,
                "start": start,
                "value": end,
                "low": start + found.low,
                "high": start + found.high,
                "kind": "more" if found.value > 0 else "less",
            }
        )
    rest = sum(found.value for _, found in known[MOST:])
    if known[MOST:]:
        name, kind = f"{len(known) - MOST:,} others", "more" if rest > 0 else "less"
        lines.append(
            {"feature": name, "part": rest, "start": end, "value": end + rest, "kind": kind}
        )
    if not whole:
        return lines
    total = end + rest
    return [*lines, {"feature": "sum", "part": total, "start": 0.0, "value": total, "kind": "sum"}]


def _zero(x: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "data": {"values": [{"zero": 0}]},
        "mark": {"type": "rule", "color": "currentColor", "opacity": 0.6, "strokeDash": [4, 3]},
        "encoding": {"x": {**x, "field": "zero"}, "y": None, "tooltip": None},
    }


def _interval(x: Mapping[str, Any], colour: str) -> dict[str, Any]:
    return {
        "transform": [{"filter": "isValid(datum.low)"}],
        "mark": {"type": "rule", "strokeWidth": 2, "color": colour, "strokeCap": "round"},
        "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
    }


def _dots(x: Mapping[str, Any]) -> list[dict[str, Any]]:
    mark = {"type": "circle", "size": 90, "opacity": 1, "color": BLUE}
    return [_interval(x, BLUE), {"mark": mark, "encoding": {"x": x}}]


def _bars(x: Mapping[str, Any]) -> list[dict[str, Any]]:
    colours = {
        "field": "kind",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["more", "less", "sum"], "range": [VERMILLION, BLUE, "#767676"]},
    }
    bar = {
        "mark": {"type": "bar", "height": {"band": 0.6}},
        "encoding": {"x": {**x, "field": "start"}, "x2": {"field": "value"}, "color": colours},
    }
    return [bar, _interval(x, "currentColor")]


def _tooltip(named: str, figure: str) -> list[dict[str, Any]]:
    shown = {"format": ".4~g", "type": "quantitative"}
    return [
        {"field": named, "type": "nominal", "title": "variant" if named == "name" else named},
        {"field": figure, "title": figure, **shown},
    ]
