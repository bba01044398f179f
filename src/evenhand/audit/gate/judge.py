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

from evenhand.audit.asked import Asked, name_of, too_few
from evenhand.audit.cells import Floats
from evenhand.audit.compared import Against, Compared, one_by_one, per_unit
from evenhand.audit.contrasts import Contrast
from evenhand.audit.gate.rule import Limit
from evenhand.audit.gate.verdict import (
    ALL_ROWS,
    RuleVerdict,
    UndecidedGroup,
    Verdict,
    WaiverNote,
)
from evenhand.audit.grouped import Grouped
from evenhand.audit.plan.plan import Rule
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

    """

    rule: Rule
    limit: Limit
    asked: Asked
    waiver: WaiverNote | None = None
    line: int | None = None

    @property
    def against(self) -> Against:
        """The limit as comparisons take it."""
        at_most = self.limit.direction == "at most"
        return Against(self.limit.value, at_most, self.rule.alternative)

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
        if type(contrast).compared is not Contrast.compared and grouped.compared.size <= 1:
            return too_few(grouped)
        return contrast.compared(asked, level, self.against)


def judge(cases: Sequence[Case]) -> list[RuleVerdict]:
    """Return the verdict of each case, failures by Holm's procedure over all of them."""
    failed = _failures(cases)
    return [_verdict(case, failed.get(place)) for place, case in enumerate(cases)]


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


def _verdict(case: Case, failure: Compared | None) -> RuleVerdict:
    rule, limit, asked = case.rule, case.limit, case.asked
    written = f"{asked.question.key} {limit.sign} {limit.value:g}"
    verdict = RuleVerdict(
        id=rule.id,
        rule=written,
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
    )
    found = case.compared(1 - rule.certainty)
    if isinstance(found, Undefined):
        return replace(verdict, reason=f"undecided: {found.reason}")
    return replace(verdict, **_told(case, found, failure))


def _told(case: Case, found: Compared, failure: Compared | None) -> dict[str, object]:
    """Return what a comparison says about a rule."""
    grouped, against = case.asked.grouped(), case.against
    inside = found.inside(against)
    by_group = any(found.groups)
    aside = _aside(grouped) if by_group else {}
    blocked = [place for place in aside if place not in grouped.small and not grouped.apart[place]]
    doubtful = _doubtful(found, inside, grouped.units.by_group)
    passes = bool(inside.all()) and not blocked
    verdict: Verdict = "fail" if failure is not None else "pass" if passes else "undecided"
    if not by_group:
        needed = None if verdict != "undecided" else _most(found.needed)
        return {
            "verdict": verdict,
            "reason": _sentence(case, verdict, failure, None, 0, needed),
            "units_needed": needed,
        }
    beyond = [] if failure is None else np.flatnonzero(failure.beyond(against)).tolist()
    broken = {} if failure is None else {place: failure.groups[place] for place in beyond}
    if verdict == "fail":
        doubtful = {place for member in broken.values() for place in member}
    units = grouped.units.by_group
    sure = [place for place in range(len(units)) if place not in doubtful and place not in aside]
    share = float(units[sure].sum() / units.sum()) if units.sum() else 0.0
    undecided = {**aside, **({} if verdict == "fail" else dict.fromkeys(sorted(doubtful), _CLOSE))}
    needed = _most(found.needed[~inside]) if verdict == "undecided" and not inside.all() else None
    return {
        "verdict": verdict,
        "reason": _sentence(case, verdict, failure, share, len(undecided), needed),
        "pass_share": share if verdict != "fail" else None,
        "failed_groups": tuple(
            tuple(grouped.groups[place] for place in member) for member in broken.values()
        ),
        "undecided_groups": tuple(
            UndecidedGroup(grouped.groups[place], round(float(units[place])), reason)
            for place, reason in undecided.items()
        ),
        "units_needed": needed,
    }


_CLOSE = "its interval contains the limit"


def _aside(grouped: Grouped) -> dict[int, str]:
    """Return the groups that are not compared, and why."""
    compared = {*grouped.compared.tolist()}
    return {
        place: grouped.reasons[place] or "a missing or left-over value, which is no group"
        for place in range(len(grouped.groups))
        if place not in compared and grouped.units.by_group[place] > 0
    }


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
    return out


def _most(needed: Floats) -> float | None:
    if needed.size == 0 or not np.isfinite(needed).any() or np.isnan(needed).any():
        return None
    most = float(needed.max())
    return None if math.isinf(most) else most


def _sentence(
    case: Case,
    verdict: Verdict,
    failure: Compared | None,
    share: float | None,
    undecided: int,
    needed: float | None,
) -> str:
    """Return a verdict in words."""
    sure = f"{100 * case.rule.certainty:g} % sure"
    if verdict == "fail" and failure is not None:
        member = _worst_member(case, failure)
        at = failure.together
        end = at.low[member] if case.against.at_most else at.high[member]
        side = "at least" if case.against.at_most else "at most"
        who = _who(case.asked.grouped().groups, failure.groups[member])
        text = f"{sure} that it is {side} {end:.4g}{f' ({who})' if who else ''}"
        return f"fail: {text}, beyond the limit {case.limit.value:g}"
    groups = f"{undecided} group{'s' * (undecided != 1)} undecided"
    if verdict == "pass":
        whom = (
            "" if share is None or not undecided else f" for {_percent(share)} of units; {groups}"
        )
        return f"pass{whom}, {sure}"
    text = "undecided: the interval contains the limit"
    if share is not None and undecided:
        text = f"undecided: {groups}; the others, {_percent(share)} of units, keep the rule"
        if share == 0:
            text = f"undecided: {groups}"
    if needed is None:
        return text
    per = "" if share is None else " per group"
    return f"{text}; {needed:,.0f} units{per} would decide with 80 % power"


def _percent(share: float) -> str:
    """Return a share so that less than all is never printed as all.

    >>> _percent(0.9996), _percent(1.0)
    ('99.9 %', '100 %')
    """
    return f"{math.floor(1000 * share + 1e-9) / 10:g} %"


def _worst_member(case: Case, failure: Compared) -> int:
    at = failure.together
    if case.against.at_most:
        return int(np.nanargmax(at.low))
    return int(np.nanargmin(at.high))


def _who(groups: Sequence[Mapping[str, str]], member: tuple[int, ...]) -> str:
    return " against ".join(name_of(groups[place]) for place in member)
