"""Policies: the company's, and those of products."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from evenhand.centre.api.access import Administrator, Reader
from evenhand.centre.api.ask import Here, InPath
from evenhand.centre.api.document import document_of
from evenhand.centre.api.sight import product_seen
from evenhand.centre.dossier import PolicyRecord
from evenhand.centre.protocol import PolicyDocument, PolicyRequest
from evenhand.centre.store.policies import policy_record, policy_row, write_policy

router = APIRouter(tags=["policies"])

At = Annotated[
    int | None,
    Query(ge=1, lt=2**31, description="A version of it; the one that is in force by default."),
]


@router.get("/policies")
def get_policy(centre: Here, principal: Reader, *, version: At = None) -> PolicyDocument:
    """Return the company's policy."""
    del principal
    with centre.database.reading() as session:
        row = policy_row(session, None, version)
        if row is not None:
            return document_of(PolicyDocument, row, product=None)
        return _built_in(policy_record(session, None, version))


@router.put("/policies")
def put_policy(centre: Here, principal: Administrator, asked: PolicyRequest) -> PolicyDocument:
    """Put a new version of the company's policy in force."""
    principal.check("admin", None)
    row = write_policy(centre, None, asked.text, by=principal.person)
    return document_of(PolicyDocument, row, product=None)


@router.get("/products/{product}/policy")
def get_policy_of_product(
    centre: Here, principal: Reader, product: InPath, *, version: At = None
) -> PolicyDocument:
    """Return the policy that decides about a product: its own, else the company's."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        row = policy_row(session, found, version)
        if row is not None:
            return document_of(PolicyDocument, row, product=found.name)
        record = policy_record(session, found, version)
        row = policy_row(session, None)
        return _built_in(record) if row is None else document_of(PolicyDocument, row, product=None)


@router.put("/products/{product}/policy")
def put_policy_of_product(
    centre: Here, principal: Administrator, product: InPath, asked: PolicyRequest
) -> PolicyDocument:
    """Put a new version of a product's policy in force."""
    principal.check("admin", product)
    row = write_policy(centre, product, asked.text, by=principal.person)
    return document_of(PolicyDocument, row, product=product)


def _built_in(record: PolicyRecord) -> PolicyDocument:
    return PolicyDocument(
        product=None,
        version=record.version,
        digest=record.digest,
        text=record.text,
        created=None,
        by="evenhand",
    )
