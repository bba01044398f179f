"""Two audits in words: the answer first, who gained and who lost, and what became of each figure.

The page, its Markdown and the terminal say the same with these words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evenhand.audits.evidence.block import is_of_items
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.comparison import Comparison, diff
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.levelling import GroupMove, Levelling, State, Word
from evenhand.audits.evidence.moves import levellings
from evenhand.audits.finding import ALL_ROWS
from evenhand.render.reading import capital
from evenhand.render.wording import first, name_of

WORDS: Mapping[Word, str] = {
    "gained": "gained",
    "lost": "lost",
    "rose": "rose",
    "fell": "fell",
    "not_shown": "no change shown",
    "unknown": "no interval",
}
STATES: Mapping[State, str] = {
    "levelled_down": "levelled down",
    "levelled_up": "levelled up",
    "shifted": "shifted",
    "not_shown": "not shown",
}
"""What became of groups and their gap, in words."""

Tone = Literal["pass", "fail", "undecided", "none"]

_MOST_NAMED, _MOST_MEASURES = 3, 2


@dataclass(frozen=True)
class Changes:
    """Two audits and what is known of their changes.

    Attributes:
        before: The first audit.
        after: The second.
        found: Every figure of both, its change by itself.
        levelled: The groups of every finding, their changes together.

    """

    before: Bundle
    after: Bundle
    found: Comparison
    levelled: tuple[Levelling, ...]

    @property
    def moved(self) -> list[Levelling]:
        """The findings of which some group is shown to have moved."""
        return [one for one in self.levelled if one.moved(*_MOVED)]


def changes_of(before: Bundle, after: Bundle, *, level: float | None = None) -> Changes:
    """Return two audits with their changes.

    Args:
        before: The first audit.
        after: The second.
        level: Coverage; None for that of the first plan.

    Raises:
        BundleError: The level is none.

    """
    found = diff(before, after, level=level)
    return Changes(before, after, found, levellings(before, after, level=level))


def headline(changes: Changes) -> tuple[str, Tone]:
    """Return the answer in a few words, and what it is a sign of."""
    if changes.found.same:
        return "The same figures", "none"
    if not changes.levelled:
        return "No groups that both audits compare", "none"
    states = {one.state for one in changes.levelled}
    words = {move.word for one in changes.levelled for move in one.groups if move.compared}
    if "levelled_down" in states:
        total, count = len(changes.levelled), len(_in_state(changes, "levelled_down"))
        where = f" in {count:,} of {total:,} comparisons of groups" if total > 1 else ""
        return f"Levelling down{where}", "fail"
    if {"gained", "lost"} <= words:
        return "Some groups gained, others lost", "undecided"
    if "gained" in words:
        return "Some groups gained, none is shown to have lost", "pass"
    if "lost" in words:
        return "Some groups lost, none is shown to have gained", "fail"
    if {"rose", "fell"} & words:
        return "Figures of groups changed", "undecided"
    return "No group is shown to have gained or lost", "none"


def answer(changes: Changes) -> list[str]:
    """Return what changed in a few sentences: verdicts, groups, and levelling down."""
    if changes.found.same:
        return ["Both audits have the same figures."]
    levelled = [_named(changes, "levelled_down"), _named(changes, "levelled_up")]
    none = "" if any(levelled) or not changes.levelled else "Levelling down is not shown."
    return [*filter(None, [_verdicts(changes), *levelled, *_groups(changes), none])]


def _verdicts(changes: Changes) -> str:
    one, other = changes.before.verdict, changes.after.verdict
    if one is None and other is None:
        return ""
    told = []
    for rule in rules_of(changes):
        where = f" in {cut(rule.scope)}" if rule.scope else ""
        if rule.before != rule.after:
            ends = f"from {rule.before or 'none'} to {rule.after or 'none'}"
            told.append(f"{cut(rule.id)}{where} {ends}")
    which = f": {'; '.join(first(told, _MOST_NAMED))}" if told else ""
    if one == other:
        return f"The verdict is {other}, as before{which}."
    return f"The verdict went from {one or 'none'} to {other or 'none'}{which}."


def _groups(changes: Changes) -> list[str]:
    told = []
    for word, lead in _LEADS:
        by = _by_group(changes.levelled, word)
        if by:
            names = [
                f"{name} ({', '.join(first(found, _MOST_MEASURES))})" for name, found in by.items()
            ]
            told.append(f"{lead}: {'; '.join(first(names, _MOST_NAMED))}.")
    total, still = len(changes.levelled), len(changes.levelled) - len(changes.moved)
    if not total:
        return ["No finding of both audits compares groups."]
    if total == still:
        told.append("No group is shown to have gained or lost.")
    elif still:
        told.append(f"In {still:,} of {total:,} comparisons of groups no change is shown.")
    return told


_LEADS: Sequence[tuple[Word, str]] = (
    ("gained", "Gained"),
    ("lost", "Lost"),
    ("rose", "Rose, where neither direction is better in itself"),
    ("fell", "Fell, where neither direction is better in itself"),
)


def _named(changes: Changes, state: State) -> str:
    """Return the findings in this state, each with what it rests on; empty without any."""
    told = [f"{title_of(one)}: {one.reason}" for one in _in_state(changes, state)]
    lead = "Levelling down" if state == "levelled_down" else "Levelled up"
    return f"{lead}: {'. '.join(first(told, _MOST_NAMED))}." if told else ""


def _in_state(changes: Changes, state: State) -> list[Levelling]:
    return [one for one in changes.levelled if one.state == state]


def _by_group(levelled: Iterable[Levelling], *words: Word) -> dict[str, list[str]]:
    """Return the measures in which each group has one of these words."""
    found: dict[str, list[str]] = {}
    for one in levelled:
        for move in one.moved(*words):
            if move.compared:
                where = f" in {cut(one.finding.slice)}" if one.finding.slice else ""
                found.setdefault(group_name(one, move), []).append(f"{what_of(one)}{where}")
    return found


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule's verdict in two audits; None where it has none."""

    id: str
    rule: str
    scope: str
    before: str | None
    after: str | None


