"""The process that runs the engine for one job: ``python -m evenhand.centre.jobs.child``.

It is told what to do in its standard input, says how far it is in its standard output, and leaves
the evidence in a file. It touches no database: what it found counts once the worker that started it
has it accepted. It ends with that worker, whatever ends it: nobody then holds the other end of its
standard input.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from evenhand.centre.jobs.order import EVIDENCE, GO, PARTS, Message, Order, Said

if TYPE_CHECKING:
    from evenhand.audits.plan.lines import Located
    from evenhand.audits.plan.plan import AuditPlan
    from evenhand.centre.jobs.roots import Root


class _Worker:
    """The worker at the other end: what it says, and what it is told."""

    def __init__(self, heard: BinaryIO, told: BinaryIO) -> None:
        self._heard, self._told = heard, told
        self._go = threading.Event()
        self._lock = threading.Lock()

    def order(self) -> Order:
        """Return what is to be done, and from then on watch whether the worker is there."""
        line = self._heard.readline()
        if not line:
            _end()
        threading.Thread(target=self._watch, daemon=True).start()
        return Order.read(line)

    def say(self, said: Said, **facts: object) -> None:
        """Tell the worker something."""
        with self._lock:
            self._told.write(Message(said, facts).line())
            self._told.flush()

    def progress(self, doing: str, done: float) -> None:
        """Tell how far the audit is."""
        self.say("progress", doing=doing, done=done)

    def wait(self) -> None:
        """Wait until the worker lets the rows be read."""
        self._go.wait()

    def _watch(self) -> None:
        while line := self._heard.readline():
            if line == GO:
                self._go.set()
        _end()


def _end() -> None:
    """End at once, with all processes that were started here."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Run one audit."""
    # Whatever a library prints must not be taken for what is said here.
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    worker = _Worker(sys.stdin.buffer, told)
    status = 0
    try:
        _audit(worker.order(), worker)
    except MemoryError:
        worker.say("memory", text="")
    except Exception as error:  # noqa: BLE001 - the worker says it to whoever asked
        status = _fail(worker, error)
    told.flush()
    # Engines leave threads and processes that may take their time.
    sys.stderr.flush()
    os._exit(status)


def _fail(worker: _Worker, error: Exception) -> int:
    """Tell the worker what went wrong; return the status to end with."""
    from evenhand.errors import EvenhandError

    if isinstance(error, EvenhandError):
        short = "out of memory" in str(error) or "Cannot allocate memory" in str(error)
        worker.say("memory" if short else "problems", text=str(error))
        return 0
    traceback.print_exception(error)
    return 1


def _audit(order: Order, worker: _Worker) -> None:
    import evenhand
    from evenhand.audits.evidence.archive import packed
    from evenhand.audits.plan.fit import fit
    from evenhand.audits.run import conclude, count_rows
    from evenhand.centre.jobs.roots import check_files, outside, roots_of
    from evenhand.errors import PlanError
    from evenhand.logs.backend import Spark

    _limit_memory(order.memory)
    roots = roots_of(order.roots)
    plan, located, folder = _plan(order, roots)
    problems = outside(
        plan,
        located,
        roots,
        folder=folder,
        engine=order.engine,
        variables=order.variables,
    )
    if problems:
        raise PlanError(problems)
    if plan.measures:
        _announce(plan, worker)
    engine = Spark(master=order.master) if order.engine == "spark" else order.engine
    fitted = fit(plan, located, folder=folder, engine=engine)
    if not plan.measures:
        # What it asks is known only now: measures for scores from 0 to 1 apply or do not.
        _announce(fitted.plan, worker)
    files = [*fitted.log.source.files]
    files += [file for table in fitted.log.source.tables for file in table.files]
    files += fitted.log.catalogue.files if fitted.log.catalogue is not None else ()
    check_files(files, roots)
    scratch = Path(order.scratch)
    version = evenhand.__version__
    states = count_rows(fitted, version=version, progress=worker.progress, folder=scratch / PARTS)
    worker.say("line", text=f"counted {states.whole.rows:,} rows")
    bundle = conclude(fitted, states, version=version, progress=worker.progress)
    data, _ = packed(bundle, EVIDENCE)
    (scratch / EVIDENCE).write_bytes(data)
    said = f"{len(bundle.findings):,} findings, verdict: {bundle.verdict or 'no rules'}"
    worker.say("line", text=said)
    worker.say("done")


def _plan(order: Order, roots: Sequence[Root]) -> tuple[AuditPlan, Located, Path]:
    """Return the plan, about what the job is about, and the folder that its paths start from."""
    from evenhand.audits.plan.file import plan_text
    from evenhand.audits.plan.parsed import parse_plan
    from evenhand.centre.jobs.roots import plan_file, start_folder
    from evenhand.errors import PlanError, Problem

    if order.plan is not None:
        file = plan_file(order.plan, roots)
        plan, located = parse_plan(plan_text(file), str(file))
        folder = file.parent
    else:
        plan, located = parse_plan(order.text or "")
        folder = start_folder(order.folder, roots)
    problems, named = [], {}
    for name in ("product", "model", "version"):
        own, asked = getattr(plan.subject, name), getattr(order, name)
        if own is not None and own != asked:
            what = f"the plan is about '{own}', the job about '{asked}'."
            where = located.where(("subject", name))
            problems.append(Problem(where, what, "Leave it out of the plan, or ask for that."))
        named[name] = asked
    if problems:
        raise PlanError(problems)
    subject = plan.subject.model_copy(update=named)
    return plan.model_copy(update={"subject": subject}), located, folder


def _announce(plan: AuditPlan, worker: _Worker) -> None:
    """Have the run announced, and wait until it is."""
    from evenhand.centre.dossier import plan_identity

    subject = plan.subject
    window = [day.isoformat() for day in subject.window] if subject.window else None
    worker.say("plan", plan=plan_identity(plan), artefact=subject.artefact, window=window)
    worker.wait()


def _limit_memory(size: int | None) -> None:
    """Let this process allocate so many bytes beyond those that it needs to start.

    The limit is on data, not on addresses: engines map files of any size, which takes addresses and
    no memory. Where the system has no such limit there is none.
    """
    if size is None:
        return
    try:
        import resource
    except ImportError:
        return
    import polars as pl

    # So that its threads are there.
    pl.LazyFrame({"one": [1]}).select(pl.col("one").sum()).collect()
    limit = _allocated() + size
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or limit < most:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _allocated() -> int:
    """Return how many bytes this process has allocated, as the system counts them."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmData:"))
    except (OSError, StopIteration):
        return 2**30


if __name__ == "__main__":
    main()
