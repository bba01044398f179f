"""Runs: audits that are announced before they read rows, so that what is left out shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from sqlalchemy import select

from evenhand.centre.api.access import Pusher, Reader
from evenhand.centre.api.ask import Here, Id, InPath, Name
from evenhand.centre.api.document import run_document
from evenhand.centre.api.paging import Paged, part
from evenhand.centre.api.sight import check_seen, product_seen
from evenhand.centre.protocol import Page, RunDocument, RunEnd, RunRequest
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.runs import end_run, run_of, start_run
from evenhand.centre.store.tables import Audit, Model, Product, Run, Version
from evenhand.errors import Problem, UnknownError

router = APIRouter(tags=["runs"])


@router.post("/runs")
def announce(centre: Here, principal: Pusher, asked: RunRequest) -> RunDocument:
    """Announce an audit before it reads rows; announcing it again changes nothing."""
    principal.check("push", asked.product)
    run = start_run(
        centre,
        Subject(asked.product, asked.model, asked.version),
        id=asked.id,
        plan=asked.plan,
        artefact=asked.artefact,
        window=asked.window,
        by=principal.person,
    )
    return _told(centre, run.id)


@router.patch("/runs/{run}")
def end(centre: Here, principal: Pusher, run: Id, asked: RunEnd) -> RunDocument:
    """Say how a run ended; saying it again changes nothing."""
    unknown = UnknownError(Problem(f"run {run}", "there is no such run."))
    with centre.database.reading() as session:
        check_seen(session, principal, run_of(session, run).product_id, unknown)
    end_run(
        centre,
        run,
        state=asked.state,
        bundle=asked.bundle,
        reason=asked.reason,
        by=principal.person,
    )
    return _told(centre, run)


@router.get("/products/{product}/runs")
def list_runs(
    centre: Here,
    principal: Reader,
    paged: Paged,
    product: InPath,
    *,
    model: Name = None,
    version: Name = None,
    state: Annotated[
        Literal["started", "finished", "failed", "unpushed"] | None,
        Query(description="``finished`` has its evidence here; ``unpushed`` has not."),
    ] = None,
) -> Page[RunDocument]:
    """List the runs of a product, the last that was announced first."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        query = _runs().where(Run.product_id == found.id)
        if model is not None:
            query = query.where(Model.name == model)
        if version is not None:
            query = query.where(Version.name == version)
        if state is not None:
            query = query.where(Run.state == ("finished" if state == "unpushed" else state))
        if state in {"finished", "unpushed"}:
            query = query.where(
                Audit.id.is_(None) if state == "unpushed" else Audit.id.is_not(None)
            )
        return part(
            session,
            query,
            paged,
            [Run.started, Run.id],
            _document,
            newest_first=True,
        )


def _runs() -> Any:  # noqa: ANN401 - SQLAlchemy's own query
    return (
        select(Run, Product.name, Model.name, Version.name, Audit.id)
        .join(Product, Product.id == Run.product_id)
        .join(Model, Model.id == Run.model_id)
        .join(Version, Version.id == Run.version_id)
        .outerjoin(Audit, Audit.bundle == Run.bundle)
    )


def _document(row: Any) -> RunDocument:  # noqa: ANN401 - a row of the query
    return run_document(*row[:4], pushed=row[4] is not None)


def _told(centre: Centre, run: str) -> RunDocument:
    with centre.database.reading() as session:
        return _document(session.execute(_runs().where(Run.id == run)).one())
