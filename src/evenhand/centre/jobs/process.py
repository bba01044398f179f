"""The process of a job, as its worker sees it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO

from evenhand.centre.jobs.order import GO, Message, Order

_MODULE = "evenhand.centre.jobs.child"

_TAIL = 16_384
"""Bytes of what a process wrote to its standard error that are kept."""

_PATIENCE = 10.0
"""Seconds that the last words of a process which has ended may take."""


class Process:
    """A process that runs one audit, in a group of its own with all that it starts."""

    def __init__(self, order: Order) -> None:
        # Not the folder where the worker happens to be, which may hold modules of any name.
        command = [sys.executable, "-P", "-m", _MODULE]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(order.variables),
            start_new_session=True,
        )
        self._events: queue.Queue[Message | None] = queue.Queue()
        self._tail = b""
        streams = (self._process.stdout, self._process.stderr)
        targets = (self._hear, self._keep)
        self._threads = [
            threading.Thread(target=target, args=(stream,), daemon=True)
            for target, stream in zip(targets, streams, strict=True)
        ]
        for thread in self._threads:
            thread.start()
        self._tell(order.line())

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def go(self) -> None:
        """Let it read rows."""
        self._tell(GO)

    def next(self, seconds: float) -> Message | None:
        """Return what it says next; None once it says no more.

        Raises:
            TimeoutError: It says nothing for so long.

        """
        try:
            return self._events.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None

    def status(self) -> int:
        """Return its exit status, once it says no more; that of a signal is negative."""
        # It holds the only other end of its output: it is at its end already, and so not stopped.
        self.stop()
        return self._process.returncode

    def errors(self) -> list[str]:
        """Return the last lines of what it wrote to its standard error, once it has ended."""
        return self._tail.decode(errors="replace").splitlines()

    def stop(self) -> None:
        """End it at once, with all that it started; nothing where that is done."""
        # Before its number is free for another: it stays its own until it is waited for.
        if self._process.returncode is None:
            with contextlib.suppress(OSError):
                if hasattr(os, "killpg"):
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(_PATIENCE)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()

    def _tell(self, line: bytes) -> None:
        # Where it has ended its silence says so.
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def _hear(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in stream:
                self._events.put(Message.read(line))
        self._events.put(None)

    def _keep(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(ValueError, OSError):
            while some := stream.read1(_TAIL):  # type: ignore[attr-defined]
                self._tail = (self._tail + some)[-_TAIL:]


def _environment(variables: tuple[str, ...]) -> Mapping[str, str]:
    """Return the environment of a process: without what tells of the centre, such as its password.

    What engines find credentials in stays.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("EVENHAND_") or name in variables
    }
