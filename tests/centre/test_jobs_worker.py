"""Workers as processes: what they run, what they refuse, and how they are stopped."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

import labour
from evenhand.centre.jobs.attempt import take_over
from evenhand.centre.jobs.embedded import start_workers, stop_worker
from evenhand.centre.jobs.queue import queue_of
from evenhand.centre.jobs.worker import Worker
from evenhand.centre.storage.storage import open_storage
from evenhand.centre.store.evidence import accept
from evenhand.centre.store.jobs import cancel
from evenhand.centre.store.tables import Audit, JobLine, Run
from evenhand.errors import CentreError
from labour import PLAN, SLOW, kill, seconds
from postgres import new_database
from pushed import evidence

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix"),
]


@pytest.fixture
def lab(database, tmp_path):
    with labour.lab(database, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A worker for many tests, since each takes seconds to start."""
    folder = tmp_path_factory.mktemp("lab")
    with labour.lab(f"sqlite:///{folder / 'centre.db'}", folder) as made:
        made.start()
        yield made


@pytest.fixture
def on_sqlite(tmp_path):
    with labour.lab(f"sqlite:///{tmp_path / 'centre.db'}", tmp_path) as made:
        yield made


def test_a_message_wakes_a_worker_and_the_evidence_is_that_of_the_plan(lab):
    worker = lab.start(look=seconds(3600))
    first = lab.ask("v0")
    lab.wait(first)  # found when the worker started, or by no message at all
    job = lab.ask("v1", text=PLAN)
    queue_of(lab.centre.database).wake(job)
    assert lab.wait(job).state == "done"
    audit = next(one for one in lab.all(Audit) if one.id == lab.job(job).audit_id)
    assert (audit.verdict, audit.rows, audit.pushed_by) == ("pass", 400, "ann")
    lines = lab.lines(job)
    assert [line for line in lines if line.startswith("counted")] == ["counted 400 rows"]
    assert "1 findings, verdict: pass" in lines
    stop_worker(worker)
    assert worker.returncode == 0
    lab.check_whole([first, job])
    assert [*(lab.folder / "scratch").iterdir()] == []


STUB = """
import threading, time
from evenhand.centre.jobs import attempt, worker
from evenhand.centre.store.attempts import announce, complete
from pushed import evidence

def run(centre, claim, settings, stopping):
    announce(centre, claim, plan="sha256:" + "ab" * 32, artefact=None, window=None)
    time.sleep(0.02)
    complete(centre, claim, evidence(version=claim.subject.version))
    return attempt.Ending("done")

worker.run_attempt = run

from evenhand.centre.jobs.embedded import main
main()
"""


def test_two_workers_never_run_a_job_twice(lab, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(labour.__file__).parent))
    jobs = [lab.ask(f"v{number}") for number in range(30)]
    stops = [
        threading.Thread(target=lab.run_script, args=(STUB,), kwargs={"lease": seconds(60)})
        for _ in range(2)
    ]
    for thread in stops:
        thread.start()
    for thread in stops:
        thread.join()
    lab.check_whole(jobs)
    assert {lab.job(one).attempt for one in jobs} == {1}
    assert len(lab.all(Run)) == 30
    ran = [line.text for line in lab.all(JobLine) if line.text.startswith("attempt")]
    assert len(ran) == 30
    assert len({line.split()[-1] for line in ran}) == 2


def test_a_worker_that_is_stopped_puts_its_job_back_and_another_takes_it(lab):
    worker = lab.start(lease=seconds(600))
    job = lab.ask("v1", text=SLOW)
    lab.announced(job)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert lab.job(job).state == "queued"
    assert not lab.processes(job)
    make_quick(lab)
    lab.start()
    assert lab.wait(job).attempt == 2
    lab.check_whole([job])
    assert [one.reason for one in lab.all(Run) if one.reason] == ["its worker was stopped"]


def make_quick(lab):
    """Put rows where the pipe was, so that the next attempt can read them."""
    import polars as pl

    path = lab.rows / "slow.parquet"
    path.unlink()
    pl.read_csv(lab.rows / "log.csv").write_parquet(path)


def test_a_job_that_runs_is_cancelled_with_its_process(shared):
    lab = shared
    job = lab.ask("v1", text=SLOW)
    lab.announced(job)
    assert len(lab.processes(job)) == 1
    cancel(lab.centre, job, by="bob")
    ended = lab.wait(job)
    assert (ended.state, ended.error) == ("cancelled", "cancelled by bob")
    assert not lab.processes(job)
    run = lab.run(job)
    assert (run.state, run.reason) == ("failed", "cancelled by bob")
    assert ended.audit_id is None


def test_a_job_whose_process_is_killed_again_and_again_fails(shared):
    lab = shared
    job = lab.ask("v1", text=SLOW)
    for _ in range(3):
        (process,) = lab.until(lambda: lab.processes(job))
        kill(process)
        lab.until(lambda pid=process: pid not in lab.processes(job))
    ended = lab.wait(job)
    assert (ended.state, ended.attempt) == ("failed", 3)
    assert ended.error == "its process was ended by SIGKILL, 3 times"


