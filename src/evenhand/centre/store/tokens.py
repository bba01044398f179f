"""Tokens: issued to a named person, for one product or all, until a day; only hashes are kept."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.centre.protocol import Right
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.registry import ensure_product
from evenhand.centre.store.tables import Product, Token
from evenhand.errors import ConflictError, Problem, UnknownError

PREFIX = "eh_"
"""By it, a token that was published by mistake can be found."""

RIGHTS: tuple[Right, ...] = ("read", "push", "approve", "admin")

LONGEST_DAYS, LONGEST_NAME = 366, 200


def issue(
    centre: Centre,
    *,
    person: str,
    product: str | None,
    rights: Sequence[Right],
    days: int = 90,
) -> str:
    """Return a new token, which nobody can be shown again.

    Args:
        centre: The centre.
        person: The name of whoever will use it; it stands in the chain of what they do.
        product: The product that it is for; None for all.
        rights: What it lets them do.
        days: How long it lasts.

    Raises:
        ConflictError: A right is unknown, there is no name, or it would last too long.

    """
    unknown = [one for one in rights if one not in RIGHTS]
    problems = []
    if not 0 < len(person.strip()) <= LONGEST_NAME:
        hint = f"Name them, in at most {LONGEST_NAME} characters."
        problems.append(Problem("person", "a token is issued to somebody.", hint))
    if unknown or not rights:
        what = f"{', '.join(unknown) or 'none'} is no right."
        problems.append(Problem("rights", what, f"There are: {', '.join(RIGHTS)}."))
    if not 0 < days <= LONGEST_DAYS:
        what = f"{days} days are not allowed."
        problems.append(Problem("days", what, f"From 1 to {LONGEST_DAYS}."))
    if problems:
        raise ConflictError(problems)
    text, at = PREFIX + secrets.token_urlsafe(32), centre.clock()
    with centre.database.writing() as session:
        owner = None if product is None else ensure_product(session, centre, product, person)
        session.add(
            Token(
                hash=hash_of(text),
                person=person.strip(),
                product_id=owner.id if owner else None,
                rights=[*dict.fromkeys(rights)],
                created=at,
                expires=at + dt.timedelta(days=days),
            )
        )
    return text


def hash_of(text: str) -> str:
    """Return what is kept of a token or a session: 256 random bits need no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def token_of(session: Session, text: str, at: dt.datetime) -> Token | None:
    """Return the token that a text is; None where it is unknown, revoked or expired."""
    found = session.scalar(select(Token).where(Token.hash == hash_of(text)))
    return found if found is not None and is_valid(found, at) else None


def issued(session: Session) -> Sequence[Token]:
    """Return all tokens that were issued, in order."""
    return session.scalars(select(Token).order_by(Token.id)).all()


def products_of(session: Session) -> dict[int, str]:
    """Return the names of the products that tokens are for, by the product's key."""
    query = select(Product.id, Product.name).join(Token, Token.product_id == Product.id)
    return {row.id: row.name for row in session.execute(query.distinct())}


def is_valid(token: Token, at: dt.datetime) -> bool:
    """Return whether a token lets anybody in at a time."""
    return token.revoked is None and token.expires > at


def revoke(centre: Centre, id: int) -> Token:  # noqa: A002
    """End a token at once.

    Raises:
        UnknownError: There is none of this number.

    """
    with centre.database.writing() as session:
        token = session.get(Token, id)
        if token is None:
            raise UnknownError(Problem(f"token {id}", "there is no such token."))
        token.revoked = token.revoked or centre.clock()
    return token
