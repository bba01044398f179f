"""The page of a product's waivers: asked for by one person, answered by another."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from evenhand.centre.api.access import LOCAL, Approver, Principal, Pusher, Reader
from evenhand.centre.api.ask import Here, InPath
from evenhand.centre.api.sight import check_seen, product_seen
from evenhand.centre.policy import parse_policy
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.policies import policy_record
from evenhand.centre.store.tables import Audit, Model, Product, Rule, Waiver
from evenhand.centre.store.waivers import answer_waiver, request_waiver, waiver_of
from evenhand.centre.web.company import Text
from evenhand.centre.web.page import page, part, product_crumbs
from evenhand.errors import ConflictError, Problem, UnknownError

router = APIRouter()

_MOST = 200

Field = Annotated[str, Form(max_length=100)]


@router.get("/products/{product}/waivers")
def show(
    request: Request,
    principal: Reader,
    centre: Here,
    product: InPath,
    *,
    model: Text = "",
    rule: Text = "",
) -> Response:
    """Show the waivers of a product."""
    return _page(request, principal, centre, product, given={"model": model, "rule": rule})


@router.post("/products/{product}/waivers")
def ask(
    request: Request,
    principal: Pusher,
    centre: Here,
    product: InPath,
    *,
    model: Field = "",
    rule: Field = "",
    owner: Field = "",
    expires: Field = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Ask for a waiver."""
    with centre.database.reading() as session:
        product_seen(session, principal, product)
    principal.check("push", product)
    given = {
        "model": model.strip(),
        "rule": rule.strip(),
        "owner": owner.strip(),
        "expires": expires.strip(),
        "reason": reason.strip(),
    }
    problems = [
        Problem(_WORDS[name], "it is empty.", "Fill it in.")
        for name, text in given.items()
        if not text
    ]
    day = _day(given["expires"])
    if given["expires"] and day is None:
        problems.append(Problem(_WORDS["expires"], "this is no day.", "Write 2026-12-31."))
    if day is not None and not problems:
        try:
            request_waiver(
                centre,
                product,
                model=given["model"],
                rule=given["rule"],
                owner=given["owner"],
                reason=given["reason"],
                expires=day,
                requester=principal.person,
            )
        except (ConflictError, UnknownError) as error:
            problems = [*error.problems]
        else:
            return RedirectResponse(_address(product), HTTPStatus.SEE_OTHER)
    return _page(request, principal, centre, product, given=given, problems=problems)


_WORDS = {
    "model": "Model",
    "rule": "Rule",
    "owner": "Who answers for its failure",
    "expires": "Last day",
    "reason": "Why",
}


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


@router.post("/waivers/{waiver}/answer")
def answer(
    principal: Approver,
    centre: Here,
    waiver: Annotated[int, Path(ge=1, lt=2**31)],
    *,
    approved: Annotated[str, Form(pattern="^(yes|no)$")],
) -> Response:
    """Approve or refuse a waiver."""
    unknown = UnknownError(Problem(f"waiver {waiver}", "there is no such waiver."))
    with centre.database.reading() as session:
        product = check_seen(session, principal, waiver_of(session, waiver).product_id, unknown)
    principal.check("approve", product)
    answer_waiver(centre, waiver, approver=principal.person, approved=approved == "yes")
    return RedirectResponse(_address(product), HTTPStatus.SEE_OTHER)


def _address(product: str) -> str:
    return f"/products/{part(product)}/waivers"


def _page(
    request: Request,
    principal: Principal,
    centre: Centre,
    product: str,
    *,
    given: dict[str, str],
    problems: list[Problem] | None = None,
) -> Response:
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        query = select(Waiver).where(Waiver.product_id == found.id)
        waivers = [*session.scalars(query.order_by(Waiver.id.desc()).limit(_MOST))]
        models = [*session.scalars(select(Model.name).where(Model.product_id == found.id))]
        rules = _rules(session, found)
        longest = parse_policy(policy_record(session, found).text).longest_waiver
    waivers.sort(key=lambda one: one.state != "requested")
    may_answer = principal.csrf is not None and principal.may("approve", found.name)
    return page(
        request,
        "waivers.html",
        title=f"Waivers of {found.name}",
        twin=f"{PREFIX}{_address(product)}",
        crumbs=product_crumbs(found.name),
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        product=found,
        waivers=waivers,
        answerable={one.id for one in waivers if may_answer and _may(principal, one)},
        waits=_waits(principal, may=may_answer),
        models=sorted(models),
        rules=rules,
        last=(centre.clock() + longest).date(),
        may=principal.csrf is not None and principal.may("push", found.name),
        given={name: given.get(name, "") for name in _WORDS},
        problems=problems or [],
        here=_address(product),
    )


def _may(principal: Principal, one: Waiver) -> bool:
    return principal.person.casefold() not in {one.requester.casefold(), one.owner.casefold()}


def _waits(principal: Principal, *, may: bool) -> str:
    if may:
        return "waits for somebody who neither asked for it nor owns it"
    if principal.person == LOCAL:
        return "waits; where nobody logs in, nobody can approve"
    return "waits for somebody with the right to approve"


def _rules(session: Session, product: Product) -> list[str]:
    """Return rules that the newest audits do not pass."""
    newest = select(Audit.id).where(Audit.product_id == product.id)
    newest = newest.order_by(Audit.id.desc()).limit(20)
    query = select(Rule.rule).where(
        Rule.audit_id.in_(newest.scalar_subquery()), Rule.verdict != "pass"
    )
    return [*session.scalars(query.distinct().order_by(Rule.rule).limit(_MOST))]
