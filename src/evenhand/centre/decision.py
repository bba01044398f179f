"""What a gate decides of a version: a function of a dossier, of bundles at hand and of the time.

Rules are judged where they were measured, and their verdicts are taken from the evidence. What a
policy asks beside them are conditions: facts, which pass or fail. The verdict is the worst of both.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evenhand.audits.gate.verdict import Verdict, of_all
from evenhand.centre.dossier import Dossier, EvidenceRecord, PolicyRecord, RunRecord
from evenhand.centre.policy import Policy, Required, parse_policy

CLOCKS = dt.timedelta(minutes=5)
"""How far two clocks may be apart before it is said."""

Mode = Literal["online", "cached"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Condition(_Record):
    """Something that the policy asks; a fact, so that it is never undecided."""

    id: str
    verdict: Literal["pass", "fail"]
    reason: str
    hint: str = ""


class Used(_Record):
    """Evidence that was decided by, and which of how many it is.

    Attributes:
        bundle: SHA-256 of its file.
        plan: Identity of its plan, and ``name`` under which that is registered.
        runs: How many audits of this plan and version are known, announced or not.
        others: Verdicts of the other ones, the newest first: ``pass``, ``fail``, ``undecided``,
            ``no rules``, ``no end``, ``failed`` (the run itself) or ``unpushed``.

    """

    bundle: str
    plan: str
    name: str = ""
    audited: dt.datetime
    verdict: str | None
    runs: int
    others: list[str] = Field(default_factory=list)


class Regression(_Record):
    """A rule that the other version passed and this one does not."""

    id: str
    scope: str
    before: Verdict
    after: Verdict


class Decision(_Record):
    """The verdict of a gate and all that it rests on."""

    id: str
    product: str
    model: str
    version: str
    artefact: str | None
    against: str | None
    verdict: Verdict
    unwaived: Verdict
    rules: list[dict[str, Any]]
    conditions: list[Condition]
    evidence: list[Used]
    regressions: list[Regression]
    policy: PolicyRecord
    mode: Mode
    at: dt.datetime

    def to_dict(self) -> dict[str, Any]:
        """Return what ``evenhand gate --product --json`` prints."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class _Case:
    """What is decided by: the dossier's own fields, with bundles at hand among the evidence."""

    dossier: Dossier
    policy: Policy
    evidence: Sequence[EvidenceRecord]
    artefact: str | None
    at: dt.datetime


def decide(
    dossier: Dossier,
    *,
    at: dt.datetime,
    artefact: str | None = None,
    at_hand: Iterable[EvidenceRecord] = (),
    mode: Mode = "online",
) -> Decision:
    """Return the verdict of a version.

    Args:
        dossier: What is known of it.
        at: The time.
        artefact: SHA-256 of the file that ships; None for the one that the version names.
        at_hand: Evidence that the centre may not have.
        mode: Whether the centre decides, or a cache in its place.

    """
    known = {one.bundle: one for one in [*at_hand, *dossier.evidence]}
    case = _Case(
        dossier=dossier,
        policy=parse_policy(dossier.policy.text, "policy"),
        evidence=sorted(known.values(), key=lambda one: one.audited, reverse=True),
        artefact=artefact or dossier.artefact,
        at=at,
    )
    fitting = [one for one in case.evidence if _misfit(case, one) is None]
    used = _newest(fitting)
    rules = [_waived(case, rule, one) for one in used for rule in one.rules]
    regressions = _regressions(dossier.before, used)
    conditions = [
        *_artefacts(case, artefact, fitting),
        *_there(case, used, rules),
        *(_required(case, one, fitting) for one in case.policy.require),
        *_ages(case, used),
        *_repeats(case, used),
        *_held_against(case, regressions),
    ]
    facts = [one.verdict for one in conditions]
    return Decision(
        id=uuid.uuid4().hex,
        product=dossier.product,
        model=dossier.model,
        version=dossier.version,
        artefact=case.artefact,
        against=dossier.against,
        verdict=of_all([*facts, *(rule["verdict"] for rule in rules)]),
        unwaived=of_all([*facts, *(rule["verdict"] for rule in rules if not rule["waiver"])]),
        rules=rules,
        conditions=conditions,
        evidence=[_used(case, one) for one in used],
        regressions=regressions,
        policy=dossier.policy,
        mode=mode,
        at=at,
    )


def _newest(evidence: Iterable[EvidenceRecord]) -> list[EvidenceRecord]:
    """Return the newest evidence of each plan; evidence comes the newest first."""
    found: dict[str, EvidenceRecord] = {}
    for one in evidence:
        found.setdefault(one.plan, one)
    return [*found.values()]


