"""The tables of the centre: who ships what, what was found, what happened, and who may what.

Times are in UTC. Digests are ``sha256:`` and 64 hexadecimal digits. What is accepted as evidence,
and what stands in a chain, is never updated.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BigKey = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers only keys of the type INTEGER by itself."""

Digest = String(71)
Name = String(200)


class Instant(TypeDecorator[dt.datetime]):
    """A time in UTC, which SQLite would give back without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Return the time as it is kept; one without a zone is refused."""
        del dialect
        if value is not None and value.tzinfo is None:
            msg = f"{value} has no time zone"
            raise ValueError(msg)
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(
        self, value: dt.datetime | None, dialect: Dialect
    ) -> dt.datetime | None:
        """Return the time with its zone."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Base(DeclarativeBase):
    """Every table; constraints have names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dt.datetime: Instant,
        dt.date: Date,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


class Product(Base):
    """What a company ships; everything else belongs to one.

    ``sequence`` and ``head`` are the number and the digest of the last entry of its chain; a writer
    locks this row.
    """

    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Name, unique=True)
    title: Mapped[str] = mapped_column(Text, default="")
    owner: Mapped[str | None] = mapped_column(Name)
    created: Mapped[dt.datetime]
    sequence: Mapped[int] = mapped_column(default=0)
    head: Mapped[str] = mapped_column(Digest, default="")


