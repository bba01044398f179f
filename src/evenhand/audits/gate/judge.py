"""Judging rules: the limit is tested, not zero.

A rule passes when every member of its comparison is surely inside the limit, each by itself
(intersection-union: Berger 1982). It fails when some member is surely beyond it by limits that hold
for all members together, at a level that Holm's procedure shares among the rules of the gate. What
does neither is undecided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.audits.asked import Asked, name_of, too_few
from evenhand.audits.cells import Floats
from evenhand.audits.compared import Against, Compared, one_by_one, per_unit
from evenhand.audits.evidence.legible import visible
from evenhand.audits.finding import ALL_ROWS
from evenhand.audits.gate.rule import Limit
from evenhand.audits.gate.verdict import (
    RuleVerdict,
    UndecidedGroup,
    WaiverNote,
)
from evenhand.audits.grouped import Grouped
from evenhand.audits.plan.plan import Rule
from evenhand.stats.estimate import Undefined


@dataclass(frozen=True)
class Case:
    """A rule in one scope, with what answers it.

    Attributes:
        rule: The rule.
        limit: What it holds the figure against.
        asked: The question whose figure it is, in this scope.
        waiver: Who answers for its failure.
        line: The line of the rule in its plan.
        doubt: Why the attacks behind its rows are not to be relied on; empty where they are, or
            where the rule does not ask.

    """

    rule: Rule
    limit: Limit
    asked: Asked
    waiver: WaiverNote | None = None
    line: int | None = None
    doubt: str = ""

    @property
    def against(self) -> Against:
        """The limit as comparisons take it."""
        at_most = self.limit.direction == "at most"
        return Against(self.limit.value, at_most, self.rule.alternative)

    @property
    def groupings(self) -> list[Grouped]:
        """The groups that it is about, once for each measure that it reads."""
        contrast = self.asked.question.contrast
        return [self.asked.grouped()] if contrast is None else contrast.groupings(self.asked)

    def compared(self, alpha: float) -> Compared | Undefined:
        """Return what is held against the limit, at this one-sided error."""
        asked, level = self.asked, 1 - 2 * alpha
        contrast, grouped = asked.question.contrast, asked.grouped()
        if contrast is None:
            (reason,) = grouped.reasons
            if reason is not None:
                return Undefined(reason)
            whole = np.array([0])
            figures, variance = grouped.compare(whole), per_unit(grouped, whole, asked.level)
            return one_by_one(figures, [()], variance, level, self.against)
        for one in self.groupings:
            if one.compared.size < contrast.fewest:
                return too_few(one)
        return contrast.compared(asked, level, self.against)


def judge(cases: Sequence[Case]) -> list[RuleVerdict]:
    """Return the verdict of each case, failures by Holm's procedure over all of them."""
    failed = _failures(cases)
    left = len(cases) - len(failed)
    return [
        _relied_on(case, _verdict(case, failed.get(place), left))
        for place, case in enumerate(cases)
    ]


def _failures(cases: Sequence[Case]) -> dict[int, Compared]:
    """Return the cases that fail, with the limits by which they do.

    Holm's procedure steps down: while some rule fails at its error divided by the number of rules
    that have not yet failed, it is taken out and the others are tried again.

    Source: Holm 1979.
    """
    failed: dict[int, Compared] = {}
    while True:
        left = [place for place in range(len(cases)) if place not in failed]
        fresh: dict[int, Compared] = {}
        for place in left:
            case = cases[place]
            found = case.compared((1 - case.rule.certainty) / len(left))
            if isinstance(found, Compared) and found.beyond(case.against).any():
                fresh[place] = found
        if not fresh:
            return failed
        failed |= fresh


def _relied_on(case: Case, verdict: RuleVerdict) -> RuleVerdict:
    """Return the verdict of a rule; a pass by an attack that is doubted is none."""
    if verdict.verdict != "pass" or not case.doubt:
        return verdict
    return replace(
        verdict,
        verdict="undecided",
        reason=f"undecided: {case.doubt}. By its figure alone it would pass",
        pass_share=None if verdict.pass_share is None else 0.0,
    )


