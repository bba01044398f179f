"""What travels between a client and the centre: the documents of the API, under ``/api/v1``.

Dossiers and decisions travel as `Dossier` and `Decision`. Errors are problems (RFC 9457) with the
member ``errors``, a list of ``where``, ``what`` and ``hint`` as every verb prints it.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

PREFIX = "/api/v1"

Item = TypeVar("Item")

_NO_NUL = r"^[^\x00]*$"
"""What every database can keep."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_NO_NUL)]
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Verdict = Literal["pass", "fail", "undecided"]
Right = Literal["read", "push", "approve", "admin"]


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(_Document, Generic[Item]):
    """A part of a list.

    Attributes:
        total: How many there are in all.
        next: What to ask for as ``after`` to go on; None at the end.

    """

    items: list[Item]
    total: int
    next: str | None = None


class StandingDocument(_Document):
    """Where a product or a model stands in a pillar: the worst, and as old as the oldest."""

    pillar: str
    state: Literal["pass", "fail", "undecided", "no rules", "stale", "never audited"]
    verdict: Verdict | None = None
    audited: dt.datetime | None = None
    bundle: str | None = None


class ProductDocument(_Document):
    """A product."""

    name: str
    title: str = ""
    owner: str | None = None
    created: dt.datetime
    standing: list[StandingDocument] = Field(default_factory=list)
    sequence: int
    head: str


class ProductRequest(_Request):
    """Who owns a product, and how it is called in full; what is left out stays as it is."""

    owner: Word | None = None
    title: Annotated[str, StringConstraints(max_length=1000, pattern=_NO_NUL)] | None = None


class ModelDocument(_Document):
    """A model of a product."""

    product: str
    name: str
    owner: str | None = None
    created: dt.datetime
    standing: list[StandingDocument] = Field(default_factory=list)


class VersionDocument(_Document):
    """A version of a model."""

    product: str
    model: str
    name: str
    artefact: str | None = None
    created: dt.datetime
    audits: int = 0


class AuditDocument(_Document):
    """A bundle that was accepted; ``links`` are addresses of pages and of the file."""

    bundle: str
    manifest: str
    product: str
    model: str
    version: str
    plan: str
    kind: str
    pillar: str
    artefact: str | None
    window: tuple[dt.date, dt.date] | None
    audited: dt.datetime
    received: dt.datetime
    pushed_by: str
    evenhand: str
    size: int
    rows: int | None
    verdict: Verdict | None
    passed: int
    failed: int
    undecided: int
    findings: int
    run: str | None = None
    links: dict[str, str] = Field(default_factory=dict)


class FindingDocument(_Document):
    """A figure of an audit; ``whole`` is its record in the bundle, where one is asked for alone."""

    bundle: str
    product: str
    position: int
    key: str
    about: str
    measure: str
    slice: str | None
    value: float | None
    low: float | None
    high: float | None
    undefined: str | None
    verdict: Verdict | None
    whole: dict[str, Any] | None = None


class PushedDocument(_Document):
    """The answer to a push; ``new`` unless the same bytes were there."""

    audit: AuditDocument
    new: bool


class EntryDocument(_Document):
    """A line of a product's chain."""

    sequence: int
    at: str
    kind: str
    body: dict[str, Any]
    previous: str
    digest: str


class HeadDocument(_Document):
    """The last line of a product's chain; ``sequence`` is 0 where there is none yet."""

    product: str
    sequence: int
    digest: str


class RunRequest(_Request):
    """An audit that is announced before it reads rows; the same id announces the same run."""

    id: RunId
    product: Word
    model: Word
    version: Word
    plan: Sha256
    artefact: Sha256 | None = None
    window: tuple[dt.date, dt.date] | None = None


class RunEnd(_Request):
    """How a run ended."""

    state: Literal["finished", "failed"]
    bundle: Sha256 | None = None
    reason: Annotated[str, StringConstraints(max_length=2000, pattern=_NO_NUL)] = ""


class RunDocument(_Document):
    """A run; ``state`` is ``unpushed`` where it finished and the centre lacks its evidence."""

    id: str
    product: str
    model: str
    version: str
    plan: str
    started: dt.datetime
    ended: dt.datetime | None
    state: Literal["started", "finished", "failed", "unpushed"]
    bundle: str | None
    reason: str
    by: str


class VersionRequest(_Request):
    """A version and the file that ships as it."""

    artefact: Sha256 | None = None


class PlanRequest(_Request):
    """A plan to register under a name."""

    text: Annotated[str, StringConstraints(max_length=1_000_000, pattern=_NO_NUL)]


class PlanDocument(_Document):
    """A registered plan."""

    product: str
    name: str
    digest: str
    text: str
    registered: dt.datetime
    by: str


class PolicyRequest(_Request):
    """A new version of a policy."""

    text: Annotated[str, StringConstraints(max_length=1_000_000, pattern=_NO_NUL)]


class PolicyDocument(_Document):
    """A version of a policy; without a product it is the company's."""

    product: str | None
    version: int
    digest: str
    text: str
    created: dt.datetime | None
    by: str


class WaiverRequest(_Request):
    """A rule whose failure somebody wants to answer for."""

    model: Word
    rule: Word
    owner: Word
    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=_NO_NUL)]
    expires: dt.date


class WaiverAnswer(_Request):
    """Whether a waiver is granted."""

    approved: bool


class WaiverDocument(_Document):
    """A waiver."""

    id: int
    product: str
    model: str
    rule: str
    owner: str
    reason: str
    expires: dt.date
    state: Literal["requested", "approved", "refused", "withdrawn"]
    requester: str
    requested: dt.datetime
    approver: str | None
    answered: dt.datetime | None


class GateRequest(_Request):
    """A release that is to be decided."""

    artefact: Sha256 | None = None
    against: Word | None = None


class Compared(_Document):
    """What the centre makes of a decision from a cache."""

    compared: Literal["same", "differs", "unpushed"]
    verdict: Verdict | None = None


class JobRequest(_Request):
    """An audit that a worker is to run.

    Attributes:
        plan: The path or address of a plan that the worker may read; or
        text: the plan itself, whose paths are relative to ``folder``.

    """

    product: Word
    model: Word
    version: Word
    kind: Literal["audit"] = "audit"
    plan: Annotated[str, StringConstraints(max_length=2000, pattern=_NO_NUL)] | None = None
    text: Annotated[str, StringConstraints(max_length=1_000_000, pattern=_NO_NUL)] | None = None
    folder: Annotated[str, StringConstraints(max_length=2000, pattern=_NO_NUL)] | None = None
    engine: Literal["polars", "duckdb", "spark"] = "polars"


class JobLineDocument(_Document):
    """A line of a job's log."""

    id: int
    attempt: int
    at: dt.datetime
    text: str


class JobDocument(_Document):
    """A job."""

    id: str
    product: str
    model: str
    version: str
    kind: str
    body: dict[str, Any]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    attempt: int
    worker: str | None
    progress: float
    doing: str
    created: dt.datetime
    started: dt.datetime | None
    ended: dt.datetime | None
    by: str
    error: str
    bundle: str | None = None
    cancel: bool = False


class About(_Document):
    """What the centre is: its release, the public key that clients check with, who asks."""

    evenhand: str
    key: str
    auth: Literal["none", "token"]
    person: str
    rights: list[Right]
    product: str | None = None
    time: dt.datetime
