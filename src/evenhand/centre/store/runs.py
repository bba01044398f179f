"""Runs: audits that are announced before they read rows, so that what is left out shows."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.centre.dossier import RunRecord
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import append, lock
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.registry import ensure_product, ensure_version
from evenhand.centre.store.tables import Audit, Product, Run
from evenhand.errors import ConflictError, Problem, UnknownError

Window = tuple[dt.date, dt.date]


def start_run(
    centre: Centre,
    subject: Subject,
    *,
    id: str,  # noqa: A002 - the protocol's own word
    plan: str,
    artefact: str | None = None,
    window: Window | None = None,
    by: str,
) -> Run:
    """Announce an audit; announcing it again changes nothing.

    Args:
        centre: The centre.
        subject: What will be audited.
        id: 32 hexadecimal digits that whoever runs it chose.
        plan: Identity of the plan.
        artefact: SHA-256 of the file that is audited.
        window: First and last day of the data.
        by: Who runs it.

    Raises:
        ConflictError: The id is that of another run.

    """
    with centre.database.writing() as session:
        return begin_run(
            session,
            centre,
            subject,
            id=id,
            plan=plan,
            artefact=artefact,
            window=window,
            by=by,
        )


def begin_run(
    session: Session,
    centre: Centre,
    subject: Subject,
    *,
    id: str,  # noqa: A002 - the protocol's own word
    plan: str,
    artefact: str | None,
    window: Window | None,
    by: str,
) -> Run:
    """Announce an audit within a transaction, as `start_run`."""
    at = centre.clock()
    product = ensure_product(session, centre, subject.product, by)
    place = ensure_version(
        session,
        centre,
        product,
        model=subject.model,
        version=subject.version,
        artefact=artefact,
        by=by,
    )
    known = session.get(Run, id)
    if known is not None:
        if (known.version_id, known.plan) != (place.version.id, plan):
            what = "this id is that of another run."
            raise ConflictError(Problem(f"run {id}", what, "Choose a new id for each run."))
        return known
    run = Run(
        id=id,
        product_id=product.id,
        model_id=place.model.id,
        version_id=place.version.id,
        plan=plan,
        artefact=artefact,
        window_first=window[0] if window else None,
        window_last=window[1] if window else None,
        started=at,
        state="started",
        reason="",
        by=by,
    )
    session.add(run)
    body = {
        "run": id,
        "model": subject.model,
        "version": subject.version,
        "plan": plan,
        "artefact": artefact,
        "window": [day.isoformat() for day in window] if window else None,
        "by": by,
    }
    append(session, product, "run started", body, at)
    return run


def end_run(
    centre: Centre,
    id: str,  # noqa: A002 - the protocol's own word
    *,
    state: Literal["finished", "failed"],
    bundle: str | None = None,
    reason: str = "",
    by: str,
) -> Run:
    """Say how a run ended; saying it again changes nothing.

    Args:
        centre: The centre.
        id: The run.
        state: How it ended.
        bundle: SHA-256 of the evidence that it wrote; it may be pushed later.
        reason: Why it failed.
        by: Who says so.

    Raises:
        UnknownError: There is no such run.
        ConflictError: It ended otherwise.

    """
    with centre.database.writing() as session:
        run = run_of(session, id)
        product = lock(session, run.product_id)
        session.refresh(run)
        if run.state != "started":
            if run.state != state or (bundle and run.bundle != bundle):
                what = f"it has ended as {run.state} already."
                raise ConflictError(Problem(f"run {id}", what))
            return run
        if bundle:
            audit = session.scalar(
                select(Audit).where(Audit.bundle == bundle, Audit.version_id == run.version_id)
            )
            if audit is not None and audit.run_id is None:
                audit.run_id = id
        close_run(session, centre, product, run, state=state, bundle=bundle, reason=reason, by=by)
    return run


def close_run(
    session: Session,
    centre: Centre,
    product: Product,
    run: Run,
    *,
    state: Literal["finished", "failed"],
    bundle: str | None = None,
    reason: str = "",
    by: str,
) -> None:
    """Say how a run that was started ended, within a transaction that locks its product."""
    at = centre.clock()
    run.state, run.bundle, run.reason, run.ended = state, bundle, reason, at
    body = {"run": run.id, "bundle": bundle, "reason": reason, "by": by}
    append(session, product, f"run {state}", body, at)


def run_of(session: Session, id: str) -> Run:  # noqa: A002 - the protocol's own word
    """Return a run.

    Raises:
        UnknownError: There is none.

    """
    found = session.get(Run, id)
    if found is None:
        raise UnknownError(Problem(f"run {id[:40]}", "there is no such run."))
    return found


def run_records(session: Session, version_id: int) -> list[RunRecord]:
    """Return all runs of a version as a gate reads them, the newest first."""
    query = (
        select(Run, Audit.id)
        .outerjoin(Audit, Audit.bundle == Run.bundle)
        .where(Run.version_id == version_id)
        .order_by(Run.started.desc())
    )
    return [
        RunRecord.model_validate(
            {
                "id": run.id,
                "plan": run.plan,
                "started": run.started,
                "ended": run.ended,
                "state": run.state,
                "bundle": run.bundle,
                "pushed": audit is not None,
                "reason": run.reason,
            }
        )
        for run, audit in session.execute(query)
    ]
