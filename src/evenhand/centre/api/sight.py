"""What a person sees: lists are narrowed in the query, and what is not theirs is not there."""

from __future__ import annotations

from typing import TypeVarTuple

from sqlalchemy import Select
from sqlalchemy.orm import Session

from evenhand.centre.api.access import Principal
from evenhand.centre.store.evidence import audit_of
from evenhand.centre.store.registry import product_named
from evenhand.centre.store.tables import Audit, Product
from evenhand.errors import Problem, UnknownError

Columns = TypeVarTuple("Columns")


def seen(query: Select[*Columns], principal: Principal) -> Select[*Columns]:
    """Return a query, which joins products, narrowed to those that a person sees."""
    return query if principal.product is None else query.where(Product.name == principal.product)


def product_seen(session: Session, principal: Principal, name: str) -> Product:
    """Return a product.

    Raises:
        UnknownError: There is none, or it may not be seen; nobody can tell which.

    """
    if not principal.sees(name):
        raise UnknownError(Problem(f"product '{name[:80]}'", "there is no such product."))
    return product_named(session, name)


def check_seen(
    session: Session, principal: Principal, product_id: int, otherwise: UnknownError
) -> str:
    """Return the name of the product that something belongs to.

    Raises:
        UnknownError: It may not be seen: the error that is given, which is that of what is not
            there.

    """
    name = session.get_one(Product, product_id).name
    if not principal.sees(name):
        raise otherwise
    return name


def audit_seen(session: Session, principal: Principal, bundle: str) -> Audit:
    """Return the audit of a bundle.

    Raises:
        UnknownError: There is none, or it may not be seen.

    """
    found = audit_of(session, bundle)
    if principal.product is not None:
        problem = Problem(f"evidence {bundle[:19]}", "there is no such evidence.")
        check_seen(session, principal, found.product_id, UnknownError(problem))
    return found
