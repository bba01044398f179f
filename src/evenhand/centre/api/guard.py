"""Before any route: which host is meant, which page asks, who asks, and how much they send.

Nothing but the paths that are public is reached by somebody who is not let in, whatever a route
forgets to ask for.
"""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from urllib.parse import quote, urlsplit

import anyio
from sqlalchemy import update
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evenhand.audits.evidence.zipped import MOST_BYTES
from evenhand.centre.api.access import LOCAL, SAFE, Access, Principal
from evenhand.centre.api.header import STATIC, secure
from evenhand.centre.api.problem import (
    TooLargeError,
    UnauthorisedError,
    answer_to,
    for_programs,
    path_of,
)
from evenhand.centre.protocol import PREFIX, Right
from evenhand.centre.store import sessions
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.sessions import Known
from evenhand.centre.store.tables import Token
from evenhand.errors import CentreError, DeniedError, EvenhandError, Problem

HEALTH = frozenset({"/healthz", "/readyz"})
"""What whoever watches a machine asks by whatever name it has for it."""

PUBLIC = HEALTH | {"/login", f"{PREFIX}/openapi.json"}
"""What is answered to anybody; it tells of no product."""

METRICS = "/metrics"
"""Where numbers are scraped, by whoever may read of the whole company."""

LARGE = frozenset({f"{PREFIX}/bundles", "/push"})
"""Where evidence is sent."""

MOST_TEXT = 8 * 2**20
"""Bytes of any other body: a text of a million characters fits, however it is escaped."""

BODY_SECONDS = 60
"""How long a sender may be silent in the middle of a body."""

_USED_EVERY = dt.timedelta(minutes=1)

_LOCAL_RIGHTS: frozenset[Right] = frozenset({"read", "push", "admin"})


def is_public(path: str) -> bool:
    """Return whether a path is answered to anybody."""
    return path in PUBLIC or path.startswith(STATIC)


