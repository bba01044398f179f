"""Chains: what happened to a product, line by line, and the heads to keep elsewhere."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select

from evenhand.centre.api.access import Reader
from evenhand.centre.api.ask import Here, InPath
from evenhand.centre.api.document import entry_document
from evenhand.centre.api.paging import Paged, part
from evenhand.centre.api.sight import product_seen, seen
from evenhand.centre.protocol import EntryDocument, HeadDocument, Page
from evenhand.centre.store.chain import head
from evenhand.centre.store.tables import Entry, Product

router = APIRouter(tags=["chains"])


@router.get("/products/{product}/chain")
def list_entries(
    centre: Here, principal: Reader, paged: Paged, product: InPath
) -> Page[EntryDocument]:
    """List the lines of a product's chain in order."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        query = select(Entry).where(Entry.product_id == found.id)
        return part(session, query, paged, [Entry.sequence], lambda row: entry_document(row[0]))


@router.get("/products/{product}/chain/head")
def get_head(centre: Here, principal: Reader, product: InPath) -> HeadDocument:
    """Return the last line of a product's chain, to be kept elsewhere."""
    with centre.database.reading() as session:
        return _head(product_seen(session, principal, product))


@router.get("/chain/heads")
def list_heads(centre: Here, principal: Reader, paged: Paged) -> Page[HeadDocument]:
    """List the heads of all chains, to be kept elsewhere."""
    with centre.database.reading() as session:
        query = seen(select(Product), principal)
        return part(session, query, paged, [Product.name], lambda row: _head(row[0]))


def _head(product: Product) -> HeadDocument:
    return HeadDocument.model_validate(head(product), from_attributes=True)
