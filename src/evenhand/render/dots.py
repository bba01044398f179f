"""Pictures of dot-and-interval charts, drawn here: a hundred times as fast as by Vega.

Nearly all charts are of this one shape. Scales, ticks and places are those that Vega gives the same
specification (tested); the width of texts, which it measures, is estimated. Any other chart is left
to it.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any, TypeAlias

from evenhand.audits.evidence.look import BLUE, WIDTH

_Step: TypeAlias = tuple[int, int]
"""Between ticks: a power of ten, and how often it is taken: 1, 2 or 5 times."""

_PADDING, _GAP = 5, 8
_BELOW = 43
"""Room below the lines for labels and the title."""

_TICKS, _NICE = 5, 10
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
    x = spec["layer"][-1 if len(spec["layer"]) == 1 else 0]["encoding"]["x"]
    lines = spec["data"]["values"]
    parity = any("data" in layer for layer in spec["layer"])
    values = [line[field] for line in lines for field in _FIELDS if field in line]
    values += [0.0] if parity else []
    domain = _nice(min(values), max(values))
    how = x["axis"].get("labelExpr", "")
    told = [(tick, _label(tick, step, how)) for tick, step in _ticks(*domain, _TICKS)]
    names = max(_width(_limited(line["name"], y["axis"]["labelLimit"])) for line in lines)
    left = _PADDING + math.ceil(_GAP + names + 0.5)
    width = WIDTH - left - _PADDING
    if told:
        last, text = told[-1]
        width -= max(0, math.ceil(_width(text) / 2 - width * (1 - _share(last, domain))))
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
        yield _text(_limited(line["name"], limit), -_GAP + 0.5, y + 4, "end")
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


def _nice(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis at round numbers around two values.

    >>> _nice(0.389, 0.706)
    (0.35, 0.75)
    """
    before: _Step | None = None
    for _ in range(10):
        step = _step(low, high, _NICE)
        if step is None or step == before:
            break
        low, high = _times(low, step, math.floor), _times(high, step, math.ceil)
        before = step
    return low, high


def _step(low: float, high: float, count: int) -> _Step | None:
    """Return a round step of about so many between two values, as a power of ten and a factor."""
    rough = (high - low) / count
    if not rough > 0:
        return None
    power = math.floor(math.log10(rough))
    error = rough / 10.0**power
    factor = next(
        (factor for least, factor in ((50, 10), (10, 5), (2, 2)) if error >= math.sqrt(least)), 1
    )
    return (power + 1, 1) if factor == 10 else (power, factor)  # noqa: PLR2004


def _times(value: float, step: _Step, to: Any) -> float:  # noqa: ANN401 - floor, ceil
    """Return the multiple of a step to which a value is rounded."""
    return _multiple(to(_quotient(value, step)), step)


def _quotient(value: float, step: _Step) -> float:
    power, factor = step
    # Divided by a whole number where the step is none, which keeps multiples exact.
    return value * (10.0**-power / factor) if power < 0 else value / (10.0**power * factor)


def _multiple(count: float, step: _Step) -> float:
    power, factor = step
    return count / (10.0**-power / factor) if power < 0 else count * (10.0**power * factor)


def _ticks(low: float, high: float, count: int) -> Iterator[tuple[float, _Step]]:
    """Yield about so many round numbers between two values, each with their step."""
    step = _step(low, high, count)
    if step is None:
        return
    first, last = round(_quotient(low, step)), round(_quotient(high, step))
    first += _multiple(first, step) < low
    last -= _multiple(last, step) > high
    for number in range(first, last + 1):
        yield _multiple(number, step), step


def _label(tick: float, step: _Step, how: str) -> str:
    """Return what is written at a tick: a number, a percentage, or percentage points."""
    scale = 2 if how else 0
    value = tick * 10**scale
    text = f"{value:,.{max(0, -step[0] - scale)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    text = "0" if text.strip("-0.") == "" else text.replace("-", "\N{MINUS SIGN}")
    if not how:
        return text
    return text.replace(",", "") + ("%" if "%" in how else "")


def _apart(
    ticks: Sequence[tuple[float, str]], domain: tuple[float, float], width: int
) -> Sequence[tuple[float, str]]:
    """Return ticks whose labels do not run into each other: of too many, every second one."""
    places = [
        (width * _share(tick, domain), _width(text) / 2, (tick, text)) for tick, text in ticks
    ]

    def overlap() -> bool:
        return any(b[0] - b[1] - (a[0] + a[1]) < _SEPARATION for a, b in pairwise(places))

    while len(places) > 2 and overlap():  # noqa: PLR2004 - of two, both ends are told
        places = places[::2]
    return [one for _, _, one in places]


_SEPARATION = 4


def _limited(text: str, limit: float) -> str:
    """Return a text that is at most so wide, with an ellipsis where it is cut."""
    if _width(text) <= limit:
        return text
    room = limit - _width("…")
    end = next(end for end in range(len(text), -1, -1) if _width(text[:end]) <= room)
    return f"{text[:end]}…"


def _width(text: str) -> float:
    """Return about how wide a text is, in pixels."""
    return 13 * sum(map(_em, text)) / 1000


_WIDTHS: Mapping[str, int] = {
    letter: width
    for width, letters in (
        (191, "'"),
        (222, "ijl"),
        (260, "|"),
        (278, " !,./:;I[\\]ft\N{MIDDLE DOT}"),
        (333, "()-`r"),
        (334, "{}"),
        (355, '"'),
        (389, "*"),
        (469, "^"),
        (500, "Jcksvxyz"),
        (556, "#$0123456789?L_abdeghnopqu"),
        (584, "+<=>~\N{MINUS SIGN}"),
        (611, "FTZ"),
        (667, "&ABEKPSVXY"),
        (722, "CDHNRUw"),
        (778, "GOQ"),
        (833, "Mm"),
        (889, "%"),
        (944, "W"),
        (1000, "…"),
        (1015, "@"),
    )
    for letter in letters
}
"""Thousandths of the size of Helvetica, which Arial and Liberation Sans share."""


def _em(letter: str) -> int:
    known = _WIDTHS.get(letter)
    if known is not None:
        return known
    if unicodedata.combining(letter):
        return 0
    plain = unicodedata.normalize("NFD", letter)[0]
    if plain != letter:
        return _em(plain)
    return 1000 if unicodedata.east_asian_width(letter) in "FW" else 600
