"""The pages of the centre, server-rendered from tables and bundles; they compute no figure."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from evenhand.centre.api.problem import ProblemDocument
from evenhand.centre.web import (
    audit,
    company,
    compare,
    entrance,
    job,
    policy,
    product,
    start,
    timeline,
    waiver,
)
from evenhand.centre.web.page import STATIC, address_of, page, sent

__all__ = ["STATIC", "problem_page", "router"]

router = APIRouter(include_in_schema=False)

_KINDS = {"evenhand.css": "text/css", "evenhand.js": "text/javascript"}

_KEPT = "public, max-age=31536000, immutable"


@router.get("/static/evenhand.css")
def styles(request: Request) -> Response:
    """Send the styles of all pages: those of reports, and the centre's own."""
    return _sent(request, "evenhand.css")


@router.get("/static/evenhand.js")
def program(request: Request) -> Response:
    """Send the program of all pages."""
    return _sent(request, "evenhand.js")


def _sent(request: Request, name: str) -> Response:
    asked = f"{request.url.path}?{request.url.query}"
    # Under the address that has its digest, it can never be another.
    headers = {"Cache-Control": _KEPT} if asked == address_of(name) else {}
    return Response(sent(name), media_type=_KINDS[name], headers=headers)


for _room in (
    company,
    product,
    audit,
    compare,
    timeline,
    job,
    policy,
    waiver,
    entrance,
    start,
):
    router.include_router(_room.router)


def problem_page(request: Request, document: ProblemDocument) -> Response:
    """Return the page that tells what went wrong."""
    return page(
        request,
        "problem.html",
        title=document.title,
        status=document.status,
        problem=document,
    )
