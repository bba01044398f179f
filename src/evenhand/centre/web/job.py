"""Pages of jobs: what waits, what runs and how far it is, what came of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, get_args

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from evenhand.centre.api.access import Principal, Pusher, Reader
from evenhand.centre.api.ask import Here, Id
from evenhand.centre.api.sight import check_seen
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store.history import last_lines
from evenhand.centre.store.jobs import (
    OVER,
    State,
    Told,
    cancel,
    job_told,
    jobs_told,
)
from evenhand.centre.store.tables import Product
from evenhand.centre.web.company import Text
from evenhand.centre.web.page import Crumb, page, query
from evenhand.errors import Problem, UnknownError

router = APIRouter()

_ROWS = 50
_LINES = 200


@router.get("/jobs")
def show_jobs(
    request: Request,
    principal: Reader,
    centre: Here,
    *,
    state: Text = "",
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Show jobs, the newest first."""
    wanted = next((one for one in _STATES if one == state), None)
    with centre.database.reading() as session:
        products = None
        if principal.product is not None:
            products = [
                *session.scalars(select(Product.id).where(Product.name == principal.product))
            ]
        found = jobs_told(session, products=products, state=wanted, after=after, limit=_ROWS)
    return page(
        request,
        "jobs.html",
        title="Jobs",
        twin=f"{PREFIX}/jobs{query({'state': wanted or ''})}",
        jobs=found.items,
        total=found.total,
        more=found.next,
        state=wanted or "",
    )


_STATES: tuple[State, ...] = get_args(State)


@router.get("/jobs/{job}")
def show_job(request: Request, principal: Reader, centre: Here, job: Id) -> Response:
    """Show a job."""
    with centre.database.reading() as session:
        told, product = _seen(session, principal, job)
        lines = last_lines(session, job, most=_LINES + 1)
    over = told.job.state in OVER
    return page(
        request,
        "job.html",
        title=f"Job: {told.job.state}",
        twin=f"{PREFIX}/jobs/{job}",
        crumbs=(Crumb("Jobs", "/jobs"),),
        told=told,
        job=told.job,
        lines=lines[-_LINES:],
        left=len(lines) > _LINES,
        over=over,
        may_cancel=principal.csrf is not None and principal.may("push", product),
        again=principal.csrf is not None and principal.may("push", product),
    )


@router.post("/jobs/{job}/cancel")
def end(principal: Pusher, centre: Here, job: Id) -> Response:
    """Ask for the end of a job."""
    with centre.database.reading() as session:
        _, product = _seen(session, principal, job)
    principal.check("push", product)
    cancel(centre, job, by=principal.person)
    return RedirectResponse(f"/jobs/{job}", HTTPStatus.SEE_OTHER)


def _seen(session: Session, principal: Principal, job: str) -> tuple[Told, str]:
    told = job_told(session, job)
    unknown = UnknownError(Problem(f"job {job}", "there is no such job."))
    return told, check_seen(session, principal, told.job.product_id, unknown)
