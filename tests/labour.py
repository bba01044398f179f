"""A centre with rows, jobs about them, and real workers."""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from evenhand.centre.jobs.embedded import Launch, start_worker
from evenhand.centre.jobs.settings import Settings
from evenhand.centre.store.attempts import run_of_attempt
from evenhand.centre.store.centre import open_centre
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.jobs import OVER, enqueue, job_told, jobs_told, lines_of
from evenhand.centre.store.tables import Audit, Entry, Job, Run

PLAN = """\
evenhand: 1
log: {source: log.csv, kind: decisions}
roles: {label: repaid, prediction: approved}
groups: {sex: sex}
measures: ["difference(selection_rate, by=sex)"]
gate: [{id: gap, rule: "difference(selection_rate, by=sex) <= 0.9"}]
"""

SLOW = PLAN.replace("log.csv", "slow.parquet")
"""A plan whose log is a pipe that nobody writes to: reading it takes until the end of time."""


def seconds(number: float) -> dt.timedelta:
    return dt.timedelta(seconds=number)


class Lab:
    """A centre whose jobs take real time, with the workers that a test starts."""

    def __init__(self, database: str, folder: Path) -> None:
        self.folder, self.rows = folder, folder / "rows"
        self.rows.mkdir()
        draw = random.Random(7)  # noqa: S311 - rows of a test
        lines = [
            f"{draw.choice('fm')},{draw.randint(0, 1)},{draw.randint(0, 1)}" for _ in range(400)
        ]
        (self.rows / "log.csv").write_text("\n".join(["sex,repaid,approved", *lines]))
        (self.rows / "audit.yaml").write_text(PLAN)
        os.mkfifo(self.rows / "slow.parquet")
        self.launch = Launch(
            settings=self.settings(),
            database=database,
            storage=str(folder / "evidence"),
            key=folder / "centre.pem",
        )
        self.centre = open_centre(
            database=database, storage=self.launch.storage, key=self.launch.key
        )
        self.workers: list[subprocess.Popen[bytes]] = []

    def settings(self, **more: object) -> Settings:
        quick = {
            "roots": (str(self.rows),),
            "lease": seconds(1),
            "beat": seconds(0.1),
            "look": seconds(0.2),
            "scratch": self.folder / "scratch",
        }
        return Settings(**{**quick, **more})

    def ask(self, version: str, **body: str) -> str:
        subject = Subject("loans", "score", version)
        return enqueue(self.centre, subject, body or {"plan": "audit.yaml"}, by="ann").id

    def start(self, **settings: object) -> subprocess.Popen[bytes]:
        launch = Launch(**{**vars(self.launch), "settings": self.settings(**settings)})
        self.workers.append(start_worker(launch))
        return self.workers[-1]

    def run_script(self, code: str, **settings: object) -> int:
        """Run a script of a test, which is told how to run jobs; return its status."""
        launch = Launch(
            **{**vars(self.launch), "settings": self.settings(**settings), "once": True}
        )
        with subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True
        ) as process:
            process.stdin.write(launch.line())
            process.stdin.flush()
            return process.wait(120)

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.kill()
        worker.wait()
        worker.stdin.close()

    def end(self) -> None:
        for worker in self.workers:
            self.kill(worker)
        self.centre.database.close()

    def job(self, job_id: str):
        with self.centre.database.reading() as session:
            return job_told(session, job_id).job

    def lines(self, job_id: str) -> list[str]:
        with self.centre.database.reading() as session:
            return [one.text for one in lines_of(session, job_id)]

    def wait(self, job_id: str, *states: str, patience: float = 60):
        """Return a job once it is in one of these states, or over."""
        wanted = {*(states or OVER)}
        return self.until(
            lambda: (job := self.job(job_id)).state in wanted and job, patience=patience
        )

    def until(self, told, *, patience: float = 60):
        """Return what is told once it is something."""
        last = time.monotonic() + patience
        while time.monotonic() < last:
            found = told()
            if found:
                return found
            time.sleep(0.05)
        raise TimeoutError(f"in vain for {patience} s; jobs: {self.states()}")

    def states(self) -> list[str]:
        with self.centre.database.reading() as session:
            return [one.job.state for one in jobs_told(session, limit=200).items]

    def announced(self, job_id: str, attempt: int = 1) -> None:
        """Wait until the run of an attempt is announced, so that its process reads rows."""
        self.until(lambda: (run := self.run(job_id, attempt)) and run.state == "started")

    def run(self, job_id: str, attempt: int = 1) -> Run | None:
        with self.centre.database.reading() as session:
            return session.get(Run, run_of_attempt(job_id, attempt))

    def held_by(self, pid: int) -> bool:
        """Return whether a worker has taken a job."""
        with self.centre.database.reading() as session:
            names = session.scalars(select(Job.worker).where(Job.state != "queued"))
            return any(name.endswith(f"-{pid}") for name in names)

    def processes(self, job_id: str | None = None) -> list[int]:
        """Return the processes of jobs that are alive, of those that logs name."""
        with self.centre.database.reading() as session:
            jobs = [one.job.id for one in jobs_told(session, limit=200).items]
            told = [
                line.text
                for job in jobs
                if job_id in {None, job}
                for line in lines_of(session, job)
            ]
        pids = [int(text.split()[1]) for text in told if text.startswith("process ")]
        return [pid for pid in pids if _is_ours(pid)]

    def all(self, table: type) -> list:
        with self.centre.database.reading() as session:
            return [*session.scalars(select(table))]

    def check_whole(self, jobs: list[str]) -> None:
        """Check that each job was done once, with all that belongs to it, and nothing else."""
        from evenhand.centre.store.chain import check
        from evenhand.centre.store.registry import product_named

        found = [self.job(one) for one in jobs]
        assert [one.state for one in found] == ["done"] * len(jobs), [one.error for one in found]
        audits, runs = self.all(Audit), self.all(Run)
        assert sorted(one.audit_id for one in found) == sorted(one.id for one in audits)
        finished = [one for one in runs if one.state == "finished"]
        assert {one.id for one in finished} == {one.run_id for one in audits}
        assert len(finished) == len(jobs)
        assert {one.state for one in runs} <= {"finished", "failed"}
        attempts = sum(one.attempt for one in found)
        assert len(runs) <= attempts
        entries = [one for one in self.all(Entry) if one.kind == "evidence"]
        assert len(entries) == len(jobs)
        with self.centre.database.reading() as session:
            assert not [*check(session, product_named(session, "loans"))]
        for audit in audits:
            assert self.centre.storage.read(audit.bundle)
        self.until(lambda: not self.processes(), patience=10)


def _is_ours(pid: int) -> bool:
    """Return whether a process is one of a job, and not of somebody who has its number now."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"evenhand.centre.jobs.child" in command


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@contextmanager
def lab(database: str, folder: Path):
    made = Lab(database, folder)
    try:
        yield made
    finally:
        made.end()
