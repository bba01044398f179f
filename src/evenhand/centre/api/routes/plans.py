"""Plans that are registered before their data."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select

from evenhand.centre.api.access import Administrator, Reader
from evenhand.centre.api.ask import Here, InPath
from evenhand.centre.api.document import document_of
from evenhand.centre.api.paging import Paged, part
from evenhand.centre.api.sight import product_seen
from evenhand.centre.protocol import Page, PlanDocument, PlanRequest
from evenhand.centre.store.plans import register_plan
from evenhand.centre.store.tables import Plan

router = APIRouter(tags=["plans"])


@router.put("/products/{product}/plans/{name}")
def put_plan(
    centre: Here, principal: Administrator, product: InPath, name: InPath, asked: PlanRequest
) -> PlanDocument:
    """Register a plan under a name; the same plan again keeps its first day."""
    principal.check("admin", product)
    plan = register_plan(centre, product, name, asked.text, by=principal.person)
    return document_of(PlanDocument, plan, product=product)


@router.get("/products/{product}/plans")
def list_plans(
    centre: Here, principal: Reader, paged: Paged, product: InPath
) -> Page[PlanDocument]:
    """List the registered plans of a product, the newest first."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        return part(
            session,
            select(Plan).where(Plan.product_id == found.id),
            paged,
            [Plan.id],
            lambda row: document_of(PlanDocument, row[0], product=found.name),
            newest_first=True,
        )
