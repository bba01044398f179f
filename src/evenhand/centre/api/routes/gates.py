"""Gates: what is known of a version, signed; and what was decided about releases."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from evenhand.centre.api.access import Pusher, Reader
from evenhand.centre.api.ask import ID, Here, Id, InPath, Name
from evenhand.centre.api.paging import Paged, part
from evenhand.centre.api.sight import check_seen, product_seen
from evenhand.centre.decision import Decision
from evenhand.centre.protocol import PREFIX, Compared, GateRequest, Page, Verdict
from evenhand.centre.store.decisions import decide_now, decision_of, reconcile
from evenhand.centre.store.dossiers import dossier_of, sealed
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.tables import Decision as Row
from evenhand.centre.store.tables import Model, Version
from evenhand.errors import ConflictError, Problem, UnknownError

router = APIRouter(tags=["gates"])

_VERSION = "/products/{product}/models/{model}/versions/{version}"

_ENVELOPE = {
    200: {
        "description": "A DSSE envelope; its payload is a dossier.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


@router.get(f"{_VERSION}/dossier", response_class=Response, responses=_ENVELOPE)  # type: ignore[arg-type]
def get_dossier(
    centre: Here,
    principal: Reader,
    product: InPath,
    model: InPath,
    version: InPath,
    *,
    against: Name = None,
) -> Response:
    """Return all that a gate needs to know of a version, signed by the centre."""
    with centre.database.reading() as session:
        product_seen(session, principal, product)
        subject = Subject(product, model, version)
        dossier = dossier_of(centre, session, subject, against=against)
    return Response(sealed(centre, dossier), media_type="application/json")


@router.post(f"{_VERSION}/gate", status_code=201)
def decide(
    centre: Here,
    principal: Pusher,
    *,
    product: InPath,
    model: InPath,
    version: InPath,
    asked: GateRequest,
    response: Response,
) -> Decision:
    """Decide about a release, and keep the verdict in the product's chain."""
    principal.check("push", product)
    subject = Subject(product, model, version)
    decision = decide_now(
        centre, subject, artefact=asked.artefact, against=asked.against, by=principal.person
    )
    response.headers["Location"] = f"{PREFIX}/decisions/{decision.id}"
    return decision


@router.get("/products/{product}/decisions")
def list_decisions(
    centre: Here,
    principal: Reader,
    paged: Paged,
    product: InPath,
    *,
    model: Name = None,
    version: Name = None,
    verdict: Annotated[Verdict | None, Query()] = None,
) -> Page[Decision]:
    """List the decisions about a product, the last that came in first."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        query = (
            select(Row)
            .join(Model, Model.id == Row.model_id)
            .join(Version, Version.id == Row.version_id)
            .where(Row.product_id == found.id)
        )
        if model is not None:
            query = query.where(Model.name == model)
        if version is not None:
            query = query.where(Version.name == version)
        if verdict is not None:
            query = query.where(Row.verdict == verdict)
        return part(
            session,
            query,
            paged,
            [Row.received, Row.id],
            lambda row: Decision.model_validate(row[0].body),
            newest_first=True,
        )


@router.get("/decisions/{decision}")
def get_decision(centre: Here, principal: Reader, decision: Id) -> Decision:
    """Return a decision and all that it rests on."""
    unknown = UnknownError(Problem(f"decision {decision}", "there is no such decision."))
    with centre.database.reading() as session:
        row = decision_of(session, decision)
        check_seen(session, principal, row.product_id, unknown)
        return Decision.model_validate(row.body)


@router.post("/decisions")
def send_decision(centre: Here, principal: Pusher, decision: Decision) -> Compared:
    """Keep a decision that a cache made while the centre was away, and say whether it holds."""
    principal.check("push", decision.product)
    if decision.mode != "cached" or not re.fullmatch(ID, decision.id):
        what = "only a cache sends its decisions; the centre makes its own."
        raise ConflictError(Problem(f"decision {decision.id[:40]}", what))
    return reconcile(centre, decision, by=principal.person)