class Model(Base):
    """A model of a product."""

    __tablename__ = "model"
    __table_args__ = (UniqueConstraint("product_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    name: Mapped[str] = mapped_column(Name)
    owner: Mapped[str | None] = mapped_column(Name)
    created: Mapped[dt.datetime]


class Version(Base):
    """A version of a model, bound to the file that ships once somebody names its digest."""

    __tablename__ = "version"
    __table_args__ = (UniqueConstraint("model_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), index=True)
    name: Mapped[str] = mapped_column(Name)
    artefact: Mapped[str | None] = mapped_column(Digest)
    created: Mapped[dt.datetime]


class Audit(Base):
    """A bundle that was accepted: what its file says of itself, for lists.

    Attributes:
        bundle: SHA-256 of the file.
        manifest: SHA-256 of its manifest, which `evenhand verify` prints.
        plan: Identity of its plan: what it asks, whatever the subject and the source.
        pillar: ``fairness``, ``robustness``, ``privacy`` or ``explainability``.
        audited: When the audit was done, by the clock of whoever did it.
        received: When it was accepted, by the clock of the centre.
        run_id: The run that it ends; None where none was announced.

    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_product_id_received", "product_id", "received"),
        Index("ix_audit_version_id_plan_audited", "version_id", "plan", "audited"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bundle: Mapped[str] = mapped_column(Digest, unique=True)
    manifest: Mapped[str] = mapped_column(Digest, index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), index=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("version.id"))
    run_id: Mapped[str | None] = mapped_column(String(32))
    plan: Mapped[str] = mapped_column(Digest)
    kind: Mapped[str] = mapped_column(String(40))
    pillar: Mapped[str] = mapped_column(String(20))
    artefact: Mapped[str | None] = mapped_column(Digest)
    window_first: Mapped[dt.date | None]
    window_last: Mapped[dt.date | None]
    audited: Mapped[dt.datetime]
    received: Mapped[dt.datetime]
    pushed_by: Mapped[str] = mapped_column(Name)
    evenhand: Mapped[str] = mapped_column(String(40))
    size: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    verdict: Mapped[str | None] = mapped_column(String(10))
    passed: Mapped[int]
    failed: Mapped[int]
    undecided: Mapped[int]
    findings: Mapped[int]


class Rule(Base):
    """The verdict of a rule in one scope, as the bundle has it; ``body`` is its whole record."""

    __tablename__ = "rule"

    audit_id: Mapped[int] = mapped_column(ForeignKey("audit.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(Name)
    verdict: Mapped[str] = mapped_column(String(10))
    body: Mapped[dict[str, Any]]


class Finding(Base):
    """A figure, for lists and search; groups, conventions and charts are in the bundle.

    ``verdict`` is the worst of the rules about it; None where there is none.
    """

    __tablename__ = "finding"
    __table_args__ = (
        Index("ix_finding_product_id_measure", "product_id", "measure"),
        Index("ix_finding_measure_audit_id", "measure", "audit_id"),
    )

    audit_id: Mapped[int] = mapped_column(ForeignKey("audit.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    key: Mapped[str] = mapped_column(Text)
    about: Mapped[str] = mapped_column(Text, default="")
    measure: Mapped[str] = mapped_column(Name)
    slice: Mapped[str | None] = mapped_column(Text)
    value: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    undefined: Mapped[str | None] = mapped_column(Text)
    verdict: Mapped[str | None] = mapped_column(String(10))


class Standing(Base):
    """The newest verdict of a model in a pillar: what the heat map of the company shows."""

    __tablename__ = "standing"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), primary_key=True)
    pillar: Mapped[str] = mapped_column(String(20), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("version.id"))
    audit_id: Mapped[int] = mapped_column(ForeignKey("audit.id"))
    verdict: Mapped[str | None] = mapped_column(String(10))
    audited: Mapped[dt.datetime]


class Entry(Base):
    """A line of a product's chain.

    ``digest`` is that of the canonical JSON of product, sequence, at, kind, body and previous.
    """

    __tablename__ = "entry"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(Digest)
    digest: Mapped[str] = mapped_column(Digest)


class Run(Base):
    """An audit that was announced before it read rows.

    Attributes:
        state: ``started``, ``finished`` or ``failed``.
        bundle: SHA-256 of the evidence that it says it wrote, pushed or not.

    """

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_version_id_plan", "version_id", "plan"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("version.id"))
    plan: Mapped[str] = mapped_column(Digest)
    artefact: Mapped[str | None] = mapped_column(Digest)
    window_first: Mapped[dt.date | None]
    window_last: Mapped[dt.date | None]
    started: Mapped[dt.datetime]
    ended: Mapped[dt.datetime | None]
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text, default="")
    bundle: Mapped[str | None] = mapped_column(Digest)
    by: Mapped[str] = mapped_column(Name)


class Plan(Base):
    """A plan that was registered, so that nobody can choose it after seeing the data."""

    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("product_id", "name", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    name: Mapped[str] = mapped_column(Name)
    digest: Mapped[str] = mapped_column(Digest)
    text: Mapped[str] = mapped_column(Text)
    registered: Mapped[dt.datetime]
    by: Mapped[str] = mapped_column(Name)


class Policy(Base):
    """A version of the policy of a product, or of the whole company where there is no product."""

    __tablename__ = "policy"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    version: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Digest)
    created: Mapped[dt.datetime]
    by: Mapped[str] = mapped_column(Name)


class Waiver(Base):
    """A rule whose failure somebody answers for, once somebody else has approved it.

    ``state`` is ``requested``, ``approved``, ``refused`` or ``withdrawn``.
    """

    __tablename__ = "waiver"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    model: Mapped[str] = mapped_column(Name)
    rule: Mapped[str] = mapped_column(Name)
    owner: Mapped[str] = mapped_column(Name)
    reason: Mapped[str] = mapped_column(Text)
    expires: Mapped[dt.date]
    state: Mapped[str] = mapped_column(String(10))
    requester: Mapped[str] = mapped_column(Name)
    requested: Mapped[dt.datetime]
    approver: Mapped[str | None] = mapped_column(Name)
    answered: Mapped[dt.datetime | None]


class Decision(Base):
    """The verdict of a gate.

    Attributes:
        id: Given by whoever decided, so that a decision is kept once however often it is sent.
        mode: ``online``, or ``cached`` where the centre was away.
        compared: Of a cached one, once the centre decided again: ``same``, ``differs``, or
            ``unpushed`` where it lacks the evidence.

    """

    __tablename__ = "decision"
    __table_args__ = (Index("ix_decision_product_id_at", "product_id", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("version.id"), index=True)
    against: Mapped[str | None] = mapped_column(Name)
    verdict: Mapped[str] = mapped_column(String(10))
    mode: Mapped[str] = mapped_column(String(10))
    compared: Mapped[str | None] = mapped_column(String(10))
    at: Mapped[dt.datetime]
    received: Mapped[dt.datetime]
    by: Mapped[str] = mapped_column(Name)
    body: Mapped[dict[str, Any]]


class Job(Base):
    """An audit that a worker runs.

    Attributes:
        state: ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
        attempt: Number of the last attempt, from 1; only the attempt that holds the row may write.
        lost: How many attempts ended without a word, as those of killed workers do.
        lease: Until when the attempt holds it, unless it beats again.
        cancel: Whether somebody asked for its end.

    """

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_state_lease", "state", "lease"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    model: Mapped[str] = mapped_column(Name)
    version: Mapped[str] = mapped_column(Name)
    kind: Mapped[str] = mapped_column(String(20))
    body: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(10))
    attempt: Mapped[int] = mapped_column(default=0)
    lost: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(Name)
    lease: Mapped[dt.datetime | None]
    cancel: Mapped[bool] = mapped_column(default=False)
    progress: Mapped[float] = mapped_column(default=0.0)
    doing: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[dt.datetime]
    started: Mapped[dt.datetime | None]
    ended: Mapped[dt.datetime | None]
    by: Mapped[str] = mapped_column(Name)
    error: Mapped[str] = mapped_column(Text, default="")
    audit_id: Mapped[int | None] = mapped_column(ForeignKey("audit.id"))


class JobLine(Base):
    """A line of a job's log."""

    __tablename__ = "job_line"
    __table_args__ = (Index("ix_job_line_job_id", "job_id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    attempt: Mapped[int]
    at: Mapped[dt.datetime]
    text: Mapped[str] = mapped_column(Text)


class Token(Base):
    """What lets a person in: only the hash of it is kept.

    Attributes:
        product_id: The product it is for; None for all.
        rights: Of ``read``, ``push``, ``approve`` and ``admin``.

    """

    __tablename__ = "token"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    person: Mapped[str] = mapped_column(Name)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    rights: Mapped[list[str]]
    created: Mapped[dt.datetime]
    expires: Mapped[dt.datetime]
    revoked: Mapped[dt.datetime | None]
    used: Mapped[dt.datetime | None]


class Session(Base):
    """A browser that was let in, by a token or by the one-time address; only a hash is kept."""

    __tablename__ = "session"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[int | None] = mapped_column(ForeignKey("token.id"))
    csrf: Mapped[str] = mapped_column(String(64))
    created: Mapped[dt.datetime]
    expires: Mapped[dt.datetime]