def test_an_attempt_that_takes_too_long_is_ended(on_sqlite):
    lab = on_sqlite
    lab.start(limit=seconds(3))
    job = lab.ask("v1", text=SLOW)
    ended = lab.wait(job)
    assert ended.state == "failed"
    assert ended.error.startswith("it took longer than 0:00:03; ")
    assert not lab.processes(job)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no limit of data")
def test_an_audit_that_needs_too_much_memory_says_so(on_sqlite):
    lab = on_sqlite
    lab.start(memory=2**20)
    job = lab.ask("v1")
    ended = lab.wait(job)
    assert ended.state == "failed"
    assert ended.error == "it needs more memory than 1 MiB; workers give more with --memory."


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"text": PLAN.replace("log.csv", "../centre.db")}, "audit.yaml:2 log.source: '../centre"),
        ({"plan": "/etc/passwd"}, "no path of a plan"),
        ({"text": "evenhand: 1\nlog: {"}, "audit.yaml:2"),
        ({"text": PLAN.replace("repaid", "rapaid")}, "Did you mean 'repaid'?"),
        ({"text": PLAN + "subject: {version: v7}\n"}, "the plan is about 'v7', the job about"),
    ],
)
def test_a_job_that_cannot_run_says_why(shared, body, said):
    ended = shared.wait(shared.ask("v1", **body))
    assert ended.state == "failed"
    assert said in ended.error
    assert ended.audit_id is None
    assert ended.attempt == 1


def test_a_plan_without_measures_is_announced_as_what_it_asks(shared):
    lab = shared
    plan = "".join(line for line in PLAN.splitlines(keepends=True) if "rule" not in line)
    job = lab.ask("v1", text=plan.replace('measures: ["difference(selection_rate, by=sex)"]', ""))
    ended = lab.wait(job)
    assert ended.state == "done"
    audit = next(one for one in lab.all(Audit) if one.id == ended.audit_id)
    assert audit.plan == lab.run(job).plan
    assert audit.findings > 10


def test_a_worker_that_dies_is_started_again_by_its_server(on_sqlite):
    lab = on_sqlite
    job = lab.ask("v1", text=SLOW)
    with start_workers(lab.launch, 1):
        lab.announced(job)
        worker = int(lab.job(job).worker.rpartition("-")[2])
        kill(worker)
        lab.until(lambda: not lab.processes(job), patience=5)
        make_quick(lab)
        assert lab.wait(job).attempt == 2
        lab.check_whole([job])
        again = int(lab.job(job).worker.rpartition("-")[2])
    assert again != worker
    with pytest.raises(ProcessLookupError):
        os.kill(again, 0)


def test_an_attempt_takes_over_what_the_one_before_it_finished(tmp_path):
    before = tmp_path / "1"
    (before / "parts").mkdir(parents=True)
    for name in ("parts/a.state", "parts/b.part", "made.evidence.zip"):
        (before / name).write_bytes(b"")
    take_over(tmp_path / "3", 3)
    found = [path.name for path in tmp_path.rglob("*")]
    assert sorted(found) == ["3", "a.state", "parts"]
    take_over(tmp_path / "4", 4)
    assert (tmp_path / "4" / "parts" / "a.state").exists()


def test_a_worker_with_the_storage_of_another_centre_runs_nothing(on_sqlite, tmp_path):
    lab = on_sqlite
    accept(lab.centre, evidence(), None, by="ann")
    job = lab.ask("v1")
    other = dataclasses.replace(lab.centre, storage=open_storage(str(tmp_path / "other")))
    with pytest.raises(CentreError, match="Name the storage that the server has"):
        Worker(other, lab.settings()).run_waiting()
    assert lab.job(job).state == "queued"


@contextmanager
def away(address):
    """Take a database of PostgreSQL away for a while."""
    url = make_url(address)
    engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false"))
        ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(ends), {"name": url.database})
        yield
        connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true"))
    engine.dispose()


def test_a_worker_outlives_its_database(postgres, tmp_path):
    address = new_database(postgres)
    with labour.lab(address, tmp_path) as lab:
        worker = lab.start(most_lost=1000)
        job = lab.ask("v1", text=SLOW)
        lab.announced(job)
        lab.centre.database.close()
        with away(address):
            time.sleep(2)
            with pytest.raises(CentreError):
                lab.job(job)
        cancel(lab.centre, job, by="ann")
        assert lab.wait(job).state == "cancelled"
        again = lab.ask("v2")
        assert lab.wait(again).state == "done"
        assert worker.poll() is None


def test_what_is_left_of_jobs_that_ended_elsewhere_is_removed(on_sqlite):
    lab = on_sqlite
    job = lab.ask("v1")
    cancel(lab.centre, job, by="ann")
    scratch = lab.folder / "scratch"
    for name in (job, "of-another-centre"):
        (scratch / name / "1").mkdir(parents=True)
    assert Worker(lab.centre, lab.settings()).run_waiting() == 0
    assert [one.name for one in scratch.iterdir()] == ["of-another-centre"]
