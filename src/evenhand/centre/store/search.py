"""Finding things by a part of their name: products, models, versions, files, figures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from evenhand.centre.store.findings import Hit, hits
from evenhand.centre.store.history import AuditLine
from evenhand.centre.store.tables import Audit, Finding, Model, Product, Standing, Version

MOST = 20
"""How many of each kind are told."""

_LOOKED = 50
"""In how many of the newest audits keys are looked through, where no measure has the name."""

_MEASURES = 8

_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Named:
    """A product, a model of it, or a version of that."""

    product: str
    model: str = ""
    version: str = ""
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        files: Audits by the digest of their file, of its manifest, or of the artefact.
        figures: Figures whose measure has the name, else whose key has the text.

    """

    products: tuple[Named, ...]
    models: tuple[Named, ...]
    versions: tuple[Named, ...]
    files: tuple[AuditLine, ...]
    figures: tuple[Hit, ...]

    @property
    def none(self) -> bool:
        """Whether nothing was found."""
        return not (self.products or self.models or self.versions or self.files or self.figures)


def search(session: Session, text: str, *, only: str | None = None) -> Found:
    """Return what has a text in its name.

    Args:
        session: A session.
        text: The text.
        only: The one product that may be seen; None for all.

    """
    mine = [] if only is None else [Product.name == only]
    products = (
        select(Product.name, Product.owner)
        .where(or_(_has(Product.name, text), _has(Product.title, text)), *mine)
        .order_by(Product.name)
    )
    models = (
        select(Product.name, Model.name, Model.owner)
        .join(Model, Model.product_id == Product.id)
        .where(_has(Model.name, text), *mine)
        .order_by(Product.name, Model.name)
    )
    versions = (
        select(Product.name, Model.name, Version.name)
        .join(Model, Model.product_id == Product.id)
        .join(Version, Version.model_id == Model.id)
        .where(_has(Version.name, text), *mine)
        .order_by(Version.id.desc())
    )
    return Found(
        products=tuple(
            Named(name, owner=owner) for name, owner in session.execute(products.limit(MOST))
        ),
        models=tuple(
            Named(product, model, owner=owner)
            for product, model, owner in session.execute(models.limit(MOST))
        ),
        versions=tuple(Named(*row) for row in session.execute(versions.limit(MOST))),
        files=tuple(_files(session, text, mine)),
        figures=tuple(_figures(session, text, only, mine)),
    )


def _has(column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool]:
    return column.icontains(text, autoescape=True)


def _files(session: Session, text: str, mine: list[ColumnElement[bool]]) -> list[AuditLine]:
    if not _DIGEST.fullmatch(text):
        return []
    begin = f"sha256:{text.removeprefix('sha256:')}"
    query = (
        select(Audit, Model.name, Version.name)
        .join(Product, Product.id == Audit.product_id)
        .join(Model, Model.id == Audit.model_id)
        .join(Version, Version.id == Audit.version_id)
        .where(
            or_(*(one.startswith(begin) for one in (Audit.bundle, Audit.manifest, Audit.artefact))),
            *mine,
        )
        .order_by(Audit.id.desc())
        .limit(MOST)
    )
    return [AuditLine(audit, model, version) for audit, model, version in session.execute(query)]


def _figures(
    session: Session, text: str, only: str | None, mine: list[ColumnElement[bool]]
) -> list[Hit]:
    wanted = text.casefold()
    named = [
        one for one in measures(session) if one.casefold() in wanted or wanted in one.casefold()
    ]
    # The shortest name that has the text is the closest to what was meant.
    named.sort(key=lambda one: (wanted not in one.casefold(), len(one), one))
    found: list[Hit] = []
    for measure in named[:_MEASURES]:
        where = [Finding.measure == measure, *mine]
        if measure.casefold() in wanted and measure.casefold() != wanted:
            where.append(_has(Finding.key, text))
        # A figure of its own says more than one of many pairs.
        single = hits(session, [*where, Finding.about == ""], most=MOST - len(found))
        found += single or hits(session, where, most=MOST - len(found))
        if len(found) >= MOST:
            break
    if found:
        return found
    newest = select(Standing.audit_id).order_by(Standing.audited.desc()).limit(_LOOKED)
    if only is not None:
        newest = newest.join(Product, Product.id == Standing.product_id).where(*mine)
    within = Finding.audit_id.in_(newest.scalar_subquery())
    texts = or_(*(_has(one, text) for one in (Finding.key, Finding.about, Finding.slice)))
    return hits(session, [within, texts, *mine], most=MOST)


def measures(session: Session) -> list[str]:
    """Return all measures by steps through their index, never by all figures."""
    first = select(Finding.measure.label("name")).order_by(Finding.measure).limit(1)
    steps = select(first.subquery().c.name).cte("steps", recursive=True)
    following = (
        select(Finding.measure)
        .where(Finding.measure > steps.c.name)
        .order_by(Finding.measure)
        .limit(1)
        .correlate(steps)
        .scalar_subquery()
    )
    steps = steps.union_all(select(following).where(steps.c.name.is_not(None)))
    return [name for name in session.scalars(select(steps.c.name)) if name is not None]
