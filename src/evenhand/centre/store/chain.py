"""The chain of a product: every line has the digest of the line before it.

Whoever kept a head elsewhere can tell whether a line up to it was changed or left out since. It
proves nothing about what came before the first head that somebody kept, nor that lines are true.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.audits.evidence.canonical import canonical, digest_of
from evenhand.centre.store.tables import Entry, Product

START = digest_of(b"")
"""What the first line of a chain has in place of the digest of a line before it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a chain, to be kept elsewhere."""

    product: str
    sequence: int
    digest: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is not as it was written."""

    product: str
    sequence: int
    what: str


def lock(session: Session, product_id: int) -> Product:
    """Return a product's row, and let no other writer of its chain in before this transaction ends.

    On SQLite the transaction holds the whole database already.
    """
    return session.execute(
        select(Product).where(Product.id == product_id).with_for_update()
    ).scalar_one()


def append(
    session: Session, product: Product, kind: str, body: Mapping[str, Any], at: dt.datetime
) -> Entry:
    """Add a line to the chain of a product whose row is locked.

    Args:
        session: A session that writes.
        product: The product, from `lock`.
        kind: What happened.
        body: The facts, as plain values.
        at: When.

    """
    previous = product.head or START
    sequence = product.sequence + 1
    text = canonical(body, kind).decode()
    moment = at.isoformat()
    digest = _digest(product.name, sequence, moment, kind=kind, body=text, previous=previous)
    entry = Entry(
        product_id=product.id,
        sequence=sequence,
        at=moment,
        kind=kind,
        body=text,
        previous=previous,
        digest=digest,
    )
    session.add(entry)
    product.sequence, product.head = sequence, digest
    return entry


def head(product: Product) -> Head:
    """Return the head of a product's chain."""
    return Head(product.name, product.sequence, product.head or START)


def check(session: Session, product: Product, kept: Head | None = None) -> Iterator[Broken]:
    """Yield every line of a chain that is not as it was written.

    Args:
        session: A session.
        product: The product.
        kept: A head that somebody kept elsewhere.

    """
    previous, sequence = START, 0
    at_kept = START if kept is not None and kept.sequence == 0 else None
    query = select(Entry).where(Entry.product_id == product.id).order_by(Entry.sequence)
    with session.scalars(query.execution_options(yield_per=1000)) as entries:
        for entry in entries:
            sequence += 1
            if entry.sequence != sequence:
                what = f"lines {sequence} to {entry.sequence - 1} are missing"
                yield Broken(product.name, sequence, what)
                sequence = entry.sequence
            found = _digest(
                product.name,
                entry.sequence,
                entry.at,
                kind=entry.kind,
                body=entry.body,
                previous=entry.previous,
            )
            if found != entry.digest:
                yield Broken(product.name, sequence, f"its digest is {found}, not {entry.digest}")
            if entry.previous != previous:
                yield Broken(
                    product.name, sequence, f"it does not follow the line before, {previous}"
                )
            previous = entry.digest
            if kept is not None and sequence == kept.sequence:
                at_kept = entry.digest
    if (product.sequence, product.head or START) != (sequence, previous):
        what = f"the product names line {product.sequence} as its last, {product.head}"
        yield Broken(product.name, sequence, what)
    if kept is not None and at_kept != kept.digest:
        what = f"the head that was kept is {kept.digest}; here it is {at_kept or 'missing'}"
        yield Broken(product.name, kept.sequence, what)


def body_of(entry: Entry) -> dict[str, Any]:
    """Return the facts of a line."""
    found: dict[str, Any] = json.loads(entry.body)
    return found


def _digest(product: str, sequence: int, at: str, *, kind: str, body: str, previous: str) -> str:
    document = {
        "product": product,
        "sequence": sequence,
        "at": at,
        "kind": kind,
        "body": body,
        "previous": previous,
    }
    return digest_of(canonical(document, "entry"))
