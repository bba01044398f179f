"""Axes of pictures that are drawn here: round ends, round ticks, and about how wide texts are."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Step: TypeAlias = tuple[int, int]
"""Between ticks: a power of ten, and how often it is taken: 1, 2 or 5 times."""

_NICE = 10


def nice_ends(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis at round numbers around two values.

    >>> nice_ends(0.389, 0.706)
    (0.35, 0.75)
    """
    before: Step | None = None
    for _ in range(10):
        step = _step(low, high, _NICE)
        if step is None or step == before:
            break
        low, high = _times(low, step, math.floor), _times(high, step, math.ceil)
        before = step
    return low, high


def _step(low: float, high: float, count: int) -> Step | None:
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


def _times(value: float, step: Step, to: Any) -> float:  # noqa: ANN401 - floor, ceil
    """Return the multiple of a step to which a value is rounded."""
    return _multiple(to(_quotient(value, step)), step)


def _quotient(value: float, step: Step) -> float:
    power, factor = step
    # Divided by a whole number where the step is none, which keeps multiples exact.
    return value * (10.0**-power / factor) if power < 0 else value / (10.0**power * factor)


def _multiple(count: float, step: Step) -> float:
    power, factor = step
    return count / (10.0**-power / factor) if power < 0 else count * (10.0**power * factor)


def ticks_between(low: float, high: float, count: int) -> Iterator[tuple[float, Step]]:
    """Yield about so many round numbers between two values, each with their step."""
    step = _step(low, high, count)
    if step is None:
        return
    first, last = round(_quotient(low, step)), round(_quotient(high, step))
    first += _multiple(first, step) < low
    last -= _multiple(last, step) > high
    for number in range(first, last + 1):
        yield _multiple(number, step), step


def label_of(tick: float, step: Step, how: str) -> str:
    """Return what is written at a tick: a number, a percentage, or percentage points."""
    scale = 2 if how else 0
    value = tick * 10**scale
    text = f"{value:,.{max(0, -step[0] - scale)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    text = "0" if text.strip("-0.") == "" else text.replace("-", "\N{MINUS SIGN}")
    if not how:
        return text
    return text.replace(",", "") + ("%" if "%" in how else "")


def limited(text: str, limit: float) -> str:
    """Return a text that is at most so wide, with an ellipsis where it is cut."""
    if width_of(text) <= limit:
        return text
    room = limit - width_of("…")
    end = next(end for end in range(len(text), -1, -1) if width_of(text[:end]) <= room)
    return f"{text[:end]}…"


def width_of(text: str) -> float:
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
