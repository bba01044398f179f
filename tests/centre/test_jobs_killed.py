"""kill -9 of workers and of their processes at any moment leaves no half job."""

from __future__ import annotations

import os
import random
import sys
import time

import pytest

import labour
from evenhand.centre.store.tables import Audit
from labour import kill

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

KILLS = {"sqlite": 6, "postgresql": 3}
SEED = int(os.environ.get("EVENHAND_SEED", "1"))


@pytest.fixture
def lab(database, tmp_path):
    with labour.lab(database, tmp_path) as made:
        yield made


def test_jobs_are_done_once_however_often_workers_are_killed(lab, request):
    kind = request.node.callspec.params["database"]
    kills = int(os.environ.get("EVENHAND_KILLS", KILLS[kind]))
    draw = random.Random(SEED)  # noqa: S311 - moments of a test
    # A job may be killed more often here than one that only kills its workers is taken up again.
    patient = {"most_lost": 1000, "parallel": 2}
    jobs = []
    for number in range(kills):
        jobs.append(lab.ask(f"v{number}"))
        worker = lab.start(**patient)
        if draw.random() < 0.8:
            lab.until(lambda pid=worker.pid: lab.held_by(pid))
        time.sleep(draw.uniform(0.0, 1.5))
        victims = lab.processes() if draw.random() < 0.3 else []
        for pid in victims:
            kill(pid)
        time.sleep(draw.uniform(0.0, 0.5) if victims else 0.0)
        lab.kill(worker)
    lab.start(**patient)
    lab.until(lambda: {*lab.states()} <= {"done", "failed"}, patience=120)
    lab.check_whole(jobs)
    assert max(lab.job(one).attempt for one in jobs) > 1


DIE = """
import os, signal, sys
from pydantic import TypeAdapter
from evenhand.centre.jobs import attempt, embedded, worker
from evenhand.centre.storage.folder import FolderStorage
from evenhand.centre.store.centre import open_centre

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def before(owner, name):
    setattr(owner, name, die)

def after(owner, name):
    call = getattr(owner, name)
    setattr(owner, name, lambda *given, **named: (call(*given, **named), die()))

launch = TypeAdapter(embedded.Launch).validate_json(sys.stdin.buffer.readline())
for point in POINTS:
    here = os.fork()
    if not here:
        exec(point)
        centre = open_centre(database=launch.database, storage=launch.storage, key=launch.key)
        worker.Worker(centre, launch.settings).run_waiting()
        os._exit(0)
    _, status = os.waitpid(here, 0)
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        sys.exit(f"alive after {point}")
"""

POINTS = [
    'after(worker, "claim")',
    'after(attempt, "take_over")',
    'after(attempt, "Process")',
    'before(attempt, "announce")',
    'after(attempt, "announce")',
    'before(attempt, "complete")',
    'after(FolderStorage, "put")',
    'after(attempt, "complete")',
]
"""Moments from when a worker takes a job until it knows that its evidence is accepted."""


def test_a_worker_may_die_between_any_two_steps(tmp_path):
    with labour.lab(f"sqlite:///{tmp_path / 'centre.db'}", tmp_path) as lab:
        jobs = [lab.ask(f"v{number}") for number in range(len(POINTS))]
        assert lab.run_script(f"POINTS = {POINTS}\n{DIE}", most_lost=1000) == 0
        assert len(lab.all(Audit)) == 1
        lab.start(most_lost=1000)
        lab.until(lambda: {*lab.states()} <= {"done", "failed"})
        lab.check_whole(jobs)
