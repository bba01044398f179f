"""Parts of lists: what comes after the last one that was seen, so that nothing is told twice."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from evenhand.centre.protocol import Page
from evenhand.centre.store.tables import Instant
from evenhand.errors import EvenhandError, Problem

MOST = 200
"""Items of a part, at most."""

_LARGEST = 2**53
"""Numbers of rows are far below."""

_LAST_YEAR = 9999

Document = TypeVar("Document", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for."""

    after: str | None
    limit: int


async def paging(
    after: Annotated[
        str | None, Query(max_length=1000, description="What the part before gave as ``next``.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Items of this part.")] = 50,
) -> Paging:
    """Return which part is asked for."""
    return Paging(after, limit)


Paged = Annotated[Paging, Depends(paging)]

Key = InstrumentedAttribute[Any]


def part(
    session: Session,
    query: Select[*tuple[Any, ...]],
    paged: Paging,
    by: Sequence[Key],
    make: Callable[[Any], Document],
    *,
    newest_first: bool = False,
    before: Callable[[Sequence[Any]], None] | None = None,
    total: int | None = None,
) -> Page[Document]:
    """Return the part of a list that is asked for.

    Args:
        session: A session.
        query: The whole list, in any order.
        paged: The part.
        by: The columns that put it in order, no two rows alike; they belong to its entities.
        make: Gives the document of a row.
        newest_first: Whether the order is downwards.
        before: Told all rows of the part before their documents are made, to ask for what they
            need at once.
        total: How many there are in all, where that was found without going through them.

    Raises:
        EvenhandError: ``after`` was not given by this list.

    """
    if total is None:
        count = select(func.count()).select_from(query.order_by(None).subquery())
        total = session.scalar(count) or 0
    if paged.after is not None:
        last = tuple_(*_read(paged.after, by))
        query = query.where(tuple_(*by) < last if newest_first else tuple_(*by) > last)
    ordered = query.order_by(*(one.desc() if newest_first else one.asc() for one in by))
    # One more than asked for tells whether there is more.
    with_keys = ordered.add_columns(*by).limit(paged.limit + 1)
    rows = session.execute(with_keys).all()
    shown = rows[: paged.limit]
    more = len(rows) > len(shown)
    if before is not None:
        before(shown)
    items = [make(row) for row in shown]
    return Page(items=items, total=total, next=_written(shown[-1][-len(by) :]) if more else None)


def _written(keys: Sequence[Any]) -> str:
    plain = [one.isoformat() if isinstance(one, dt.datetime) else one for one in keys]
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, by: Sequence[Key]) -> list[ColumnElement[Any]]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        keys = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        if not isinstance(keys, list) or len(keys) != len(by):
            raise _unknown()
        return [literal(_key(one, by_), by_.type) for one, by_ in zip(keys, by, strict=True)]
    except (ValueError, TypeError, RecursionError) as error:
        raise _unknown() from error


def _key(given: object, column: Key) -> object:
    """Return a value that a row of this column may have.

    Raises:
        ValueError: There is none.

    """
    kind = column.type.python_type
    if isinstance(column.type, Instant) and isinstance(given, str):
        time = dt.datetime.fromisoformat(given)
        if time.tzinfo is not None and 1 < time.year < _LAST_YEAR:
            return time
    elif kind is int and type(given) is int and abs(given) < _LARGEST:
        return given
    elif kind is str and isinstance(given, str) and "\x00" not in given:
        return given.encode().decode()
    msg = f"{given!r} is of another column"
    raise ValueError(msg)


def _unknown() -> EvenhandError:
    hint = "Give back the 'next' of the part before, or leave it out to begin."
    return EvenhandError(Problem("after", "this list gave no such cursor.", hint))
