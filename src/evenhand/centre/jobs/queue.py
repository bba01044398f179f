"""The queue: it wakes workers, and nothing depends on it.

A message is the id of a job. It may be lost, with a worker that took it, or come twice: which jobs
are to be done is in the table of jobs, and workers look there too. Messages are JSON: those of a
queue that others can write to must not be able to run code.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from typing import Any

from huey import PostgresHuey, SqliteHuey
from huey.registry import Message

from evenhand.centre.store.database import Database
from evenhand.errors import CentreError, Problem, first_line

_NAME = "evenhand-jobs"

_LONGEST_WAIT = 1.0
"""Seconds between two looks at a queue in a file, when nothing came for a while."""

_log = logging.getLogger("evenhand.jobs")


class _Json:
    """Messages as JSON."""

    def serialize(self, message: Message) -> bytes:
        """Return a message as bytes."""
        return json.dumps([*message]).encode()

    def deserialize(self, data: bytes) -> Message:
        """Return the message of bytes."""
        return Message(*json.loads(bytes(data)))


class JobQueue:
    """Messages about jobs, in a file beside a database of SQLite, or in PostgreSQL itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handler: Callable[[str], object] = _nobody

    @functools.cached_property
    def _opened(self) -> tuple[Any, Callable[[str], object]]:
        """The queue, and what sends a message by it; opened when they are first used."""
        database, kept = self._database, {"results": False, "serializer": _Json()}
        try:
            if database.is_sqlite:
                huey = SqliteHuey(_NAME, filename=f"{database.url.database}.queue", **kept)
            else:
                address = database.url.set(drivername="postgresql")
                dsn = address.render_as_string(hide_password=False)
                huey = PostgresHuey(
                    _NAME, dsn=dsn, table_prefix="evenhand_queue", read_timeout=1, **kept
                )
        except Exception as error:
            what = f"the queue of jobs cannot be opened: {first_line(error)}"
            raise CentreError(Problem("jobs", what, "Is the database running?")) from error
        return huey, huey.task(name="job")(self._run)

    def wake(self, job_id: str) -> None:
        """Tell a worker of a job; where that fails, one finds it by itself a little later."""
        try:
            self._opened[1](job_id)
        except Exception as error:  # noqa: BLE001 - of either driver, and no job is lost
            _log.warning("no worker was woken for job %s: %s", job_id, first_line(error))

    def empty(self) -> bool:
        """Return whether there is no message; also where the queue does not answer."""
        try:
            return not self._opened[0].pending_count()
        except Exception:  # noqa: BLE001 - as above
            return True

    def consumer(self, handler: Callable[[str], object], parallel: int) -> Any:  # noqa: ANN401 - Huey's
        """Return what hands messages to a handler, in so many threads.

        Raises:
            CentreError: The queue cannot be opened.

        """
        self._handler = handler
        # What goes wrong with the queue comes again, and is no news: jobs are found without it.
        logging.getLogger("huey").setLevel(logging.CRITICAL)
        return self._opened[0].create_consumer(
            workers=parallel, periodic=False, max_delay=_LONGEST_WAIT, scheduler_interval=60
        )

    def close(self) -> None:
        """Close its connection."""
        self._opened[0].storage.close()

    def _run(self, job_id: str) -> None:
        self._handler(job_id)


@functools.cache
def queue_of(database: Database) -> JobQueue:
    """Return the queue of a database, one for each process that tells workers of jobs."""
    return JobQueue(database)


def _nobody(job_id: str) -> None:
    raise RuntimeError(f"job {job_id} came to a process that runs none")
