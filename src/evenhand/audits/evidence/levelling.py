"""Which groups gained and which lost between two audits, and whether a gap was levelled down.

A gap between groups can close because those behind rise, or because those ahead fall. The second
is levelling down: nobody is better off, and a measure of the gap alone calls it progress
(Mittelstadt, Wachter and Russell 2023, "The Unfairness of Fair Machine Learning: Levelling down and
strict egalitarianism by default").

Said of the groups of a finding that are compared and have an interval, in both audits:

- *gained*, *lost*: the whole interval of a group's change lies on the better, or the worse, side of
  0. The intervals of all groups of a finding hold together (Bonferroni): of G groups each has
  coverage 1 - (1 - level) / G.
- *levelled down*: the gap between the groups that are furthest apart became smaller, as the
  interval of its change shows; some group lost; none gained. That none gained an interval can show
  only up to a bound: what any other group may have gained at most is less than what a group surely
  lost.
- *levelled up*: the gap became smaller; the group that was worst off gained; none lost, and what
  any other may have lost at most is less than what the worst-off surely gained.
- *shifted*: some gained and some lost, whatever became of the gap.
- *not shown*: everything else, with the reason.

Shares add up to 1: what a group loses others gain, so that they cannot be levelled down. Findings
are judged one by one; nothing is allowed for their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from evenhand.audits.evidence.comparison import Difference
from evenhand.audits.evidence.legible import cut, visible
from evenhand.audits.finding import Finding

State = Literal["levelled_down", "levelled_up", "shifted", "not_shown"]
Word = Literal["gained", "lost", "rose", "fell", "not_shown", "unknown"]
Direction = Literal["higher", "lower"]

ZERO_SUM = "shares add up to 1, so that they cannot be levelled down"
"""Why shares are never levelled down."""


@dataclass(frozen=True, slots=True)
class GroupMove:
    """A group in two audits.

    Attributes:
        group: The value of each attribute.
        before: Its figure in the first audit; None where it has none.
        after: The same, in the second.
        difference: After minus before; its interval holds together with those of the other groups.
        word: Whether it gained or lost, or rose or fell where neither direction is better;
            ``not_shown`` where its interval contains 0, ``unknown`` where it has none.
        compared: False for missing and left-over values, which are shown apart.

    """

    group: Mapping[str, str]
    before: float | None
    after: float | None
    difference: Difference
    word: Word
    compared: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the group as in the JSON contract."""
        gap = self.difference
        return {
            "group": dict(self.group),
            "before": self.before,
            "after": self.after,
            "difference": {"value": gap.value, "low": gap.low, "high": gap.high},
            "word": self.word,
            "compared": self.compared,
        }


