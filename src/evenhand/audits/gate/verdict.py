"""Verdicts: what a gate says about each rule, and about the release."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["pass", "fail", "undecided"]

WORST_FIRST: tuple[Verdict, ...] = ("fail", "undecided", "pass")


@dataclass(frozen=True, slots=True)
class UndecidedGroup:
    """A group of which a rule says nothing.

    Attributes:
        group: Value of each group attribute.
        units: Units among the measure's trials; None where the group has too few to be shown.
        reason: Why nothing is said.

    """

    group: Mapping[str, str]
    units: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class WaiverNote:
    """A waiver that holds on the day of the audit."""

    owner: str
    expires: dt.date
    reason: str


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """A rule in one scope: what it says, how sure, for whom, and what would decide it.

    Attributes:
        id: The rule's name.
        rule: The rule as it is understood.
        key: The figure, by its key in the findings.
        certainty: How sure a verdict must be.
        scope: ``all rows``, or the slice.
        verdict: The verdict.
        reason: The verdict in a sentence.
        pass_share: Share of the units whose groups surely keep the rule, in [0, 1]; None where
            there are no groups.
        failed_groups: Groups, or pairs of groups, that surely break it.
        undecided_groups: Groups of which nothing is said.
        units_needed: Units per group that would let it pass with 80% power at the declared
            alternative; None where no number would, or where it is decided.
        why: Why the limit was chosen.
        waiver: Who answers for its failure; None where nobody does.
        line: The line of the rule in the plan; None where the plan is no file.
        reliable: Whether it passes only where the attacks behind the figure are reliable.

    """

    id: str
    rule: str
    key: str
    certainty: float
    scope: str
    verdict: Verdict
    reason: str
    pass_share: float | None
    failed_groups: tuple[tuple[Mapping[str, str], ...], ...]
    undecided_groups: tuple[UndecidedGroup, ...]
    units_needed: float | None
    why: str = ""
    waiver: WaiverNote | None = None
    line: int | None = None
    reliable: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as in the JSON contract."""
        needed = self.units_needed
        return {
            "id": self.id,
            "rule": self.rule,
            "key": self.key,
            "certainty": self.certainty,
            "scope": self.scope,
            "verdict": self.verdict,
            "reason": self.reason,
            "pass_share": self.pass_share,
            "failed_groups": [[dict(one) for one in member] for member in self.failed_groups],
            "undecided_groups": [
                {"group": dict(one.group), "units": one.units, "reason": one.reason}
                for one in self.undecided_groups
            ],
            "units_needed": None if needed is None or math.isinf(needed) else needed,
            "why": self.why,
            "waiver": None
            if self.waiver is None
            else {
                "owner": self.waiver.owner,
                "expires": self.waiver.expires.isoformat(),
                "reason": self.waiver.reason,
            },
            "line": self.line,
            # Where it is not asked for, the record is as it always was.
            **({"reliable": True} if self.reliable else {}),
        }


def of_all(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of a gate: fail before undecided before pass.

    >>> of_all(["pass", "undecided", "fail"])
    'fail'
    """
    return min(verdicts, key=WORST_FIRST.index, default="pass")
