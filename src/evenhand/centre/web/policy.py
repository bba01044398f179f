"""Pages of policies: what is in force, what was, and a form to write a new version."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from evenhand.centre.api.access import Administrator, Principal, Reader
from evenhand.centre.api.ask import Here, InPath
from evenhand.centre.api.sight import product_seen
from evenhand.centre.policy import parse_policy
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.policies import policy_record, policy_row, write_policy
from evenhand.centre.store.tables import Policy, Product
from evenhand.centre.web.page import Crumb, page, part, product_crumbs, query
from evenhand.centre.web.terms import terms_of
from evenhand.errors import PlanError, Problem

router = APIRouter()

_VERSIONS = 100

At = Annotated[int | None, Query(ge=1, lt=2**31)]
Written = Annotated[str, Form(max_length=1_000_000)]


@router.get("/policies")
def show_company(
    request: Request, principal: Reader, centre: Here, *, version: At = None
) -> Response:
    """Show the company's policy."""
    return _page(request, principal, centre, None, version)


@router.post("/policies")
def write_company(
    request: Request, principal: Administrator, centre: Here, *, text: Written = ""
) -> Response:
    """Put a new version of the company's policy in force."""
    principal.check("admin", None)
    return _write(request, principal, centre, None, text)


@router.get("/products/{product}/policy")
def show_product(
    request: Request, principal: Reader, centre: Here, product: InPath, *, version: At = None
) -> Response:
    """Show the policy that decides about a product."""
    return _page(request, principal, centre, product, version)


@router.post("/products/{product}/policy")
def write_product(
    request: Request, principal: Administrator, centre: Here, product: InPath, *, text: Written = ""
) -> Response:
    """Put a new version of a product's policy in force."""
    with centre.database.reading() as session:
        product_seen(session, principal, product)
    principal.check("admin", product)
    return _write(request, principal, centre, product, text)


def _write(
    request: Request, principal: Principal, centre: Centre, product: str | None, text: str
) -> Response:
    # Browsers end the lines of a form with two signs.
    plain = text.replace("\r\n", "\n")
    try:
        write_policy(centre, product, plain, by=principal.person)
    except PlanError as error:
        return _page(request, principal, centre, product, None, draft=plain, wrong=error.problems)
    return RedirectResponse(_address(product), HTTPStatus.SEE_OTHER)


def _page(
    request: Request,
    principal: Principal,
    centre: Centre,
    product: str | None,
    version: int | None,
    *,
    draft: str | None = None,
    wrong: tuple[Problem, ...] = (),
) -> Response:
    with centre.database.reading() as session:
        owner = None if product is None else product_seen(session, principal, product)
        record = policy_record(session, owner, version)
        row = policy_row(session, owner, version)
        if row is None and owner is not None and record.version:
            row = policy_row(session, None, record.version)
        rows = _versions(session, owner)
        own = _own(session, principal) if owner is None else []
    shown: dict[str, Any] = {"rows": rows, "own": own, "row": row, "record": record}
    return page(
        request,
        "policy.html",
        title="Policy" if owner is None else f"Policy of {owner.name}",
        twin=f"{PREFIX}{_address(product)}{query({'version': version or ''})}",
        crumbs=(Crumb("Policies", "/policies"),) if owner is None else product_crumbs(owner.name),
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        product=owner,
        action=_address(product),
        asked=version,
        terms=terms_of(parse_policy(record.text)),
        draft=record.text if draft is None else draft,
        problems=wrong,
        may=principal.csrf is not None and principal.may("admin", product),
        **shown,
    )


def _address(product: str | None) -> str:
    return "/policies" if product is None else f"/products/{part(product)}/policy"


def _versions(session: Session, product: Product | None) -> list[Policy]:
    mine = Policy.product_id.is_(None) if product is None else Policy.product_id == product.id
    query_ = select(Policy).where(mine).order_by(Policy.version.desc()).limit(_VERSIONS)
    return [*session.scalars(query_)]


def _own(session: Session, principal: Principal) -> list[tuple[str, int]]:
    found = (
        select(Product.name, func.max(Policy.version))
        .join(Policy, Policy.product_id == Product.id)
        .group_by(Product.name)
        .order_by(Product.name)
        .limit(_VERSIONS)
    )
    if principal.product is not None:
        found = found.where(Product.name == principal.product)
    return [(name, number) for name, number in session.execute(found)]
