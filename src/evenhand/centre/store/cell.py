"""Where a product or a model stands in a pillar, from tables alone.

A product stands in a pillar where its worst model does, and its evidence is as old as the oldest.
What failed stays failed however old it is; anything else that is older than the policy allows is
stale, since nothing of today supports it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from evenhand.audits.gate.verdict import Verdict
from evenhand.centre.dossier import PILLARS, Pillar
from evenhand.centre.policy import BUILT_IN, parse_policy
from evenhand.centre.store.tables import Audit, Model, Policy, Product, Standing, Version

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


def standing_of(session: Session, now: dt.datetime, product: Product) -> tuple[Cell, ...]:
    """Return where a product stands, a cell for each pillar."""
    return standing_of_all(session, now, [product.id])[product.id]


def standing_of_all(
    session: Session, now: dt.datetime, products: Sequence[int]
) -> dict[int, tuple[Cell, ...]]:
    """Return where products stand, by the keys of their rows."""
    if not products:
        return {}
    ages = _ages(session, products[0] if len(products) == 1 else None)
    found: dict[int, list[Any]] = {key: [] for key in products}
    for line in session.execute(_lines().where(Standing.product_id.in_(products))):
        found[line.product_id].append(line)
    return {key: _worst_cells(lines, ages(key), now) for key, lines in found.items()}


def standing_within(
    session: Session, now: dt.datetime, product: Product
) -> tuple[tuple[Cell, ...], dict[int, tuple[Cell, ...]]]:
    """Return where a product stands, and each of its models by the key of its row."""
    max_age = _ages(session, product.id)(product.id)
    lines = session.execute(_lines().where(Standing.product_id == product.id)).all()
    of_models: dict[int, list[Any]] = {}
    for line in lines:
        of_models.setdefault(line.model_id, []).append(line)
    models = {key: _worst_cells(some, max_age, now) for key, some in of_models.items()}
    return _worst_cells(lines, max_age, now), models


def standing_of_models(
    session: Session, now: dt.datetime, product: Product
) -> dict[int, tuple[Cell, ...]]:
    """Return where each model of a product stands, by the key of its row."""
    return standing_within(session, now, product)[1]


_NEVER = tuple(Cell(pillar, "never audited") for pillar in PILLARS)


def never() -> tuple[Cell, ...]:
    """Return where something stands that was never audited."""
    return _NEVER


def _in_order(by: Mapping[str, Cell]) -> tuple[Cell, ...]:
    return tuple(by.get(pillar) or none for pillar, none in zip(PILLARS, _NEVER, strict=True))


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
