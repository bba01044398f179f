"""The groups of two audits side by side: how each moved, and what that makes of their gap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evenhand.audits.evidence.block import has_target, is_of_items, term_of
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.comparison import Change, Comparison, Difference, diff
from evenhand.audits.evidence.levelling import (
    Direction,
    GroupMove,
    Levelling,
    judged,
    word_of,
)
from evenhand.audits.evidence.manifest import named
from evenhand.audits.finding import Finding
from evenhand.stats.estimate import Estimate


def document_of(found: Comparison, levelled: Iterable[Levelling]) -> dict[str, Any]:
    """Return what ``evenhand diff --json`` prints: every change, and what became of the groups."""
    return {**found.to_dict(), "levelling": [one.to_dict() for one in levelled]}


def levellings(
    before: Bundle, after: Bundle, *, level: float | None = None
) -> tuple[Levelling, ...]:
    """Return what became of the groups of every finding that both audits have.

    Findings of one measure over the same groups are one, such as its difference and its ratio.

    Args:
        before: The first audit.
        after: The second.
        level: Coverage for all groups of a finding together; None for that of the first plan.

    Raises:
        BundleError: The level is none.

    """
    wanted = before.plan.level if level is None else level
    blocks = _blocks(before, after)
    gaps = _gaps(before, after, blocks, wanted)
    moves: dict[int, list[Change]] = {}
    counts = [len(one.known) for one in blocks]
    for count in dict.fromkeys(counts):
        places = [place for place, known in enumerate(counts) if known == count]
        mine = [blocks[place] for place in places]
        # Of a contrast that is none only the groups are compared.
        found = _again(before, after, mine, "", _each(wanted, count))
        moves |= dict(zip(places, (changes[1:] for changes in found), strict=True))
    return tuple(
        _levelling(block, gaps[place], moves[place], wanted) for place, block in enumerate(blocks)
    )


_RECEIVED = frozenset({"exposure", "exposure_per_relevance", "recommended_rate"})
"""What items are given: neither direction is good for all, and more of it is a gain for a group."""


def direction_of(one: Finding) -> Direction | None:
    """Return in which direction a group gains; None where neither is better in itself."""
    if has_target(one) or (is_of_items(one) and term_of(one.measure).name in _RECEIVED):
        return "higher"
    match one.conventions.get("better"):
        case "higher":
            return "higher"
        case "lower":
            return "lower"
    return None


@dataclass(frozen=True)
class _Block:
    """Findings over the same groups in two audits: the first of them, and what all are called."""

    name: str
    names: tuple[str, ...]
    before: Finding
    after: Finding

    @property
    def known(self) -> set[tuple[str, ...]]:
        """The groups that are compared and have a figure, in both audits."""
        one, other = (
            {
                _values(group.group)
                for group in finding.groups
                if group.compared
                and isinstance(group.outcome, Estimate)
                and group.outcome.identified is None
            }
            for finding in (self.before, self.after)
        )
        return one & other


def _blocks(before: Bundle, after: Bundle) -> list[_Block]:
    first, second = (
        dict(zip(named(one.to_dict() for one in found), found, strict=True))
        for found in (before.findings, after.findings)
    )
    blocks: dict[object, list[str]] = {}
    for name, one in first.items():
        other = second.get(name)
        if other is None or one.pair or not one.groups or one.measure != other.measure:
            continue
        # Shares of exposure are other figures than its means, of the same measure.
        same = (one.measure, one.by, one.given, one.slice, has_target(one) and one.key)
        blocks.setdefault(same, []).append(name)
    return [
        _Block(names[0], tuple(names), first[names[0]], second[names[0]])
        for names in blocks.values()
    ]


def _gaps(
    before: Bundle, after: Bundle, blocks: Sequence[_Block], level: float
) -> list[Difference]:
    """Return the change of the largest difference between two groups of each block."""
    several = [place for place, one in enumerate(blocks) if len(one.known) >= _PAIR]
    found = _again(before, after, [blocks[place] for place in several], "difference", level)
    gaps = [Difference(None, reason="fewer than two groups are compared") for _ in blocks]
    for place, changes in zip(several, found, strict=True):
        gaps[place] = changes[0].difference
    return gaps


_PAIR = 2


def _again(
    before: Bundle, after: Bundle, blocks: Sequence[_Block], contrast: str, level: float
) -> list[list[Change]]:
    """Return the changes of blocks as if of another contrast: of the figure, then of its groups."""
    some = Estimate(0.0, 0.0, 0.0, level, "")  # in place of that of the contrast they had
    one, other = (
        replace(
            bundle, findings=tuple(replace(f, contrast=contrast, outcome=some) for f in findings)
        )
        for bundle, findings in (
            (before, [block.before for block in blocks]),
            (after, [block.after for block in blocks]),
        )
    )
    found: list[list[Change]] = []
    for change in diff(one, other, level=level).changes:
        if change.group is None:
            found.append([])
        found[-1].append(change)
    return found


def _each(level: float, count: int) -> float:
    return 1 - (1 - level) / max(1, count)


def _levelling(
    block: _Block, gap: Difference, changes: Iterable[Change], level: float
) -> Levelling:
    one, better = block.before, direction_of(block.before)
    known, apart = block.known, {_values(g.group) for g in one.groups if not g.compared}
    groups = tuple(
        GroupMove(
            change.group,
            change.before,
            change.after,
            change.difference,
            word_of(change.difference, better),
            _values(change.group) not in apart,
        )
        for change in changes
        if change.group is not None
    )
    compared = [move for move in groups if _values(move.group) in known]
    zero_sum = has_target(one)
    state, reason = judged(gap, compared, better, zero_sum=zero_sum)
    each = _each(level, len(known))
    return Levelling(
        block.name, one, block.names, better, zero_sum, gap, groups, level, each, state, reason
    )


def _values(group: Mapping[str, str]) -> tuple[str, ...]:
    # By attribute: evidence that was read has them in another order than evidence just made.
    return tuple(value for _, value in sorted(group.items()))
