"""One finding in two audits: how it changed, and its groups, with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evenhand.audits.contrasts import form_of
from evenhand.audits.evidence.block import has_target
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.pairing import Pairing
from evenhand.audits.finding import Finding, GroupFinding
from evenhand.audits.gate.verdict import Verdict, of_all
from evenhand.engine.sketch import STANDARD_ERROR
from evenhand.stats.change import Change as Moved
from evenhand.stats.change import Version, beside, change
from evenhand.stats.estimate import Estimate, Outcome
from evenhand.stats.interval import Limits
from evenhand.stats.selected_change import gap_change, ratio_change, worst_change


@dataclass(frozen=True, slots=True)
class Difference:
    """After minus before.

    Attributes:
        value: The change; None where either has no figure.
        low: The lower limit of the change; None where there is no interval.
        high: The upper limit.
        reason: Why there is no change or no interval; empty where there is.
        paired: Whether the interval takes into account what units share between the audits.

    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    paired: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A figure in two audits.

    Attributes:
        name: What it is known by among the findings.
        key: Its notation.
        slice: The slice of the rows; None for all.
        pair: The two groups of a signed difference, in order; empty otherwise.
        part: Which part of a family it is; empty where its pair says that.
        group: The group of a contrast that it is about; None for the figure itself.
        before: Its value in the first audit; None where it has none.
        after: Its value in the second.
        difference: After minus before.
        verdict_before: What the rules about it said; None where there is none.
        verdict_after: The same, in the second audit.
        same: Whether counts are equal and figures too, to 1e-9 relative.

    """

    name: str
    key: str
    slice: str | None
    pair: tuple[Mapping[str, str], ...]
    part: str
    group: Mapping[str, str] | None
    before: float | None
    after: float | None
    difference: Difference
    verdict_before: Verdict | None
    verdict_after: Verdict | None
    same: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the change as in the JSON contract."""
        gap = self.difference
        return {
            "key": self.key,
            "slice": self.slice,
            **({"pair": [dict(group) for group in self.pair]} if self.pair else {}),
            **({"part": self.part} if self.part else {}),
            "group": None if self.group is None else dict(self.group),
            "before": self.before,
            "after": self.after,
            "difference": {
                "value": gap.value,
                "low": gap.low,
                "high": gap.high,
                "reason": gap.reason or None,
                "paired": gap.paired,
            },
            "verdict_before": self.verdict_before,
            "verdict_after": self.verdict_after,
            "same": self.same,
        }


