"""The chain of a product: every line has the digest of the line before it.

Whoever kept a head elsewhere can tell whether a line up to it was changed or left out since. It
proves nothing about what came before the first head that somebody kept, nor that lines are true.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
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
class Line:
    """A line of a chain as its digest is of it; ``body`` is canonical text."""

    sequence: int
    at: str
    kind: str
    body: str
    previous: str
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
    # What this session saw of the row before it waited for the lock is out of date.
    return session.execute(
        select(Product).where(Product.id == product_id).with_for_update(),
        execution_options={"populate_existing": True},
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
    columns = (getattr(Entry, one.name) for one in fields(Line))
    query = select(*columns).where(Entry.product_id == product.id).order_by(Entry.sequence)
    with session.execute(query.execution_options(yield_per=1000)) as rows:
        yield from follow((Line(*row) for row in rows), head(product), kept)


def follow(lines: Iterable[Line], last: Head, kept: Head | None = None) -> Iterator[Broken]:
    """Yield every line that is not as it was written.

    Args:
        lines: The lines of a chain, in order.
        last: What the product names as its last line.
        kept: A head that somebody kept elsewhere.

    """
    name, previous, sequence = last.product, START, 0
    at_kept = START if kept is not None and kept.sequence == 0 else None
    for line in lines:
        sequence += 1
        if line.sequence != sequence:
            what = f"lines {sequence} to {line.sequence - 1} are missing"
            yield Broken(name, sequence, what)
            sequence = line.sequence
        found = _digest(
            name,
            line.sequence,
            line.at,
            kind=line.kind,
            body=line.body,
            previous=line.previous,
        )
        if found != line.digest:
            yield Broken(name, sequence, f"its digest is {found}, not {line.digest}")
        if line.previous != previous:
            yield Broken(name, sequence, f"it does not follow the line before, {previous}")
        previous = line.digest
        if kept is not None and sequence == kept.sequence:
            at_kept = line.digest
    if (last.sequence, last.digest) != (sequence, previous):
        what = f"the product names line {last.sequence} as its last, {last.digest}"
        yield Broken(name, sequence, what)
    if kept is not None and at_kept != kept.digest:
        what = f"the head that was kept is {kept.digest}; here it is {at_kept or 'missing'}"
        yield Broken(name, kept.sequence, what)


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
