"""One attempt at a job: its process is watched, and what it made is accepted or not."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from evenhand.centre.jobs.order import EVIDENCE, Message, Order
from evenhand.centre.jobs.process import Process
from evenhand.centre.jobs.settings import Settings, size_said
from evenhand.centre.store.attempts import (
    Claim,
    LostError,
    announce,
    beat,
    complete,
    finish,
    release,
)
from evenhand.centre.store.centre import Centre
from evenhand.errors import CentreError, EvenhandError, reason

Result = TypeVar("Result")

_LONGEST_WAIT = 0.2
"""Seconds between two looks at whether the worker was stopped."""

_SHORT_OF_MEMORY = (
    "memory allocation of",
    "MemoryError",
    "Cannot allocate memory",
    "bad_alloc",
    "OutOfMemory",
    "can't start new thread",
    "pthread_create failed",
)
"""What libraries write as they give up for want of memory."""

_TOLD = 20
"""Last lines of what a process wrote that its job's log gets when it failed."""

How = Literal["done", "failed", "cancelled", "put back", "died", "taken over"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended, and why."""

    how: How
    why: str = ""


@dataclass
class _Watched:
    """What a process said so far.

    Attributes:
        doing: What it does.
        done: The share that is done.
        lines: What the log has yet to get.
        ending: What it said of its end.

    """

    doing: str = "starting"
    done: float = 0.0
    lines: list[str] = field(default_factory=list)
    ending: Ending | None = None


def run_attempt(
    centre: Centre, claim: Claim, settings: Settings, stopping: threading.Event
) -> Ending:
    """Run a job that is claimed, and write what became of it.

    Args:
        centre: The centre.
        claim: The attempt.
        settings: How jobs are run.
        stopping: Set when the worker is to stop; the job then goes back into the queue.

    Raises:
        CentreError: The database was away too long for anything to be written.

    """
    attempt = _Attempt(centre, claim, settings, stopping)
    folder = settings.scratch / claim.job.id / str(claim.attempt)
    try:
        take_over(folder, claim.attempt)
        process = Process(_order(claim, settings, folder))
    except OSError as error:
        why = f"its worker cannot start its process: {reason(error)}"
        return attempt.write(Ending("died", why), folder / EVIDENCE)
    try:
        ending = attempt.watch(process)
    finally:
        process.stop()
    ending = attempt.write(ending, folder / EVIDENCE)
    if ending.how in {"done", "failed", "cancelled"}:
        shutil.rmtree(folder.parent, ignore_errors=True)
    return ending


def _order(claim: Claim, settings: Settings, folder: Path) -> Order:
    body = claim.job.body
    return Order(
        product=claim.subject.product,
        model=claim.subject.model,
        version=claim.subject.version,
        plan=body.get("plan"),
        text=body.get("text"),
        folder=body.get("folder"),
        engine=body.get("engine", "polars"),
        master=settings.master,
        roots=settings.roots,
        variables=settings.variables,
        memory=settings.memory,
        scratch=str(folder),
    )


def take_over(folder: Path, attempt: int) -> None:
    """Make the folder of an attempt, with what the one before it finished.

    That is moved, so that an attempt that is still alive, only slow, writes into it no more.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in range(attempt - 1, 0, -1):
        before = folder.with_name(str(number))
        if before.is_dir():
            before.rename(folder)
            for half in [folder / EVIDENCE, *folder.rglob("*.part")]:
                half.unlink(missing_ok=True)
            break
    folder.mkdir(exist_ok=True)


@dataclass(frozen=True)
class _Attempt:
    """What an attempt is run with."""

    centre: Centre
    claim: Claim
    settings: Settings
    stopping: threading.Event

    def watch(self, process: Process) -> Ending:
        """Return how a process ended, or why it is to end."""
        limit, every = self.settings.limit, self.settings.beat.total_seconds()
        seen = _Watched(lines=[f"process {process.pid}"])
        last = None if limit is None else time.monotonic() + limit.total_seconds()
        next_beat = 0.0
        while True:
            now = time.monotonic()
            if self.stopping.is_set():
                return Ending("put back", "its worker was stopped")
            if last is not None and now > last:
                why = f"it took longer than {limit}; workers give more time with --limit."
                return Ending("failed", why)
            if now >= next_beat:
                stop = self._beat(seen)
                if stop is not None:
                    return stop
                next_beat = time.monotonic() + every
            try:
                message = process.next(min(every, _LONGEST_WAIT))
            except TimeoutError:
                continue
            if message is None:
                ending = seen.ending or _died(process, self.settings)
                self._beat(seen)
                return ending
            if message.said == "plan":
                stop = self._announce(message)
                if stop is not None:
                    return stop
                seen.lines.append(f"announced as run {self.claim.run}")
                process.go()
            else:
                _hear(seen, message, self.settings)

    def write(self, ending: Ending, file: Path) -> Ending:
        """Write what became of the attempt; return what came of that.

        Args:
            ending: How its process ended.
            file: Where its evidence is, where it is done.

        """
        if ending.how == "done":
            try:
                data = file.read_bytes()
                self._persist(lambda: complete(self.centre, self.claim, data))
            except LostError:
                ending = Ending("taken over")
            except EvenhandError as error:
                ending = _refused(error)
            except OSError as error:
                ending = Ending("died", f"its evidence cannot be read: {reason(error)}")
            else:
                return ending
        held = self._persist(lambda: self._leave(ending))
        return ending if held else Ending("taken over")

    def _leave(self, ending: Ending) -> bool:
        """Write that an attempt ended without evidence."""
        if ending.how in {"failed", "cancelled"}:
            state: Literal["failed", "cancelled"] = (
                "failed" if ending.how == "failed" else "cancelled"
            )
            return finish(self.centre, self.claim, state, ending.why)
        return release(
            self.centre,
            self.claim,
            ending.why,
            lost=ending.how == "died",
            most_lost=self.settings.most_lost,
        )

    def _beat(self, seen: _Watched) -> Ending | None:
        """Give a sign of life; return why the attempt is to end, None where it goes on."""
        lines = [*seen.lines]
        try:
            hold = beat(
                self.centre,
                self.claim,
                lease=self.settings.lease,
                progress=seen.done,
                doing=seen.doing,
                lines=lines,
            )
        except CentreError:
            # The database is away: the next beat may reach it, and nobody else can take the job.
            return None
        del seen.lines[: len(lines)]
        return {"cancel": Ending("cancelled"), "lost": Ending("taken over")}.get(hold)

    def _announce(self, message: Message) -> Ending | None:
        """Announce the run; return why the attempt is to end, None where it goes on."""
        facts = message.facts
        days = [dt.date.fromisoformat(day) for day in facts["window"] or ()]
        run: dict[str, Any] = {
            "plan": facts["plan"],
            "artefact": facts["artefact"],
            "window": (days[0], days[1]) if days else None,
        }
        try:
            self._persist(lambda: announce(self.centre, self.claim, **run))
        except LostError:
            return Ending("taken over")
        except EvenhandError as error:
            return _refused(error)
        return None

    def _persist(self, call: Callable[[], Result]) -> Result:
        """Do what needs the database or the storage, again where they are away for a while.

        Raises:
            CentreError: They were away for longer than a lease, or it can never be done.

        """
        last = time.monotonic() + self.settings.lease.total_seconds()
        while True:
            try:
                return call()
            except CentreError as error:
                # The subclasses say that it can never be.
                if type(error) is not CentreError or time.monotonic() > last:
                    raise
            if self.stopping.wait(_PAUSE):
                return call()


def _hear(seen: _Watched, message: Message, settings: Settings) -> None:
    facts = message.facts
    match message.said:
        case "progress":
            seen.doing, seen.done = facts["doing"], facts["done"]
        case "line":
            seen.lines.append(facts["text"])
        case "problems":
            seen.ending = Ending("failed", facts["text"])
        case "memory":
            seen.ending = Ending("failed", _short(settings))
        case "done":
            seen.ending = Ending("done")


def _died(process: Process, settings: Settings) -> Ending:
    """Return what became of a process that ended without saying so."""
    status, errors = process.status(), process.errors()
    said = "\n".join(errors[-_TOLD:])
    if any(word in said for word in _SHORT_OF_MEMORY):
        return Ending("failed", _short(settings))
    if status < 0:
        return Ending("died", f"its process was ended by {_signal(-status)}")
    return Ending("failed", f"the engine failed (status {status}):\n{said}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _short(settings: Settings) -> str:
    if settings.memory is None:
        return "the memory of its worker's machine was not enough."
    most = size_said(settings.memory)
    return f"it needs more memory than {most}; workers give more with --memory."


def _refused(error: EvenhandError) -> Ending:
    """Return what becomes of an attempt that the centre refuses, or that it cannot take now."""
    return Ending("died" if type(error) is CentreError else "failed", str(error))


_PAUSE = 0.5
"""Seconds between two tries."""
