"""Pictures of dot-and-interval charts, drawn here: a hundred times as fast as by Vega.

Nearly all charts are of this one shape. Scales, ticks and places are those that Vega gives the same
specification (tested); the width of texts, which it measures, is estimated. Any other chart is left
to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from evenhand.audits.evidence.look import BLUE, WIDTH
from evenhand.render.axis import label_of, limited, nice_ends, ticks_between, width_of

_PADDING, _GAP = 5, 8
_BELOW = 43
"""Room below the lines for labels and the title."""

_TICKS = 5
_RADIUS = math.sqrt(90) / 2
_MARGIN = 8
"""A little room beside the labels, for fonts that are wider than the one estimated."""

_FIELDS = ("low", "high", "from", "to", "value", "target")


def dots(spec: Mapping[str, Any]) -> str | None:
    """Return the picture of a dot-and-interval chart; None of any other chart."""
    axis = _axis(spec)
    if axis is None:
        return None
    lines: Sequence[Mapping[str, Any]] = spec["data"]["values"]
    height = _PADDING + spec["height"] + _BELOW
    font = escape(str(spec["config"]["font"]), quote=True)
    body = "".join(_drawn(lines, axis, spec))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" version="1.1" viewBox="-{_MARGIN} 0 '
        f'{WIDTH + _MARGIN} {height}" font-family="{font}" width="{WIDTH + _MARGIN}" '
        f'height="{height}"><g fill="none" transform="translate({axis.left},{_PADDING})">'
        f"{body}</g></svg>"
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """The axis of a chart.

    Attributes:
        left: Where it begins, from the left of the picture.
        width: How long it is.
        domain: What stands at its ends.
        ticks: Places of ticks, and what is written there.
        title: Its title.
        parity: Whether no difference is marked.

    """

    left: int
    width: int
    domain: tuple[float, float]
    ticks: Sequence[tuple[float, str]]
    title: str
    parity: bool

    def place(self, value: float) -> float:
        """Return how far from its beginning a value stands."""
        return self.width * _share(value, self.domain)


def _share(value: float, domain: tuple[float, float]) -> float:
    low, high = domain
    return 0.5 if low == high else (value - low) / (high - low)


def _axis(spec: Mapping[str, Any]) -> _Axis | None:
    """Return the axis of a chart of this shape; None of any other."""
    y = spec.get("encoding", {}).get("y", {})
    if y.get("field") != "name" or spec.get("width") != WIDTH or "layer" not in spec:
        return None
    if "labelExpr" in y["axis"]:
        return None
    x = spec["layer"][-1 if len(spec["layer"]) == 1 else 0]["encoding"]["x"]
    lines = spec["data"]["values"]
    parity = any("data" in layer for layer in spec["layer"])
    values = [line[field] for line in lines for field in _FIELDS if field in line]
    values += [0.0] if parity else []
    domain = nice_ends(min(values), max(values))
    how = x["axis"].get("labelExpr", "")
    told = [(tick, label_of(tick, step, how)) for tick, step in ticks_between(*domain, _TICKS)]
    names = max(width_of(limited(line["name"], y["axis"]["labelLimit"])) for line in lines)
    left = _PADDING + math.ceil(_GAP + names + 0.5)
    width = WIDTH - left - _PADDING
    if told:
        last, text = told[-1]
        width -= max(0, math.ceil(width_of(text) / 2 - width * (1 - _share(last, domain))))
    return _Axis(left, width, domain, _apart(told, domain, width), x["title"], parity)


def _drawn(
    lines: Sequence[Mapping[str, Any]], axis: _Axis, spec: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the parts of a picture, what is behind first."""
    bottom, limit = spec["height"], spec["encoding"]["y"]["axis"]["labelLimit"]
    for tick, _ in axis.ticks:
        x = math.floor(axis.place(tick) + 0.5) + 0.5
        yield f'<path d="M{x:g} 0v{bottom}" stroke="currentColor" stroke-opacity="0.12"/>'
    for tick, text in axis.ticks:
        yield _text(text, axis.place(tick) + 0.5, bottom + 18.5, "middle")
    yield _text(axis.title, axis.width + 0.5, bottom + 35.5, "end")
    step = bottom / len(lines)
    rows = [(line, step * (place + 0.5)) for place, line in enumerate(lines)]
    for line, y in rows:
        yield _text(limited(line["name"], limit), -_GAP + 0.5, y + 4, "end")
    for line, y in rows:
        if "target" in line:
            x = axis.place(line["target"])
            yield (
                f'<path d="M{x:.2f} {y - 10:g}v20" stroke="currentColor" stroke-width="2" '
                'opacity="0.8"/>'
            )
    if axis.parity:
        yield (
            f'<path d="M{axis.place(0.0):.2f} 0v{bottom}" stroke="currentColor" '
            'stroke-dasharray="4,3" opacity="0.6"/>'
        )
    for line, y in rows:
        yield from _marks(line, y, axis)


def _marks(line: Mapping[str, Any], y: float, axis: _Axis) -> Iterator[str]:
    if "low" in line:
        low, high = axis.place(line["low"]), axis.place(line["high"])
        yield (
            f'<path d="M{low:.2f} {y:g}H{high:.2f}" stroke="{BLUE}" stroke-width="2" '
            'stroke-linecap="round"/>'
        )
    if "from" in line:
        first, last = axis.place(line["from"]), axis.place(line["to"])
        yield (
            f'<path d="M{first:.2f} {y:g}H{last:.2f}" stroke="{BLUE}" stroke-width="9" '
            'opacity="0.6"/>'
        )
    if "value" in line:
        fill = "transparent" if line.get("apart") else BLUE
        yield (
            f'<circle cx="{axis.place(line["value"]):.2f}" cy="{y:g}" r="{_RADIUS:.3f}" '
            f'fill="{fill}" stroke="{BLUE}" stroke-width="2"/>'
        )
    if line["note"]:
        yield (
            f'<text x="6" y="{y + 4:g}" font-size="12px" font-style="italic" fill="currentColor" '
            f'opacity="0.75">{escape(line["note"], quote=False)}</text>'
        )


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return (
        f'<text text-anchor="{anchor}" x="{round(x, 2):g}" y="{round(y, 2):g}" font-size="13px" '
        f'fill="currentColor">{escape(text, quote=False)}</text>'
    )


def _apart(
    ticks: Sequence[tuple[float, str]], domain: tuple[float, float], width: int
) -> Sequence[tuple[float, str]]:
    """Return ticks whose labels do not run into each other: of too many, every second one."""
    places = [
        (width * _share(tick, domain), width_of(text) / 2, (tick, text)) for tick, text in ticks
    ]

    def overlap() -> bool:
        return any(b[0] - b[1] - (a[0] + a[1]) < _SEPARATION for a, b in pairwise(places))

    while len(places) > 2 and overlap():  # noqa: PLR2004 - of two, both ends are told
        places = places[::2]
    return [one for _, _, one in places]


_SEPARATION = 4
