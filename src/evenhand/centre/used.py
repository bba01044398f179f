"""Which evidence a gate decides by, and which of how many audits that is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from evenhand.audits.gate.verdict import WORST_FIRST
from evenhand.centre.dossier import Dossier, EvidenceRecord, RunRecord


class Used(BaseModel):
    """Evidence that was decided by, and which of how many it is.

    Attributes:
        bundle: SHA-256 of its file.
        plan: Identity of its plan, and ``name`` under which that is registered.
        runs: How many audits of this plan and version are known, announced or not.
        others: Verdicts of the other ones, the newest first: ``pass``, ``fail``, ``undecided``,
            ``no rules``, ``no end``, ``failed`` (the run itself) or ``unpushed``.

    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    bundle: str
    plan: str
    name: str = ""
    audited: dt.datetime
    verdict: str | None
    runs: int
    others: list[str] = Field(default_factory=list)


def in_order(evidence: Iterable[EvidenceRecord]) -> list[EvidenceRecord]:
    """Return evidence, the newest first; of what was made in one second, the worst first.

    Nobody gains by two audits at once, and the order in which evidence comes changes nothing.
    """

    def place(one: EvidenceRecord) -> tuple[float, int, str]:
        worst = len(WORST_FIRST) if one.verdict is None else WORST_FIRST.index(one.verdict)
        return -one.audited.timestamp(), worst, one.bundle

    return sorted(evidence, key=place)


def newest(evidence: Iterable[EvidenceRecord]) -> list[EvidenceRecord]:
    """Return the newest evidence of each plan; evidence comes in order."""
    found: dict[str, EvidenceRecord] = {}
    for one in evidence:
        found.setdefault(one.plan, one)
    return [*found.values()]


def silent(dossier: Dossier, evidence: Sequence[EvidenceRecord]) -> list[RunRecord]:
    """Return the announced runs of which there is no evidence."""
    here = {one.bundle for one in evidence}
    return [run for run in dossier.runs if run.bundle not in here]


def end_of(run: RunRecord) -> str:
    """Return what became of a run without evidence."""
    return {"started": "no end", "failed": "failed", "finished": "unpushed"}[run.state]


def used_of(dossier: Dossier, evidence: Sequence[EvidenceRecord], one: EvidenceRecord) -> Used:
    """Return evidence with what became of the other audits by its plan.

    Args:
        dossier: What is known of the version.
        evidence: All evidence, in order.
        one: That which is decided by.

    """
    told: list[tuple[dt.datetime, str]] = [
        (other.audited, other.verdict or "no rules")
        for other in evidence
        if other.plan == one.plan and other.bundle != one.bundle
    ]
    told += [
        (run.started, end_of(run)) for run in silent(dossier, evidence) if run.plan == one.plan
    ]
    told.sort(reverse=True)
    return Used(
        bundle=one.bundle,
        plan=one.plan,
        name=named(dossier, one.plan),
        audited=one.audited,
        verdict=one.verdict,
        runs=1 + len(told),
        others=[text for _, text in told],
    )


def named(dossier: Dossier, plan: str) -> str:
    """Return the name under which a plan is registered; empty where it is not."""
    return min((one.name for one in dossier.plans if one.digest == plan), default="")
