"""Dumbbells: a figure before and after on one axis, a row of a table each, drawn without a library.

A hollow point is the figure before, a full one the figure after. The thin line with ends is the
interval of the change, laid off from the hollow point: where it reaches that point no change is
shown. Names and numbers stand beside it in the row, so that the picture itself says nothing to a
screen reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from evenhand.render.axis import label_of, nice_ends, ticks_between, width_of

WIDTH, HEIGHT = 320, 26
_PAD, _AXIS = 20, 20
_TICKS, _APART = 5, 12
_END = 4


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis that the rows of a table share.

    Attributes:
        low: What stands at its left end.
        high: What stands at its right end.
        ticks: Values that are marked, and what is written there.

    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Return how far from the left a value stands, in units of the picture."""
        share = (value - self.low) / (self.high - self.low)
        return _PAD + share * (WIDTH - 2 * _PAD)


def axis_of(values: Iterable[float], *, is_rate: bool) -> Axis:
    """Return an axis from a round number below to one above all values.

    Args:
        values: What must have its place.
        is_rate: Whether ticks are percentages.

    >>> axis_of([0.32, 0.68], is_rate=True).ticks
    ((0.3, '30%'), (0.4, '40%'), (0.5, '50%'), (0.6, '60%'), (0.7, '70%'))
    """
    known = [*values]
    low, high = min(known), max(known)
    if low == high:
        around = abs(low) / 2 or 0.5
        low, high = low - around, high + around
    low, high = nice_ends(low, high)
    how = "%" if is_rate else ""
    ticks = [(tick, label_of(tick, step, how)) for tick, step in ticks_between(low, high, _TICKS)]
    # Of labels that would run into each other every second one.
    while len(ticks) > 2 and sum(width_of(text) + _APART for _, text in ticks) > WIDTH:  # noqa: PLR2004 - both ends are told
        ticks = ticks[::2]
    return Axis(low, high, tuple(ticks))


def scale(axis: Axis) -> str:
    """Return the ticks of an axis, which stand above the rows."""
    texts = "".join(
        f'<text x="{axis.place(value):.1f}" y="13" text-anchor="middle" font-size="11.5" '
        f'fill="currentColor">{text}</text>'
        for value, text in axis.ticks
    )
    return _picture(_AXIS, texts)


def dumbbell(
    axis: Axis,
    before: float | None,
    after: float | None,
    change: tuple[float, float] | None = None,
) -> str:
    """Return a row's picture.

    Args:
        axis: The axis of the table.
        before: The figure before; None where there is none.
        after: The figure after.
        change: The limits of the change; None where it has no interval.

    """
    return _picture(HEIGHT, "".join(_marks(axis, before, after, change)))


def _marks(
    axis: Axis, before: float | None, after: float | None, change: tuple[float, float] | None
) -> Iterator[str]:
    y = HEIGHT / 2
    for value, _ in axis.ticks:
        yield (
            f'<path d="M{axis.place(value):.1f} 0v{HEIGHT}" stroke="currentColor" '
            'stroke-opacity="0.14"/>'
        )
    if before is not None and change is not None:
        low, high = (axis.place(before + end) for end in change)
        yield (
            f'<path d="M{low:.1f} {y - _END:g}v{2 * _END}m0 {-_END}H{high:.1f}m0 {-_END}'
            f'v{2 * _END}" fill="none" stroke="currentColor" stroke-opacity="0.75"/>'
        )
    if before is not None and after is not None:
        yield (
            f'<path d="M{axis.place(before):.1f} {y:g}H{axis.place(after):.1f}" '
            'stroke="currentColor" stroke-width="3.5"/>'
        )
    if before is not None:
        yield (
            f'<circle class="was" cx="{axis.place(before):.1f}" cy="{y:g}" r="4.5" '
            'stroke="currentColor" stroke-width="2"/>'
        )
    if after is not None:
        yield f'<circle cx="{axis.place(after):.1f}" cy="{y:g}" r="5.5" fill="currentColor"/>'


def _picture(height: int, inside: str) -> str:
    return (
        f'<svg class="dumbbell" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'aria-hidden="true" focusable="false">{inside}</svg>'
    )