def rules_of(changes: Changes) -> list[RuleChange]:
    """Return the verdicts of every rule of either audit, what changed first."""
    sides = [
        {(rule.id, rule.scope): rule for rule in bundle.rules}
        for bundle in (changes.before, changes.after)
    ]
    found = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        one, other = (side.get(key) for side in sides)
        known = one or other
        if known is not None:
            verdicts = [None if rule is None else rule.verdict for rule in (one, other)]
            scope = "" if known.scope == ALL_ROWS else known.scope
            found.append(RuleChange(known.id, known.rule, scope, *verdicts))
    return sorted(found, key=lambda one: one.before == one.after)


def title_of(one: Levelling) -> str:
    """Return what is compared, between whom, in which rows."""
    finding = one.finding
    over = "of items by" if is_of_items(finding) else "by"
    given = f" within {', '.join(finding.given)}" if finding.given else ""
    where = f" in {finding.slice}" if finding.slice else ""
    return cut(f"{what_of(one)} {over} {', '.join(finding.by)}{given}{where}", 200)


def what_of(one: Levelling) -> str:
    """Return the figure of a group."""
    name, bracket, rest = one.finding.measure.partition("(")
    if one.zero_sum:
        name, bracket, rest = (
            f"share of {name.partition('@')[0]}{_depth(one.finding.measure)}",
            "",
            "",
        )
    return cut(f"{name.replace('_', ' ')}{bracket}{rest}")


def _depth(measure: str) -> str:
    _, mark, depth = measure.rpartition("@")
    return f"@{depth}" if mark else ""


def group_name(one: Levelling, move: GroupMove) -> str:
    """Return a group where it stands alone: with its attributes, and that it is one of items."""
    items = "items of " if is_of_items(one.finding) else ""
    return cut(f"{items}{name_of(move.group)} ({', '.join(move.group)})", 100)


@dataclass(frozen=True, slots=True)
class Tally:
    """A group over all findings.

    Attributes:
        name: The group.
        shown: What is shown of it: a word, and that word with the measure.
        still: In how many findings no change is shown.

    """

    name: str
    shown: tuple[tuple[Word, str], ...]
    still: int


def tallies(changes: Changes) -> list[Tally]:
    """Return every group that is compared, those that lost or gained first."""
    by = {word: _by_group(changes.levelled, word) for word in (*_MOVED, "not_shown")}
    still = by.pop("not_shown")
    names = dict.fromkeys([name for found in by.values() for name in found] + [*still])
    return [
        Tally(
            name,
            tuple(
                (word, f"{WORDS[word]} in {what}")
                for word, found in by.items()
                for what in found.get(name, ())
            ),
            len(still.get(name, ())),
        )
        for name in names
    ]


_MOVED: Sequence[Word] = ("lost", "gained", "fell", "rose")


def judgement(one: Levelling) -> str:
    """Return in which direction a group gains, and what is shown of all, in a sentence."""
    lead = {"higher": "Higher is better", "lower": "Lower is better"}.get(one.better or "", "")
    if one.better and one.finding.conventions.get("better") not in {"higher", "lower"}:
        lead = "More is a gain for the group that has it"
    # A group's name keeps its letters, so that it stands first in no sentence.
    return f"{lead}: {one.reason}." if lead else f"{capital(one.reason)}."
