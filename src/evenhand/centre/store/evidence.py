"""Evidence: bundles that are verified, kept, and listed by what is in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from evenhand.audits.evidence.archive import bundle_in
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.canonical import digest_of
from evenhand.audits.evidence.verification import look
from evenhand.audits.plan.plan import Subject as Said
from evenhand.centre.dossier import EvidenceRecord, evidence_of
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import append
from evenhand.centre.store.index import facts_of, finding_rows, keepable, rule_rows
from evenhand.centre.store.registry import Place, ensure_product, ensure_version
from evenhand.centre.store.standing import stand
from evenhand.centre.store.tables import (
    Audit,
    Base,
    Model,
    Product,
    Rule,
    Run,
    Version,
)
from evenhand.centre.subject import Subject, subject_of
from evenhand.errors import ConflictError, Problem, UnknownError

# Rows of tables, not of classes: a thousand at once take about a third of the time.
_FINDING, _RULE = Base.metadata.tables["finding"], Base.metadata.tables["rule"]


__all__ = ["Subject", "subject_of"]


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """What a file of evidence says that was verified, as rows have it; another process may read it.

    Attributes:
        said: What its plan says that it is about.
        record: What a gate reads of it.
        facts: What the row of its audit says.
        findings: The rows of its findings.
        rules: The rows of its rules.
        manifest: SHA-256 of its manifest.
        size: Number of its bytes.

    """

    said: Said
    record: EvidenceRecord
    facts: dict[str, Any]
    findings: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    manifest: str
    size: int

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes."""
        return self.record.bundle


def file_of(bundle: Bundle, digest: str, manifest: str, size: int) -> EvidenceFile:
    """Return what the file of a bundle says.

    Args:
        bundle: The bundle.
        digest: SHA-256 of the file.
        manifest: SHA-256 of its manifest.
        size: Number of its bytes.

    """
    record = evidence_of(bundle, digest)
    return EvidenceFile(
        said=bundle.plan.subject,
        record=record,
        facts=facts_of(bundle, record),
        findings=finding_rows(bundle),
        rules=rule_rows(bundle),
        manifest=manifest,
        size=size,
    )


@dataclass(frozen=True, slots=True)
class Accepted:
    """Evidence that is kept; ``new`` unless the same bytes were pushed before."""

    audit: Audit
    new: bool


def accept(
    centre: Centre,
    data: bytes,
    subject: Subject | None,
    *,
    by: str,
    run: str | None = None,
    read: Callable[[bytes], EvidenceFile] | None = None,
) -> Accepted:
    """Verify a bundle and keep it.

    Args:
        centre: The centre.
        data: The bytes of its file.
        subject: What it is pushed as; None for what its plan says.
        by: Who pushes.
        run: The run that it ends, where one was announced.
        read: What reads it in place of `read_file`.

    Raises:
        BundleError: It is cut, edited, hostile, from a newer version, or no evidence.
        ConflictError: It says that it is about something else, or was pushed as something else.
        CentreError: It cannot be kept; then nothing of it is.

    """
    file = (read or read_file)(data)
    where = subject_of(file.said, subject)
    # The file is there before the row that speaks of it.
    centre.storage.put(file.digest, data)
    with centre.database.writing() as session:
        return keep(session, centre, file, where, by=by, run=run)


def read_file(data: bytes) -> EvidenceFile:
    """Return what a file of evidence says, once it is verified.

    Raises:
        BundleError: It is cut, edited, hostile, from a newer version, or no evidence.

    """
    found = look(data, "bundle")
    bundle = bundle_in(found, "bundle", replicates=False)
    return file_of(bundle, digest_of(data), found.digest or "", len(data))


