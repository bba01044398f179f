"""What a policy asks of a release beside its rules: facts, which pass or fail."""

from __future__ import annotations

import datetime as dt
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from evenhand.audits.finding import ALL_ROWS
from evenhand.centre.dossier import Dossier, EvidenceRecord, PlanRecord
from evenhand.centre.policy import Policy, Required
from evenhand.centre.regression import Held
from evenhand.centre.used import end_of, named, silent, used_of

CLOCKS = dt.timedelta(minutes=5)
"""How far two clocks may be apart before it is said."""


class Condition(BaseModel):
    """Something that the policy asks; a fact, so that it is never undecided."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    verdict: Literal["pass", "fail"]
    reason: str
    hint: str = ""

    @property
    def asked(self) -> str:
        """What must be so, whatever the case."""
        named = self.id.removeprefix("plan ")
        return _ASKED.get(self.id, f"there is evidence of the plan registered as {named}")


_ASKED = {
    "artefact": "the evidence is about the file that ships",
    "evidence": "there is evidence, and it has rules",
    "clock": "no evidence is from the future",
    "age": "evidence is as new as the policy asks",
    "data": "data are as new as the policy asks",
    "runs": "no plan is run more often than the policy allows",
    "against": "what the other version passed is passed again",
}


@dataclass(frozen=True)
class Case:
    """What is decided by.

    Attributes:
        dossier: What is known of the version.
        policy: What is asked.
        evidence: All evidence of it, the newest first.
        given: The artefact that somebody says ships.
        at: The time.

    """

    dossier: Dossier
    policy: Policy
    evidence: Sequence[EvidenceRecord]
    given: str | None
    at: dt.datetime

    @property
    def artefact(self) -> str | None:
        """The artefact that ships; None where nobody says."""
        return self.given or self.dossier.artefact

    def misfit(self, one: EvidenceRecord) -> str | None:
        """Return why evidence is not about what ships; None where it is."""
        if one.artefact is None:
            return "names no artefact" if self.policy.artefact == "required" else None
        if self.artefact is not None and one.artefact != self.artefact:
            return f"is about another artefact, {brief(one.artefact)}"
        return None


def conditions(
    case: Case, used: Sequence[EvidenceRecord], rules: Sequence[Mapping[str, Any]], held: Held
) -> Iterator[Condition]:
    """Yield the conditions of a policy that apply.

    Args:
        case: What is decided by.
        used: The evidence that is decided by: the newest of each plan that is about what ships.
        rules: Its rules.
        held: The version held against another.

    """
    yield from _artefact(case, used)
    yield from _evidence(case, used, rules)
    for one in case.policy.require:
        yield _required(case, one, used)
    yield from _clock(case, used)
    yield from _age(case, used)
    yield from _data(case, used)
    yield from _runs(case, used)
    yield from _against(case, held)


def excused(conditions: Sequence[Condition], held: Held) -> list[Condition]:
    """Return the conditions that hold against a release whose waivers are honoured."""
    waived = bool(held.regressions) and all(one.waived for one in held.regressions)
    return [one for one in conditions if not (waived and one.id == "against")]


def _artefact(case: Case, used: Sequence[EvidenceRecord]) -> Iterator[Condition]:
    registered, ships = case.dossier.artefact, case.artefact
    if case.given and registered and case.given != registered:
        yield Condition(
            id="artefact",
            verdict="fail",
            reason=f"what ships is {brief(case.given)}; version {case.dossier.version} is "
            f"registered as {brief(registered)}",
            hint="Ship the artefact that was audited, or audit this one as a new version.",
        )
        return
    about = [*dict.fromkeys(one.artefact for one in used if one.artefact)]
    if ships is None and (case.policy.artefact == "required" or len(about) > 1):
        several = f": the evidence is about {', '.join(map(brief, about))}" if about else ""
        yield Condition(
            id="artefact",
            verdict="fail",
            reason=f"nobody says which file ships{several}",
            hint="Name it: evenhand gate --artefact FILE.",
        )
        return
    others = [(one, why) for one in case.evidence if (why := case.misfit(one)) is not None]
    if others and not used:
        told = "; ".join(dict.fromkeys(f"{brief(one.bundle)} {why}" for one, why in others))
        yield Condition(
            id="artefact",
            verdict="fail",
            reason=f"no evidence is about what ships: {told}",
            hint="Audit the artefact that ships; the plan's subject names it: artefact: sha256:...",
        )
    elif used and (about or ships):
        yield Condition(
            id="artefact", verdict="pass", reason="; ".join(_bound(ships, used, others))
        )


def _bound(
    ships: str | None, used: Sequence[EvidenceRecord], others: Sequence[object]
) -> Iterator[str]:
    """Yield what is known of how evidence is bound to what ships."""
    nameless = sum(one.artefact is None for one in used)
    about = next((one.artefact for one in used if one.artefact), None)
    if about is None:
        yield "the evidence names no artefact, and the policy does not ask for it"
    elif ships is None:
        yield f"the evidence is about {brief(about)}; nobody says which file ships"
    else:
        yield f"evidence is about the artefact that ships, {brief(ships)}"
    if about is not None and nameless:
        yield f"{nameless} of the {len(used)} used names none"
    if others:
        yield f"{len(others)} more not used: not about what ships"


def _evidence(
    case: Case, used: Sequence[EvidenceRecord], rules: Sequence[Mapping[str, Any]]
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


def _required(case: Case, wanted: Required, used: Sequence[EvidenceRecord]) -> Condition:
    """Return whether there is evidence of a plan that was registered in time."""
    name = f"plan {wanted.plan}"
    plans = [one for one in case.dossier.plans if one.name == wanted.plan]
    if not plans:
        return Condition(
            id=name,
            verdict="fail",
            reason=f"no plan is registered as '{wanted.plan}'",
            hint=f"Register it: evenhand centre register audit.yaml --product "
            f"{shlex.quote(case.dossier.product)} --name {shlex.quote(wanted.plan)}",
        )
    found = [one for one in used if any(one.plan == plan.digest for plan in plans)]
    tried = [_in_time(wanted, plans, one, name) for one in found]
    kept = next((one for one in tried if one.verdict == "pass"), None)
    if tried:
        return kept or tried[0]
    digests = {plan.digest for plan in plans}
    runs = [run for run in case.dossier.runs if run.plan in digests]
    ends = Counter(end_of(run) for run in silent(case.dossier, case.evidence) if run in runs)
    told = [f"{len(runs)} started"] if runs else []
    told += [f"{count} {_LISTED[end]}" for end, count in sorted(ends.items())]
    aside = sum(one.plan in digests for one in case.evidence)
    told += [f"{aside} not about what ships"] if aside else []
    return Condition(
        id=name,
        verdict="fail",
        reason="; ".join([f"there is no evidence of it for version {case.dossier.version}", *told]),
        hint="Audit by the registered plan, and push.",
    )


_LISTED = {"no end": "without an end", "failed": "failed", "unpushed": "unpushed"}


def _in_time(
    wanted: Required, plans: Sequence[PlanRecord], one: EvidenceRecord, name: str
) -> Condition:
    """Return whether the plan of evidence was in force when its data began.

    One that was registered later was perhaps chosen by the result, and one that another took the
    place of is not what was agreed.
    """
    since = min(plan.registered for plan in plans if plan.digest == one.plan)
    if wanted.registered == "before_window" and one.window is None:
        return Condition(
            id=name,
            verdict="fail",
            reason="its evidence does not say which days its data are of",
            hint="Name them in the plan: subject: {window: [2026-11-01, 2026-11-30]}.",
        )
    if wanted.registered == "before_window" and one.window is not None:
        began = one.window[0]
        if since.date() >= began:
            return Condition(
                id=name,
                verdict="fail",
                reason=f"it was registered on {since:%Y-%m-%d}, and its data began on {began}",
                hint="Register a plan before the days that it is about.",
            )
        later = [plan.registered for plan in plans if plan.registered.date() < began]
    else:
        later = [plan.registered for plan in plans if plan.registered <= one.audited]
    newer = [at for at in later if at > since]
    if newer:
        return Condition(
            id=name,
            verdict="fail",
            reason=f"its evidence is of the plan that was registered on {since:%Y-%m-%d}; "
            f"another took its place on {max(newer):%Y-%m-%d}",
            hint="Audit by the plan that was registered last.",
        )
    return Condition(
        id=name, verdict="pass", reason=f"registered on {since:%Y-%m-%d}, run, and there"
    )


def _clock(case: Case, used: Sequence[EvidenceRecord]) -> Iterator[Condition]:
    ahead = [one for one in used if one.audited > (one.received or case.at) + CLOCKS]
    if ahead:
        told = "; ".join(
            f"{brief(one.bundle)} on {one.audited:%Y-%m-%d %H:%M} UTC" for one in ahead
        )
        yield Condition(
            id="clock",
            verdict="fail",
            reason=f"evidence says that it was made in the future: {told}",
            hint="Set the clock of the machine that audits, and audit again.",
        )


def _age(case: Case, used: Sequence[EvidenceRecord]) -> Iterator[Condition]:
    limit = case.policy.max_age
    if limit is None or not used:
        return
    ages = {one.bundle: max(case.at - one.audited, dt.timedelta()) for one in used}
    old = {bundle: age for bundle, age in ages.items() if age > limit}
    if old:
        told = "; ".join(f"{brief(bundle)} is {days(age)} old" for bundle, age in old.items())
        yield Condition(
            id="age",
            verdict="fail",
            reason=f"{told}; at most {days(limit)} are allowed",
            hint="Audit again.",
        )
    else:
        told = f"evidence is at most {days(max(ages.values()))} old; {days(limit)} allowed"
        yield Condition(id="age", verdict="pass", reason=told)


def _data(case: Case, used: Sequence[EvidenceRecord]) -> Iterator[Condition]:
    """Yield how old the data are: an audit of today may be of rows of last year."""
    limit = case.policy.max_data_age
    if limit is None or not used:
        return
    today, said = case.at.date(), []
    for one in used:
        if one.window is None:
            said.append(f"{brief(one.bundle)} does not say which days its data are of")
        elif today - one.window[1] > limit:
            said.append(f"the data of {brief(one.bundle)} end on {one.window[1]}")
    if said:
        yield Condition(
            id="data",
            verdict="fail",
            reason=f"{'; '.join(said)}; at most {days(limit)} ago are allowed",
            hint="Audit newer data, and name their days: subject: {window: [FIRST, LAST]}.",
        )
    else:
        told = f"all data end at most {days(limit)} ago"
        yield Condition(id="data", verdict="pass", reason=told)


def _runs(case: Case, used: Sequence[EvidenceRecord]) -> Iterator[Condition]:
    """Yield whether a plan was run too often, and the runs of which nothing came."""
    most = case.policy.most_runs
    counted = {one.bundle: used_of(case.dossier, case.evidence, one).runs for one in used}
    often = {bundle: count for bundle, count in counted.items() if most and count > most}
    if often:
        told = "; ".join(
            f"{brief(bundle)} is the newest of {count} audits by one plan"
            for bundle, count in often.items()
        )
        yield Condition(
            id="runs",
            verdict="fail",
            reason=f"{told}; at most {most} are allowed",
            hint="Repeating an audit until it passes proves nothing: make a new version.",
        )
        return
    plans = {one.plan for one in used}
    ends = Counter(
        (named(case.dossier, run.plan) or brief(run.plan), end_of(run))
        for run in silent(case.dossier, case.evidence)
        if run.plan not in plans
    )
    if ends:
        told = "; ".join(f"{plan}: {count} {_LISTED[end]}" for (plan, end), count in ends.items())
        reason = f"audits by other plans were announced and have no evidence: {told}"
        yield Condition(id="runs", verdict="pass", reason=reason)


def _against(case: Case, held: Held) -> Iterator[Condition]:
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
    changed = f"; other words now: {'; '.join(held.changed)}" if held.changed else ""
    if not held.regressions:
        told = f"every rule that {other} passed is passed again"
        reason = f"{told if held.passed else f'{other} passed no rule'}{changed}"
        yield Condition(id="against", verdict="pass", reason=reason)
        return
    told = "; ".join(
        f"{one.id}{'' if one.scope == ALL_ROWS else f' in {one.scope}'} was {one.before}, "
        f"is {one.after}"
        for one in held.regressions
    )
    fails = case.policy.against == "not_worse"
    yield Condition(
        id="against",
        verdict="fail" if fails else "pass",
        reason=f"against {other}: {told}{changed}",
        hint="See both versions compared in the centre." if fails else "",
    )


def brief(digest: str) -> str:
    """Return as much of a digest as people compare.

    >>> brief("sha256:e3b0c44298fc1c149afbf4c8996fb924")
    'sha256:e3b0c44298fc'
    """
    return digest[:19]


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
