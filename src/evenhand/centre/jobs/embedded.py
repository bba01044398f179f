"""Workers that a server starts beside itself: ``python -m evenhand.centre.jobs.embedded``.

They are processes, so that an audit takes no time from answers. They are told what to do in their
standard input, which also tells them when to stop: it ends with the server, whatever ends that.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from evenhand.centre.jobs.settings import Settings
from evenhand.centre.jobs.worker import Worker
from evenhand.centre.store.centre import open_centre
from evenhand.errors import EvenhandError

_log = logging.getLogger("evenhand.jobs")

_STOP_SECONDS = 20.0
"""How long a worker that is told to stop may take."""

_PAUSES = (1.0, 60.0)
"""Seconds before a worker that ended by itself is started again, at first and at most."""


@dataclass(frozen=True)
class Launch:
    """What a worker is told.

    Attributes:
        settings: How it runs jobs.
        database: Address of the database; None for that of this machine.
        storage: Folder or address of the files; None for that of this machine.
        key: The centre's key; None for that of this machine.
        once: Whether it ends when no job waits.

    """

    settings: Settings
    database: str | None = None
    storage: str | None = None
    key: Path | None = None
    once: bool = False

    def line(self) -> bytes:
        """Return it as a line."""
        return _LAUNCH.dump_json(self) + b"\n"


_LAUNCH = TypeAdapter(Launch)


@contextmanager
def start_workers(launch: Launch, count: int) -> Iterator[None]:
    """Run workers beside this process, and stop them at the end; one that dies is started again.

    Args:
        launch: What each is told.
        count: How many.

    """
    stopping = threading.Event()
    threads = [
        threading.Thread(target=_keep, args=(launch, stopping), daemon=True) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def start_worker(launch: Launch) -> subprocess.Popen[bytes]:
    """Start one worker; it stops when its standard input is closed."""
    # A session of its own: Ctrl-C is for the server, which then stops it.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "evenhand.centre.jobs.embedded"],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.write(launch.line())
            process.stdin.flush()
    return process


def stop_worker(process: subprocess.Popen[bytes]) -> None:
    """Stop a worker: what it runs goes back into the queue."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _keep(launch: Launch, stopping: threading.Event) -> None:
    """Keep one worker running."""
    shortest, longest = _PAUSES
    pause = shortest
    while not stopping.is_set():
        began = time.monotonic()
        process = start_worker(launch)
        while process.poll() is None and not stopping.wait(0.5):
            pass
        stop_worker(process)
        if stopping.is_set():
            return
        _log.warning("a worker ended by itself with status %s", process.returncode)
        pause = shortest if time.monotonic() - began > longest else min(2 * pause, longest)
        stopping.wait(pause)


def main() -> None:
    """Run one worker."""
    line = sys.stdin.buffer.readline()
    if not line:
        return
    launch = _LAUNCH.validate_json(line)
    try:
        centre = open_centre(database=launch.database, storage=launch.storage, key=launch.key)
        worker = Worker(centre, launch.settings)
        threading.Thread(target=_watch, args=(worker,), daemon=True).start()
        if launch.once:
            worker.run_waiting()
        else:
            worker.run()
    except EvenhandError as error:
        sys.exit(str(error))


def _watch(worker: Worker) -> None:
    """Stop the worker once nobody holds the other end of its standard input."""
    # Straight from the system: at its end Python would wait for the lock of a stream that is read.
    while os.read(0, 1024):
        pass
    worker.stop()
    time.sleep(_STOP_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
