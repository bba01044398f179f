"""What a gate decides of a version: a function of a dossier, of bundles at hand and of the time.

Rules are judged where they were measured, and their verdicts are taken from the evidence. What a
policy asks beside them are conditions: facts, which pass or fail. The verdict is the worst of both.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from evenhand.audits.gate.verdict import Verdict, of_all
from evenhand.centre.condition import CLOCKS, Case, Condition, conditions, days, excused
from evenhand.centre.dossier import Dossier, EvidenceRecord, PolicyRecord
from evenhand.centre.policy import parse_policy
from evenhand.centre.regression import Regression, held_against
from evenhand.centre.used import Used, in_order, newest, used_of

__all__ = ["CLOCKS", "Condition", "Decision", "Mode", "Regression", "Used", "days", "decide"]

Mode = Literal["online", "cached"]


class Decision(BaseModel):
    """The verdict of a gate and all that it rests on.

    Attributes:
        verdict: The worst of all rules and conditions.
        unwaived: The same without the rules that a waiver is approved for.
        rules: As in evidence, each with its ``bundle``, ``plan`` and approved ``waiver``.

    """

    model_config = ConfigDict(extra="ignore", frozen=True)

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
    case = Case(
        dossier=dossier,
        policy=parse_policy(dossier.policy.text, "policy"),
        evidence=in_order(known.values()),
        given=artefact,
        at=at,
    )
    used = newest(one for one in case.evidence if case.misfit(one) is None)
    rules = [_waived(case, rule, one) for one in used for rule in one.rules]
    held = held_against(dossier.before, rules)
    facts = [*conditions(case, used, rules, held)]
    waived = [rule["verdict"] for rule in rules if not rule["waiver"]]
    return Decision(
        id=uuid.uuid4().hex,
        product=dossier.product,
        model=dossier.model,
        version=dossier.version,
        artefact=case.artefact,
        against=dossier.against,
        verdict=of_all([*(one.verdict for one in facts), *(rule["verdict"] for rule in rules)]),
        unwaived=of_all([*(one.verdict for one in excused(facts, held)), *waived]),
        rules=rules,
        conditions=facts,
        evidence=[used_of(dossier, case.evidence, one) for one in used],
        regressions=held.regressions,
        policy=dossier.policy,
        mode=mode,
        at=at,
    )


def _waived(case: Case, rule: dict[str, Any], one: EvidenceRecord) -> dict[str, Any]:
    """Return a rule with the waiver that was approved for it; what its own plan says is no waiver.

    Whoever writes a plan cannot excuse himself.
    """
    today = case.at.date()
    found = [
        waiver
        for waiver in case.dossier.waivers
        if waiver.rule == rule["id"] and waiver.expires >= today
    ]
    waiver = None
    if found and rule["verdict"] != "pass":
        last = max(found, key=lambda one: (one.expires, one.owner, one.approver, one.reason))
        waiver = last.model_dump(mode="json")
    return {**rule, "bundle": one.bundle, "plan": one.plan, "waiver": waiver}
