"""What figures of ranked lists say, in sentences: shares, curves, and what they are read beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from evenhand.audits.evidence.block import depth_of, term_of, top_of
from evenhand.audits.evidence.lorenz import landmark
from evenhand.audits.finding import Finding
from evenhand.render.wording import number
from evenhand.stats.estimate import Estimate

IDEAL_SHOWN = "the best list is made of what was shown: what was missed is not in the log"
"""What is said where no item is in the log that was not shown."""

_AIMS = {
    "candidates": "its share of the candidates",
    "catalogue": "its share of the catalogue",
    "equal": "an equal share",
}
_USUAL = "candidates"
_EVEN = 0.0005
"""A distance that would be written as 0.0 points."""


def aim_of(one: Finding) -> str:
    """Return what the share of a group stands beside, in words."""
    named = str(dict(term_of(one.key).params).get("target", _USUAL))
    return _AIMS.get(named, f"its share of {named}")


def slots_of(one: Finding) -> str:
    """Return the slots that count.

    >>> slots_of(Finding("x", "exposure@5", None, "row", 1, True, 1, (), {}))
    'slots 1 to 5'
    """
    depth = depth_of(one)
    return "whole lists" if depth is None else f"slots 1 to {depth}"


def beside(one: Finding) -> str:
    """Return what a figure would be by chance and at best, as the end of its sentence."""
    chance, best = (landmark(one, topic) for topic in ("chance", "best attainable"))
    told = []
    if chance:
        order = "random order" in one.conventions["chance"]
        who = "lists in random order would have" if order else "chance alone would give"
        told.append(f"{who} {number(float(chance))}")
    if best:
        told.append(f"the best that can be reached is {number(float(best))}")
    return "".join(f"; {text}" for text in told[:1]) + "".join(f", and {text}" for text in told[1:])


def ideal(one: Finding) -> str:
    """Return what must be known of the best list; empty where nothing is missing from the log."""
    if one.conventions.get("ideal") != "shown":
        return ""
    return f" {IDEAL_SHOWN[:1].upper()}{IDEAL_SHOWN[1:]}."


def shares(one: Finding, found: Estimate, who: Callable[[Mapping[str, str]], str]) -> str:
    """Return who gets most more or less than it should, and how far that is known."""
    known = [
        (group.outcome.value - group.target, who(group.group), group.outcome.value)
        for group in one.groups
        if group.target is not None and isinstance(group.outcome, Estimate)
    ]
    low, high = f"{100 * found.low:.1f}", f"{100 * found.high:.1f}"
    end = f"the largest distance from a target is {low} to {high} points"
    if found.low <= 0:
        end = f"no distance from the targets is shown, and it is at most {high} points"
    if not known:
        return f"{end[:1].upper()}{end[1:]}."
    apart, name, share = max(known, key=lambda group: abs(group[0]))
    side = f"{100 * abs(apart):.1f} points {'more' if apart > 0 else 'less'} than {aim_of(one)}"
    if abs(apart) < _EVEN:
        side = f"as much as {aim_of(one)}"
    return f"Of the exposure in {slots_of(one)}, {name} gets {share:.1%}, {side}; {end}."


def curve(block: Sequence[Finding]) -> str:
    """Return what the most exposed items get; empty where no such share is known."""
    known = [
        (part, one.outcome)
        for one in block
        if (part := top_of(one)) is not None and isinstance(one.outcome, Estimate)
    ]
    told = [
        f"{100 * part:g}% get {found.value:.1%} ({found.low:.1%} to {found.high:.1%})"
        for part, found in known
    ]
    if not told:
        return ""
    where = slots_of(block[0])
    return (
        f"Of the exposure in {where}, the most exposed items of the catalogue: {'; '.join(told)}."
    )
