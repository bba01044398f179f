"""Who asks, and what they may: without a login on loopback, elsewhere by tokens.

Nobody is let in by a route: `guard.Guard` finds out who asks before any route is looked for, and
leaves it with the request. Routes say which right they need by one of the dependencies here.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Request

from evenhand.centre.protocol import Right
from evenhand.errors import DeniedError, Problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

CSRF_FIELD = "csrf"
"""The hidden field of every form that changes something."""

CSRF_HEADER = "x-csrf-token"
"""The header in its place, where a script of a page asks."""

LOCAL = "local"
"""Who asks where there is no login."""


@dataclass(frozen=True)
class Access:
    """How a centre lets people in.

    Attributes:
        auth: ``none``: whoever reaches it, which is bound to loopback; ``token``: by a token.
        hosts: What requests may name as their host, with the port; empty for anything, or without
            a login for any name of this machine.
        https: Whether browsers reach it by HTTPS.
        cookie: The name of the cookie of its sessions.

    """

    auth: Literal["none", "token"]
    hosts: frozenset[str] = frozenset()
    https: bool = False
    cookie: str = "evenhand"

    def answers(self, host: str) -> bool:
        """Return whether a request may name this host."""
        if self.hosts or self.auth == "token":
            return not self.hosts or host in self.hosts
        name, _, port = host.rpartition(":")
        return is_loopback(name if port.isdecimal() and name else host)

    @property
    def cookie_name(self) -> str:
        """Return the cookie's whole name; over HTTPS browsers keep it to this host."""
        return f"__Host-{self.cookie}" if self.https else self.cookie


def is_loopback(host: str) -> bool:
    """Return whether a name or address is this machine's own, which no other one reaches.

    >>> [is_loopback(one) for one in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        person: Their name, which stands in the chain of what they do.
        product: The only product that they see; None for all.
        rights: What they may do there.
        csrf: What forms must bring along; None where no session of a browser asks.
        session: Whether a session of a browser asks.

    """

    person: str
    product: str | None
    rights: frozenset[Right]
    csrf: str | None = None
    session: bool = False

    def sees(self, product: str) -> bool:
        """Return whether a product is theirs to see."""
        return self.product is None or self.product == product

    def may(self, right: Right, product: str | None) -> bool:
        """Return whether they may do something with a product; None for the whole company."""
        mine = self.product is None or (product is not None and self.product == product)
        return right in self.rights and mine

    def check(self, right: Right, product: str | None) -> None:
        """Refuse what they may not do.

        Raises:
            DeniedError: They may not.

        """
        if not self.may(right, product):
            raise DeniedError(_refusal(self, right, product))


def _refusal(principal: Principal, right: Right, product: str | None) -> Problem:
    if right == "approve" and principal.person == LOCAL:
        what = "where nobody logs in, nothing can be approved: nobody would know by whom."
        hint = "evenhand serve --auth token, with a token of its own for each person."
        return Problem("approve", what, hint)
    if right in principal.rights:
        about = f"product '{product}'" if product else "the whole company"
        what = f"the token is for another product than {about}."
        if product is None:
            what = f"the token is for product '{principal.product}', not for the whole company."
        return Problem(right, what, "Use a token that was issued for it.")
    what = f"the token of {principal.person} lacks the right to {_WORDS[right]}."
    hint = f"evenhand centre token issue --person ... --rights {right}"
    return Problem(right, what, hint)


_WORDS: dict[Right, str] = {
    "read": "read",
    "push": "push",
    "approve": "approve",
    "admin": "administer",
}


@dataclass(frozen=True)
class Needs:
    """A dependency of routes: gives who asks, who must have a right, or any.

    Whatever a session of a browser changes must come with its CSRF token.
    """

    right: Right | Literal["any"]

    async def __call__(self, request: Request) -> Principal:
        """Return who asks.

        Raises:
            DeniedError: They lack the right, or another page sent the form.

        """
        principal: Principal | None = request.state.principal
        if principal is None:
            # Of a route that was made public and asks nevertheless.
            raise DeniedError(Problem(self.right, "nobody is logged in."))
        if self.right != "any" and self.right not in principal.rights:
            raise DeniedError(_refusal(principal, self.right, principal.product))
        if request.method not in SAFE and principal.csrf is not None:
            await _check_csrf(request, principal.csrf)
        return principal


async def _check_csrf(request: Request, expected: str) -> None:
    given: object = request.headers.get(CSRF_HEADER)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given is None and kind in _FORMS:
        given = (await request.form()).get(CSRF_FIELD)
    if not isinstance(given, str) or not secrets.compare_digest(given.encode(), expected.encode()):
        what = "the form is not from this session, or the session has ended."
        raise DeniedError(Problem("form", what, "Load the page again, and send it again."))


_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}

insider = Needs("any")
reader = Needs("read")
pusher = Needs("push")
approver = Needs("approve")
administrator = Needs("admin")

Insider = Annotated[Principal, Depends(insider)]
Reader = Annotated[Principal, Depends(reader)]
Pusher = Annotated[Principal, Depends(pusher)]
Approver = Annotated[Principal, Depends(approver)]
Administrator = Annotated[Principal, Depends(administrator)]

Visitor = Reader
"""Who looks at a page; nobody is sent to the page for logging in, before any route."""


def access_of(request: Request) -> Access:
    """Return how the centre lets people in."""
    found: Access = request.app.state.access
    return found


async def _settings(request: Request) -> Access:
    return access_of(request)


Settings = Annotated[Access, Depends(_settings)]
