"""Findings and verdicts read back from evidence: the JSON contract, checked field by field."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evenhand.audits.evidence.canonical import AGAIN
from evenhand.audits.finding import Equivalence, Exclusion, Finding, GroupFinding, Test
from evenhand.audits.gate.verdict import RuleVerdict, UndecidedGroup, WaiverNote
from evenhand.errors import BundleError, Problem
from evenhand.stats.estimate import Estimate, Outcome, Undefined

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Checked = TypeVar("Checked")
GroupName = dict[str, str]


class _Record(BaseModel):
    """A record of evidence; fields of later versions that say more are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Set(_Record):
    low: Number
    high: Number


class _Shrunk(_Record):
    value: Number
    low: Number
    high: Number
    method: str


class GroupRecord(_Record):
    """A group of a contrast."""

    group: GroupName
    value: Number | None
    low: Number | None
    high: Number | None
    units: Count | None
    units_exact: bool = True
    rows: Count | None
    undefined: str | None
    suppressed: bool
    compared: bool = True
    identified: _Set | None = None
    shrunk: _Shrunk | None = None
    target: Number | None = None

    def read(self, level: float) -> GroupFinding:
        """Return the group; limits are at this level."""
        return GroupFinding(
            group=self.group,
            outcome=_outcome(self, level, ""),
            rows=self.rows or 0,
            units=self.units or 0,
            units_exact=self.units_exact,
            compared=self.compared,
            suppressed=self.suppressed,
            shrunk=None
            if self.shrunk is None
            else Estimate(
                self.shrunk.value, self.shrunk.low, self.shrunk.high, level, self.shrunk.method
            ),
            target=self.target,
        )


class _Exclusion(_Record):
    reason: str
    rows: Count


class _Test(_Record):
    p_value: Number
    method: str
    adjusted: Number | None
    adjustment: str
    rejected: bool | None


class _Equivalence(_Record):
    margin: Number
    verdict: str
    level: Number
    units_needed: Number | None


class FindingRecord(_Record):
    """A finding, as CONTRACTS' JSON has it."""

    key: str
    measure: str
    slice: str | None
    value: Number | None
    low: Number | None
    high: Number | None
    level: Number | None
    method: str | None
    estimand: Literal["row", "unit"]
    units: Count
    units_exact: bool
    rows: Count
    excluded: list[_Exclusion]
    undefined: str | None
    identified: _Set | None
    conventions: dict[str, str]
    contrast: str | None = None
    by: list[str] = []
    given: list[str] = []
    is_rate: bool = False
    part: str = ""
    test: _Test | None = None
    equivalence: _Equivalence | None = None
    pair: list[GroupName] = []
    groups: list[GroupRecord] = []

    def read(self, level: float) -> Finding:
        """Return the finding; groups are shown at the plan's level."""
        told = self.equivalence
        return Finding(
            key=self.key,
            measure=self.measure,
            outcome=_outcome(self, self.level or level, self.method or ""),
            estimand=self.estimand,
            units=self.units,
            units_exact=self.units_exact,
            rows=self.rows,
            excluded=tuple(Exclusion(one.reason, one.rows) for one in self.excluded),
            conventions=self.conventions,
            contrast=self.contrast,
            groups=tuple(group.read(level) for group in self.groups),
            pair=tuple(self.pair),
            by=tuple(self.by),
            given=tuple(self.given),
            slice=self.slice,
            part=self.part,
            test=None if self.test is None else Test(**self.test.model_dump()),
            equivalence=None
            if told is None
            else Equivalence(
                told.margin,
                told.verdict,
                told.level,
                math.inf if told.units_needed is None else told.units_needed,
            ),
            is_rate=self.is_rate,
        )


class _Undecided(_Record):
    group: GroupName
    units: Count | None
    reason: str


class _Waiver(_Record):
    owner: str
    expires: dt.date
    reason: str


class RuleRecord(_Record):
    """The verdict of a rule in one scope."""

    id: str
    rule: str
    key: str
    certainty: Number
    scope: str
    verdict: Literal["pass", "fail", "undecided"]
    reason: str
    pass_share: Number | None
    failed_groups: list[list[GroupName]]
    undecided_groups: list[_Undecided]
    units_needed: Number | None
    why: str = ""
    waiver: _Waiver | None = None
    line: int | None = None
    reliable: bool = False

    def read(self) -> RuleVerdict:
        """Return the verdict."""
        return RuleVerdict(
            id=self.id,
            rule=self.rule,
            key=self.key,
            certainty=self.certainty,
            scope=self.scope,
            verdict=self.verdict,
            reason=self.reason,
            pass_share=self.pass_share,
            failed_groups=tuple(tuple(member) for member in self.failed_groups),
            undecided_groups=tuple(
                UndecidedGroup(one.group, one.units, one.reason) for one in self.undecided_groups
            ),
            units_needed=self.units_needed,
            why=self.why,
            waiver=None if self.waiver is None else WaiverNote(**self.waiver.model_dump()),
            line=self.line,
            reliable=self.reliable,
        )


FINDINGS = TypeAdapter(list[FindingRecord])
RULES = TypeAdapter(list[RuleRecord])


def read_findings(content: Any, level: float) -> tuple[Finding, ...]:  # noqa: ANN401 - from JSON
    """Return the findings of a document.

    Raises:
        BundleError: It is not as the contract says.

    """
    return tuple(record.read(level) for record in checked(FINDINGS, content, "findings.json"))


def read_rules(content: Any) -> tuple[RuleVerdict, ...]:  # noqa: ANN401 - from JSON
    """Return the verdicts of a document.

    Raises:
        BundleError: It is not as the contract says.

    """
    return tuple(record.read() for record in checked(RULES, content, "rules.json"))


def checked(adapter: TypeAdapter[Checked], content: Any, name: str) -> Checked:  # noqa: ANN401
    """Return content as it is described, checked field by field.

    Raises:
        BundleError: It is not as the format says.

    """
    try:
        return adapter.validate_python(content)
    except (ValidationError, RecursionError) as error:
        said = "it is nested too deeply"
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False)[0]
            said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        what = f"it is not as the format says ({said})."
        raise BundleError(Problem(name, what, AGAIN)) from error


def _outcome(record: GroupRecord | FindingRecord, level: float, method: str) -> Outcome:
    """Return a figure with its interval, or why there is none."""
    if record.low is None or record.high is None:
        return Undefined(record.undefined or "no reason is given")
    sets = record.identified
    identified = None if sets is None else (sets.low, sets.high)
    value = record.value
    if value is None:
        value = (record.low + record.high) / 2 if sets is None else (sets.low + sets.high) / 2
    return Estimate(value, record.low, record.high, level, method, identified)


def identity(record: Mapping[str, Any]) -> str:
    """Return what a finding or verdict is known by among those of its bundle.

    >>> identity({"key": "accuracy", "slice": "age > 40"})
    'accuracy in age > 40'
    """
    text = str(record.get("id", record.get("key")))
    scope = record.get("scope", record.get("slice"))
    pair = record.get("pair") or []
    versus = " - ".join(", ".join(map(str, group.values())) for group in pair)
    part = record.get("part") or ""
    name = " ".join(filter(None, (text, f"[{versus}]" if versus else "", part)))
    return f"{name} in {scope}" if scope else name
