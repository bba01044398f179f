"""A scatter with crosses of intervals, drawn without a browser; no name stands over another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from evenhand.audits.evidence.look import BLUE, CONFIG, VERMILLION
from evenhand.render.axis import label_of, nice_ends, ticks_between, width_of

_LEFT, _RIGHT, _TOP, _BELOW = 62, 14, 40, 48
_SIZE = 6.0
"""Half the size of a mark."""

_RING = _SIZE + 4
"""Half the size of the ring around the one that was chosen."""

_TICKS = 5
_LINE = 15
"""Height of a line of text."""

_NEAR = 15
"""From a point to its name without a line between them."""

_DISTANCES = (10, 16, 24, 34, 46, 60, 76, 94, 114, 136, 160, 190)
_ANGLES = (-35, 35, -145, 145, -90, 90, -60, 60, -120, 120, 0, 180, -15, 15, -165, 165)
"""In degrees, downwards from the right: off the lines of intervals first."""

_FEATHER = 0.04
"""Room at either end of an axis, as a share of it."""


@dataclass(frozen=True)
class Spot:
    """A point.

    Attributes:
        name: What stands beside it; empty for nothing.
        x: Its place, with the ends of its interval: value, low, high.
        y: The same upwards.
        filled: Whether its mark is full; else it is hollow.
        square: Whether its mark is a square; else a circle.
        chosen: Whether it is marked as the one.

    """

    name: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]
    filled: bool = False
    square: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Box:
    """A rectangle: from left to right, from top to bottom."""

    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: Box, apart: float = 0.0) -> bool:
        """Return whether it has something in common with another, or is less than so far away."""
        return (
            self.left < other.right + apart
            and other.left < self.right + apart
            and self.top < other.bottom + apart
            and other.top < self.bottom + apart
        )


@dataclass(frozen=True)
class Label:
    """Where a name stands.

    Attributes:
        box: Its place.
        line: From the point to it: x1, y1, x2, y2; None where it is near enough.

    """

    box: Box
    line: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class _Frame:
    """The axes of a picture."""

    x: tuple[float, float]
    y: tuple[float, float]
    inside: Box

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point stands."""
        (low, high), (bottom, top) = self.x, self.y
        box = self.inside
        return (
            box.left + (box.right - box.left) * (x - low) / (high - low),
            box.bottom - (box.bottom - box.top) * (y - bottom) / (top - bottom),
        )


def scatter(
    spots: Sequence[Spot],
    titles: tuple[str, str],
    size: tuple[int, int],
    limit: float | None = None,
) -> str:
    """Return a picture as an SVG element that scales to its place.

    Args:
        spots: The points.
        titles: Of the axis to the right and of the one upwards.
        size: Width and height.
        limit: Of x, marked by a line; None for none.

    """
    width, height = size
    inside = Box(_LEFT, width - _RIGHT, _TOP, height - _BELOW)
    frame = _Frame(
        _ends([at for one in spots for at in one.x] + ([] if limit is None else [limit])),
        _ends([at for one in spots for at in one.y]),
        inside,
    )
    labels = placed(
        [(*frame.at(one.x[0], one.y[0]), one.name) for one in spots],
        Box(2, width - 2, _TOP - 6, inside.bottom - 2),
        sorted(range(len(spots)), key=lambda place: (not spots[place].chosen, place)),
        [_RING if one.chosen else _SIZE for one in spots],
    )
    body = "".join(
        [
            *_axes(frame, titles),
            *_limit(frame, limit),
            *_front(spots, frame),
            *(part for one in spots for part in _cross(one, frame)),
            *(part for one in labels if one for part in _leader(one)),
            # The ring is seen whatever stands upon it.
            *(
                part
                for one in sorted(spots, key=lambda one: not one.chosen)
                for part in _mark(one, frame)
            ),
            *(
                part
                for one, label in zip(spots, labels, strict=True)
                if label
                for part in _name(one, label)
            ),
        ]
    )
    font = escape(str(CONFIG["font"]), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" version="1.1" viewBox="0 0 {width} {height}" '
        f'font-family="{font}" font-size="13" width="{width}" height="{height}" fill="none">'
        f"{body}</svg>"
    )


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    room = _FEATHER * (high - low)
    found = nice_ends(low - room, high + room)
    return found if found[0] < found[1] else (low, high)


def placed(
    points: Sequence[tuple[float, float, str]],
    within: Box,
    order: Sequence[int],
    sizes: Sequence[float],
) -> list[Label | None]:
    """Return where the name of each point stands; None of one for which there is no room.

    One after the other, each as near to its point as there is room: beside no other name, over no
    mark, and no line through a name.

    Args:
        points: The place and the name of each.
        within: Where names may be.
        order: Which point has its name first.
        sizes: Half the size of each point's mark.

    """
    marks = [
        Box(x - half, x + half, y - half, y + half)
        for (x, y, _), half in zip(points, sizes, strict=True)
    ]
    found: list[Label | None] = [None] * len(points)
    for place in order:
        x, y, name = points[place]
        if not name:
            continue
        known = [one for one in found if one is not None]
        for label in _choices(x, y, width_of(name)):
            box = label.box
            inside = (
                box.left >= within.left
                and box.right <= within.right
                and box.top >= within.top
                and box.bottom <= within.bottom
            )
            if (
                inside
                and not any(box.meets(mark, 1.5) for mark in marks)
                and not any(box.meets(other.box, 1.0) for other in known)
                and not any(other.line and _through(other.line, box) for other in known)
                and not any(label.line and _through(label.line, other.box) for other in known)
            ):
                found[place] = label
                break
    return found


