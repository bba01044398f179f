"""A process of its own, for work that could stop this one, or hold up all of its threads."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class BusyError(Exception):
    """Too many others wait, or were being answered for too long."""


class LateError(Exception):
    """The answer took too long; the process was ended."""


class Child(Generic[Question, Answer]):
    """A process that answers one question after another; started when it is first needed.

    Questions and answers travel between processes, so they are plain values.
    """

    def __init__(
        self,
        answer: Callable[[Question], Answer],
        *,
        seconds: float,
        memory: int,
        waiting: int = 4,
    ) -> None:
        """Describe the process.

        Args:
            answer: A function of a module, which the process imports.
            seconds: How long an answer may take, and how long another may wait for its turn.
            memory: Bytes that the process may ask for.
            waiting: How many may wait for their turn, so that they do not hold all threads.

        """
        self._answer, self._seconds, self._memory = answer, seconds, memory
        self._turn = threading.Lock()
        self._room = threading.BoundedSemaphore(1 + waiting)
        self._running: tuple[BaseProcess, Connection] | None = None
        atexit.register(self.stop)

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question.

        Raises:
            BusyError: Too many wait, or it is not this one's turn for too long.
            LateError: The answer takes too long.
            EOFError: The process ended instead.
            OSError: It did so at another moment.

        """
        if not self._room.acquire(blocking=False):
            raise BusyError
        try:
            if not self._turn.acquire(timeout=self._seconds):
                raise BusyError
            try:
                return self._asked(question)
            except (EOFError, OSError, LateError):
                self.stop()
                raise
            finally:
                self._turn.release()
        finally:
            self._room.release()

    def _asked(self, question: Question) -> Answer:
        pipe = self._started()
        pipe.send(question)
        if not pipe.poll(self._seconds):
            raise LateError
        found: Answer = pipe.recv()
        return found

    def _started(self) -> Connection:
        if self._running is None or not self._running[0].is_alive():
            self.stop()
            # Not a fork: other threads may hold locks.
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            told = (theirs, self._answer, self._memory)
            process = context.Process(target=_serve, args=told, daemon=True)
            process.start()
            theirs.close()
            self._running = process, ours
        return self._running[1]

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


def _serve(pipe: Connection, answer: Callable[[Any], Any], memory: int) -> None:
    """Answer what is asked, until nobody is there any more."""
    _limit_memory(memory)
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            pipe.send(answer(pipe.recv()))


def _limit_memory(most: int) -> None:
    try:
        import resource
    except ImportError:
        # On Windows nothing limits it.
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
