"""Where a model stands in a pillar: what the heat map of the company shows."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.audits.gate.verdict import WORST_FIRST
from evenhand.centre.store.tables import Audit, Standing


@dataclass(frozen=True, slots=True)
class Stand:
    """The worst verdict of the newest audit by each plan of a model's newest version.

    Attributes:
        version_id: That version.
        audit_id: The audit of that verdict.
        verdict: The verdict; None where no plan has rules.
        audited: When the oldest of what it rests on was done.

    """

    version_id: int
    audit_id: int
    verdict: str | None
    audited: dt.datetime


def stand_of(session: Session, model_id: int, pillar: str) -> Stand:
    """Return where a model with evidence in a pillar stands, by all its audits."""
    query = select(Audit).where(Audit.model_id == model_id, Audit.pillar == pillar)
    ordered = query.order_by(Audit.audited.desc(), Audit.id.desc())
    newest = session.scalars(ordered.limit(1)).one()
    latest: dict[str, Audit] = {}
    for one in session.scalars(ordered.where(Audit.version_id == newest.version_id)):
        latest.setdefault(one.plan, one)
    verdicts = {one.verdict for one in latest.values()}
    verdict = next((one for one in WORST_FIRST if one in verdicts), None)
    worst = next(one for one in latest.values() if one.verdict == verdict)
    oldest = min(one.audited for one in latest.values())
    return Stand(newest.version_id, worst.id, verdict, oldest)


def stand(session: Session, audit: Audit) -> None:
    """Bring up to date where the model of a new audit stands."""
    now = stand_of(session, audit.model_id, audit.pillar)
    found = session.get(Standing, (audit.model_id, audit.pillar))
    if found is None:
        found = Standing(model_id=audit.model_id, pillar=audit.pillar, product_id=audit.product_id)
        session.add(found)
    for name, value in asdict(now).items():
        setattr(found, name, value)
    session.flush()