def _misfit(case: _Case, one: EvidenceRecord) -> str | None:
    """Return why evidence is not about what ships; None where it is."""
    if one.artefact is None:
        return "names no artefact" if case.policy.artefact == "required" else None
    if case.artefact is not None and one.artefact != case.artefact:
        return f"is about another artefact, {one.artefact[:19]}"
    return None


def _artefacts(
    case: _Case, given: str | None, fitting: Sequence[EvidenceRecord]
) -> Iterator[Condition]:
    registered = case.dossier.artefact
    if given and registered and given != registered:
        yield Condition(
            id="artefact",
            verdict="fail",
            reason=f"what ships is {given[:19]}; version {case.dossier.version} is registered as "
            f"{registered[:19]}",
            hint="Ship the artefact that was audited, or audit this one as a new version.",
        )
        return
    if case.policy.artefact == "required" and case.artefact is None:
        yield Condition(
            id="artefact",
            verdict="fail",
            reason="nobody says which file ships",
            hint="Name it: evenhand gate --artefact FILE.",
        )
        return
    others = [one for one in case.evidence if one not in fitting]
    if others and not fitting:
        why = "; ".join(dict.fromkeys(f"{one.bundle[:19]} {_misfit(case, one)}" for one in others))
        yield Condition(
            id="artefact",
            verdict="fail",
            reason=f"no evidence is about what ships: {why}",
            hint="Audit the artefact that ships; the plan's subject names it: artefact: sha256:...",
        )
    elif case.artefact is not None and any(one.artefact for one in fitting):
        reason = f"evidence is about the artefact that ships, {case.artefact[:19]}"
        yield Condition(id="artefact", verdict="pass", reason=reason)


def _there(
    case: _Case, used: Sequence[EvidenceRecord], rules: Sequence[dict[str, Any]]
) -> Iterator[Condition]:
    version = case.dossier.version
    if not case.evidence:
        yield Condition(
            id="evidence",
            verdict="fail",
            reason=f"there is no evidence for version {version}",
            hint="Push it: evenhand push BUNDLE --product ... --model ... --version ... --to URL",
        )
    elif used and not rules:
        yield Condition(
            id="evidence",
            verdict="fail",
            reason=f"the evidence for version {version} has no rules",
            hint="Add a gate to the plan and audit again.",
        )


def _required(case: _Case, wanted: Required, fitting: Sequence[EvidenceRecord]) -> Condition:
    """Return whether there is evidence of a plan that was registered in time."""
    name = f"plan {wanted.plan}"
    plans = [one for one in case.dossier.plans if one.name == wanted.plan]
    if not plans:
        return Condition(
            id=name,
            verdict="fail",
            reason=f"no plan is registered as '{wanted.plan}'",
            hint=f"Register it: evenhand centre register audit.yaml --name {wanted.plan}",
        )
    since = {one.digest: one.registered for one in plans}
    found = next((one for one in fitting if one.plan in since), None)
    if found is None:
        runs = [run for run in case.dossier.runs if run.plan in since]
        told = "".join(
            f"; {len(some)} {word}"
            for word, some in (
                ("started", runs),
                ("failed", [run for run in runs if run.state == "failed"]),
                ("without an end", [run for run in runs if run.state == "started"]),
                ("unpushed", [run for run in runs if run.state == "finished" and not run.pushed]),
            )
            if some
        )
        return Condition(
            id=name,
            verdict="fail",
            reason=f"there is no evidence of it for version {case.dossier.version}{told}",
            hint="Audit by the registered plan, and push.",
        )
    if wanted.registered == "before_window":
        if found.window is None:
            return Condition(
                id=name,
                verdict="fail",
                reason="its evidence does not say which days its data are of",
                hint="Name them in the plan: subject: {window: [2026-11-01, 2026-11-30]}.",
            )
        if since[found.plan].date() > found.window[0]:
            return Condition(
                id=name,
                verdict="fail",
                reason=f"it was registered on {since[found.plan]:%Y-%m-%d}, after its data began "
                f"on {found.window[0]}",
                hint="Register a plan before the days that it is about.",
            )
    return Condition(
        id=name,
        verdict="pass",
        reason=f"registered on {since[found.plan]:%Y-%m-%d}, run, and pushed",
    )


