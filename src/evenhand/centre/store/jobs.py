"""Jobs: audits that somebody asked for, and that a worker runs.

The row of a job is the truth, whatever a queue delivers, repeats or loses. How a worker takes one
and what it may write then is in `attempts`.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import Session

from evenhand.centre.store.centre import Centre
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.registry import check_name, ensure_product
from evenhand.centre.store.tables import Audit, Job, JobLine, Product
from evenhand.errors import ConflictError, PlanError, Problem, UnknownError

State = Literal["queued", "running", "done", "failed", "cancelled"]

OVER: frozenset[str] = frozenset({"done", "failed", "cancelled"})
"""States that a job does not leave."""

MOST_LISTED = 200

_LONGEST = 4000
"""Characters of a line that are kept."""


def enqueue(
    centre: Centre, subject: Subject, body: Mapping[str, Any], *, kind: str = "audit", by: str
) -> Job:
    """Ask for an audit; a worker takes it up.

    Args:
        centre: The centre.
        subject: What is audited.
        body: ``plan``, the path of a plan; or ``text``, a plan, and ``folder``, which its paths
            start from; and ``engine``.
        kind: What is to be run.
        by: Who asks.

    Raises:
        PlanError: It names no plan, or two.
        ConflictError: A name cannot be given.

    """
    kept = {name: value for name, value in body.items() if value is not None}
    if ("plan" in kept) == ("text" in kept):
        said = "two plans are given." if "plan" in kept else "no plan is given."
        hint = "Name one that the worker can read (plan), or send its text (text)."
        raise PlanError(Problem("job", said, hint))
    if "folder" in kept and "plan" in kept:
        hint = "The paths of a plan in a file start from its own folder."
        raise PlanError(Problem("folder", "it is for plans that are sent as text.", hint))
    check_name("model", subject.model)
    check_name("version", subject.version)
    with centre.database.writing() as session:
        product = ensure_product(session, centre, subject.product, by)
        job = Job(
            id=secrets.token_hex(16),
            product_id=product.id,
            model=subject.model,
            version=subject.version,
            kind=kind,
            body=kept,
            state="queued",
            created=centre.clock(),
            by=by,
        )
        session.add(job)
        session.flush()
        write_line(session, centre, job, f"asked for by {by}")
    return job


def cancel(centre: Centre, job_id: str, *, by: str) -> Job:
    """Ask for the end of a job: one that waits ends now, one that runs when its worker notices.

    What was accepted before the worker noticed stays; asking again changes nothing.

    Raises:
        UnknownError: There is no such job.
        ConflictError: It has ended otherwise.

    """
    with centre.database.writing() as session:
        job = session.scalar(select(Job).where(Job.id == job_id).with_for_update())
        if job is None:
            raise _unknown(job_id)
        if job.state == "cancelled" or job.cancel:
            return job
        if job.state in OVER:
            what = f"it has ended already: {job.state}."
            raise ConflictError(Problem(f"job {job_id}", what, "What it wrote stays."))
        job.cancel, job.error = True, f"cancelled by {by}"
        write_line(session, centre, job, job.error)
        if job.state == "queued":
            job.state, job.ended = "cancelled", centre.clock()
    return job


def write_line(session: Session, centre: Centre, job: Job, text: str) -> None:
    """Add a line to the log of a job, for its present attempt."""
    line = plain(text)
    session.add(JobLine(job_id=job.id, attempt=job.attempt, at=centre.clock(), text=line))


def plain(text: str) -> str:
    r"""Return text as every database keeps it: without NUL, and not too long.

    >>> plain("a\x00b")
    'ab'
    """
    text = text.replace("\x00", "").encode(errors="replace").decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


@dataclass(frozen=True, slots=True)
class Told:
    """A job with what else a list shows: the name of its product, and its evidence."""

    job: Job
    product: str
    bundle: str | None


@dataclass(frozen=True, slots=True)
class Jobs:
    """A part of the list of jobs; ``next`` is what to go on after, None at the end."""

    items: list[Told]
    total: int
    next: str | None


def job_told(session: Session, job_id: str) -> Told:
    """Return a job.

    Raises:
        UnknownError: There is none of this id.

    """
    query = _told().where(Job.id == job_id)
    found = session.execute(query).one_or_none()
    if found is None:
        raise _unknown(job_id)
    job, product, bundle = found
    return Told(job, product, bundle)


def jobs_told(
    session: Session,
    *,
    products: Collection[int] | None = None,
    state: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Jobs:
    """Return jobs, the newest first.

    Args:
        session: A session.
        products: The products whose jobs may be seen; None for all.
        state: Only those in this state.
        after: The id of the last one that was seen.
        limit: How many, at most `MOST_LISTED`.

    Raises:
        UnknownError: There is no job ``after``.

    """
    wanted: list[ColumnElement[bool]] = []
    wanted += [] if products is None else [Job.product_id.in_(products)]
    if state is not None:
        wanted.append(Job.state == state)
    total = session.scalar(select(func.count()).select_from(Job).where(*wanted)) or 0
    if after is not None:
        last = session.get(Job, after)
        if last is None:
            raise _unknown(after)
        wanted.append(tuple_(Job.created, Job.id) < tuple_(last.created, last.id))
    limit = max(1, min(limit, MOST_LISTED))
    query = _told().where(*wanted).order_by(Job.created.desc(), Job.id.desc()).limit(limit + 1)
    rows = session.execute(query)
    found = [Told(job, product, bundle) for job, product, bundle in rows]
    items = found[:limit]
    return Jobs(items, total, items[-1].job.id if len(found) > limit else None)


def lines_of(
    session: Session, job_id: str, *, after: int = 0, limit: int = MOST_LISTED
) -> Sequence[JobLine]:
    """Return lines of a job's log in order, from behind the line with the id ``after``."""
    query = select(JobLine).where(JobLine.job_id == job_id, JobLine.id > after)
    limit = max(1, min(limit, MOST_LISTED))
    return session.scalars(query.order_by(JobLine.id).limit(limit)).all()


def waiting(session: Session, now: dt.datetime, limit: int = 100) -> list[str]:
    """Return the ids of jobs that a worker may take, the oldest first.

    Args:
        session: A session.
        now: The time of `attempts.moment`.
        limit: How many at most.

    """
    query = select(Job.id).where(takeable(now)).order_by(Job.created, Job.id)
    return [*session.scalars(query.limit(limit))]


def takeable(now: dt.datetime) -> ColumnElement[bool]:
    """Return the condition under which a worker may take a job."""
    left = (Job.state == "running") & (Job.lease < now)
    return ((Job.state == "queued") | left) & Job.cancel.is_(False)


def _told() -> Select[Job, str, str]:
    return (
        select(Job, Product.name, Audit.bundle)
        .join(Product, Product.id == Job.product_id)
        .outerjoin(Audit, Audit.id == Job.audit_id)
    )


def _unknown(job_id: str) -> UnknownError:
    return UnknownError(Problem(f"job {job_id[:40]}", "there is no such job."))