def _verdict(case: Case, failure: Compared | None, left: int) -> RuleVerdict:
    rule, limit, asked = case.rule, case.limit, case.asked
    undecided = RuleVerdict(
        id=rule.id,
        rule=f"{asked.question.key} {limit.sign} {limit.value:g}",
        key=asked.question.key,
        certainty=rule.certainty,
        scope=asked.scope or ALL_ROWS,
        verdict="undecided",
        reason="",
        pass_share=None,
        failed_groups=(),
        undecided_groups=(),
        units_needed=None,
        why=rule.why,
        waiver=case.waiver,
        line=case.line,
        reliable=rule.reliable,
    )
    found = case.compared(1 - rule.certainty)
    if isinstance(found, Undefined):
        aside = _aside(case)
        return replace(
            undecided,
            reason=f"undecided: {found.reason}",
            undecided_groups=_named(case, aside) if asked.question.by else (),
        )
    if failure is not None:
        return _failed(case, failure, undecided)
    return _open(case, found, undecided, left)


def _failed(case: Case, failure: Compared, verdict: RuleVerdict) -> RuleVerdict:
    """Return the verdict of a rule that is surely broken."""
    grouped = case.asked.grouped()
    beyond = failure.beyond(case.against)
    limits, at_most = failure.together, case.against.at_most
    ends = np.where(beyond, limits.low if at_most else -limits.high, -np.inf)
    worst = int(np.argmax(ends))
    end = limits.low[worst] if at_most else limits.high[worst]
    names = (visible(name_of(grouped.groups[place])) for place in failure.groups[worst])
    who = " against ".join(names)
    text = f"it is {'at least' if at_most else 'at most'} {end:.4g}{f' ({who})' if who else ''}"
    members = dict.fromkeys(failure.groups[place] for place in np.flatnonzero(beyond))
    return replace(
        verdict,
        verdict="fail",
        reason=f"fail: {_sure(case)} that {text}; the limit is {case.limit.value:g}",
        failed_groups=tuple(
            tuple(grouped.groups[place] for place in member) for member in members if member
        ),
        undecided_groups=_named(case, _aside(case)) if case.asked.question.by else (),
    )


def _open(case: Case, found: Compared, verdict: RuleVerdict, left: int) -> RuleVerdict:
    """Return the verdict of a rule that is not surely broken, one of so many."""
    inside = found.inside(case.against)
    needed = None if inside.all() else _finite(found.planned(~inside))
    hint = _would_decide(case, needed, found)
    if found.beyond(case.against).any():
        hint = f"; by itself it would fail, as one of {left} checks it is not sure enough{hint}"
    if not case.asked.question.by:
        if inside.all():
            return replace(verdict, verdict="pass", reason=f"pass, {_sure(case)}")
        text = f"undecided: the figure is {_CLOSE}{hint}"
        return replace(verdict, reason=text, units_needed=needed)
    aside = _aside(case)
    units = np.max([one.units.by_group for one in case.groupings], axis=0)
    doubtful = _doubtful(found, inside, units) if any(found.groups) else _all_compared(case, inside)
    undecided = {**aside, **dict.fromkeys(sorted(doubtful), _CLOSE)}
    share = _share(units, undecided)
    verdict = replace(
        verdict,
        pass_share=share,
        undecided_groups=_named(case, undecided),
        units_needed=needed,
    )
    count = f"{len(undecided)} group{'s' * (len(undecided) != 1)} undecided"
    if inside.all() and not _blocked(case):
        whom = f" for {_percent(share)} of units; {count}" if undecided else ""
        return replace(verdict, verdict="pass", reason=f"pass{whom}, {_sure(case)}")
    others = f"; the others, {_percent(share)} of units, keep the rule" if share else ""
    return replace(verdict, reason=f"undecided: {count}{others}{hint}")