class Guard:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, centre: Centre, access: Access) -> None:
        self.app, self.centre, self.access = app, centre, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on with who asks."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, started = Request(scope, receive), False

        async def send_secured(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                secure(headers, path_of(request), https=self.access.https)
            await send(message)

        try:
            response = await self._let_in(request)
            if response is None:
                await self.app(scope, _limited(request, receive), send_secured)
            else:
                await response(scope, receive, send_secured)
        except ClientDisconnect:
            return
        except Exception as error:
            if started:
                raise
            await answer_to(request, error)(scope, receive, send_secured)

    async def _let_in(self, request: Request) -> Response | None:
        """Leave with a request who asks; return the answer where they are sent elsewhere.

        Raises:
            CentreError: They are refused.

        """
        _check_text(request)
        if not self._is_watched(path_of(request)):
            self._check_host(request)
        self._check_page(request)
        request.state.principal = None
        if is_public(path_of(request)):
            # Answered whether or not anybody can be found in the database.
            return None
        if self.access.auth == "none":
            once = request.query_params.get("once") if path_of(request) == "/" else None
            if once is not None and request.method in SAFE:
                return await self._begin(request, once)
            request.state.principal = await self._local(request)
            return None
        known = await run_in_threadpool(self._known, request)
        # A session without a token is of the time when nobody logged in.
        if known is not None and known.token is not None:
            request.state.principal = _principal(known, known.token)
            return None
        if request.method in SAFE and not for_programs(request):
            return _to_login(request)
        raise UnauthorisedError(_nobody())

    def _is_watched(self, path: str) -> bool:
        """Return whether whoever watches may ask by any name that leads here.

        A watcher speaks to each of several servers, past the proxy; for numbers it needs a token.
        """
        return path in HEALTH or (path == METRICS and self.access.auth == "token")

    def _check_host(self, request: Request) -> None:
        """Refuse another host than the centre's own: a page elsewhere may have its name point here.

        Raises:
            DeniedError: Another host is meant, or several.

        """
        named = [one.lower() for one in request.headers.getlist("host")]
        if len(named) != 1 or not self.access.answers(named[0]):
            shown = ", ".join(named)[:100] or "none"
            what = f"this centre does not answer to the host '{shown}'."
            raise DeniedError(
                Problem("Host", what, f"Ask {min(self.access.hosts, default='127.0.0.1')}.")
            )

    def _check_page(self, request: Request) -> None:
        """Refuse what a page of another site sends.

        Raises:
            DeniedError: One does.

        """
        if request.method in SAFE:
            return
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site in {None, "same-origin"} and (origin is None or self._is_own(request, origin)):
            return
        what = "a page of another site sent this."
        raise DeniedError(Problem("Origin", what, "Send it from a page of the centre itself."))

    def _is_own(self, request: Request, origin: str) -> bool:
        try:
            scheme, netloc = urlsplit(origin)[:2]
        except ValueError:
            return False
        schemes = {"https"} if self.access.https else {"http", "https"}
        return scheme in schemes and netloc.lower() == request.headers["host"].lower()

    async def _begin(self, request: Request, once: str) -> Response:
        """Begin the session that the one-time address gives.

        Raises:
            DeniedError: It was used already.

        """
        begun = await run_in_threadpool(sessions.redeem, self.centre, once)
        if begun is None and await run_in_threadpool(self._known, request) is None:
            what = "this address was used already, or is too old: it lets one browser in, once."
            raise DeniedError(Problem("once", what, "evenhand serve prints a new one."))
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        if begun is not None:
            set_cookie(response, self.access, begun.secret, sessions.LOCAL)
        return response

    async def _local(self, request: Request) -> Principal:
        """Return who asks where nobody logs in.

        Raises:
            DeniedError: A page sends something without a session.

        """
        known = None
        if request.cookies.get(self.access.cookie_name):
            known = await run_in_threadpool(self._known, request)
        by_page = "origin" in request.headers or "sec-fetch-site" in request.headers
        if known is None and by_page and request.method not in SAFE:
            what = "this browser has no session, so that any page could have sent this."
            hint = "Open the address that evenhand serve printed at its start."
            raise DeniedError(Problem("session", what, hint))
        return Principal(
            person=LOCAL,
            product=None,
            rights=_LOCAL_RIGHTS,
            csrf=known.csrf if known else None,
            session=known is not None,
        )

    def _known(self, request: Request) -> Known | None:
        """Return who asks, by a token or by a cookie."""
        given = request.headers.get("authorization")
        secret = request.cookies.get(self.access.cookie_name)
        at = self.centre.clock()
        if given is not None and self.access.auth == "token":
            scheme, _, text = given.partition(" ")
            if scheme.lower() != "bearer":
                return None
            with self.centre.database.reading() as session:
                known = sessions.by_token(session, text.strip(), at)
        elif secret:
            with self.centre.database.reading() as session:
                known = sessions.by_session(session, secret, at)
        else:
            return None
        if known is not None and known.token is not None:
            self._note_use(known.token, at)
        return known

    def _note_use(self, token: Token, at: dt.datetime) -> None:
        if token.used is not None and at - token.used < _USED_EVERY:
            return
        try:
            with self.centre.database.writing() as session:
                session.execute(update(Token).where(Token.id == token.id).values(used=at))
        except CentreError:
            # Reading must go on where nothing can be written.
            return


def _check_text(request: Request) -> None:
    """Refuse an address that no database could look for.

    Raises:
        EvenhandError: It holds NUL.

    """
    if "\x00" in path_of(request) or b"%00" in request.scope["query_string"]:
        what = "it holds the character NUL, which no name has."
        raise EvenhandError(Problem("address", what))


def set_cookie(response: Response, access: Access, secret: str, span: dt.timedelta) -> None:
    """Give a browser the secret of its session; an empty one takes it away."""
    response.set_cookie(
        access.cookie_name,
        secret,
        max_age=int(span.total_seconds()),
        path="/",
        secure=access.https,
        httponly=True,
        samesite="strict",
    )


def _principal(known: Known, token: Token) -> Principal:
    return Principal(
        person=token.person,
        product=known.product,
        rights=frozenset(token.rights),  # type: ignore[arg-type]
        csrf=known.csrf,
        session=known.csrf is not None,
    )


def _nobody() -> Problem:
    what = "no token, or one that is unknown, expired or revoked."
    return Problem("Authorization", what, "Send the header: Authorization: Bearer eh_...")


def _to_login(request: Request) -> Response:
    asked = request.scope["query_string"].decode("latin-1")
    path = path_of(request) + (f"?{asked}" if asked else "")
    where = "/login" if path == "/" else f"/login?next={quote(path, safe='/')}"
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)


def local_path(text: str | None) -> str:
    r"""Return where to go after logging in: a path of the centre, never another site.

    >>> local_path("/jobs?x=1"), local_path("//evil.example"), local_path("/\\evil.example")
    ('/jobs?x=1', '/', '/')
    """
    own = text is not None and text.startswith("/") and not text.startswith("//")
    plain = text is not None and text.isprintable() and "\\" not in text
    return text if text is not None and own and plain else "/"


def _limited(request: Request, receive: Receive) -> Receive:
    """Return what reads a body and refuses one that is too large or stops coming.

    Raises:
        TooLargeError: It says beforehand that it is too large.

    """
    limit = MOST_BYTES if path_of(request) in LARGE else MOST_TEXT
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said[:20]) > limit:
        raise TooLargeError(_too_large(limit))
    size, done = 0, False

    async def read() -> Message:
        nonlocal size, done
        if done:
            return await receive()
        with anyio.move_on_after(BODY_SECONDS) as waited:
            message = await receive()
        if waited.cancelled_caught:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the body stopped coming")
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            done = not message.get("more_body", False)
            if size > limit:
                # HTTPException alone leaves FastAPI's reading of bodies as it is.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(limit).what)
        return message

    return read


def _too_large(limit: int) -> Problem:
    return Problem("body", f"more than {limit:,} bytes are not read.", "Measure less in one plan.")