def _choices(x: float, y: float, width: float) -> Iterator[Label]:
    for distance in _DISTANCES:
        for angle in map(math.radians, _ANGLES):
            end = (x + distance * math.cos(angle), y + distance * math.sin(angle))
            lean = math.cos(angle)
            left = end[0] - width * (1 - lean) / 2
            sink = math.sin(angle)
            top = end[1] - _LINE * (1 - sink) / 2
            line = None if distance < _NEAR else (x, y, *end)
            yield Label(Box(left, left + width, top, top + _LINE), line)


def _through(line: tuple[float, float, float, float], box: Box) -> bool:
    """Return whether a line runs through a box."""
    x1, y1, x2, y2 = line
    enter, leave = 0.0, 1.0
    for start, move, low, high in (
        (x1, x2 - x1, box.left, box.right),
        (y1, y2 - y1, box.top, box.bottom),
    ):
        if move == 0:
            if not low <= start <= high:
                return False
            continue
        one, other = sorted(((low - start) / move, (high - start) / move))
        enter, leave = max(enter, one), min(leave, other)
    return enter < leave


def _axes(frame: _Frame, titles: tuple[str, str]) -> Iterator[str]:
    box = frame.inside
    for tick, step in ticks_between(*frame.x, _TICKS):
        x, _ = frame.at(tick, frame.y[0])
        yield (
            f'<path d="M{x:.1f} {box.top}V{box.bottom}" stroke="currentColor" '
            'stroke-opacity="0.12"/>'
        )
        yield _text(label_of(tick, step, ""), x, box.bottom + 18, "middle")
    for tick, step in ticks_between(*frame.y, _TICKS):
        _, y = frame.at(frame.x[0], tick)
        yield (
            f'<path d="M{box.left} {y:.1f}H{box.right}" stroke="currentColor" '
            'stroke-opacity="0.12"/>'
        )
        yield _text(label_of(tick, step, ""), box.left - 8, y + 4.5, "end")
    yield _text(titles[0], box.right, box.bottom + 38, "end")
    yield _text(titles[1], 4, 16, "start")


def _limit(frame: _Frame, limit: float | None) -> Iterator[str]:
    if limit is None:
        return
    x, _ = frame.at(limit, frame.y[0])
    box = frame.inside
    yield (
        f'<path d="M{x:.1f} {box.top - 8}V{box.bottom}" stroke="currentColor" '
        'stroke-dasharray="5,4" opacity="0.75"/>'
    )
    side, anchor = (x - 5, "end") if x > (box.left + box.right) / 2 else (x + 5, "start")
    yield _text(f"limit {limit:g}", side, box.top - 6, anchor)


def _front(spots: Sequence[Spot], frame: _Frame) -> Iterator[str]:
    found = sorted({frame.at(one.x[0], one.y[0]) for one in spots if one.filled})
    if len(found) > 1:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in found)
        yield f'<path d="M{path}" stroke="{BLUE}" stroke-width="1.5" opacity="0.55"/>'


def _cross(one: Spot, frame: _Frame) -> Iterator[str]:
    (x, left, right), (y, low, high) = one.x, one.y
    strong = 'stroke-width="2" opacity="0.9"' if one.chosen else 'opacity="0.32"'
    colour = VERMILLION if one.chosen else BLUE
    for start, end in (((left, y), (right, y)), ((x, low), (x, high))):
        if start == end:
            continue
        (x1, y1), (x2, y2) = frame.at(*start), frame.at(*end)
        yield f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" {strong}/>'


def _mark(one: Spot, frame: _Frame) -> Iterator[str]:
    x, y = frame.at(one.x[0], one.y[0])
    colour = VERMILLION if one.chosen else BLUE
    fill = colour if one.filled else "var(--paper)"
    how = f'fill="{fill}" stroke="{colour}" stroke-width="2"'
    half = _SIZE - 1
    if one.square:
        yield f'<rect x="{x - half:.1f}" y="{y - half:.1f}" width="{2 * half:g}" '
        yield f'height="{2 * half:g}" {how}/>'
    else:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{half:g}" {how}/>'
    if one.chosen:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RING:g}" stroke="{colour}" '
        yield 'stroke-width="2"/>'


def _leader(label: Label) -> Iterator[str]:
    if label.line:
        x1, y1, x2, y2 = label.line
        yield f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="currentColor" '
        yield 'stroke-opacity="0.45"/>'


def _name(one: Spot, label: Label) -> Iterator[str]:
    bold = ' font-weight="bold"' if one.chosen else ""
    yield (
        f'<text class="name" x="{label.box.left:.1f}" y="{label.box.bottom - 3.5:.1f}"{bold} '
        f'fill="currentColor">{escape(one.name, quote=False)}</text>'
    )


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return (
        f'<text text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}" fill="currentColor">'
        f"{escape(text, quote=False)}</text>"
    )
