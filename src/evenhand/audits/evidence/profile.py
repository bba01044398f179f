"""Figures of variants side by side: explanations of one model, or features of its inputs.

What one measure says of each variant stands in one picture. Where it is what features add to a
difference of two groups, the figures add up, and the picture is a waterfall, which ends at the
difference of the mean scores where that is known. Variants that differ by strength stand on a
course instead.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from evenhand.audits.evidence.explained import score_words
from evenhand.audits.evidence.legible import cut, legible, visible
from evenhand.audits.evidence.look import BLUE, CONFIG, SCHEMA, VERMILLION, WIDTH
from evenhand.audits.evidence.probed import ProbeRecord
from evenhand.audits.evidence.strength import on_curve, strength_of, variant_in
from evenhand.audits.finding import Finding
from evenhand.measures.attributions.part import is_zero
from evenhand.measures.registry import measure_in
from evenhand.stats.estimate import Estimate, Outcome

MOST = 24
"""Lines of a picture; of more variants those farthest from 0."""

_OF_SCORE = "attribution"
"""The role that holds parts of the score: measures of it are in units of the score."""

_EXACT = 1e-6
"""How far parts and their sum may be apart, relative to the parts: explanations are held to it."""

_MINUS = "\N{MINUS SIGN}"
_LONGEST = 60
_AXIS = 100
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


class Known(NamedTuple):
    """A figure that can be drawn; without limits where it is 0 in every row."""

    name: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Profile:
    """What a measure says of each variant.

    Attributes:
        measure: Its notation.
        by: The attributes that groups are made of; empty for all together.
        pair: The two groups of a signed difference, in order; empty for all together.
        where: What else the rows were chosen by; empty for nothing.
        lines: At least two, in the order of the findings.
        whole: What parts add up to, where it is audited: the difference of the mean scores.
        score: The score that is explained, in words; empty where nobody says it.

    """

    measure: str
    by: tuple[str, ...]
    pair: tuple[str, ...]
    where: str
    lines: tuple[Line, ...]
    whole: Estimate | None = None
    score: str = ""

    @property
    def adds_up(self) -> bool:
        """Whether the figures are parts of one difference."""
        return bool(self.pair) and self.of_parts

    @property
    def of_parts(self) -> bool:
        """Whether the measure is of parts, whose differences of two groups add up."""
        return bool(_whole_of(self.measure))

    @property
    def title(self) -> str:
        """What is told, and of whom."""
        who = f"by {', '.join(self.by)}: {f' {_MINUS} '.join(self.pair)}" if self.pair else ""
        told = f"{who}, part by part" if self.adds_up else f"side by side{who and ', '}{who}"
        return f"{told}{f' in {self.where}' if self.where else ''}"

    @property
    def axis(self) -> str:
        """What is read on the axis, with its unit where that is known."""
        if self.adds_up:
            means = f"means of {self.score}" if self.score else "mean scores"
            return f"difference of {means}: {f' {_MINUS} '.join(self.pair)}"
        measure = measure_in(self.measure)
        of_score = self.score and measure is not None and _OF_SCORE in measure.needs
        return f"{self.measure.replace('_', ' ')}{f' to {self.score}' if of_score else ''}"

    @property
    def ordered(self) -> list[Known]:
        """Return the figures that are known, the farthest from 0 first; last what is always 0."""
        known = []
        for one in self.lines:
            if is_zero(one.outcome):
                known.append(Known(one.name, 0.0, None, None))
            elif isinstance(one.outcome, Estimate) and one.outcome.identified is None:
                found = one.outcome
                known.append(Known(one.name, found.value, found.low, found.high))
        return sorted(known, key=lambda one: -abs(one.value))

    @property
    def total(self) -> Known | None:
        """Return what the parts add up to; None where one is unknown and the gap is not audited."""
        if self.whole is not None:
            return Known(GAP, self.whole.value, self.whole.low, self.whole.high)
        known = self.ordered
        if len(known) < len(self.lines):
            return None
        return Known("sum", sum(one.value for one in known), None, None)

    @property
    def rest(self) -> float:
        """Return what the gap has beyond the parts that are known: of those that are not."""
        known = [one.value for one in self.ordered]
        if self.whole is None:
            return 0.0
        left = self.whole.value - sum(known)
        return left if abs(left) > _EXACT * math.fsum(map(abs, known)) else 0.0


GAP = "gap of mean scores"
"""What the last line of a waterfall is called where it is a figure of its own."""

REST = "not shown here"
"""What the line is called that is left between the parts that are known and the gap."""


def profiles_of(
    findings: Iterable[Finding], variant: str, probes: Sequence[ProbeRecord] = ()
) -> list[Profile]:
    """Return the profiles that findings are lines of, in the order in which they come.

    Args:
        findings: The findings.
        variant: The column that tells variants apart; empty for rows without, which have none.
        probes: What made the rows, which says what score is explained.

    """
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...], str], dict[str, Line]] = {}
    wholes: dict[tuple[str, tuple[str, ...], tuple[str, ...], str], Estimate] = {}
    for one in findings if variant else ():
        if (one.by and not one.pair) or one.given or one.part or on_curve(one):
            continue
        name, where = variant_in(one.slice, variant)
        pair = tuple(", ".join(map(visible, group.values())) for group in one.pair)
        measure = measure_in(one.measure)
        if measure is not None and measure.variants == "same":
            if isinstance(one.outcome, Estimate) and one.outcome.identified is None:
                where = where if name else one.slice or ""
                wholes.setdefault((one.measure, one.by, pair, where), one.outcome)
        elif name and not strength_of(name)[1]:
            place = found.setdefault((one.measure, one.by, pair, where), {})
            place.setdefault(name, Line(name, one.outcome))
    return [
        Profile(
            measure,
            by,
            pair,
            where,
            tuple(lines.values()),
            wholes.get((_whole_of(measure), by, pair, where)),
            score_words(probes, lines),
        )
        for (measure, by, pair, where), lines in found.items()
        if len(lines) > 1
    ]


def _whole_of(measure: str) -> str:
    """Return the measure of what the parts that a measure tells add up to; empty for none."""
    found = measure_in(measure)
    return "" if found is None else found.adds_up_to


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
    lines = _falling(one, known) if one.adds_up else _standing(known)
    named = "feature" if one.adds_up else "name"
    x = {
        "field": "value",
        "type": "quantitative",
        "title": cut(legible(one.axis), _AXIS),
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


def _standing(known: Sequence[Known]) -> list[dict[str, Any]]:
    shown = sorted(known[:MOST], key=lambda one: -one.value)
    return [
        {"name": cut(one.name, 2 * _LONGEST), "note": "", "value": one.value, **_limits(one)}
        for one in shown
    ]


def _limits(one: Known, start: float = 0.0) -> dict[str, float]:
    if one.low is None or one.high is None:
        return {}
    return {"low": start + one.low, "high": start + one.high}


def _falling(profile: Profile, known: Sequence[Known]) -> list[dict[str, Any]]:
    """Return each part from where the last one ended, then what they add up to, where known."""
    lines, end = [], 0.0

    def put(name: str, part: float, limits: Mapping[str, float]) -> None:
        nonlocal end
        kind = "more" if part > 0 else "less"
        line = {"feature": name, "part": part, "start": end, "value": end + part, "kind": kind}
        lines.append({**line, **limits})
        end += part

    for one in known[:MOST]:
        put(cut(one.name, _LONGEST), one.value, _limits(one, end))
    if known[MOST:]:
        put(f"{len(known) - MOST:,} others", sum(one.value for one in known[MOST:]), {})
    if profile.rest:
        put(REST, profile.rest, {})
    total = profile.total
    if total is None:
        return lines
    whole = {"feature": total.name, "part": total.value, "start": 0.0, "value": total.value}
    return [*lines, {**whole, **_limits(total), "kind": "sum"}]


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
