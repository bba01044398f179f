"""Figures of audits as tables have them: listed, filtered, and over time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from evenhand.centre.store.tables import Audit, Finding, Model, Product, Version

NONE = "none"
"""What is asked for in place of a verdict: figures that no rule is about."""

UNDEFINED = "undefined"
"""What is asked for in place of a verdict: figures that there are not."""

_WORST_FIRST = case({"fail": 0, "undecided": 1, "pass": 2}, value=Finding.verdict, else_=3)


@dataclass(frozen=True, slots=True)
class Listed:
    """A part of a list of figures, and how many there are in all."""

    findings: tuple[Finding, ...]
    found: int


def findings_of(
    session: Session,
    audit: Audit,
    *,
    measure: str = "",
    verdict: str = "",
    search: str = "",
    start: int = 0,
    most: int = 50,
) -> Listed:
    """Return figures of an audit, those that a rule is about first, the worst before.

    Args:
        session: A session.
        audit: The audit.
        measure: The measure; empty for all.
        verdict: A verdict, `NONE` or `UNDEFINED`; empty for all.
        search: A part of a key, of who is compared, or of a slice.
        start: How many to leave out.
        most: How many to return.

    """
    where = [Finding.audit_id == audit.id, *_asked(measure, verdict, search)]
    found = audit.findings
    if len(where) > 1:
        found = session.scalar(select(func.count()).select_from(Finding).where(*where)) or 0
    query = select(Finding).where(*where).order_by(_WORST_FIRST, Finding.position)
    return Listed(tuple(session.scalars(query.offset(start).limit(most))), found)


def _asked(measure: str, verdict: str, search: str) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if measure:
        where.append(Finding.measure == measure)
    if verdict == NONE:
        where.append(Finding.verdict.is_(None))
    elif verdict == UNDEFINED:
        where.append(Finding.undefined.is_not(None))
    elif verdict:
        where.append(Finding.verdict == verdict)
    if search:
        where.append(
            or_(
                *(
                    column.icontains(search, autoescape=True)
                    for column in (Finding.key, Finding.about, Finding.slice)
                )
            )
        )
    return where


def measures_of(session: Session, audit: Audit, *, most: int = 200) -> list[str]:
    """Return the measures of an audit by name."""
    query = select(Finding.measure).where(Finding.audit_id == audit.id).distinct()
    return [*session.scalars(query.order_by(Finding.measure).limit(most))]


def places_of(
    session: Session, audit: Audit, keys: Collection[str]
) -> dict[tuple[str, str | None], int]:
    """Return the position of the first finding of each figure, by its key and slice."""
    query = (
        select(Finding.key, Finding.slice, func.min(Finding.position))
        .where(Finding.audit_id == audit.id, Finding.key.in_(keys))
        .group_by(Finding.key, Finding.slice)
    )
    return {(key, part): place for key, part, place in session.execute(query)}


@dataclass(frozen=True, slots=True)
class Figure:
    """What is the same figure in one audit after another: a model's, by key, pair and slice."""

    model: str
    key: str
    about: str
    slice: str | None


@dataclass(frozen=True, slots=True)
class Point:
    """A figure in one audit."""

    finding: Finding
    bundle: str
    version: str
    audited: dt.datetime


def figures_of(session: Session, product: Product, *, most: int = 300) -> list[Figure]:
    """Return the figures of the newest audit of each model and plan, those with rules first."""
    newest = (
        select(func.max(Audit.id).label("id"))
        .where(Audit.product_id == product.id)
        .group_by(Audit.model_id, Audit.plan)
        .subquery()
    )
    query = (
        select(Model.name, Finding.key, Finding.about, Finding.slice, Finding.verdict)
        .join(newest, newest.c.id == Finding.audit_id)
        .join(Audit, Audit.id == Finding.audit_id)
        .join(Model, Model.id == Audit.model_id)
        .order_by(Finding.verdict.is_(None), Audit.id.desc(), Finding.position)
        .limit(most)
    )
    found = (
        Figure(model, key, about, part) for model, key, about, part, _ in session.execute(query)
    )
    return [*dict.fromkeys(found)]


def over_time(session: Session, product: Product, figure: Figure, *, most: int = 60) -> list[Point]:
    """Return a figure in the newest audits that have it, the oldest first."""
    same_slice = Finding.slice.is_(None) if figure.slice is None else Finding.slice == figure.slice
    query = (
        select(Finding, Audit.bundle, Version.name, Audit.audited)
        .join(Audit, Audit.id == Finding.audit_id)
        .join(Model, Model.id == Audit.model_id)
        .join(Version, Version.id == Audit.version_id)
        .where(
            Audit.product_id == product.id,
            Model.name == figure.model,
            Finding.key == figure.key,
            Finding.about == figure.about,
            same_slice,
        )
        .order_by(Audit.audited.desc(), Audit.id.desc(), Finding.position)
        .limit(most)
    )
    points = [Point(*row) for row in session.execute(query)]
    return points[::-1]


@dataclass(frozen=True, slots=True)
class Hit:
    """A figure that was searched for, with where it is from."""

    finding: Finding
    bundle: str
    product: str
    model: str
    version: str
    audited: dt.datetime


def hits(session: Session, where: Sequence[ColumnElement[bool]], *, most: int) -> list[Hit]:
    """Return figures of any product, the newest audits first."""
    query = (
        select(Finding, Audit.bundle, Product.name, Model.name, Version.name, Audit.audited)
        .join(Audit, Audit.id == Finding.audit_id)
        .join(Product, Product.id == Audit.product_id)
        .join(Model, Model.id == Audit.model_id)
        .join(Version, Version.id == Audit.version_id)
        .where(*where)
        .order_by(Finding.audit_id.desc(), Finding.position)
        .limit(most)
    )
    return [Hit(*row) for row in session.execute(query)]
