"""Jobs: audits that the centre's workers run."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.centre.api.access import Principal, Pusher, Reader
from evenhand.centre.api.ask import Here, Id, Name
from evenhand.centre.api.document import document_of, job_document
from evenhand.centre.api.paging import Paged, part
from evenhand.centre.api.sight import check_seen, seen
from evenhand.centre.protocol import PREFIX, JobDocument, JobLineDocument, JobRequest, Page
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.jobs import State, Told, cancel, enqueue, job_told
from evenhand.centre.store.tables import Audit, Job, JobLine, Product
from evenhand.errors import Problem, UnknownError

router = APIRouter(tags=["jobs"])


@router.post("/jobs", status_code=202)
def ask(centre: Here, principal: Pusher, asked: JobRequest, response: Response) -> JobDocument:
    """Ask for an audit; a worker takes it up. Asking again is another job."""
    # Huey brings the driver of PostgreSQL along, which the first page does not wait for.
    from evenhand.centre.jobs.queue import queue_of

    principal.check("push", asked.product)
    body = asked.model_dump(include={"plan", "text", "folder", "engine"})
    subject = Subject(asked.product, asked.model, asked.version)
    job = enqueue(centre, subject, body, kind=asked.kind, by=principal.person)
    queue_of(centre.database).wake(job.id)
    response.headers["Location"] = f"{PREFIX}/jobs/{job.id}"
    with centre.database.reading() as session:
        return job_document(job_told(session, job.id))


@router.get("/jobs")
def list_jobs(
    centre: Here,
    principal: Reader,
    paged: Paged,
    *,
    product: Name = None,
    state: State | None = None,
) -> Page[JobDocument]:
    """List jobs, the last that was asked for first."""
    query = seen(
        select(Job, Product.name, Audit.bundle)
        .join(Product, Product.id == Job.product_id)
        .outerjoin(Audit, Audit.id == Job.audit_id),
        principal,
    )
    if product is not None:
        query = query.where(Product.name == product)
    if state is not None:
        query = query.where(Job.state == state)
    with centre.database.reading() as session:
        return part(
            session,
            query,
            paged,
            [Job.created, Job.id],
            lambda row: job_document(Told(*row[:3])),
            newest_first=True,
        )


@router.get("/jobs/{job}")
def get_job(centre: Here, principal: Reader, job: Id) -> JobDocument:
    """Return a job: how far it is, and what became of it."""
    with centre.database.reading() as session:
        return job_document(_seen(session, principal, job))


@router.get("/jobs/{job}/log")
def list_lines(centre: Here, principal: Reader, paged: Paged, job: Id) -> Page[JobLineDocument]:
    """List the lines of a job's log in order."""
    with centre.database.reading() as session:
        _seen(session, principal, job)
        query = select(JobLine).where(JobLine.job_id == job)
        return part(
            session, query, paged, [JobLine.id], lambda row: document_of(JobLineDocument, row[0])
        )


@router.post("/jobs/{job}/cancel")
def end(centre: Here, principal: Pusher, job: Id) -> JobDocument:
    """Ask for the end of a job; asking again changes nothing."""
    with centre.database.reading() as session:
        _seen(session, principal, job)
    cancel(centre, job, by=principal.person)
    with centre.database.reading() as session:
        return job_document(job_told(session, job))


def _seen(session: Session, principal: Principal, job: str) -> Told:
    """Return a job.

    Raises:
        UnknownError: There is none, or it may not be seen.

    """
    told = job_told(session, job)
    unknown = UnknownError(Problem(f"job {job}", "there is no such job."))
    check_seen(session, principal, told.job.product_id, unknown)
    return told
