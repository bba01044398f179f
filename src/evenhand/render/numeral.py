"""Figures and names as people read them; the same in every format."""

from __future__ import annotations

from collections.abc import Mapping

from evenhand.audits.evidence.chart import legible
from evenhand.audits.finding import Finding
from evenhand.stats.estimate import Estimate, Outcome, Undefined

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

_LONGEST = 90


def number(value: float) -> str:
    """Return a number with the digits that its size deserves.

    >>> [number(x) for x in (0.44849, -0.00002, 12.5, 31415.9)]
    ['0.4485', '-2e-05', '12.50', '31,416']
    """
    size = abs(value)
    if 0 < size < 0.0005:  # noqa: PLR2004 - four decimals would leave one digit
        return f"{value:.1g}"
    if size < 10:  # noqa: PLR2004 - as rates are written
        return f"{value:.4f}"
    return f"{value:,.2f}" if size < 10_000 else f"{value:,.0f}"  # noqa: PLR2004 - cents no more


def value_of(outcome: Outcome) -> str:
    """Return the value of a figure, the set that it lies in, or that it is undefined."""
    if isinstance(outcome, Undefined):
        return "undefined"
    if outcome.identified is None:
        return number(outcome.value)
    return f"{number(outcome.identified[0])} to {number(outcome.identified[1])}"


def interval_of(outcome: Outcome) -> str:
    """Return the interval of a figure, or a dash."""
    if isinstance(outcome, Undefined):
        return DASH
    return f"[{number(outcome.low)}, {number(outcome.high)}]"


def count_of(count: int, *, exact: bool = True) -> str:
    """Return a count; one that is an estimate has a tilde.

    >>> count_of(7214), count_of(7214, exact=False)
    ('7,214', '~7,214')
    """
    return f"{'' if exact else '~'}{count:,}"


def name_of(group: Mapping[str, str]) -> str:
    """Return what a group is called, cut where nobody would read on."""
    return cut(", ".join(group.values()))


def pair_of(one: Finding) -> str:
    """Return the two groups of a signed difference, and which part of it this is."""
    names = f" {MINUS} ".join(name_of(group) for group in one.pair)
    return f"{names}, {one.part}" if one.part else names


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return a text on one line, without its middle where it is too long.

    >>> cut("a" * 50 + "b" * 50, 9)
    'aaaa…bbbb'
    """
    line = legible(text)
    if len(line) <= longest:
        return line
    half = (longest - 1) // 2
    return f"{line[:half]}\N{HORIZONTAL ELLIPSIS}{line[-half:]}"


def level_of(outcome: Outcome) -> str:
    """Return how an interval was made: its level and its method."""
    if not isinstance(outcome, Estimate):
        return ""
    level = f"{100 * outcome.level:g}% interval"
    return f"{level}, {outcome.method}" if outcome.method else level


def is_small(outcome: Outcome) -> bool:
    """Return whether a figure is suppressed because of few units, whose number is not told.

    >>> is_small(Undefined("small: fewer than 30 units")), is_small(Undefined("no rows"))
    (True, False)
    """
    return isinstance(outcome, Undefined) and "fewer than" in outcome.reason
