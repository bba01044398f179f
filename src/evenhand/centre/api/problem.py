"""Answers that say what went wrong: problem+json (RFC 9457) to programs, a page to browsers.

Whatever is raised becomes one of these; what nobody foresaw is told to the log alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DataError, StatementError
from sqlalchemy.exc import TimeoutError as WaitedError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from evenhand.centre.protocol import PREFIX
from evenhand.errors import (
    CentreError,
    ConflictError,
    DeniedError,
    EvenhandError,
    Problem,
    UnknownError,
)

MEDIA_TYPE = "application/problem+json"

RETRY_SECONDS = 5
"""When a client may ask again while something that the centre stands on is away."""

_LOG = logging.getLogger("evenhand.centre")

_MOST = 50
"""Problems that are told at once."""


class ErrorDocument(BaseModel):
    """One thing that is wrong, as every verb prints it."""

    where: str
    what: str
    hint: str = ""


class ProblemDocument(BaseModel):
    """What went wrong; ``type`` tells the kind, ``errors`` every problem that was found."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    errors: list[ErrorDocument]


class UnauthorisedError(CentreError):
    """Nobody is let in without saying who they are."""


class TooLargeError(CentreError):
    """A body that is larger than what is read."""


_STATUSES: Mapping[type[EvenhandError], HTTPStatus] = {
    UnauthorisedError: HTTPStatus.UNAUTHORIZED,
    DeniedError: HTTPStatus.FORBIDDEN,
    UnknownError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    CentreError: HTTPStatus.SERVICE_UNAVAILABLE,
    EvenhandError: HTTPStatus.UNPROCESSABLE_ENTITY,
}

_TITLES: Mapping[int, str] = {
    400: "The request cannot be read",
    401: "Not logged in",
    403: "Not allowed",
    404: "Not found",
    405: "Not offered here",
    408: "Too slow",
    409: "It contradicts what is there",
    413: "Too large",
    415: "Of another kind",
    422: "It cannot be used",
    429: "Too many tries",
    500: "The centre failed",
    503: "Not now",
}


def status_of(error: EvenhandError) -> HTTPStatus:
    """Return the status by which an error is answered."""
    return next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)


def document_of(status: int, problems: tuple[Problem, ...]) -> ProblemDocument:
    """Return the document of some problems."""
    shown = problems[:_MOST]
    if len(problems) > _MOST:
        shown = (*shown, Problem("and", f"{len(problems) - _MOST:,} more."))
    return ProblemDocument(
        type=f"urn:evenhand:problem:{HTTPStatus(status).phrase.lower().replace(' ', '-')}",
        title=_TITLES.get(status, HTTPStatus(status).phrase),
        status=status,
        detail="\n".join(str(one) for one in shown),
        errors=[
            ErrorDocument(where=_plain(one.where), what=_plain(one.what), hint=_plain(one.hint))
            for one in shown
        ],
    )


def answer(
    request: Request,
    status: int,
    problems: tuple[Problem, ...],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer that tells of some problems: a page for browsers, else JSON."""
    document = document_of(status, problems)
    told = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        told.setdefault("Retry-After", str(RETRY_SECONDS))
    if status == HTTPStatus.UNAUTHORIZED:
        told.setdefault("WWW-Authenticate", 'Bearer realm="evenhand"')
    told["Cache-Control"] = "no-store"
    if not for_programs(request):
        found = _page(request, document)
        found.headers.update(told)
        return found
    content = document.model_dump(mode="json")
    return JSONResponse(content, status_code=status, media_type=MEDIA_TYPE, headers=told)


def _page(request: Request, document: ProblemDocument) -> Response:
    """Return what a browser shows of a problem; a text where the page for it fails too."""
    page = getattr(request.app.state, "problem_page", None)
    try:
        if page is not None:
            found: Response = page(request, document)
            return found
    except Exception:  # noqa: BLE001 - whatever it is, the problem is told
        _LOG.exception("the page that tells of a problem failed")
    text = f"{document.title}\n\n{document.detail}\n"
    return PlainTextResponse(text, status_code=document.status)


def answer_to(request: Request, error: Exception) -> Response:
    """Return the answer to anything that is raised; what is not foreseen is logged, not told."""
    if isinstance(error, EvenhandError):
        status = status_of(error)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            _LOG.warning("%s", error)
        return answer(request, status, error.problems)
    if isinstance(error, RequestValidationError):
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, _invalid(error))
    if isinstance(error, HTTPException):
        said = _SAID.get(error.status_code, f"{str(error.detail).rstrip('.')}.")
        problem = Problem(_place(request), said)
        return answer(request, error.status_code, (problem,), error.headers)
    if _is_beyond(error):
        # The last that notices; checks before it name the place.
        problem = Problem(_place(request), "something in it is longer or larger than can be kept.")
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, (problem,))
    if isinstance(error, WaitedError):
        problem = Problem("database", "too many ask it at once.", "Try again.")
        return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, (problem,))
    _LOG.error("%s failed", _place(request), exc_info=error)
    what = "the centre failed; what happened is in its log."
    problem = Problem(_place(request), what, "Tell whoever runs it.")
    return answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, (problem,))


def _is_beyond(error: BaseException | None) -> bool:
    """Return whether a value is one that no table keeps: too long, too large, or of no calendar."""
    if isinstance(error, StatementError) and not isinstance(error, DataError):
        return _is_beyond(error.orig)
    return isinstance(error, DataError | OverflowError)


def install(app: FastAPI) -> None:
    """Let an application answer every error as a problem."""
    beyond = (StatementError, OverflowError)
    for kind in (EvenhandError, RequestValidationError, HTTPException, *beyond):
        app.add_exception_handler(kind, answer_to)


def path_of(request: Request) -> str:
    """Return the path that is asked for, whatever the request says of its host."""
    found: str = request.scope["path"]
    return found


def for_programs(request: Request) -> bool:
    """Return whether a request is one of a program and not of a page."""
    return path_of(request).startswith(f"{PREFIX.rpartition('/')[0]}/")


_SAID: Mapping[int, str] = {
    400: "the body cannot be read.",
    404: "there is nothing here.",
    405: "this method is not offered here.",
}


def _place(request: Request) -> str:
    return _plain(f"{request.method} {path_of(request)}"[:200])


def _invalid(error: RequestValidationError) -> tuple[Problem, ...]:
    return tuple(_told(one) for one in error.errors())


def _told(one: Mapping[str, Any]) -> Problem:
    place = ".".join(str(part) for part in one["loc"])
    return Problem(place[:200], f"{one['msg']}."[:500])


def _plain(text: str) -> str:
    """Return a text that can be written in UTF-8: a request may hold half a character."""
    return text.encode("utf-8", "replace").decode()
