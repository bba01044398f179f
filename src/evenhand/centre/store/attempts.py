"""Attempts: how one worker at a time runs a job, and who may write its result.

A worker claims a job by one conditional update, which numbers the attempt and gives it a lease; it
beats to keep the lease. Once a lease ran out any worker may claim the job again, under the next
number. The attempt before may still be alive, only slow: so whatever an attempt writes - its run,
its evidence, its end - is written in one transaction with the check that the row still has its
number. Of two attempts that finish, exactly one is therefore accepted, and evidence is there if and
only if the job is done.

Transactions lock the product before the job, as all that append to a chain do.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import lock
from evenhand.centre.store.evidence import Accepted, Subject, keep, read_file, subject_of
from evenhand.centre.store.jobs import plain, takeable, waiting, write_line
from evenhand.centre.store.runs import Window, begin_run, close_run
from evenhand.centre.store.tables import Job, Product, Run
from evenhand.errors import ConflictError, Problem

MOST_LOST = 3
"""How many attempts may end without a word: what kills three workers would kill the fourth."""


class LostError(ConflictError):
    """Another attempt holds the job: what this one would write does not count."""


@dataclass(frozen=True)
class Claim:
    """What an attempt holds.

    Attributes:
        job: The job, as it was when it was claimed.
        subject: What is audited.

    """

    job: Job
    subject: Subject

    @property
    def attempt(self) -> int:
        """Number of the attempt."""
        return self.job.attempt

    @property
    def run(self) -> str:
        """The id of its run."""
        return run_of_attempt(self.job.id, self.job.attempt)


def run_of_attempt(job_id: str, attempt: int) -> str:
    """Return the id of the run of an attempt, so that whoever takes over can end it."""
    return hashlib.sha256(f"{job_id}/{attempt}".encode()).hexdigest()[:32]


def moment(session: Session, centre: Centre) -> dt.datetime:
    """Return the time that leases are measured by: one clock for all workers, the database's.

    Clocks of machines differ; a fast one must not take jobs away. Who shares a file of SQLite
    shares a machine.
    """
    if centre.database.is_sqlite:
        return centre.clock()
    found: dt.datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return found


def claim(
    centre: Centre, job_id: str, worker: str, *, lease: dt.timedelta, most_lost: int = MOST_LOST
) -> Claim | None:
    """Take a job that waits, or whose attempt gave no sign of life; None where somebody else has.

    Args:
        centre: The centre.
        job_id: The job.
        worker: Who takes it.
        lease: For how long, unless it beats.
        most_lost: How many attempts may end without a word.

    """
    with centre.database.writing() as session:
        now = moment(session, centre)
        # Seen without a lock first: most messages of a queue are about jobs that somebody has.
        seen = session.execute(select(Job.product_id).where(Job.id == job_id, takeable(now)))
        product_id = seen.scalar_one_or_none()
        if product_id is None:
            return None
        product = lock(session, product_id)
        left = case((Job.state == "running", 1), else_=0)
        changed = session.execute(
            update(Job)
            .where(Job.id == job_id, takeable(now), Job.lost + left < most_lost)
            .values(
                state="running",
                attempt=Job.attempt + 1,
                lost=Job.lost + left,
                worker=worker[:200],
                lease=now + lease,
                progress=0.0,
                doing="",
                started=centre.clock(),
            )
            .execution_options(synchronize_session=False)
        )
        if changed.rowcount != 1:  # type: ignore[attr-defined]
            return None
        job = session.get_one(Job, job_id, populate_existing=True)
        why = "its worker ended without a word"
        _end_runs(session, centre, product, job, why=why, upto=job.attempt - 1)
        write_line(session, centre, job, f"attempt {job.attempt} by {job.worker}")
        return Claim(job, Subject(product.name, job.model, job.version))


Hold = Literal["held", "cancel", "lost"]
"""Whether an attempt goes on, is to stop since somebody said so, or was taken over."""


def beat(
    centre: Centre,
    claim: Claim,
    *,
    lease: dt.timedelta,
    progress: float,
    doing: str,
    lines: Sequence[str] = (),
) -> Hold:
    """Say that an attempt is alive, and learn whether it is to go on.

    Args:
        centre: The centre.
        claim: The attempt.
        lease: For how long it holds the job from now.
        progress: The share that is done.
        doing: What it does.
        lines: What its log gets.

    """
    with centre.database.writing() as session:
        changed = session.execute(
            update(Job)
            .where(*_holds(claim))
            .values(
                lease=moment(session, centre) + lease,
                progress=min(max(progress, 0.0), 1.0),
                doing=plain(doing),
            )
            .execution_options(synchronize_session=False)
        )
        if changed.rowcount != 1:  # type: ignore[attr-defined]
            return "lost"
        job = session.get_one(Job, claim.job.id, populate_existing=True)
        for line in lines:
            write_line(session, centre, job, line)
        return "cancel" if job.cancel else "held"


def announce(
    centre: Centre, claim: Claim, *, plan: str, artefact: str | None, window: Window | None
) -> Run:
    """Announce the run of an attempt, before it reads rows.

    Raises:
        LostError: The attempt does not hold its job any more.

    """
    with centre.database.writing() as session:
        lock(session, claim.job.product_id)
        _held(session, claim)
        return begin_run(
            session,
            centre,
            claim.subject,
            id=claim.run,
            plan=plan,
            artefact=artefact,
            window=window,
            by=claim.job.by,
        )


def complete(centre: Centre, claim: Claim, data: bytes) -> Accepted:
    """Accept the evidence of an attempt and end its job, both or neither.

    Args:
        centre: The centre.
        claim: The attempt.
        data: The bytes of its bundle.

    Raises:
        LostError: The attempt does not hold its job any more; then its evidence is not accepted.
        EvenhandError: The evidence is not accepted, as `evidence.accept`.

    """
    file = read_file(data)
    subject = subject_of(file.said, claim.subject)
    centre.storage.put(file.digest, data)
    with centre.database.writing() as session:
        product = lock(session, claim.job.product_id)
        job = _held(session, claim)
        accepted = keep(session, centre, file, subject, by=job.by, run=claim.run)
        job.state, job.audit_id, job.ended = "done", accepted.audit.id, centre.clock()
        job.progress, job.doing, job.error, job.lease = 1.0, "", "", None
        run = session.get(Run, claim.run)
        if run is not None and run.state == "started":
            # The same bytes were pushed before, and end another run.
            digest = file.digest
            close_run(session, centre, product, run, state="finished", bundle=digest, by=job.by)
        write_line(session, centre, job, f"evidence {file.digest} accepted")
    return accepted


def finish(centre: Centre, claim: Claim, state: Literal["failed", "cancelled"], why: str) -> bool:
    """End a job without evidence, for good; False where the attempt does not hold it any more."""
    return _leave(centre, claim, why, state)


def release(
    centre: Centre, claim: Claim, why: str, *, lost: bool, most_lost: int = MOST_LOST
) -> bool:
    """Put a job back into the queue; False where the attempt does not hold it any more.

    Args:
        centre: The centre.
        claim: The attempt.
        why: What ended it.
        lost: Whether it ended without a word, which counts against the job.
        most_lost: After how many such attempts the job has failed.

    """
    if lost and claim.job.lost + 1 >= most_lost:
        return _leave(centre, claim, f"{why}, {most_lost} times", "failed", lost=1)
    return _leave(centre, claim, why, "queued", lost=int(lost))


def reap(centre: Centre, most_lost: int = MOST_LOST) -> list[str]:
    """End what nobody may take any more, and return what a worker may take.

    A job whose worker gave no sign of life is cancelled where somebody asked for that, and has
    failed where it was the last of so many such attempts.
    """
    with centre.database.reading() as session:
        now = moment(session, centre)
        left = select(Job.id, Job.product_id).where(Job.state == "running", Job.lease < now)
        dead = session.execute(left.where(Job.cancel | (Job.lost + 1 >= most_lost))).all()
    for job_id, product_id in dead:
        with centre.database.writing() as session:
            product = lock(session, product_id)
            job = _locked(session, job_id)
            # Another may have been here first.
            if job.state != "running" or job.lease is None or job.lease >= moment(session, centre):
                continue
            job.lost += 1
            why = f"its worker ended without a word, {job.lost} times"
            state, why = ("cancelled", job.error) if job.cancel else ("failed", why)
            _end(session, centre, product, job, state=state, why=why)
    with centre.database.reading() as session:
        return waiting(session, moment(session, centre))


def _leave(
    centre: Centre,
    claim: Claim,
    why: str,
    state: Literal["failed", "cancelled", "queued"],
    *,
    lost: int = 0,
) -> bool:
    """End an attempt, and its job unless that is queued again."""
    with centre.database.writing() as session:
        product = lock(session, claim.job.product_id)
        job = _locked(session, claim.job.id)
        if not _is(job, claim):
            # Whoever took over ended the runs before its own; this one may be younger than that.
            why = "another attempt took over"
            _end_runs(session, centre, product, job, why=why, upto=claim.attempt)
            return False
        job.lost += lost
        if state == "queued" and not job.cancel:
            job.state, job.lease, job.worker, job.progress, job.doing = (
                "queued",
                None,
                None,
                0.0,
                "",
            )
            _end_runs(session, centre, product, job, why=why, upto=job.attempt)
            write_line(session, centre, job, f"attempt {job.attempt} ended: {why}")
            return True
        if job.cancel:
            state, why = "cancelled", job.error
        _end(session, centre, product, job, state=state, why=why)
    return True


def _end(
    session: Session, centre: Centre, product: Product, job: Job, *, state: str, why: str
) -> None:
    job.state, job.ended, job.lease, job.error = state, centre.clock(), None, plain(why)
    job.doing = ""
    _end_runs(session, centre, product, job, why=why, upto=job.attempt)
    write_line(session, centre, job, why if why.startswith(state) else f"{state}: {why}")


def _end_runs(
    session: Session, centre: Centre, product: Product, job: Job, *, why: str, upto: int
) -> None:
    """End the runs of a job's attempts up to one, where they have no end."""
    ids = [run_of_attempt(job.id, number) for number in range(1, upto + 1)]
    if not ids:
        return
    query = select(Run).where(Run.id.in_(ids), Run.state == "started").order_by(Run.started)
    for run in session.scalars(query):
        close_run(session, centre, product, run, state="failed", reason=plain(why), by=job.by)


def _held(session: Session, claim: Claim) -> Job:
    """Return the row of a job, locked, which an attempt still holds.

    Raises:
        LostError: It does not.

    """
    job = _locked(session, claim.job.id)
    if not _is(job, claim):
        what = f"another attempt holds it, {job.attempt}; this one is {claim.attempt}."
        raise LostError(Problem(f"job {job.id}", what))
    return job


def _locked(session: Session, job_id: str) -> Job:
    query = select(Job).where(Job.id == job_id).with_for_update()
    return session.execute(query, execution_options={"populate_existing": True}).scalar_one()


def _is(job: Job, claim: Claim) -> bool:
    return job.state == "running" and job.attempt == claim.attempt


def _holds(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which an attempt holds its job."""
    return (Job.id == claim.job.id, Job.state == "running", Job.attempt == claim.attempt)