def _share(units: Floats, undecided: Mapping[int, str]) -> float:
    """Return the share of units of which something is said, rounded down to a tenth of a per cent.

    Rounded, so that it does not tell how many units a group has that is not shown; and below 1
    where some group is left out, even one without any trial.
    """
    sure = [place for place in range(len(units)) if place not in undecided]
    share = math.floor(1000 * float(units[sure].sum() / max(units.sum(), 1.0)) + 1e-9) / 1000
    return min(share, 0.999) if undecided else share


def _named(case: Case, undecided: Mapping[int, str]) -> tuple[UndecidedGroup, ...]:
    groupings = case.groupings
    return tuple(
        UndecidedGroup(
            groupings[0].groups[place],
            None
            if any(place in one.small for one in groupings)
            else round(max(float(one.units.by_group[place]) for one in groupings)),
            reason,
        )
        for place, reason in undecided.items()
    )


_CLOSE = "neither surely inside the limit nor surely beyond it"


def _aside(case: Case) -> dict[int, str]:
    """Return the groups that are not compared, and why."""
    found: dict[int, str] = {}
    for grouped in case.groupings:
        compared = {*grouped.compared.tolist()}
        for place in range(len(grouped.groups)):
            if place not in compared and (grouped.rows[place] or not grouped.apart[place]):
                none = "a missing or left-over value, which is no group"
                found.setdefault(place, grouped.reasons[place] or none)
    return found


def _blocked(case: Case) -> bool:
    """Return whether a group of enough units has no figure, which keeps a rule from passing."""
    return any(
        reason is not None and place not in grouped.small and not grouped.apart[place]
        for grouped in case.groupings
        for place, reason in enumerate(grouped.reasons)
    )


def _all_compared(case: Case, inside: NDArray[np.bool_]) -> set[int]:
    """Return all groups compared, where one figure is about them all and is not inside."""
    if inside.all():
        return set()
    return {place for grouped in case.groupings for place in grouped.compared.tolist()}


def _doubtful(found: Compared, inside: NDArray[np.bool_], units: Floats) -> set[int]:
    """Return few groups without which every member is inside the limit.

    The group in most members that are not is taken out first, of several the smallest.
    """
    left = [member for member, sure in zip(found.groups, inside, strict=True) if not sure]
    out: set[int] = set()
    while left:
        places = [place for member in left for place in member]
        if not places:
            break
        worst = max({*places}, key=lambda place: (places.count(place), -units[place], -place))
        out.add(worst)
        left = [member for member in left if worst not in member]
    everybody = {place for member in found.groups for place in member}
    # A pair is two groups: where only one is left, nothing is known of it either.
    alone = max(map(len, found.groups)) > 1 and len(everybody - out) < 2  # noqa: PLR2004
    return everybody if alone else out


def _finite(needed: float) -> float | None:
    return needed if math.isfinite(needed) else None


def _sure(case: Case) -> str:
    return f"{100 * case.rule.certainty:g}% sure"


def _would_decide(case: Case, needed: float | None, found: Compared) -> str:
    """Return how many units would let a rule pass, and where its figure had to be for that."""
    if needed is None or found.target is None:
        return ""
    grouped = case.asked.grouped()
    if needed <= grouped.units.by_group[grouped.compared].min():
        return f"; where it is {found.target:.3g}, so many units would most likely have let it pass"
    per = " per group" if any(found.groups) else ""
    return f"; {needed:,.0f} units{per} let it pass with 80% power where it is {found.target:.3g}"


def _percent(share: float) -> str:
    """Return a share so that less than all is never printed as all.

    >>> _percent(0.9996), _percent(1.0)
    ('99.9%', '100%')
    """
    return f"{math.floor(1000 * share + 1e-9) / 10:g}%"
