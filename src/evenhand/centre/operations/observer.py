"""Every request is timed, numbered and told of, whatever answers it."""

from __future__ import annotations

import contextvars
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-request-id"
"""A proxy may number requests already; else the centre does. Answers carry the number."""

_NUMBER = re.compile(r"[A-Za-z0-9_.-]{1,64}")

current: contextvars.ContextVar[str | None] = contextvars.ContextVar("request", default=None)
"""The number of the request that is being answered, for whatever is logged meanwhile."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that was answered; status 499 where whoever asked was gone before."""

    number: str
    method: str
    scope: Scope
    status: int
    seconds: float


class Observer:
    """Middleware around the whole application.

    Attributes:
        told: Is told of every request once it is answered.

    """

    def __init__(self, app: ASGIApp, told: Callable[[Seen], None]) -> None:
        self.app, self.told = app, told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        number = given if _NUMBER.fullmatch(given) else secrets.token_hex(8)
        status, started = 499, time.perf_counter()

        async def send_numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = number
            await send(message)

        token = current.set(number)
        try:
            await self.app(scope, receive, send_numbered)
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.perf_counter() - started
            self.told(Seen(number, scope["method"], scope, status, seconds))
            current.reset(token)
