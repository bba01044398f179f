"""Sessions of browsers: begun by a token or by the one-time address; only hashes are kept."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from evenhand.centre.store.centre import Centre
from evenhand.centre.store.tables import Product, Token
from evenhand.centre.store.tables import Session as Row
from evenhand.centre.store.tokens import hash_of, is_valid

BY_TOKEN = dt.timedelta(hours=12)
"""How long a session lasts that a token began; the token may end before."""

LOCAL = dt.timedelta(days=30)
"""How long one lasts that the one-time address began."""

ONCE = dt.timedelta(hours=24)
"""How long a one-time address can be used."""

_UNUSED = ""
"""What a one-time address has in place of a CSRF token: it is no session yet."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A session: ``secret`` goes into the cookie, ``csrf`` into forms."""

    secret: str
    csrf: str


@dataclass(frozen=True, slots=True)
class Known:
    """Who asks, by a token or a session.

    Attributes:
        token: The token; None for a session begun by the one-time address.
        product: The name of the product that the token is for; None for all.
        csrf: The CSRF token of the session; None where the token itself was sent.

    """

    token: Token | None
    product: str | None
    csrf: str | None


def begin(centre: Centre, token_id: int | None) -> Begun:
    """Begin a session; those that have ended are forgotten."""
    at = centre.clock()
    begun = Begun(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
    with centre.database.writing() as session:
        session.execute(delete(Row).where(Row.expires <= at))
        session.add(
            Row(
                hash=hash_of(begun.secret),
                token_id=token_id,
                csrf=begun.csrf,
                created=at,
                expires=at + (LOCAL if token_id is None else BY_TOKEN),
            )
        )
    return begun


def end(centre: Centre, secret: str) -> None:
    """End a session."""
    with centre.database.writing() as session:
        session.execute(delete(Row).where(Row.hash == hash_of(secret)))


def issue_once(centre: Centre) -> str:
    """Return the secret of an address by which one session can be begun, by any server."""
    at, secret = centre.clock(), secrets.token_urlsafe(32)
    with centre.database.writing() as session:
        session.add(
            Row(hash=hash_of(secret), token_id=None, csrf=_UNUSED, created=at, expires=at + ONCE)
        )
    return secret


def redeem(centre: Centre, secret: str) -> Begun | None:
    """Begin the session that a one-time address gives; None where it was used or is too old."""
    at = centre.clock()
    with centre.database.writing() as session:
        # Of two that come at once, one finds the row.
        used = session.scalar(
            delete(Row)
            .where(Row.hash == hash_of(secret), Row.csrf == _UNUSED, Row.expires > at)
            .returning(Row.hash)
        )
    return None if used is None else begin(centre, None)


def by_session(session: Session, secret: str, at: dt.datetime) -> Known | None:
    """Return who asks by the secret of a cookie; None where the session or its token has ended."""
    row = session.execute(
        select(Row, Token, Product.name)
        .outerjoin(Token, Token.id == Row.token_id)
        .outerjoin(Product, Product.id == Token.product_id)
        .where(Row.hash == hash_of(secret), Row.csrf != _UNUSED, Row.expires > at)
    ).first()
    if row is None:
        return None
    token: Token | None = row[1]
    if token is not None and not is_valid(token, at):
        return None
    return Known(token, row[2], row[0].csrf)


def by_token(session: Session, text: str, at: dt.datetime) -> Known | None:
    """Return who asks by a token; None where it is unknown, expired or revoked."""
    row = session.execute(
        select(Token, Product.name)
        .outerjoin(Product, Product.id == Token.product_id)
        .where(Token.hash == hash_of(text))
    ).first()
    if row is None or not is_valid(row[0], at):
        return None
    return Known(row[0], row[1], None)
