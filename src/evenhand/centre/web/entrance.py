"""The page for logging in; what it sends is taken by `evenhand.centre.api.login`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from evenhand.centre.api.access import access_of
from evenhand.centre.api.guard import local_path
from evenhand.centre.web.page import page

router = APIRouter()


@router.get("/login")
def show(
    request: Request,
    *,
    failed: bool = False,
    next_: Annotated[str | None, Query(alias="next", max_length=2000)] = None,
) -> Response:
    """Ask for a token."""
    where = local_path(next_)
    if access_of(request).auth == "none":
        return RedirectResponse(where, 303)
    return page(request, "login.html", title="Log in", failed=failed, next=where)
