"""Products, models and versions: found by name, and made when they are first spoken of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import append, lock
from evenhand.centre.store.tables import Model, Product, Version
from evenhand.errors import ConflictError, Problem, UnknownError, did_you_mean

NAME = r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,98}[A-Za-z0-9._+-]|[A-Za-z0-9]"
"""A name stands in addresses and file names: letters, digits, spaces, '.', '_', '+' and '-'."""

_NAME = re.compile(NAME)


@dataclass(frozen=True, slots=True)
class Place:
    """A version of a model of a product, with its row's keys."""

    product: Product
    model: Model
    version: Version


def check_name(what: str, name: str) -> str:
    """Return a name that can be given.

    Raises:
        ConflictError: It cannot.

    """
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        said = f"'{name[:80]}' is no name for a {what}."
        hint = (
            "Use letters, digits, spaces, '.', '_', '+' and '-'; at most 100, no space at an end."
        )
        raise ConflictError(Problem(what, said, hint))
    return name


def product_named(session: Session, name: str) -> Product:
    """Return a product.

    Raises:
        UnknownError: There is none of this name.

    """
    found = session.scalar(select(Product).where(Product.name == name))
    if found is None:
        raise UnknownError(Problem(f"product '{name[:80]}'", "there is no such product."))
    return found


def model_named(session: Session, product: Product, name: str) -> Model:
    """Return a model of a product.

    Raises:
        UnknownError: There is none of this name.

    """
    query = select(Model).where(Model.product_id == product.id)
    found = session.scalar(query.where(Model.name == name))
    if found is None:
        known = [one.name for one in session.scalars(query.limit(50))]
        what = f"product '{product.name}' has no such model."
        raise UnknownError(Problem(f"model '{name[:80]}'", what, did_you_mean(name, known)))
    return found


def version_named(session: Session, model: Model, name: str) -> Version:
    """Return a version of a model.

    Raises:
        UnknownError: There is none of this name.

    """
    query = select(Version).where(Version.model_id == model.id)
    found = session.scalar(query.where(Version.name == name))
    if found is None:
        known = [one.name for one in session.scalars(query.limit(50))]
        what = f"model '{model.name}' has no such version."
        raise UnknownError(Problem(f"version '{name[:80]}'", what, did_you_mean(name, known)))
    return found


def ensure_product(
    session: Session, centre: Centre, name: str, by: str, owner: str | None = None
) -> Product:
    """Return a product, locked for writing; made where there is none.

    One that has no owner yet gets the one that is named.

    Raises:
        ConflictError: The name cannot be given.

    """
    found = session.scalar(select(Product).where(Product.name == name))
    at = centre.clock()
    if found is not None:
        locked = lock(session, found.id)
        if owner is not None and locked.owner is None:
            locked.owner = owner
            append(session, locked, "owner", {"owner": owner, "by": by}, at)
        return locked
    made = Product(
        name=check_name("product", name), title="", owner=owner, created=at, sequence=0, head=""
    )
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError:
        # Somebody else made it since; on PostgreSQL two can be at it at once.
        return lock(session, product_named(session, name).id)
    locked = lock(session, made.id)
    append(session, locked, "product", {"name": name, "owner": owner, "by": by}, at)
    return locked


def describe_product(
    session: Session,
    centre: Centre,
    product: Product,
    *,
    owner: str | None,
    title: str | None,
    by: str,
) -> None:
    """Say who owns a locked product and how it is called in full; None leaves it as it is."""
    owner = product.owner if owner is None else owner
    title = product.title if title is None else title
    if (owner, title) == (product.owner, product.title):
        return
    product.owner, product.title = owner, title
    body = {"owner": owner, "title": title, "by": by}
    append(session, product, "product described", body, centre.clock())


def ensure_version(
    session: Session,
    centre: Centre,
    product: Product,
    *,
    model: str,
    version: str,
    artefact: str | None,
    by: str,
) -> Place:
    """Return a version of a locked product; model and version are made where there are none.

    A version that has no artefact yet is bound to the one that is given.

    Raises:
        ConflictError: A name cannot be given.

    """
    at = centre.clock()
    found = session.scalar(select(Model).where(Model.product_id == product.id, Model.name == model))
    if found is None:
        found = Model(
            product_id=product.id, name=check_name("model", model), owner=None, created=at
        )
        session.add(found)
        session.flush()
        append(session, product, "model", {"model": model, "by": by}, at)
    one = session.scalar(
        select(Version).where(Version.model_id == found.id, Version.name == version)
    )
    if one is None:
        one = Version(
            model_id=found.id,
            name=check_name("version", version),
            artefact=artefact,
            created=at,
        )
        session.add(one)
        session.flush()
        body = {"model": model, "version": version, "artefact": artefact, "by": by}
        append(session, product, "version", body, at)
    elif artefact is not None and one.artefact is None:
        one.artefact = artefact
        body = {"model": model, "version": version, "artefact": artefact, "by": by}
        append(session, product, "artefact", body, at)
    return Place(product, found, one)
