"""A browser's session: begun by posting a token, ended by leaving."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from evenhand.centre.api.access import Insider, access_of
from evenhand.centre.api.guard import local_path, set_cookie
from evenhand.centre.api.problem import answer
from evenhand.centre.store import sessions
from evenhand.centre.store.centre import Centre
from evenhand.errors import Problem

router = APIRouter(include_in_schema=False)


class Tries:
    """Failed tries to log in, by address, in memory."""

    most, seconds, addresses = 10, 60.0, 10_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """Return how many seconds an address must wait before it may try again; 0 for none."""
        with self._lock:
            recent = self._recent(address)
            return 0 if len(recent) < self.most else int(self.seconds - _since(recent[0])) + 1

    def failed(self, address: str) -> None:
        """Note that an address failed."""
        with self._lock:
            self._failed[address] = [*self._recent(address), time.monotonic()]
            self._failed.move_to_end(address)
            while len(self._failed) > self.addresses:
                self._failed.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        return [at for at in self._failed.get(address, []) if _since(at) < self.seconds]


def _since(at: float) -> float:
    return time.monotonic() - at


@router.post("/login")
def login(
    request: Request,
    token: Annotated[str, Form(max_length=200)] = "",
    next_: Annotated[str | None, Form(alias="next", max_length=2000)] = None,
) -> Response:
    """Begin a session by a token; what fails leads back to the page, as does no login at all."""
    centre: Centre = request.app.state.centre
    access, tries = access_of(request), _tries(request)
    where = local_path(next_)
    if access.auth == "none":
        return RedirectResponse(where, HTTPStatus.SEE_OTHER)
    address = request.client.host if request.client else ""
    seconds = tries.wait(address)
    if seconds:
        problem = Problem("login", "too many tries failed.", f"Try again in {seconds} seconds.")
        headers = {"Retry-After": str(seconds)}
        return answer(request, HTTPStatus.TOO_MANY_REQUESTS, (problem,), headers)
    with centre.database.reading() as session:
        known = sessions.by_token(session, token.strip(), centre.clock())
    if known is None or known.token is None:
        tries.failed(address)
        query = {"failed": "1"} | ({} if where == "/" else {"next": where})
        return RedirectResponse(f"/login?{urlencode(query)}", HTTPStatus.SEE_OTHER)
    begun = sessions.begin(centre, known.token.id)
    response = RedirectResponse(where, HTTPStatus.SEE_OTHER)
    set_cookie(response, access, begun.secret, sessions.BY_TOKEN)
    return response


@router.post("/logout")
def logout(request: Request, principal: Insider) -> Response:
    """End the session of a browser."""
    del principal
    centre: Centre = request.app.state.centre
    access = access_of(request)
    secret = request.cookies.get(access.cookie_name)
    if secret:
        sessions.end(centre, secret)
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    response.delete_cookie(
        access.cookie_name, path="/", secure=access.https, httponly=True, samesite="strict"
    )
    # What the browser kept of pages is forgotten with it.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _tries(request: Request) -> Tries:
    state = request.app.state
    if not hasattr(state, "tries"):
        state.tries = Tries()
    found: Tries = state.tries
    return found
