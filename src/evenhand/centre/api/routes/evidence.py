"""Evidence: pushed as the bytes of a file, listed, shown as a report, compared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select

from evenhand.centre.api.access import Pusher, Reader
from evenhand.centre.api.ask import ID, Bundle, Here, InPath, Name
from evenhand.centre.api.document import audit_document
from evenhand.centre.api.paging import Paged, part
from evenhand.centre.api.sight import audit_seen, product_seen, seen
from evenhand.centre.dossier import Pillar
from evenhand.centre.protocol import (
    PREFIX,
    AuditDocument,
    Page,
    PushedDocument,
    Verdict,
)
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.comparison import compared
from evenhand.centre.store.evidence import Subject, accept
from evenhand.centre.store.registry import model_named, version_named
from evenhand.centre.store.report import report_of
from evenhand.centre.store.tables import Audit, Model, Product, Version
from evenhand.errors import CentreError, Problem

router = APIRouter(tags=["evidence"])

ZIP = "application/zip"

REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts"
)
"""Of a report, whose own policy allows its one script alone; it is shown as from nowhere, so that
whatever it holds reaches nothing of the centre."""

KEPT = "private, max-age=31536000, immutable"
"""What is known by its digest never changes."""

_MOST_AT_ONCE = 2**30


class Room:
    """Bytes of files that are being received, all together: memory is not without end."""

    def __init__(self, most: int = _MOST_AT_ONCE) -> None:
        self._most, self._used = most, 0

    def take(self, size: int) -> None:
        """Take room for some bytes.

        Raises:
            CentreError: There is none.

        """
        if self._used + size > self._most:
            what = "too many large files are sent at once."
            raise CentreError(Problem("bundles", what, "Try again."))
        self._used += size

    def give_back(self, size: int) -> None:
        """Give room back."""
        self._used -= size


async def sent(request: Request, principal: Pusher) -> AsyncIterator[bytes]:
    """Give the bytes that are sent, by somebody who may send them; the guard limits their number.

    Raises:
        CentreError: There is no room for more.

    """
    del principal
    state = request.app.state
    if not hasattr(state, "room"):
        state.room = Room()
    room: Room = state.room
    taken, pieces = 0, []
    try:
        async for piece in request.stream():
            room.take(len(piece))
            taken += len(piece)
            pieces.append(piece)
        yield b"".join(pieces)
    finally:
        room.give_back(taken)


_BODY = {
    "requestBody": {
        "required": True,
        "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/bundles",
    status_code=201,
    responses={200: {"model": PushedDocument, "description": "The same bytes were there."}},
    openapi_extra=_BODY,
)
def push(
    request: Request,
    centre: Here,
    principal: Pusher,
    data: Annotated[bytes, Depends(sent)],
    response: Response,
    *,
    product: Name = None,
    model: Name = None,
    version: Name = None,
    run: Annotated[
        str | None, Query(pattern=ID, description="The run that it ends, once announced.")
    ] = None,
) -> PushedDocument:
    """Verify evidence and keep it, as what its plan says it is about or as what is named here."""
    if product is not None:
        principal.check("push", product)
    subject = Subject(product or principal.product or "", model or "", version or "")
    read = request.app.state.read_evidence
    accepted = accept(centre, data, subject, by=principal.person, run=run, read=read)
    bundle = accepted.audit.bundle
    if not accepted.new:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"{PREFIX}/audits/{bundle}"
    response.headers["ETag"] = f'"{bundle}"'
    with centre.database.reading() as session:
        row = session.execute(_audits().where(Audit.id == accepted.audit.id)).one()
    return PushedDocument(audit=audit_document(*row), new=accepted.new)


_FILE = {200: {"content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("/bundles/{bundle}", response_class=Response, responses=_FILE)  # type: ignore[arg-type]
def get_bundle(centre: Here, principal: Reader, request: Request, bundle: Bundle) -> Response:
    """Return the file of evidence, byte for byte."""
    with centre.database.reading() as session:
        audit_seen(session, principal, bundle)
    known = _unchanged(request, f'"{bundle}"')
    if known is not None:
        return known
    name = f"{bundle.removeprefix('sha256:')[:16]}.evidence.zip"
    return Response(
        centre.storage.read(bundle),
        media_type=ZIP,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": KEPT,
            "ETag": f'"{bundle}"',
        },
    )


def _unchanged(request: Request, tag: str) -> Response | None:
    """Return the answer to whoever has the thing already; None for others."""
    asked = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
    if tag not in asked:
        return None
    headers = {"ETag": tag, "Cache-Control": KEPT}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)


@router.get("/audits")
def list_audits(
    centre: Here,
    principal: Reader,
    paged: Paged,
    *,
    product: Name = None,
    verdict: Verdict | None = None,
    pillar: Pillar | None = None,
) -> Page[AuditDocument]:
    """List audits, the last that was accepted first."""
    query = seen(_audits(), principal)
    if product is not None:
        query = query.where(Product.name == product)
    if verdict is not None:
        query = query.where(Audit.verdict == verdict)
    if pillar is not None:
        query = query.where(Audit.pillar == pillar)
    return _listed(centre, query, paged)


@router.get("/products/{product}/models/{model}/versions/{version}/audits")
def list_audits_of_version(
    centre: Here,
    principal: Reader,
    paged: Paged,
    *,
    product: InPath,
    model: InPath,
    version: InPath,
) -> Page[AuditDocument]:
    """List the audits of a version, the last that was accepted first."""
    with centre.database.reading() as session:
        found = model_named(session, product_seen(session, principal, product), model)
        one = version_named(session, found, version)
    return _listed(centre, _audits().where(Audit.version_id == one.id), paged)


@router.get("/audits/{bundle}")
def get_audit(centre: Here, principal: Reader, bundle: Bundle) -> AuditDocument:
    """Return an audit, by the SHA-256 of its file."""
    with centre.database.reading() as session:
        audit = audit_seen(session, principal, bundle)
        row = session.execute(_audits().where(Audit.id == audit.id)).one()
    return audit_document(*row)


_REPORT = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


@router.get("/audits/{bundle}/report", response_class=Response, responses=_REPORT)  # type: ignore[arg-type]
def get_report(
    centre: Here,
    principal: Reader,
    bundle: Bundle,
    *,
    download: Annotated[bool, Query(description="Whether it is kept as a file.")] = False,
) -> Response:
    """Return the report of an audit: one page that opens anywhere."""
    with centre.database.reading() as session:
        audit_seen(session, principal, bundle)
    name = f"{bundle.removeprefix('sha256:')[:16]}.html"
    kept = {"Content-Disposition": f'attachment; filename="{name}"'} if download else {}
    return Response(
        report_of(centre, bundle),
        media_type="text/html",
        headers={"Content-Security-Policy": REPORT_POLICY, **kept},
    )


@router.get("/audits/{bundle}/diff/{other}")
def get_diff(centre: Here, principal: Reader, bundle: Bundle, other: Bundle) -> dict[str, Any]:
    """Say what changed from an audit to another, as ``evenhand diff --json`` does."""
    with centre.database.reading() as session:
        for one in (bundle, other):
            audit_seen(session, principal, one)
    return compared(centre, bundle, other).document


def _audits() -> Any:  # noqa: ANN401 - SQLAlchemy's own query
    return (
        select(Audit, Product.name, Model.name, Version.name)
        .join(Product, Product.id == Audit.product_id)
        .join(Model, Model.id == Audit.model_id)
        .join(Version, Version.id == Audit.version_id)
    )


def _listed(centre: Centre, query: Any, paged: Paged) -> Page[AuditDocument]:  # noqa: ANN401
    with centre.database.reading() as session:
        return part(
            session,
            query,
            paged,
            [Audit.id],
            lambda row: audit_document(*row[:4]),
            newest_first=True,
        )
