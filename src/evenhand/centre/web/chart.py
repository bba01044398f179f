"""Pictures of what pages show over time: places in a drawing, which a template writes as SVG."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evenhand.audits.evidence.legible import cut
from evenhand.centre.store.findings import Point
from evenhand.centre.store.history import AuditLine
from evenhand.render.wording import number

_LEFT, _RIGHT, _TOP, _TALL = 64, 16, 14, 190
_STEP_MOST, _WIDE = 120, 720
_LABELS = 9
"""How many versions are named below a line; of more, some."""

_TICKS = 4
_MARK = 14


@dataclass(frozen=True, slots=True)
class Dot:
    """A figure in one audit: its place, its interval, and what it stands for.

    Attributes:
        x: From the left.
        y: From above; None where there is no figure.
        low: Where its interval begins, below; None where there is none.
        high: Where it ends.
        verdict: What the rules about it said; None where there is none.
        label: The version, where it is named below the line; empty otherwise.
        told: What it is, in words.
        address: The finding.

    """

    x: float
    y: float | None
    low: float | None
    high: float | None
    verdict: str | None
    label: str
    told: str
    bundle: str
    position: int


@dataclass(frozen=True, slots=True)
class Line:
    """A figure over time.

    Attributes:
        ticks: Numbers on the left, and where they stand.
        limit: Where the limit of its rule stands; None where there is none.
        path: The line through all figures.

    """

    width: int
    height: int
    bottom: float
    dots: tuple[Dot, ...]
    ticks: tuple[tuple[float, str], ...]
    limit: float | None
    path: str


def line_of(points: Sequence[Point], limit: float | None = None) -> Line | None:
    """Return a figure over time as it is drawn; None where there is no figure at all."""
    ends = [
        end
        for point in points
        for end in (point.finding.low, point.finding.high, point.finding.value)
        if end is not None and math.isfinite(end)
    ]
    if not ends:
        return None
    ends += [] if limit is None else [limit]
    bottom, top, ticks = _scale(min(ends), max(ends))
    step = min(_STEP_MOST, (_WIDE - _LEFT - _RIGHT) / max(1, len(points)))

    def down(value: float | None) -> float | None:
        if value is None:
            return None
        inside = min(max(value, bottom), top)
        return round(_TOP + _TALL * (top - inside) / (top - bottom), 1)

    named = max(1, math.ceil(len(points) / _LABELS))
    dots = tuple(
        Dot(
            x=round(_LEFT + step * (place + 0.5), 1),
            y=down(point.finding.value),
            low=down(point.finding.low),
            high=down(point.finding.high),
            verdict=point.finding.verdict,
            label=cut(point.version, 12) if (len(points) - 1 - place) % named == 0 else "",
            told=_told(point),
            bundle=point.bundle,
            position=point.finding.position,
        )
        for place, point in enumerate(points)
    )
    known = [f"{dot.x:g} {dot.y:g}" for dot in dots if dot.y is not None]
    return Line(
        width=_WIDE,
        height=_TOP + _TALL + 3 * _MARK + 22,
        bottom=_TOP + _TALL,
        dots=dots,
        ticks=tuple((y, f"{tick:,g}") for tick in ticks if (y := down(tick)) is not None),
        limit=down(limit),
        path=f"M{'L'.join(known)}" if len(known) > 1 else "",
    )


def _told(point: Point) -> str:
    found = point.finding
    when = f"{point.version}, {point.audited:%Y-%m-%d}"
    if found.undefined is not None:
        return f"{when}: undefined"
    value = "a set" if found.value is None else number(found.value)
    if found.low is None or found.high is None:
        return f"{when}: {value}"
    return f"{when}: {value} [{number(found.low)}, {number(found.high)}]"


def _scale(low: float, high: float) -> tuple[float, float, list[float]]:
    """Return where an axis begins and ends, and its ticks: round numbers.

    >>> _scale(0.02, 0.13)[2]
    [0.0, 0.05, 0.1, 0.15]
    """
    span = high - low or abs(high) or 1.0
    rough = span / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    if first == last:
        last += 1
    ticks = [round(step * one, 12) for one in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


@dataclass(frozen=True, slots=True)
class Mark:
    """The verdict of an audit, at its day."""

    x: float
    y: float
    state: str
    told: str
    bundle: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The verdicts of audits by day, a line for each model.

    Attributes:
        lines: The models, and how far down their line is.
        days: Days below, and where they stand.

    """

    width: int
    height: int
    left: int
    lines: tuple[tuple[float, str], ...]
    days: tuple[tuple[float, str], ...]
    marks: tuple[Mark, ...]


_ROW = 30
_NAMES = 150


def strip_of(lines: Iterable[AuditLine], now: dt.datetime) -> Strip | None:
    """Return verdicts by day as they are drawn; None where there are fewer than two."""
    audits = sorted(lines, key=lambda one: one.audit.audited)
    if len(audits) < 2:  # noqa: PLR2004 - one makes no line
        return None
    models = [*dict.fromkeys(one.model for one in audits)]
    first = audits[0].audit.audited
    span = max((now - first).total_seconds(), 1.0)
    room = _WIDE - _NAMES - 2 * _MARK

    def across(at: dt.datetime) -> float:
        return round(_NAMES + room * min(1.0, (at - first).total_seconds() / span), 1)

    marks = tuple(
        Mark(
            x=across(one.audit.audited),
            y=_ROW * (models.index(one.model) + 0.5),
            state=one.audit.verdict or "no rules",
            told=f"{one.version}, {one.audit.audited:%Y-%m-%d}: {one.audit.verdict or 'no rules'}",
            bundle=one.audit.bundle,
        )
        for one in audits
    )
    days = ((across(first), f"{first:%Y-%m-%d}"), (across(now), "today"))
    return Strip(
        width=_WIDE,
        height=_ROW * len(models) + 24,
        left=_NAMES,
        lines=tuple((_ROW * (place + 0.5), cut(name, 20)) for place, name in enumerate(models)),
        days=days,
        marks=marks,
    )
