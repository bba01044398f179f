"""Products, their models, and versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from evenhand.centre.api.access import Administrator, Pusher, Reader
from evenhand.centre.api.ask import Here, InPath, Search
from evenhand.centre.api.document import document_of, standing_documents
from evenhand.centre.api.paging import Paged, part
from evenhand.centre.api.sight import product_seen, seen
from evenhand.centre.dossier import Pillar
from evenhand.centre.protocol import (
    ModelDocument,
    Page,
    ProductDocument,
    ProductRequest,
    VersionDocument,
    VersionRequest,
)
from evenhand.centre.store.cell import (
    Cell,
    State,
    standing_of,
    standing_of_all,
    standing_of_models,
)
from evenhand.centre.store.chain import head
from evenhand.centre.store.overview import Wanted, overview
from evenhand.centre.store.registry import (
    describe_product,
    ensure_product,
    ensure_version,
    model_named,
    version_named,
)
from evenhand.centre.store.tables import Audit, Model, Product, Version
from evenhand.errors import ConflictError, Problem

router = APIRouter(tags=["products"])

_MODEL = "/products/{product}/models/{model}"


@router.get("/products")
def list_products(
    centre: Here,
    principal: Reader,
    paged: Paged,
    *,
    search: Search = None,
    pillar: Annotated[Pillar | None, Query(description="Where to look for the state.")] = None,
    state: Annotated[State | None, Query(description="Where it stands.")] = None,
) -> Page[ProductDocument]:
    """List products by name, each with where it stands."""
    with centre.database.reading() as session:
        query = seen(select(Product), principal)
        if search:
            text = Product.name.icontains(search, autoescape=True)
            query = query.where(or_(text, Product.title.icontains(search, autoescape=True)))
        if pillar is not None or state is not None:
            wanted = Wanted(pillar=pillar, state=state)
            found = overview(session, centre.clock(), wanted, only=principal.product, most=_ALL)
            query = query.where(Product.id.in_([row.id for row in found.rows]))
        standing: dict[int, tuple[Cell, ...]] = {}

        def stand(rows: Sequence[Any]) -> None:
            ids = [row[0].id for row in rows]
            standing.update(standing_of_all(session, centre.clock(), ids))

        return part(
            session,
            query,
            paged,
            [Product.name],
            lambda row: _product(row[0], standing[row[0].id]),
            before=stand,
        )


_ALL = 1_000_000


@router.put("/products/{product}")
def put_product(
    centre: Here, principal: Administrator, product: InPath, asked: ProductRequest
) -> ProductDocument:
    """Make a product, or say who owns it and how it is called."""
    principal.check("admin", product)
    with centre.database.writing() as session:
        found = ensure_product(session, centre, product, principal.person, asked.owner)
        describe_product(
            session, centre, found, owner=asked.owner, title=asked.title, by=principal.person
        )
        session.flush()
        return _product(found, standing_of(session, centre.clock(), found))


@router.get("/products/{product}")
def get_product(centre: Here, principal: Reader, product: InPath) -> ProductDocument:
    """Return a product and where it stands."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        return _product(found, standing_of(session, centre.clock(), found))


@router.get("/products/{product}/models")
def list_models(
    centre: Here, principal: Reader, paged: Paged, product: InPath
) -> Page[ModelDocument]:
    """List the models of a product by name."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        standing = standing_of_models(session, centre.clock(), found)

        def document(row: Any) -> ModelDocument:  # noqa: ANN401 - a row of the query
            cells = standing_documents(standing.get(row[0].id, ()))
            return document_of(ModelDocument, row[0], product=found.name, standing=cells)

        query = select(Model).where(Model.product_id == found.id)
        return part(session, query, paged, [Model.name], document)


@router.get(_MODEL)
def get_model(centre: Here, principal: Reader, product: InPath, model: InPath) -> ModelDocument:
    """Return a model and where it stands."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        one = model_named(session, found, model)
        standing = standing_of_models(session, centre.clock(), found).get(one.id, ())
        cells = standing_documents(standing)
        return document_of(ModelDocument, one, product=found.name, standing=cells)


@router.get(f"{_MODEL}/versions")
def list_versions(
    centre: Here, principal: Reader, paged: Paged, product: InPath, model: InPath
) -> Page[VersionDocument]:
    """List the versions of a model, the newest first."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        one = model_named(session, found, model)
        query = _versions().where(Version.model_id == one.id)
        return part(
            session,
            query,
            paged,
            [Version.id],
            lambda row: document_of(
                VersionDocument, row[0], product=product, model=model, audits=row[1]
            ),
            newest_first=True,
        )


@router.put(f"{_MODEL}/versions/{{version}}")
def put_version(
    centre: Here,
    principal: Pusher,
    *,
    product: InPath,
    model: InPath,
    version: InPath,
    asked: VersionRequest,
) -> VersionDocument:
    """Make a version, or bind it to the file that ships; a bound one is never bound again."""
    principal.check("push", product)
    with centre.database.writing() as session:
        owner = ensure_product(session, centre, product, principal.person)
        place = ensure_version(
            session,
            centre,
            owner,
            model=model,
            version=version,
            artefact=asked.artefact,
            by=principal.person,
        )
        bound = place.version.artefact
        if asked.artefact is not None and bound != asked.artefact:
            what = f"it is bound to another artefact, {bound}."
            hint = "What ships as another file is another version."
            raise ConflictError(Problem(f"version {version[:80]}", what, hint))
        session.flush()
        return _version(session, place.product, place.model, place.version)


@router.get(f"{_MODEL}/versions/{{version}}")
def get_version(
    centre: Here, principal: Reader, product: InPath, model: InPath, version: InPath
) -> VersionDocument:
    """Return a version."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        one = model_named(session, found, model)
        return _version(session, found, one, version_named(session, one, version))


def _product(product: Product, cells: Iterable[Cell]) -> ProductDocument:
    standing = standing_documents(cells)
    return document_of(ProductDocument, product, standing=standing, head=head(product).digest)


def _versions() -> Any:  # noqa: ANN401 - SQLAlchemy's own query
    audits = (
        select(func.count()).where(Audit.version_id == Version.id).scalar_subquery().label("audits")
    )
    return select(Version, audits)


def _version(session: Session, product: Product, model: Model, version: Version) -> VersionDocument:
    row = session.execute(_versions().where(Version.id == version.id)).one()
    return document_of(
        VersionDocument, version, product=product.name, model=model.name, audits=row[1]
    )