@dataclass(frozen=True)
class Both:
    """A finding of two audits, with what its change is computed from.

    Attributes:
        name: What it is known by among the findings.
        first: The finding in the first audit.
        second: The same in the second.
        before: The first audit.
        after: The second.
        pairing: How they are paired.
        level: Coverage of each interval.

    """

    name: str
    first: Finding
    second: Finding
    before: Bundle
    after: Bundle
    pairing: Pairing
    level: float

    def changes(self) -> Iterator[Change]:
        """Yield the change of the figure, then of its groups."""
        one, other = self.first, self.second
        verdicts = (_verdict(self.before, one), _verdict(self.after, other))
        same = _same(one.outcome, other.outcome)
        same = same and one.rows == other.rows and _same_units(one, other)
        same = same and {*one.excluded} == {*other.excluded}
        yield self._change(
            None, one.outcome, other.outcome, self._difference(), verdicts, same=same
        )
        groups = {values_of(group): group for group in other.groups}
        for mine in one.groups:
            theirs = groups.get(values_of(mine))
            if theirs is not None:
                same = _same(mine.outcome, theirs.outcome) and _counts(mine) == _counts(theirs)
                same = same and (mine.suppressed or _same_units(mine, theirs))
                gap = self._of_group(mine, theirs)
                yield self._change(
                    mine.group, mine.outcome, theirs.outcome, gap, (None, None), same=same
                )

    def _change(
        self,
        group: Mapping[str, str] | None,
        before: Outcome,
        after: Outcome,
        difference: Difference,
        verdicts: tuple[Verdict | None, Verdict | None],
        *,
        same: bool,
    ) -> Change:
        one = self.first
        return Change(
            self.name,
            one.key,
            one.slice,
            one.pair,
            one.part,
            group,
            _value(before),
            _value(after),
            difference,
            *verdicts,
            same,
        )

    def _difference(self) -> Difference:
        """Return the change of the figure itself."""
        gap = _apart(self.first.outcome, self.second.outcome)
        if gap.value is None:
            return gap
        match form_of(self.first.contrast):
            case None | "pair":
                groups = self.first.pair or ({},)
                return self._moved([self.first.outcome], [self.second.outcome], groups)
            case "gap" | "worst" | "ratio":
                return self._selected(gap)
            case _ if has_target(self.first) and has_target(self.second):
                return self._from_targets(gap)
            case _:
                reason = f"no interval is defined for the change of '{self.first.contrast}'"
                return Difference(gap.value, reason=reason)

    def _of_group(self, mine: GroupFinding, theirs: GroupFinding) -> Difference:
        gap = _apart(mine.outcome, theirs.outcome)
        if gap.value is None or self.first.measure != self.second.measure:
            return Difference(None, reason=gap.reason or "another measure is shown")
        return self._moved([mine.outcome], [theirs.outcome], [mine.group])

    def _moved(
        self,
        before: Sequence[Outcome],
        after: Sequence[Outcome],
        groups: Sequence[Mapping[str, str]],
    ) -> Difference:
        one, other = self._versions(before, after, groups, signed=len(groups) > len(before))
        value, (low, high) = change(one, other, self.level, self.pairing.dependent_of(self.first))
        return _shown(Moved(float(value[0]), float(low[0]), float(high[0])), one, other)

    def _selected(self, gap: Difference) -> Difference:
        """Return the change of what the data select among groups."""
        found = self._compared()
        if isinstance(found, str):
            return Difference(gap.value, reason=found)
        one, other = self._of_groups(*found)
        dependent = self.pairing.dependent_of(self.first)
        match form_of(self.first.contrast):
            case "gap":
                moved = gap_change(one, other, self.level, dependent)
            case "ratio":
                smallest = ratio_change(one, other, self.level, dependent)
                if smallest is None:
                    return Difference(gap.value, reason="a group that is divided by may be 0")
                moved = smallest
            case _:
                highest = self.first.conventions.get("better") == "lower"
                moved = worst_change(one, other, self.level, dependent, highest=highest)
        return _shown(moved, one, other)

    def _from_targets(self, gap: Difference) -> Difference:
        """Return the change of the largest distance of a group from its target."""
        found = self._compared()
        if isinstance(found, str):
            return Difference(gap.value, reason=found)
        mine, theirs = found
        aims = [[one.target for one in groups] for groups in (mine, theirs)]
        known = [[np.nan if aim is None else aim for aim in side] for side in aims]
        if not np.allclose(known[0], known[1], rtol=0, atol=1e-9):
            return Difference(gap.value, reason="the targets are not the same")
        # A distance is the larger of both signed ones.
        one, other = (beside(each, np.array(known[0])) for each in self._of_groups(mine, theirs))
        moved = worst_change(
            one, other, self.level, self.pairing.dependent_of(self.first), highest=True
        )
        return _shown(moved, one, other)

    def _compared(self) -> tuple[list[GroupFinding], list[GroupFinding]] | str:
        """Return the groups that both audits compare, in one order, or why they do not."""
        mine, theirs = (
            {
                values_of(one): one
                for one in finding.groups
                if one.compared and _value(one.outcome) is not None
            }
            for finding in (self.first, self.second)
        )
        if mine.keys() != theirs.keys():
            only = sorted(mine.keys() ^ theirs.keys())
            return f"not the same groups are compared: {'; '.join(map(', '.join, only))[:200]}"
        return [*mine.values()], [theirs[name] for name in mine]

    def _of_groups(
        self, mine: Sequence[GroupFinding], theirs: Sequence[GroupFinding]
    ) -> tuple[Version, Version]:
        return self._versions(
            [one.outcome for one in mine],
            [one.outcome for one in theirs],
            [one.group for one in mine],
            signed=False,
        )

    def _versions(
        self,
        before: Sequence[Outcome],
        after: Sequence[Outcome],
        groups: Sequence[Mapping[str, str]],
        *,
        signed: bool,
    ) -> tuple[Version, Version]:
        """Return figures of both audits; of two groups that are one signed figure, as one."""
        found = []
        sides = ((self.first, self.before, before), (self.second, self.after, after))
        for place, (finding, _, outcomes) in enumerate(sides):
            known = [one for one in outcomes if isinstance(one, Estimate)]
            low, high = (np.array([getattr(one, end) for one in known]) for end in ("low", "high"))
            moved = self.pairing.deviations(place, finding, groups)
            if signed and moved is not None:
                moved = moved[:, :1] - moved[:, 1:]
            within = (-math.inf, math.inf)
            if finding.is_rate:
                within = (-1.0, 1.0) if signed else (0.0, 1.0)
            values = np.array([one.value for one in known])
            found.append(Version(values, Limits(low, high), known[0].level, within, moved))
        return found[0], found[1]


