"""Policies in force: that of a product, else that of the company, else the one that is built in."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from evenhand.centre.dossier import PolicyRecord
from evenhand.centre.policy import BUILT_IN, parse_policy, policy_digest
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import append
from evenhand.centre.store.registry import ensure_product
from evenhand.centre.store.tables import Policy, Product
from evenhand.errors import Problem, UnknownError

_LOCK = 0x706F6C69
"""An advisory lock of PostgreSQL: the company's policy has no row of a product to lock."""


def write_policy(centre: Centre, product: str | None, text_: str, *, by: str) -> Policy:
    """Put a new version of a policy in force; the text that is in force already changes nothing.

    Args:
        centre: The centre.
        product: The product; None for the whole company.
        text_: The policy, YAML.
        by: Who writes it.

    Raises:
        PlanError: It is no policy, with the line of every problem.

    """
    parse_policy(text_)
    at, digest = centre.clock(), policy_digest(text_)
    with centre.database.writing() as session:
        owner = None if product is None else ensure_product(session, centre, product, by)
        if owner is None and not centre.database.is_sqlite:
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        newest = policy_row(session, owner)
        if newest is not None and newest.digest == digest:
            return newest
        policy = Policy(
            product_id=owner.id if owner else None,
            version=(newest.version if newest else 0) + 1,
            text=text_,
            digest=digest,
            created=at,
            by=by,
        )
        session.add(policy)
        if owner is not None:
            body = {"version": policy.version, "policy": digest, "by": by}
            append(session, owner, "policy", body, at)
    return policy


def policy_record(
    session: Session, product: Product | None, version: int | None = None
) -> PolicyRecord:
    """Return the policy that decides about a product.

    Args:
        session: A session.
        product: The product; None for the company's own.
        version: A version of it that is no longer in force; None for the one that is.

    Raises:
        UnknownError: There is no such version.

    """
    found = policy_row(session, product, version)
    if found is not None:
        name = product.name if product is not None and found.product_id is not None else None
        return PolicyRecord(
            product=name, version=found.version, digest=found.digest, text=found.text
        )
    if version:
        raise UnknownError(Problem(f"policy version {version}", "there is no such version."))
    if product is not None:
        return policy_record(session, None)
    return PolicyRecord(product=None, version=0, digest=policy_digest(BUILT_IN), text=BUILT_IN)


def longest_age(session: Session, product: Product | None) -> dt.timedelta | None:
    """Return how old evidence may be; None for any age."""
    return parse_policy(policy_record(session, product).text).max_age


def policy_row(
    session: Session, product: Product | None, version: int | None = None
) -> Policy | None:
    """Return a policy's own newest version, or the one that is named; None where there is none."""
    query = select(Policy).where(
        Policy.product_id == product.id if product is not None else Policy.product_id.is_(None)
    )
    if version:
        query = query.where(Policy.version == version)
    return session.scalar(query.order_by(Policy.version.desc()).limit(1))
