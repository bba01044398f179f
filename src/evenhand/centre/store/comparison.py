"""What changed between two audits, found out in a process of its own.

Only comparisons read replicates, which are Parquet; a file that was sealed on purpose can stop its
reader, or make it take all memory. Then that process ends, and the centre says so.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import threading
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from evenhand.centre.store.centre import Centre
from evenhand.centre.store.opened import Shelf
from evenhand.errors import BundleError, CentreError, Problem

MOST_SECONDS = 60.0
"""How long a comparison may take, and how long another may wait for its turn."""

_MOST_MEMORY = 4 * 2**30
"""Bytes that the process may ask for."""

_SHELF: Shelf[dict[str, Any]] = Shelf(100_000)
"""Room for so many changes, of about 1 kB each."""

_AT_LEAST = 10


def compared(centre: Centre, before: str, after: str) -> dict[str, Any]:
    """Return what changed from one bundle to another, as ``evenhand diff --json`` prints it.

    Args:
        centre: The centre.
        before: SHA-256 of the first file.
        after: SHA-256 of the second.

    Raises:
        BundleError: They cannot be compared, or stop what reads them.
        CentreError: A file cannot be read, or others are being compared.

    """

    def make() -> tuple[dict[str, Any], int]:
        files = centre.storage.read(before), centre.storage.read(after)
        found = _READER.ask((before, after), files)
        return found, _AT_LEAST + len(found["changes"])

    return _SHELF.get((before, after), make)


class Reader:
    """A process that compares files, one pair after another; started when it is first needed."""

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self._seconds = seconds
        self._turn = threading.Lock()
        self._running: tuple[BaseProcess, Connection] | None = None

    def ask(self, names: tuple[str, str], files: tuple[bytes, bytes]) -> dict[str, Any]:
        """Return what changed from a file to another.

        Raises:
            BundleError: They cannot be compared, or stopped the process.
            CentreError: It is not this one's turn for too long.

        """
        if not self._turn.acquire(timeout=self._seconds):
            what = "other evidence is being compared."
            raise CentreError(Problem("diff", what, "Try again in a minute."))
        try:
            found = self._asked(names, files)
        except (EOFError, OSError) as error:
            self.stop()
            what = "reading their replicates stopped the process that did it."
            hint = "Was one of them made on purpose? evenhand verify tells whether it changed."
            raise BundleError(Problem(_pair(names), what, hint)) from error
        finally:
            self._turn.release()
        if isinstance(found, tuple):
            raise BundleError([Problem(*one) for one in found])
        return found

    def _asked(
        self, names: tuple[str, str], files: tuple[bytes, bytes]
    ) -> dict[str, Any] | tuple[tuple[str, str, str], ...]:
        _, pipe = self._started()
        pipe.send((names, files))
        if not pipe.poll(self._seconds):
            self.stop()
            what = f"comparing them takes more than {self._seconds:g} seconds."
            hint = "Compare them where there is time: evenhand diff BEFORE AFTER."
            raise BundleError(Problem(_pair(names), what, hint))
        found: dict[str, Any] | tuple[tuple[str, str, str], ...] = pipe.recv()
        return found

    def _started(self) -> tuple[BaseProcess, Connection]:
        if self._running is None or not self._running[0].is_alive():
            self.stop()
            # Not a fork: other threads of the centre may hold locks.
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._running = process, ours
        return self._running

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self._running is None:
            return
        process, pipe = self._running
        self._running = None
        process.kill()
        process.join()
        process.close()
        pipe.close()


_READER = Reader()

atexit.register(_READER.stop)


def _pair(names: tuple[str, str]) -> str:
    return f"{names[0][:19]} and {names[1][:19]}"


def _serve(pipe: Connection) -> None:
    """Compare what is sent, until nobody is there any more."""
    from evenhand.audits.evidence.archive import parse_bundle
    from evenhand.audits.evidence.comparison import diff
    from evenhand.errors import EvenhandError

    _limit_memory()
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            names, files = pipe.recv()
            try:
                pair = [
                    parse_bundle(file, name[:19]) for name, file in zip(names, files, strict=True)
                ]
                pipe.send(diff(*pair).to_dict())
            except EvenhandError as error:
                pipe.send(tuple((one.where, one.what, one.hint) for one in error.problems))


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        # On Windows nothing limits it.
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
