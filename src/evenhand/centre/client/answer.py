"""Answers of the centre as what they say: documents, or the errors that any verb raises."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import httpx2
from pydantic import TypeAdapter, ValidationError

from evenhand.errors import (
    CentreError,
    ConflictError,
    DeniedError,
    EvenhandError,
    Problem,
    UnknownError,
    UnreachableError,
    first_line,
    reason,
)

Read = TypeVar("Read")

AWAY = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
"""What is answered in place of a centre that is away."""

_KINDS: Mapping[int, type[EvenhandError]] = {
    HTTPStatus.UNAUTHORIZED: DeniedError,
    HTTPStatus.FORBIDDEN: DeniedError,
    HTTPStatus.NOT_FOUND: UnknownError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: EvenhandError,
    HTTPStatus.UNPROCESSABLE_ENTITY: EvenhandError,
}
"""Everything else is a failure of the centre."""


def read(kind: type[Read], answer: httpx2.Response) -> Read:
    """Return the document of an answer.

    Raises:
        CentreError: It is none: something else than a centre answers there.

    """
    try:
        return TypeAdapter(kind).validate_json(answer.content)
    except ValidationError as error:
        raise _stranger(answer) from error


def check(answer: httpx2.Response) -> None:
    """Raise what an answer that is no success says.

    Raises:
        UnreachableError: The centre is away.
        UnknownError: What is asked for is not there, or may not be seen.
        ConflictError: What is asked for contradicts what is there.
        DeniedError: Who asks may not do this.
        CentreError: The centre failed, or something else answers there.
        EvenhandError: What was sent cannot be used.

    """
    if answer.is_success:
        return
    if answer.is_redirect:
        # A token goes where it was meant to go and nowhere else.
        target = answer.headers.get("location", "elsewhere")[:200]
        what = f"it sends to {target}; nothing is sent on there."
        hint = "Name that address, if it is the centre's own."
        raise CentreError(Problem(_origin(answer), what, hint))
    problems = tuple(_problems(answer))
    if answer.status_code in AWAY:
        raise UnreachableError(problems or _away(answer))
    if not problems:
        raise _stranger(answer)
    raise _KINDS.get(answer.status_code, CentreError)(problems)


def away(error: httpx2.RequestError, url: str) -> UnreachableError:
    """Return that nothing answered, and why."""
    where = url.split("/api/", 1)[0]
    hint = f"See whether it runs: curl {where}/healthz"
    return UnreachableError(Problem(where, f"the centre does not answer: {_said(error)}.", hint))


def _problems(answer: httpx2.Response) -> Iterator[Problem]:
    """Yield the problems of a document (RFC 9457); nothing where it is none."""
    try:
        document: Any = answer.json()
    except ValueError:
        return
    errors = document.get("errors") if isinstance(document, dict) else None
    for one in errors if isinstance(errors, list) else []:
        if isinstance(one, dict):
            where, what, hint = (str(one.get(key) or "") for key in ("where", "what", "hint"))
            yield Problem(where or "the centre", what or "it refused.", hint)


def _away(answer: httpx2.Response) -> Problem:
    said = f"the centre is away: {answer.status_code} {answer.reason_phrase}."
    return Problem(_origin(answer), said, "Try again later.")


def _stranger(answer: httpx2.Response) -> CentreError:
    what = (
        f"what answers is no centre of this release: {answer.status_code} "
        f"{answer.headers.get('content-type', 'without a kind')}."
    )
    hint = "Check the address; with a newer centre: pip install --upgrade evenhand"
    return CentreError(Problem(_origin(answer), what, hint))


def _origin(answer: httpx2.Response) -> str:
    return str(answer.request.url).split("/api/", 1)[0]


def _said(error: httpx2.RequestError) -> str:
    """Return why nothing answered, in words."""
    if isinstance(error, httpx2.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, socket.gaierror):
            return "its name is unknown"
        if isinstance(cause, ConnectionRefusedError):
            return "nothing listens there"
        if isinstance(cause, OSError) and cause.errno:
            return reason(cause)
        cause = cause.__cause__ or cause.__context__
    return first_line(error).rstrip(".")