def keep(
    session: Session,
    centre: Centre,
    file: EvidenceFile,
    subject: Subject,
    *,
    by: str,
    run: str | None = None,
) -> Accepted:
    """Write the rows of a file that is in the storage, as a part of a transaction.

    Args:
        session: A session that writes.
        centre: The centre.
        file: What the file says.
        subject: What it is pushed as.
        by: Who pushes.
        run: The run that it ends, where one was announced.

    Raises:
        ConflictError: It was pushed as something else before, or a name cannot be given.

    """
    record = file.record
    owner = keepable(file.said.owner or "")[:200] or None
    product = ensure_product(session, centre, subject.product, by, owner)
    known = session.scalar(select(Audit).where(Audit.bundle == file.digest))
    if known is not None:
        _check_same(session, known, subject)
        return Accepted(known, new=False)
    place = ensure_version(
        session,
        centre,
        product,
        model=subject.model,
        version=subject.version,
        artefact=record.artefact,
        by=by,
    )
    audit = _audit(centre, file, place, by=by)
    session.add(audit)
    session.flush()
    _index(session, file, audit)
    stand(session, audit)
    audit.run_id = _end_run(session, audit, run)
    body = {
        "bundle": file.digest,
        "manifest": file.manifest,
        "model": subject.model,
        "version": subject.version,
        "artefact": record.artefact,
        "plan": record.plan,
        "verdict": record.verdict,
        "audited": record.audited.isoformat(),
        "run": audit.run_id,
        "by": by,
    }
    append(session, product, "evidence", body, audit.received)
    return Accepted(audit, new=True)


def audit_of(session: Session, bundle: str) -> Audit:
    """Return the audit of a bundle, by the SHA-256 of its file.

    Raises:
        UnknownError: There is none.

    """
    found = session.scalar(select(Audit).where(Audit.bundle == bundle))
    if found is None:
        raise UnknownError(Problem(f"evidence {bundle[:19]}", "there is no such evidence."))
    return found


def evidence_records(session: Session, version_id: int) -> list[EvidenceRecord]:
    """Return all evidence of a version as a gate reads it, the newest first."""
    audits = session.scalars(
        select(Audit).where(Audit.version_id == version_id).order_by(Audit.audited.desc())
    ).all()
    rules: dict[int, list[dict[str, Any]]] = {}
    query = select(Rule).where(Rule.audit_id.in_([one.id for one in audits]))
    for rule in session.scalars(query.order_by(Rule.audit_id, Rule.position)):
        rules.setdefault(rule.audit_id, []).append(rule.body)
    return [_record(one, rules.get(one.id, [])) for one in audits]


def _record(audit: Audit, rules: Sequence[dict[str, Any]]) -> EvidenceRecord:
    first, last = audit.window_first, audit.window_last
    return EvidenceRecord.model_validate(
        {
            "bundle": audit.bundle,
            "plan": audit.plan,
            "kind": audit.kind,
            "pillar": audit.pillar,
            "audited": audit.audited,
            "received": audit.received,
            "artefact": audit.artefact,
            "window": None if first is None or last is None else (first, last),
            "verdict": audit.verdict,
            "rules": rules,
        }
    )


def _check_same(session: Session, known: Audit, where: Subject) -> None:
    """Check that evidence is pushed again as what it was pushed as before.

    Raises:
        ConflictError: It is not.

    """
    model, version = (
        session.get_one(Model, known.model_id),
        session.get_one(Version, known.version_id),
    )
    product = session.get_one(Product, known.product_id)
    before = Subject(product.name, model.name, version.name)
    if before != where:
        # What it was pushed as is not told: it may be of a product that the sender may not see.
        what = "the same file was pushed as evidence of another version."
        hint = "Evidence is of one version: name it in the plan's subject and audit again."
        raise ConflictError(Problem("bundle", what, hint))


def _audit(centre: Centre, file: EvidenceFile, place: Place, *, by: str) -> Audit:
    return Audit(
        **file.facts,
        manifest=file.manifest,
        product_id=place.product.id,
        model_id=place.model.id,
        version_id=place.version.id,
        received=centre.clock(),
        pushed_by=by,
        size=file.size,
    )


def _index(session: Session, file: EvidenceFile, audit: Audit) -> None:
    """Write the rows by which findings and rules are listed."""
    of_audit = {"audit_id": audit.id, "product_id": audit.product_id}
    findings = [{**row, **of_audit} for row in file.findings]
    if findings:
        session.execute(insert(_FINDING), findings)
    rules = [{**row, "audit_id": audit.id} for row in file.rules]
    if rules:
        session.execute(insert(_RULE), rules)


def _end_run(session: Session, audit: Audit, run: str | None) -> str | None:
    """Bind evidence to the run that is named, else to one that says it wrote this file."""
    query = select(Run.id).where(Run.version_id == audit.version_id)
    condition = Run.id == run if run else Run.bundle == audit.bundle
    found = session.scalar(query.where(condition))
    if found is not None:
        session.execute(
            update(Run)
            .where(Run.id == found)
            .values(state="finished", bundle=audit.bundle, ended=audit.received)
        )
    return found
