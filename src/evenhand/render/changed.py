"""The figures of two audits in rows, why some have no change, and how changes are judged."""

from __future__ import annotations

from evenhand.audits.contrasts import form_of
from evenhand.audits.evidence.block import term_of
from evenhand.audits.evidence.comparison import Change
from evenhand.audits.evidence.legible import cut, visible
from evenhand.audits.evidence.levelling import Levelling
from evenhand.render.gains import Changes
from evenhand.render.wording import DASH, MINUS, brief, first, number, own_reason

_MOST_NAMED = 4


def signed(value: float | None) -> str:
    """Return a change with its sign.

    >>> signed(0.0754), signed(-0.25), signed(0.0), signed(None)
    ('+0.0754', '−0.2500', '0', '–')
    """
    if value is None:
        return DASH
    if value == 0:
        return "0"
    text = number(abs(value))
    return f"{MINUS}{text}" if value < 0 else f"+{text}"


def limits(low: float | None, high: float | None) -> str:
    """Return the interval of a change, or a dash."""
    return DASH if low is None or high is None else f"[{signed(low)}, {signed(high)}]"


def figure(value: float | None) -> str:
    """Return a figure, or a dash."""
    return DASH if value is None else number(value).replace("-", MINUS)


Row = tuple[str, str, str, str, str, str]
"""A figure: its name, before, after, change, interval, verdict."""


def whole(changes: Changes, one: Levelling) -> list[Row]:
    """Return the figures that compare the groups of a finding, such as their gap."""
    mine = [
        change
        for change in changes.found.changes
        if change.name in one.names and change.group is None
    ]
    rows = [_row(change) for change in mine]
    if one.zero_sum or any(_is_gap(change) for change in mine):
        return rows
    known = [move for move in one.groups if move.compared and move.word != "unknown"]
    if len(known) < 2:  # noqa: PLR2004 - a gap is between two
        return rows
    ends = [
        [x for x in side if x is not None]
        for side in ([move.before for move in known], [move.after for move in known])
    ]
    before, after = (max(side) - min(side) for side in ends)
    told = (signed(one.gap.value), limits(one.gap.low, one.gap.high))
    return [
        ("gap between the groups furthest apart", figure(before), figure(after), *told, ""),
        *rows,
    ]


def _is_gap(change: Change) -> bool:
    return form_of(term_of(change.key).name) == "gap"


def _row(change: Change) -> Row:
    gap = change.difference
    verdict: str = change.verdict_before or ""
    if change.verdict_before != change.verdict_after:
        verdict = f"{change.verdict_before or DASH} → {change.verdict_after or DASH}"
    return (
        cut(change.name, 200),
        figure(change.before),
        figure(change.after),
        signed(gap.value),
        limits(gap.low, gap.high),
        verdict,
    )


def alone(changes: Changes) -> list[Row]:
    """Return the figures of no groups, and signed differences: what no finding above has."""
    named = {name for one in changes.levelled for name in one.names}
    return [_row(one) for one in changes.found.changes if one.name not in named and not one.group]


def reasons(changes: Changes) -> list[str]:
    """Return why there is no change or no interval, each reason with what it is about."""
    found: dict[str, list[str]] = {}
    for one in changes.found.changes:
        if one.difference.reason:
            group = (
                "" if one.group is None else f"{', '.join(map(visible, one.group.values()))} in "
            )
            found.setdefault(one.difference.reason, []).append(cut(f"{group}{one.name}", 160))
    return [
        f"{'; '.join(first(names, _MOST_NAMED))}: {own_reason(brief(why))}."
        for why, names in found.items()
    ]


def how(changes: Changes) -> list[str]:
    """Return how changes are judged: pairing, levels, and what the words mean."""
    level = f"{100 * changes.found.level:g}%"
    pairing = changes.found.pairing
    if changes.found.paired:
        pairing = f"the audits are {pairing}. What moves both figures alike is no change"
    return [f"{pairing[:1].upper()}{pairing[1:]}.", _WORDS.format(level=level), *_MEANT]


_WORDS = (
    "A group gained or lost where the whole interval of its change lies on one side of 0. "
    "Intervals of the groups of a finding hold together at {level} (Bonferroni), which makes them "
    "wider than that of the same change by itself; findings are judged one by one, and nothing is "
    "allowed for their number."
)
_DOWN = (
    "Levelled down: the gap between the groups furthest apart became smaller, some group lost, and "
    "none is shown to have gained; what any other may have gained is less than what a group surely "
    "lost (Mittelstadt, Wachter and Russell 2023, The Unfairness of Fair Machine Learning: "
    "Levelling down and strict egalitarianism by default)."
)
_UP = (
    "Levelled up: the gap became smaller, the group that was worst off gained, and none is shown "
    "to have lost. Shifted: some gained and some lost. Of suppressed groups nothing is said."
)
_SHARES = (
    "Shares add up to 1: what one group loses others gain. They can be shifted, and cannot be "
    "levelled down."
)
_MEANT = (_DOWN, _UP, _SHARES)