@dataclass(frozen=True, slots=True)
class Levelling:
    """What became of the groups of a finding.

    Attributes:
        name: What the first finding over these groups is known by.
        finding: That finding, in the first audit.
        names: All findings of both audits over these groups.
        better: In which direction a group gains; None where neither is better in itself.
        zero_sum: Whether the figures are shares, which add up to 1.
        gap: The change of the largest difference between two groups.
        groups: The groups that both audits have.
        level: Coverage of the interval of the gap, and of all groups together.
        level_of_each: Coverage of the interval of one group.
        state: What is shown.
        reason: What it rests on, or why nothing is shown.

    """

    name: str
    finding: Finding
    names: tuple[str, ...]
    better: Direction | None
    zero_sum: bool
    gap: Difference
    groups: tuple[GroupMove, ...]
    level: float
    level_of_each: float
    state: State
    reason: str

    def moved(self, *words: Word) -> list[GroupMove]:
        """Return the groups of which one of these words is said."""
        return [one for one in self.groups if one.word in words]

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``evenhand diff --json`` prints it."""
        return {
            "key": self.finding.key,
            "slice": self.finding.slice,
            "measure": self.finding.measure,
            "by": list(self.finding.by),
            "better": self.better,
            "zero_sum": self.zero_sum,
            "state": self.state,
            "reason": self.reason,
            "gap": {"value": self.gap.value, "low": self.gap.low, "high": self.gap.high},
            "level": self.level,
            "level_of_each": self.level_of_each,
            "groups": [one.to_dict() for one in self.groups],
        }


def word_of(moved: Difference, better: Direction | None) -> Word:
    """Return what the interval of a change says of a group.

    >>> word_of(Difference(0.1, 0.02, 0.18), "lower"), word_of(Difference(0.1, -0.1, 0.3), None)
    ('lost', 'not_shown')
    """
    if moved.low is None or moved.high is None:
        return "unknown"
    if moved.low <= 0 <= moved.high:
        return "not_shown"
    rose = moved.low > 0
    if better is None:
        return "rose" if rose else "fell"
    return "gained" if rose == (better == "higher") else "lost"


def judged(
    gap: Difference,
    groups: Sequence[GroupMove],
    better: Direction | None,
    *,
    zero_sum: bool = False,
) -> tuple[State, str]:
    """Return what is shown, and what that rests on or why it is not; see above.

    Args:
        gap: The change of the largest difference between two of the groups.
        groups: The groups that are compared, with intervals that hold together.
        better: In which direction a group gains.
        zero_sum: Whether their figures add up to 1.

    """
    if not groups:
        return "not_shown", "no group has a figure in both audits"
    if zero_sum:
        state, told = _judged(None, [_Gain.of(one, better or "higher") for one in groups])
        return state, f"{told}; {ZERO_SUM}"
    if better is not None:
        return _judged(gap, [_Gain.of(one, better) for one in groups])
    up, down = (
        _judged(gap, [_Gain.of(one, which) for one in groups]) for which in ("higher", "lower")
    )
    if "shifted" in {up[0], down[0]}:
        return "shifted", "some rose and some fell, and neither direction is better in itself"
    either = [
        f"were {more} better, the groups would be {_STATES[state]}"
        for more, (state, _) in (("more", up), ("less", down))
        if state != "not_shown"
    ]
    return "not_shown", "; ".join(["neither direction is better in itself", *either])


_STATES: Mapping[State, str] = {
    "levelled_down": "levelled down",
    "levelled_up": "levelled up",
    "shifted": "shifted",
    "not_shown": "not shown to be levelled",
}


@dataclass(frozen=True)
class _Gain:
    """What a group gained: at least ``low``, at most ``high``; a loss is below 0.

    Attributes:
        name: The group.
        was: How well off it was.
        low: None where there is no interval.
        high: The same.

    """

    name: str
    was: float
    low: float | None
    high: float | None

    @staticmethod
    def of(one: GroupMove, better: Direction) -> _Gain:
        low, high, was = one.difference.low, one.difference.high, one.before or 0.0
        if better == "lower":
            was, low, high = -was, None if high is None else -high, None if low is None else -low
        name = cut(", ".join(map(visible, one.group.values())))
        return _Gain(name, was, low, high)


_Bounds: TypeAlias = Sequence[tuple[str, float, float, float]]


def _judged(gap: Difference | None, gains: Sequence[_Gain]) -> tuple[State, str]:
    unknown = [one.name for one in gains if one.low is None or one.high is None]
    if unknown:
        return "not_shown", f"the change of {_and(unknown)} has no interval"
    known: _Bounds = [
        (one.name, one.was, one.low, one.high)
        for one in gains
        if one.low is not None and one.high is not None
    ]
    gained = [name for name, _, low, _ in known if low > 0]
    lost = [name for name, _, _, high in known if high < 0]
    if gained and lost:
        return "shifted", f"{_and(gained)} gained, {_and(lost)} lost"
    if not gained and not lost:
        return "not_shown", "no group is shown to have gained or lost"
    told = f"{_and(gained or lost)} {'gained' if gained else 'lost'}"
    if gap is None:
        return "not_shown", told
    if gap.high is None:
        return "not_shown", f"{told}; of the gap: {gap.reason}"
    if gap.high >= 0:
        return "not_shown", f"{told}; the gap is not shown to have become smaller"
    return _down(known, told) if lost else _up(known, told)


def _down(known: _Bounds, told: str) -> tuple[State, str]:
    surely = max(-high for _, _, _, high in known)
    most, name = max(((high, name) for name, _, _, high in known if high >= 0), default=(0.0, ""))
    if most >= surely:
        return "not_shown", f"{told}, but {name} may have gained as much as was surely lost"
    return "levelled_down", f"the gap became smaller while {told}; no group is shown to have gained"


def _up(known: _Bounds, told: str) -> tuple[State, str]:
    _, worst, surely = min((was, name, low) for name, was, low, _ in known)
    if surely <= 0:
        return "not_shown", f"{told}, but not {worst}, who were worst off"
    most, name = max(((-low, name) for name, _, low, _ in known if low <= 0), default=(0.0, ""))
    if most >= surely:
        return "not_shown", f"{told}, but {name} may have lost as much as {worst} surely gained"
    return "levelled_up", f"the gap became smaller while {told}; no group is shown to have lost"


def _and(names: Sequence[str]) -> str:
    """Return names as a list in a sentence."""
    left = len(names) - _MOST
    *some, last = [*names[:_MOST], f"{left:,} more"] if left > 0 else names
    return f"{', '.join(some)} and {last}" if some else last


_MOST = 3
