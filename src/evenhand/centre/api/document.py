"""Rows of the store as the documents of the protocol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel

from evenhand.centre.protocol import (
    PREFIX,
    AuditDocument,
    EntryDocument,
    FindingDocument,
    JobDocument,
    RunDocument,
    StandingDocument,
)
from evenhand.centre.store.cell import Cell
from evenhand.centre.store.chain import body_of
from evenhand.centre.store.jobs import Told
from evenhand.centre.store.tables import Audit, Base, Entry, Finding, Run

Document = TypeVar("Document", bound=BaseModel)


def document_of(kind: type[Document], row: Base, **more: object) -> Document:
    """Return a document of a row: what both have by the same name, and what is given beside."""
    shared = {name: getattr(row, name) for name in kind.model_fields if hasattr(row, name)}
    return kind.model_validate({**shared, **more})


def standing_documents(cells: Iterable[Cell]) -> list[StandingDocument]:
    """Return the documents of where something stands."""
    return [StandingDocument.model_validate(one, from_attributes=True) for one in cells]


def audit_document(audit: Audit, product: str, model: str, version: str) -> AuditDocument:
    """Return the document of an audit."""
    return document_of(
        AuditDocument,
        audit,
        product=product,
        model=model,
        version=version,
        window=_window(audit),
        run=audit.run_id,
        links=links_of(audit.bundle),
    )


def _window(row: Audit) -> tuple[Any, Any] | None:
    first, last = row.window_first, row.window_last
    return None if first is None or last is None else (first, last)


def links_of(bundle: str) -> dict[str, str]:
    """Return where an audit, its parts and its file are found."""
    own = f"{PREFIX}/audits/{bundle}"
    return {
        "self": own,
        "findings": f"{own}/findings",
        "report": f"{own}/report",
        "file": f"{PREFIX}/bundles/{bundle}",
        "page": f"/audits/{bundle}",
    }


def finding_document(finding: Finding, bundle: str, product: str) -> FindingDocument:
    """Return the document of a finding as lists show it."""
    return document_of(FindingDocument, finding, bundle=bundle, product=product)


def run_document(run: Run, product: str, model: str, version: str, *, pushed: bool) -> RunDocument:
    """Return the document of a run; one that finished without evidence here is unpushed."""
    state = "unpushed" if run.state == "finished" and not pushed else run.state
    return document_of(RunDocument, run, product=product, model=model, version=version, state=state)


def entry_document(entry: Entry) -> EntryDocument:
    """Return the document of a line of a chain."""
    return document_of(EntryDocument, entry, body=body_of(entry))


def job_document(told: Told) -> JobDocument:
    """Return the document of a job."""
    return document_of(JobDocument, told.job, product=told.product, bundle=told.bundle)
