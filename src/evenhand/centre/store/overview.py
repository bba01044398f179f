"""Where products stand: the heat map of a company, from tables alone.

A product stands in a pillar where its worst model does, and its evidence is as old as the oldest.
What failed stays failed however old it is; anything else that is older than the policy allows is
stale, since nothing of today supports it.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from evenhand.audits.gate.verdict import Verdict
from evenhand.centre.dossier import PILLARS, Pillar
from evenhand.centre.policy import BUILT_IN, parse_policy
from evenhand.centre.store.tables import (
    Audit,
    Decision,
    Model,
    Policy,
    Product,
    Standing,
    Version,
)

State = Literal["fail", "undecided", "stale", "never audited", "no rules", "pass"]

WORST_FIRST: tuple[State, ...] = (
    "fail",
    "undecided",
    "stale",
    "never audited",
    "no rules",
    "pass",
)

_RANKED: tuple[Verdict | None, ...] = ("fail", "undecided", "pass", None)
"""Verdicts, the worst first; an audit without rules says less than any."""

_RANK = case({"fail": 0, "undecided": 1, "pass": 2}, value=Standing.verdict, else_=len(_RANKED) - 1)


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a product or a model stands in a pillar.

    Attributes:
        verdict: The worst verdict, however old; None where it was never audited, or by no rules.
        audited: When the oldest evidence was made that it rests on.
        bundle: The audit that says the worst; None where there is none, or it was not asked for.
        model: The model that it is about, and ``version``.

    """

    pillar: Pillar
    state: State
    verdict: Verdict | None = None
    audited: dt.datetime | None = None
    bundle: str | None = None
    model: str = ""
    version: str = ""


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


def state_of(
    verdict: str | None, audited: dt.datetime, max_age: dt.timedelta | None, now: dt.datetime
) -> State:
    """Return the state of what was audited.

    >>> day = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    >>> later, month = day.replace(month=12, day=2), dt.timedelta(days=30)
    >>> state_of("pass", day, month, later), state_of("fail", day, month, later)
    ('stale', 'fail')
    """
    if verdict == "fail":
        return "fail"
    if max_age is not None and now - audited > max_age:
        return "stale"
    return {"pass": "pass", "undecided": "undecided"}.get(verdict or "", "no rules")  # type: ignore[return-value]


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
    query = select(Product.id, Product.name, Product.title, Product.owner)
    query = query if only is None else query.where(Product.name == only)
    products = session.execute(query).all()
    cells = _cells(session, now, products[0].id if len(products) == 1 else None)
    rows = [
        Row(id_, name, title, owner, cells.get(id_) or _NEVER)
        for id_, name, title, owner in products
    ]
    found = [row for row in rows if _fits(row, asked)]
    found.sort(key=_worst_first)
    counts = dict.fromkeys(WORST_FIRST, 0)
    for row in rows:
        for cell in row.cells:
            counts[cell.state] += 1
    shown = found[start : start + most]
    return Overview(
        rows=tuple(_told(session, now, shown)),
        found=len(found),
        products=len(rows),
        red=sum(any(cell.state == "fail" for cell in row.cells) for row in rows),
        counts=counts,
    )


def standing_of(session: Session, now: dt.datetime, product: Product) -> tuple[Cell, ...]:
    """Return where a product stands, a cell for each pillar."""
    return _detailed(session, now, [product.id]).get(product.id, _NEVER)


def standing_of_models(
    session: Session, now: dt.datetime, product: Product
) -> dict[int, tuple[Cell, ...]]:
    """Return where each model of a product stands, by the key of its row."""
    ages = _ages(session, product.id)
    found: dict[int, list[Any]] = {}
    for line in session.execute(_lines().where(Standing.product_id == product.id)):
        found.setdefault(line.model_id, []).append(line)
    return {key: _worst_cells(lines, ages(product.id), now) for key, lines in found.items()}


_NEVER = tuple(Cell(pillar, "never audited") for pillar in PILLARS)


def never() -> tuple[Cell, ...]:
    """Return where something stands that was never audited."""
    return _NEVER


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


