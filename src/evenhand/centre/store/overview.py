"""The heat map of a company: where all of its products stand."""

from __future__ import annotations

import datetime as dt
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evenhand.audits.gate.verdict import Verdict
from evenhand.centre.dossier import Pillar
from evenhand.centre.store.cell import WORST_FIRST, Cell, State, standing_of_all
from evenhand.centre.store.tables import (
    Decision,
    Model,
    Policy,
    Product,
    Version,
)


@dataclass(frozen=True, slots=True)
class Gated:
    """The last decision of a gate about a product."""

    id: str
    verdict: Verdict
    model: str
    version: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Row:
    """A product and where it stands."""

    id: int
    name: str
    title: str
    owner: str | None
    cells: tuple[Cell, ...]
    gated: Gated | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """A part of the heat map.

    Attributes:
        rows: The products that are shown, the worst first.
        found: How many fit what was asked for.
        products: How many there are.
        red: How many of them fail in a pillar.
        counts: How many cells of all products are in which state.

    """

    rows: tuple[Row, ...]
    found: int
    products: int
    red: int
    counts: Mapping[State, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the heat map is asked for.

    Attributes:
        search: A part of a name or title.
        owner: A part of the owner's name.
        pillar: Where to look for ``state``; None for any pillar.
        state: The state; None for any.

    """

    search: str = ""
    owner: str = ""
    pillar: Pillar | None = None
    state: State | None = None


def overview(
    session: Session,
    now: dt.datetime,
    wanted: Wanted | None = None,
    *,
    only: str | None = None,
    start: int = 0,
    most: int = 100,
) -> Overview:
    """Return a part of the heat map, the worst first.

    Args:
        session: A session.
        now: The time.
        wanted: What is asked for.
        only: The one product that may be seen; None for all.
        start: How many to leave out.
        most: How many to return.

    """
    asked = wanted or Wanted()
    seen = _map_of(session).seen(session, now)
    if only is not None:
        seen = _Seen.of(row for row in seen.rows if row.name == only)
    found = seen.rows if asked == Wanted() else [row for row in seen.rows if _fits(row, asked)]
    return Overview(
        rows=tuple(found[start : start + most]),
        found=len(found),
        products=len(seen.rows),
        red=seen.red,
        counts=seen.counts,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """All products, the worst first, and what is counted of them."""

    rows: Sequence[Row]
    red: int
    counts: Mapping[State, int]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> _Seen:
        """Return products, counted."""
        every = tuple(rows)
        counts = dict.fromkeys(WORST_FIRST, 0)
        for row in every:
            for cell in row.cells:
                counts[cell.state] += 1
        red = sum(any(cell.state == "fail" for cell in row.cells) for row in every)
        return cls(every, red, counts)


class _Map:
    """Where the products of a database stood when they were last looked at.

    Whatever happens to a product is a line of its chain: those whose chain has not grown stand
    where they stood, and only the others are asked for again. Everything is, when the company's
    policy has changed, which has no chain, and once a minute, as evidence becomes stale.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._when: tuple[int | None, int] | None = None
        self._known: dict[int, tuple[int, tuple[Any, ...], Row]] = {}
        self._seen = _Seen.of(())

    def seen(self, session: Session, now: dt.datetime) -> _Seen:
        """Return where all products stand."""
        policy = session.scalar(select(func.max(Policy.id)))
        # Asked before anything else, so that what is known by it is never older.
        lines = session.execute(select(Product.id, Product.sequence)).all()
        with self._lock:
            when = (policy, int(now.timestamp()) // _FRESH_SECONDS)
            if when != self._when:
                self._when = when
                self._known.clear()
            known = self._known
            grown = {
                id_: sequence
                for id_, sequence in lines
                if id_ not in known or known[id_][0] != sequence
            }
            if grown or len(known) != len(lines):
                for row in _looked_at(session, now, [*grown]):
                    known[row.id] = grown[row.id], _worst_first(row), row
                ordered = sorted(known.values(), key=lambda one: one[1])
                self._seen = _Seen.of(row for _, _, row in ordered)
            return self._seen


_FRESH_SECONDS = 60

_MAPS: weakref.WeakKeyDictionary[object, _Map] = weakref.WeakKeyDictionary()


def _map_of(session: Session) -> _Map:
    return _MAPS.setdefault(session.get_bind(), _Map())


_AT_ONCE = 5_000
"""Products that are asked for by one query, which may not name more than some ten thousand."""


def _looked_at(session: Session, now: dt.datetime, ids: Sequence[int]) -> Iterator[Row]:
    """Yield where products stand, with the audits that say so and the last decision of a gate."""
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        cells, gated = standing_of_all(session, now, some), last_decisions(session, some)
        query = select(Product.id, Product.name, Product.title, Product.owner)
        for id_, name, title, owner in session.execute(query.where(Product.id.in_(some))):
            yield Row(id_, name, title, owner, cells[id_], gated.get(id_))


def _fits(row: Row, wanted: Wanted) -> bool:
    if wanted.search and wanted.search.casefold() not in f"{row.name}\n{row.title}".casefold():
        return False
    if wanted.owner and wanted.owner.casefold() not in (row.owner or "").casefold():
        return False
    cells = [one for one in row.cells if wanted.pillar in {None, one.pillar}]
    if wanted.state is not None:
        return any(one.state == wanted.state for one in cells)
    return wanted.pillar is None or any(one.state != "never audited" for one in cells)


def _worst_first(row: Row) -> tuple[Any, ...]:
    states = [cell.state for cell in row.cells]
    return (*(-states.count(state) for state in WORST_FIRST), row.name.casefold(), row.name)


def last_decisions(session: Session, products: Sequence[int]) -> dict[int, Gated]:
    """Return the last decision about each product that has one."""
    if not products:
        return {}
    newest = (
        select(Decision.product_id, func.max(Decision.at).label("at"))
        .where(Decision.product_id.in_(products))
        .group_by(Decision.product_id)
        .subquery()
    )
    query = (
        select(
            Decision.product_id,
            Decision.id,
            Decision.verdict,
            Model.name,
            Version.name,
            Decision.at,
        )
        .join(
            newest,
            (newest.c.product_id == Decision.product_id) & (newest.c.at == Decision.at),
        )
        .join(Model, Model.id == Decision.model_id)
        .join(Version, Version.id == Decision.version_id)
        .order_by(Decision.received)
    )
    found = session.execute(query)
    return {key: Gated(id_, verdict, *rest) for key, id_, verdict, *rest in found}  # type: ignore[arg-type]
