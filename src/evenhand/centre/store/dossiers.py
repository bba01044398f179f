"""Dossiers: what the centre knows of a version, gathered and signed."""

from __future__ import annotations

from sqlalchemy.orm import Session

from evenhand.centre.dossier import Dossier
from evenhand.centre.key import seal
from evenhand.centre.policy import parse_policy
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.evidence import Subject, evidence_records
from evenhand.centre.store.plans import plan_records
from evenhand.centre.store.policies import policy_record
from evenhand.centre.store.registry import model_named, product_named, version_named
from evenhand.centre.store.runs import run_records
from evenhand.centre.store.waivers import waiver_records
from evenhand.errors import UnknownError


def dossier_of(
    centre: Centre, session: Session, subject: Subject, *, against: str | None = None
) -> Dossier:
    """Return what is known of a version; one that nobody spoke of yet has no evidence.

    Args:
        centre: The centre.
        session: A session.
        subject: The version.
        against: The version that it is held against.

    Raises:
        UnknownError: There is no such product or model.

    """
    product = product_named(session, subject.product)
    model = model_named(session, product, subject.model)
    policy = policy_record(session, product)
    now = centre.clock()
    try:
        version = version_named(session, model, subject.version)
    except UnknownError:
        version = None
    before = []
    if against is not None:
        before = evidence_records(session, version_named(session, model, against).id)
    return Dossier(
        product=product.name,
        model=model.name,
        version=subject.version,
        artefact=version.artefact if version else None,
        against=against,
        policy=policy,
        plans=plan_records(session, product.id),
        runs=run_records(session, version.id) if version else [],
        evidence=evidence_records(session, version.id) if version else [],
        before=before,
        waivers=waiver_records(session, product.id, model.name, now.date()),
        issued=now,
        expires=now + parse_policy(policy.text).cache,
    )


def sealed(centre: Centre, dossier: Dossier) -> bytes:
    """Return a dossier signed by the centre, for clients to decide by while it is away."""
    return seal(dossier.model_dump(mode="json"), centre.key)