def _apart(before: Outcome, after: Outcome) -> Difference:
    one, other = _value(before), _value(after)
    if one is not None and other is not None:
        return Difference(other - one)
    undefined = [
        f"{when}: {outcome.reason}"
        for when, outcome in (("before", before), ("after", after))
        if not isinstance(outcome, Estimate)
    ]
    if undefined:
        return Difference(None, reason="; ".join(undefined))
    return Difference(None, reason="only a set is identified")


def _shown(moved: Moved, one: Version, other: Version) -> Difference:
    if not (math.isfinite(moved.low) and math.isfinite(moved.high)):
        return Difference(moved.value, reason="its interval has no end")
    paired = one.deviations is not None and other.deviations is not None
    return Difference(*moved, paired=paired)


def _value(outcome: Outcome) -> float | None:
    if isinstance(outcome, Estimate) and outcome.identified is None:
        return outcome.value
    return None


def _same(before: Outcome, after: Outcome) -> bool:
    """Return whether two figures are equal but for rounding."""
    if not (isinstance(before, Estimate) and isinstance(after, Estimate)):
        return type(before) is type(after)
    one, other = (
        (found.value, found.low, found.high, *(found.identified or ())) for found in (before, after)
    )
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(one, other, strict=True)
    )


def _verdict(bundle: Bundle, finding: Finding) -> Verdict | None:
    """Return what the rules about a finding say together; None where there is none."""
    scope = finding.scope
    found = [
        rule.verdict for rule in bundle.rules if rule.key == finding.key and rule.scope == scope
    ]
    return of_all(found) if found else None


def _counts(group: GroupFinding) -> tuple[object, ...]:
    """Return what must be equal of a group; of one that is suppressed evidence holds no counts."""
    return (0 if group.suppressed else group.rows, group.suppressed, group.compared)


def _same_units(one: Finding | GroupFinding, other: Finding | GroupFinding) -> bool:
    """Return whether numbers of units are equal; estimates need only fit each other.

    Also of groups together whose units may be in several: that number is none that was counted.
    """
    if one.units_exact and other.units_exact:
        return one.units == other.units
    most = max(one.units, other.units)
    return abs(one.units - other.units) <= max(_ERRORS * STANDARD_ERROR * most, _FEW)


_ERRORS, _FEW = 4, 2
"""Standard errors by which estimates may differ, and units by which they may anyway."""


def values_of(group: GroupFinding) -> tuple[str, ...]:
    """Return the values of a group's attributes, by which it is known in both audits."""
    # By attribute: evidence that was read has them in another order than evidence just made.
    return tuple(value for _, value in sorted(group.group.items()))
