"""Where products stand: the heat map of a company, from tables alone.

A product stands in a pillar where its worst model does, and its evidence is as old as the oldest.
What failed stays failed however old it is; anything else that is older than the policy allows is
stale, since nothing of today supports it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session

from evenhand.audits.gate.verdict import Verdict
from evenhand.centre.dossier import PILLARS, Pillar
from evenhand.centre.policy import BUILT_IN, parse_policy
from evenhand.centre.store.opened import Shelf
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
    key = (_stamp(session), int(now.timestamp()) // _GOOD_FOR, asked, only, start, most)

    def make() -> tuple[Overview, int]:
        found = _overview(session, now, asked, only=only, start=start, most=most)
        return found, 1 + len(found.rows)

    return _SHELF.get(key, make)


_GOOD_FOR = 60
"""Seconds after which evidence may have become stale though nothing happened."""

_SHELF: Shelf[Overview] = Shelf(5_000)
"""Room for the rows of the last maps that were asked for."""


def _stamp(session: Session) -> tuple[object, ...]:
    """Return what is another one after all that changes a map, in every process.

    Whatever happens to a product is a line of its chain; the company's policy has no chain.
    """
    policy = select(func.max(Policy.id)).scalar_subquery()
    lines = select(func.count(), func.sum(Product.sequence), policy).select_from(Product)
    return (session.get_bind(), *session.execute(lines).one())


def _overview(
    session: Session,
    now: dt.datetime,
    wanted: Wanted,
    *,
    only: str | None,
    start: int,
    most: int,
) -> Overview:
    cells = _cells(session, now)
    states = _counted(cells)
    mine = [] if only is None else [Product.name == only]
    found = select(Product.id, Product.name, Product.title, Product.owner)
    found = found.outerjoin(cells.products, cells.products.c.product_id == Product.id)
    found = found.where(*mine, *_fitting(cells, states, wanted))
    order = [states[state].desc() for state in WORST_FIRST]
    # Every row brings how many there are, so that they are counted with what is read anyway.
    counted = func.count().over().label("found")
    query = found.add_columns(counted).order_by(*order, func.lower(Product.name), Product.name)
    rows = session.execute(query.offset(start).limit(most)).all()
    many = rows[0].found if rows else 0
    if not rows and start:
        many = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    products, red, *counts = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((states["fail"] > 0, 1), else_=0)), 0),
            *(func.coalesce(func.sum(states[state]), 0) for state in WORST_FIRST),
        )
        .select_from(Product)
        .outerjoin(cells.products, cells.products.c.product_id == Product.id)
        .where(*mine)
    ).one()
    return Overview(
        rows=tuple(_told(session, now, rows)),
        found=many,
        products=products,
        red=red,
        counts=dict(zip(WORST_FIRST, map(int, counts), strict=True)),
    )


def standing_of(session: Session, now: dt.datetime, product: Product) -> tuple[Cell, ...]:
    """Return where a product stands, a cell for each pillar."""
    return standing_of_all(session, now, [product.id])[product.id]


def standing_of_all(
    session: Session, now: dt.datetime, products: Sequence[int]
) -> dict[int, tuple[Cell, ...]]:
    """Return where products stand, by the keys of their rows."""
    found = _detailed(session, now, products)
    return {key: found.get(key, _NEVER) for key in products}


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


@dataclass(frozen=True, slots=True)
class _Cells:
    """Parts of a query: the state of every product in every pillar in which it was audited.

    Attributes:
        each: A row for each: ``product_id``, ``pillar``, ``state``.
        products: A row for each product: ``product_id``, how many are in a state, and ``audited``.

    """

    each: CTE
    products: Subquery


def _cells(session: Session, now: dt.datetime) -> _Cells:
    rank, audited = func.min(_RANK), func.min(Standing.audited)
    ages = _ages(session, None)
    own: dict[dt.datetime, list[int]] = {}
    for product in ages.own:
        own.setdefault(_oldest(now, ages(product)), []).append(product)
    company = literal(_oldest(now, ages.company), Standing.audited.type)
    oldest = (
        case(
            *(
                (Standing.product_id.in_(some), literal(at, company.type))
                for at, some in own.items()
            ),
            else_=company,
        )
        if own
        else company
    )
    state = case(
        (rank == 0, "fail"),
        (audited < oldest, "stale"),
        (rank == 1, "undecided"),
        (rank == 2, "pass"),  # noqa: PLR2004 - as in _RANKED
        else_="no rules",
    )
    each = (
        select(Standing.product_id, Standing.pillar, state.label("state"))
        .group_by(Standing.product_id, Standing.pillar)
        .cte("cells")
    )
    counts = [
        func.sum(case((each.c.state == name, 1), else_=0)).label(name)
        for name in WORST_FIRST
        if name != "never audited"
    ]
    products = select(each.c.product_id, func.count().label("audited"), *counts)
    return _Cells(each, products.group_by(each.c.product_id).subquery("counted"))


def _oldest(now: dt.datetime, max_age: dt.timedelta | None) -> dt.datetime:
    """Return the time before which evidence is stale."""
    return _EVER if max_age is None else max(now - max_age, _EVER)


_EVER = dt.datetime(1, 1, 2, tzinfo=dt.UTC)


def _counted(cells: _Cells) -> dict[State, ColumnElement[int]]:
    """Return in how many pillars a product is in each state."""
    columns = cells.products.c
    found: dict[State, ColumnElement[int]] = {
        state: func.coalesce(columns[state], 0) for state in WORST_FIRST if state != "never audited"
    }
    found["never audited"] = len(PILLARS) - func.coalesce(columns.audited, 0)
    return found


def _fitting(
    cells: _Cells, states: Mapping[State, ColumnElement[int]], wanted: Wanted
) -> Iterator[ColumnElement[bool]]:
    """Yield what must hold of a product that is asked for."""
    if wanted.search:
        names = (Product.name, Product.title)
        yield or_(*(one.icontains(wanted.search, autoescape=True) for one in names))
    if wanted.owner:
        yield Product.owner.icontains(wanted.owner, autoescape=True)
    if wanted.pillar is None:
        if wanted.state is not None:
            yield states[wanted.state] > 0
        return
    there = exists().where(
        cells.each.c.product_id == Product.id, cells.each.c.pillar == wanted.pillar
    )
    if wanted.state == "never audited":
        yield ~there
    else:
        yield there if wanted.state is None else there.where(cells.each.c.state == wanted.state)


def _in_order(by: Mapping[str, Cell]) -> tuple[Cell, ...]:
    return tuple(by.get(pillar) or none for pillar, none in zip(PILLARS, _NEVER, strict=True))


def _told(session: Session, now: dt.datetime, rows: Sequence[Any]) -> Iterator[Row]:
    """Yield products with the audits that they rest on, and the last decision of a gate."""
    ids = [row.id for row in rows]
    cells, gated = _detailed(session, now, ids), last_decisions(session, ids)
    for id_, name, title, owner, _ in rows:
        yield Row(id_, name, title, owner, cells.get(id_, _NEVER), gated.get(id_))


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


@dataclass(frozen=True, slots=True)
class _Ages:
    """How old evidence may be: by the company's policy, and by those that products have."""

    company: dt.timedelta | None
    own: Mapping[int, dt.timedelta | None]

    def __call__(self, product: int) -> dt.timedelta | None:
        """Return how old evidence of a product may be."""
        return self.own.get(product, self.company)


def _ages(session: Session, only: int | None) -> _Ages:
    """Return how old evidence may be, of all products or one."""
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
    ages = {key: parse_policy(policy).max_age for key, policy in session.execute(query)}
    company = ages.pop(None) if None in ages else parse_policy(BUILT_IN).max_age
    return _Ages(company, {key: age for key, age in ages.items() if key is not None})
