"""All that a gate needs to know of one version: the same document on a server and in a cache."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.canonical import canonical, digest_of
from evenhand.audits.plan.plan import AuditPlan

FORMAT = 1

Pillar = Literal["fairness", "robustness", "privacy", "explainability"]

PILLARS: tuple[Pillar, ...] = ("fairness", "robustness", "privacy", "explainability")

_PILLAR_OF: Mapping[str, Pillar] = {
    "perturbed": "robustness",
    "membership": "privacy",
    "attributions": "explainability",
}
"""By the kind of the log; a log of what a product decided is about fairness."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class PlanRecord(_Record):
    """A plan that was registered."""

    name: str
    digest: str
    registered: dt.datetime


class RunRecord(_Record):
    """An audit that was announced; ``pushed`` tells whether the centre has its evidence."""

    id: str
    plan: str
    started: dt.datetime
    ended: dt.datetime | None = None
    state: Literal["started", "finished", "failed"]
    bundle: str | None = None
    pushed: bool = False
    reason: str = ""


class EvidenceRecord(_Record):
    """A bundle, as far as a gate reads it.

    Attributes:
        bundle: SHA-256 of the file.
        plan: Identity of its plan.
        received: When the centre accepted it; None for one that it has not seen.
        rules: The verdicts of its rules, as in ``rules.json``.

    """

    bundle: str
    plan: str
    kind: str
    pillar: Pillar
    audited: dt.datetime
    received: dt.datetime | None = None
    artefact: str | None = None
    window: tuple[dt.date, dt.date] | None = None
    verdict: Literal["pass", "fail", "undecided"] | None = None
    rules: list[dict[str, Any]] = Field(default_factory=list)


class WaiverRecord(_Record):
    """A waiver that somebody else has approved."""

    rule: str
    owner: str
    approver: str
    reason: str
    expires: dt.date


class PolicyRecord(_Record):
    """The policy that decides; without a product it is that of the company, version 0 built in."""

    product: str | None
    version: int
    digest: str
    text: str


class Dossier(_Record):
    """What is known of one version when it is issued.

    Attributes:
        artefact: The file that ships, once somebody named it.
        before: Evidence of the version that it is held against.
        expires: Until when it may decide without the centre.

    """

    format: Literal[1] = 1
    product: str
    model: str
    version: str
    artefact: str | None = None
    against: str | None = None
    policy: PolicyRecord
    plans: list[PlanRecord] = Field(default_factory=list)
    runs: list[RunRecord] = Field(default_factory=list)
    evidence: list[EvidenceRecord] = Field(default_factory=list)
    before: list[EvidenceRecord] = Field(default_factory=list)
    waivers: list[WaiverRecord] = Field(default_factory=list)
    issued: dt.datetime
    expires: dt.datetime


def pillar_of(kind: str) -> Pillar:
    """Return the pillar that audits of a kind of log belong to."""
    return _PILLAR_OF.get(kind, "fairness")


_OF_A_VERSION = {"subject", "waivers", "seed"}
"""What differs from one version, or one repetition, to another without being asked."""


def plan_identity(plan: AuditPlan) -> str:
    """Return the digest of what a plan asks, whoever is audited and wherever the rows are."""
    document = {key: value for key, value in plan.identified().items() if key not in _OF_A_VERSION}
    document["log"].pop("source")
    for key in ("address", "inputs", "architecture", "form"):
        document.get("model", {}).pop(key, None)
    document.pop("catalogue")
    for table in document["tables"]:
        table.pop("source")
    return digest_of(canonical(document, "plan"))


def evidence_of(bundle: Bundle, digest: str) -> EvidenceRecord:
    """Return what a gate reads of a bundle.

    Args:
        bundle: The bundle.
        digest: SHA-256 of its file.

    """
    subject, kind = bundle.plan.subject, bundle.plan.log.kind
    return EvidenceRecord(
        bundle=digest,
        plan=plan_identity(bundle.plan),
        kind=kind,
        pillar=pillar_of(kind),
        audited=bundle.created,
        artefact=subject.artefact,
        window=None if subject.window is None else (subject.window[0], subject.window[1]),
        verdict=bundle.verdict,
        rules=[rule.to_dict() for rule in bundle.rules],
    )