def _cells(session: Session, now: dt.datetime, only: int | None) -> dict[int, tuple[Cell, ...]]:
    """Return where products stand, without the audits that say so."""
    query = select(
        Standing.product_id, Standing.pillar, func.min(_RANK), func.min(Standing.audited)
    ).group_by(Standing.product_id, Standing.pillar)
    query = query if only is None else query.where(Standing.product_id == only)
    ages = _ages(session, only)
    found: dict[int, dict[str, Cell]] = {}
    for product, pillar, rank, audited in session.execute(query):
        verdict = _RANKED[rank]
        state = state_of(verdict, audited, ages(product), now)
        found.setdefault(product, {})[pillar] = Cell(pillar, state, verdict, audited)
    return {key: _in_order(by) for key, by in found.items()}


def _in_order(by: Mapping[str, Cell]) -> tuple[Cell, ...]:
    return tuple(by.get(pillar) or none for pillar, none in zip(PILLARS, _NEVER, strict=True))


def _told(session: Session, now: dt.datetime, rows: Sequence[Row]) -> Iterable[Row]:
    """Yield rows with the audits that they rest on, and the last decision of a gate."""
    ids = [row.id for row in rows]
    cells, gated = _detailed(session, now, ids), last_decisions(session, ids)
    for row in rows:
        yield Row(
            row.id,
            row.name,
            row.title,
            row.owner,
            cells.get(row.id, row.cells),
            gated.get(row.id),
        )


def _lines() -> Select[int, int, str, str | None, dt.datetime, str, str, str]:
    return (
        select(
            Standing.product_id,
            Standing.model_id,
            Standing.pillar,
            Standing.verdict,
            Standing.audited,
            Audit.bundle,
            Model.name.label("model"),
            Version.name.label("version"),
        )
        .join(Audit, Audit.id == Standing.audit_id)
        .join(Model, Model.id == Standing.model_id)
        .join(Version, Version.id == Standing.version_id)
    )


def _detailed(
    session: Session, now: dt.datetime, products: Sequence[int]
) -> dict[int, tuple[Cell, ...]]:
    if not products:
        return {}
    ages = _ages(session, products[0] if len(products) == 1 else None)
    found: dict[int, list[Any]] = {}
    for line in session.execute(_lines().where(Standing.product_id.in_(products))):
        found.setdefault(line.product_id, []).append(line)
    return {key: _worst_cells(lines, ages(key), now) for key, lines in found.items()}


def _worst_cells(
    lines: Iterable[Any], max_age: dt.timedelta | None, now: dt.datetime
) -> tuple[Cell, ...]:
    by: dict[str, list[Any]] = {}
    for line in lines:
        by.setdefault(line.pillar, []).append(line)
    cells = {}
    for pillar, some in by.items():
        worst = min(some, key=lambda one: (_RANKED.index(one.verdict), one.audited))
        audited = min(one.audited for one in some)
        cells[pillar] = Cell(
            worst.pillar,
            state_of(worst.verdict, audited, max_age, now),
            worst.verdict,
            audited,
            worst.bundle,
            worst.model,
            worst.version,
        )
    return _in_order(cells)


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


def _ages(session: Session, only: int | None) -> Callable[[int], dt.timedelta | None]:
    """Return how old evidence of a product may be."""
    newest = select(Policy.product_id, func.max(Policy.version).label("version")).group_by(
        Policy.product_id
    )
    if only is not None:
        newest = newest.where((Policy.product_id == only) | Policy.product_id.is_(None))
    last = newest.subquery()
    query = select(Policy.product_id, Policy.text).join(
        last,
        # The company's policy has no product, and nothing is equal to that.
        (Policy.version == last.c.version)
        & (
            (Policy.product_id == last.c.product_id)
            | (Policy.product_id.is_(None) & last.c.product_id.is_(None))
        ),
    )
    texts: dict[int | None, str] = {key: policy for key, policy in session.execute(query)}  # noqa: C416 - typed
    company = texts.get(None, BUILT_IN)
    return lambda product: _max_age(texts.get(product, company))


@functools.lru_cache(maxsize=4096)
def _max_age(policy: str) -> dt.timedelta | None:
    return parse_policy(policy).max_age
