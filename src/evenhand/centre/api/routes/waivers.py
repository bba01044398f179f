"""Waivers: asked for by one person, answered by another."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from sqlalchemy import select

from evenhand.centre.api.access import Approver, Pusher, Reader
from evenhand.centre.api.ask import Here, InPath, Name
from evenhand.centre.api.document import document_of
from evenhand.centre.api.paging import Paged, part
from evenhand.centre.api.sight import check_seen, product_seen
from evenhand.centre.protocol import Page, WaiverAnswer, WaiverDocument, WaiverRequest
from evenhand.centre.store.tables import Waiver
from evenhand.centre.store.waivers import answer_waiver, request_waiver, waiver_of
from evenhand.errors import Problem, UnknownError

router = APIRouter(tags=["waivers"])


@router.post("/products/{product}/waivers", status_code=201)
def request(
    centre: Here, principal: Pusher, product: InPath, asked: WaiverRequest
) -> WaiverDocument:
    """Ask for a waiver; it holds once somebody approves who neither asked nor owns it."""
    principal.check("push", product)
    waiver = request_waiver(
        centre,
        product,
        model=asked.model,
        rule=asked.rule,
        owner=asked.owner,
        reason=asked.reason,
        expires=asked.expires,
        requester=principal.person,
    )
    return document_of(WaiverDocument, waiver, product=product)


@router.get("/products/{product}/waivers")
def list_waivers(
    centre: Here,
    principal: Reader,
    paged: Paged,
    product: InPath,
    *,
    model: Name = None,
    state: Literal["requested", "approved", "refused", "withdrawn"] | None = None,
) -> Page[WaiverDocument]:
    """List the waivers of a product, the last that was asked for first."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        query = select(Waiver).where(Waiver.product_id == found.id)
        if model is not None:
            query = query.where(Waiver.model == model)
        if state is not None:
            query = query.where(Waiver.state == state)
        return part(
            session,
            query,
            paged,
            [Waiver.id],
            lambda row: document_of(WaiverDocument, row[0], product=found.name),
            newest_first=True,
        )


@router.post("/waivers/{waiver}/answer")
def answer(
    centre: Here,
    principal: Approver,
    waiver: Annotated[int, Path(ge=1, lt=2**31)],
    asked: WaiverAnswer,
) -> WaiverDocument:
    """Approve or refuse a waiver."""
    unknown = UnknownError(Problem(f"waiver {waiver}", "there is no such waiver."))
    with centre.database.reading() as session:
        product = check_seen(session, principal, waiver_of(session, waiver).product_id, unknown)
    found = answer_waiver(centre, waiver, approver=principal.person, approved=asked.approved)
    return document_of(WaiverDocument, found, product=product)
