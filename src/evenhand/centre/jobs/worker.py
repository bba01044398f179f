"""A worker: it takes jobs that wait, one in each of its threads, and runs them in processes.

It is woken by the queue. Whether or not a message comes, it also looks at the table every few
seconds: for jobs that wait though no message is left, and for those whose worker gave no sign of
life within its lease. So nothing is lost with a message, nor with a worker.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import select

from evenhand.centre.jobs.attempt import run_attempt
from evenhand.centre.jobs.queue import JobQueue
from evenhand.centre.jobs.roots import roots_of
from evenhand.centre.jobs.settings import Settings
from evenhand.centre.store.attempts import claim, reap
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.jobs import OVER
from evenhand.centre.store.tables import Audit, Job
from evenhand.errors import CentreError, Problem, first_line, reason

_log = logging.getLogger("evenhand.jobs")


class Worker:
    """What runs jobs, until it is stopped.

    Attributes:
        name: What jobs say of who runs them.

    """

    def __init__(self, centre: Centre, settings: Settings, name: str | None = None) -> None:
        self.name = name or f"{socket.gethostname()}-{os.getpid()}"
        self._centre, self._settings = centre, settings
        self._stopping = threading.Event()
        # What is wrong with them is said before any job fails by it.
        roots_of(settings.roots)
        try:
            settings.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            what = f"this folder for unfinished work cannot be made: {reason(error)}."
            raise CentreError(Problem(str(settings.scratch), what)) from error

    def run(self) -> None:
        """Run jobs until somebody stops this worker; then those that run are put back.

        Raises:
            CentreError: The queue cannot be opened, or the storage is another one.

        """
        self._check_storage()
        queue = JobQueue(self._centre.database)
        consumer = queue.consumer(self._take, self._settings.parallel)
        consumer.start()
        # The consumer has set its own, which start it anew or wait for the end of every job.
        with self._signals():
            self._sweep()
            self._look(queue)
            while not self._stopping.wait(self._settings.look.total_seconds()):
                consumer.check_worker_health()
                self._look(queue)
            consumer.stop(graceful=True)
        queue.close()

    def run_waiting(self) -> int:
        """Run the jobs that wait, one after another, and return how many were run.

        Raises:
            CentreError: The database is away, or the storage is another one.

        """
        self._check_storage()
        count = 0
        with self._signals():
            self._sweep()
            # What is put back, or taken up by another, does not come again here.
            tried: set[str] = set()
            while not self._stopping.is_set():
                jobs = reap(self._centre, self._settings.most_lost)
                left = [one for one in jobs if one not in tried]
                if not left:
                    break
                tried.add(left[0])
                count += self._take(left[0])
        return count

    def stop(self) -> None:
        """Stop: what runs is put back into the queue."""
        self._stopping.set()

    def _take(self, job_id: str) -> bool:
        """Run a job unless somebody else has it; return whether this worker ran it."""
        settings = self._settings
        if self._stopping.is_set():
            return False
        try:
            held = claim(
                self._centre,
                job_id,
                self.name,
                lease=settings.lease,
                most_lost=settings.most_lost,
            )
            if held is None:
                return False
            ending = run_attempt(self._centre, held, settings, self._stopping)
        except CentreError as error:
            # The job is in the table, and is found there again.
            _log.warning("job %s: %s", job_id, first_line(error))
            return False
        except Exception:  # noqa: BLE001 - a fault of one job must not end the others' worker
            _log.exception("job %s: this attempt is given up", job_id)
            return False
        said = f"{ending.how}: {ending.why}" if ending.why else ending.how
        _log.info("job %s, attempt %d: %s", job_id, held.attempt, said)
        return True

    def _look(self, queue: JobQueue) -> None:
        """End what nobody may take any more, and wake workers for what no message is left of."""
        try:
            jobs = reap(self._centre, self._settings.most_lost)
        except CentreError as error:
            _log.warning("jobs cannot be looked for: %s", first_line(error))
            return
        if jobs and queue.empty():
            for job_id in jobs:
                queue.wake(job_id)

    def _check_storage(self) -> None:
        """Check that evidence would go where the centre looks for it.

        Raises:
            CentreError: The storage lacks what the database lists, as that of another machine does.

        """
        with self._centre.database.reading() as session:
            newest = session.scalar(select(Audit.bundle).order_by(Audit.id.desc()).limit(1))
        if newest is None:
            return
        try:
            self._centre.storage.read(newest)
        except CentreError as error:
            what = f"evidence that the database lists is not there: {error.problems[0].what}"
            hint = "Name the storage that the server has."
            raise CentreError(Problem("--storage", what, hint)) from error

    def _sweep(self) -> None:
        """Remove what is left of jobs that have ended elsewhere, or that are not of this centre."""
        names = [one.name for one in self._settings.scratch.iterdir() if one.is_dir()]
        with suppress(CentreError):
            with self._centre.database.reading() as session:
                query = select(Job.id).where(Job.id.in_(names), Job.state.in_(OVER))
                over = [*session.scalars(query)]
            for name in over:
                shutil.rmtree(self._settings.scratch / name, ignore_errors=True)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop when the system or a terminal says so, which only the main thread can hear."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {
            number: signal.signal(number, lambda *_: self.stop())
            for number in (getattr(signal, name) for name in names)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