def _ages(case: _Case, used: Sequence[EvidenceRecord]) -> Iterator[Condition]:
    limit = case.policy.max_age
    for one in used:
        if one.audited > (one.received or case.at) + CLOCKS:
            yield Condition(
                id="clock",
                verdict="fail",
                reason=f"{one.bundle[:19]} says that it was made on {one.audited:%Y-%m-%d %H:%M} "
                "UTC, which is in the future",
                hint="Set the clock of the machine that audits, and audit again.",
            )
        elif limit is not None and case.at - one.audited > limit:
            yield Condition(
                id="age",
                verdict="fail",
                reason=f"{one.bundle[:19]} is {days(case.at - one.audited)} old; at most "
                f"{days(limit)} are allowed",
                hint="Audit again, on newer data.",
            )
    if limit is not None and used and all(case.at - one.audited <= limit for one in used):
        oldest = max(case.at - one.audited for one in used)
        told = f"evidence is at most {days(max(oldest, dt.timedelta()))} old; {days(limit)} allowed"
        yield Condition(id="age", verdict="pass", reason=told)


def _repeats(case: _Case, used: Sequence[EvidenceRecord]) -> Iterator[Condition]:
    most = case.policy.most_runs
    for one in used:
        count = _used(case, one).runs
        if most is not None and count > most:
            yield Condition(
                id="runs",
                verdict="fail",
                reason=f"{one.bundle[:19]} is the newest of {count} audits by one plan; at most "
                f"{most} are allowed",
                hint="Repeating an audit until it passes proves nothing: make a new version.",
            )


def _held_against(case: _Case, regressions: Sequence[Regression]) -> Iterator[Condition]:
    other = case.dossier.against
    if other is None:
        return
    if not case.dossier.before:
        yield Condition(
            id="against",
            verdict="fail",
            reason=f"there is no evidence for version {other}",
            hint="Name a version that was audited: --against VERSION.",
        )
        return
    if not regressions:
        reason = f"every rule that {other} passed is passed again"
        yield Condition(id="against", verdict="pass", reason=reason)
        return
    named = "; ".join(f"{one.id} was {one.before}, is {one.after}" for one in regressions)
    fails = case.policy.against == "not_worse"
    yield Condition(
        id="against",
        verdict="fail" if fails else "pass",
        reason=f"against {other}: {named}",
        hint="See both versions compared in the centre." if fails else "",
    )


def _regressions(
    before: Iterable[EvidenceRecord], used: Iterable[EvidenceRecord]
) -> list[Regression]:
    earlier = sorted(before, key=lambda one: one.audited, reverse=True)
    passed = {
        (one.plan, rule["id"], rule["scope"])
        for one in _newest(earlier)
        for rule in one.rules
        if rule["verdict"] == "pass"
    }
    return [
        Regression(id=rule["id"], scope=rule["scope"], before="pass", after=rule["verdict"])
        for one in used
        for rule in one.rules
        if (one.plan, rule["id"], rule["scope"]) in passed and rule["verdict"] != "pass"
    ]


def _waived(case: _Case, rule: dict[str, Any], one: EvidenceRecord) -> dict[str, Any]:
    """Return a rule with the waiver that was approved for it; what its own plan says is no waiver.

    Whoever writes a plan cannot excuse himself.
    """
    today = case.at.date()
    found = [
        waiver
        for waiver in case.dossier.waivers
        if waiver.rule == rule["id"] and waiver.expires >= today
    ]
    waiver = found[0].model_dump(mode="json") if found and rule["verdict"] != "pass" else None
    return {**rule, "bundle": one.bundle, "waiver": waiver}


def _used(case: _Case, one: EvidenceRecord) -> Used:
    """Return evidence with what became of the other audits by its plan."""
    name = next((plan.name for plan in case.dossier.plans if plan.digest == one.plan), "")
    others = [other for other in case.evidence if other.plan == one.plan and other != one]
    here = {other.bundle for other in case.evidence}
    silent = [run for run in case.dossier.runs if run.plan == one.plan and run.bundle not in here]
    told: list[tuple[dt.datetime, str]] = [
        (other.audited, other.verdict or "no rules") for other in others
    ]
    told += [(run.started, _end(run)) for run in silent]
    told.sort(key=lambda pair: pair[0], reverse=True)
    return Used(
        bundle=one.bundle,
        plan=one.plan,
        name=name,
        audited=one.audited,
        verdict=one.verdict,
        runs=1 + len(told),
        others=[text for _, text in told],
    )


def _end(run: RunRecord) -> str:
    return {"started": "no end", "failed": "failed", "finished": "unpushed"}[run.state]


def days(span: dt.timedelta) -> str:
    """Return a span of time in words.

    >>> days(dt.timedelta(days=90)), days(dt.timedelta(hours=5))
    ('90 days', '5 hours')
    """
    if span >= dt.timedelta(days=2):
        return f"{span.days} days"
    hours = span // dt.timedelta(hours=1)
    if hours >= 2:  # noqa: PLR2004 - plural
        return f"{hours} hours"
    return f"{span // dt.timedelta(minutes=1)} minutes"
