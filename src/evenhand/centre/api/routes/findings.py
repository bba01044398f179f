"""Findings: listed from tables; one of them as its bundle has it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from evenhand.centre.api.access import Reader
from evenhand.centre.api.ask import Bundle, Here, Name, Search
from evenhand.centre.api.document import finding_document
from evenhand.centre.api.paging import Paged, part
from evenhand.centre.api.sight import audit_seen
from evenhand.centre.protocol import FindingDocument, Page, Verdict
from evenhand.centre.store.opened import opened
from evenhand.centre.store.search import measures
from evenhand.centre.store.tables import Audit, Finding, Product
from evenhand.errors import Problem, UnknownError

router = APIRouter(tags=["findings"])


@router.get("/findings")
def list_findings(
    centre: Here,
    principal: Reader,
    paged: Paged,
    *,
    product: Name = None,
    search: Search = None,
    verdict: Verdict | None = None,
) -> Page[FindingDocument]:
    """List findings of all audits, the last audit first; ``search`` is in the measure's name."""
    names = [name for name in (product, principal.product) if name is not None]
    of = [select(Product.id).where(Product.name == name).scalar_subquery() for name in names]
    where: list[ColumnElement[bool]] = [Finding.product_id == one for one in of]
    if verdict is not None:
        where.append(Finding.verdict == verdict)
    with centre.database.reading() as session:
        found = _names(session, search) if search else []
        measured = [Finding.measure.in_(found)] if search else []
        count = select(func.count()).select_from(Finding).where(*where, *measured)
        if not search and verdict is None:
            # Audits know how many figures they have.
            count = select(func.sum(Audit.findings)).where(*(Audit.product_id == one for one in of))
        total = session.scalar(count) or 0
        if search and total > _MANY:
            measured = [Finding.measure.concat("").in_(found)]
        return part(
            session,
            _findings().where(*where, *measured),
            paged,
            [Finding.audit_id, Finding.position],
            lambda row: finding_document(*row[:3]),
            newest_first=True,
            total=total,
        )


_MANY = 20_000
"""Figures above which the newest are found faster in their own order than by their measure.

Then the index of measures must not be taken: so many rows would be sorted for the first few.
"""


def _names(session: Session, search: str) -> list[str]:
    """Return the measures whose name has a text."""
    text = search.casefold()
    return [name for name in measures(session) if text in name.casefold()]


@router.get("/audits/{bundle}/findings")
def list_findings_of_audit(
    centre: Here,
    principal: Reader,
    paged: Paged,
    bundle: Bundle,
    *,
    search: Search = None,
    verdict: Verdict | None = None,
) -> Page[FindingDocument]:
    """List the findings of an audit in its own order; ``search`` is in their notation."""
    with centre.database.reading() as session:
        audit = audit_seen(session, principal, bundle)
        query = _findings().where(Finding.audit_id == audit.id)
        if search:
            query = query.where(Finding.key.icontains(search, autoescape=True))
        if verdict is not None:
            query = query.where(Finding.verdict == verdict)
        return part(
            session, query, paged, [Finding.position], lambda row: finding_document(*row[:3])
        )


@router.get("/audits/{bundle}/findings/{position}")
def get_finding(
    centre: Here,
    principal: Reader,
    bundle: Bundle,
    position: Annotated[int, Path(ge=0, lt=2**31)],
) -> FindingDocument:
    """Return a finding with its record in the bundle: groups, conventions, what was excluded."""
    with centre.database.reading() as session:
        audit = audit_seen(session, principal, bundle)
        query = _findings().where(Finding.audit_id == audit.id, Finding.position == position)
        row = session.execute(query).one_or_none()
    if row is None:
        what = f"there is no finding {position}; there are {audit.findings}."
        raise UnknownError(Problem(f"evidence {bundle[:19]}", what))
    whole = opened(centre, bundle).findings[position].to_dict()
    return finding_document(*row).model_copy(update={"whole": whole})


def _findings() -> Any:  # noqa: ANN401 - SQLAlchemy's own query
    return (
        select(Finding, Audit.bundle, Product.name)
        .join(Audit, Audit.id == Finding.audit_id)
        .join(Product, Product.id == Finding.product_id)
    )
