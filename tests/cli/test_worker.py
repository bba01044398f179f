"""``evenhand worker``: the centre's jobs are run."""

import signal
import subprocess
import sys

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("huey")

from evenhand.centre.store.centre import open_centre
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.jobs import enqueue, job_told


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The folder of a centre of this machine's own."""
    monkeypatch.setenv("EVENHAND_HOME", str(tmp_path / "home"))
    for name in ("EVENHAND_DATABASE", "EVENHAND_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def asked(path):
    centre = open_centre()
    job = enqueue(centre, Subject("lending", "credit", "v7"), {"plan": path.name}, by="ann")
    centre.database.close()
    return job.id


def found(job_id):
    centre = open_centre()
    with centre.database.reading() as session:
        told = job_told(session, job_id)
    centre.database.close()
    return told


@pytest.mark.slow
def test_once_runs_the_jobs_that_wait(read, evenhand, plan):
    path = plan()
    job = asked(path)
    status, document = read("worker", "--root", path.parent, "--once")
    assert (status, document["jobs"], document["roots"]) == (0, 1, [str(path.parent)])
    told = found(job)
    assert told.job.state == "done"
    assert told.bundle
    status, out, _ = evenhand("worker", "--root", path.parent, "--once")
    assert (status, out.partition(" ran ")[2]) == (0, "0 jobs.\n")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_stopped_ends_well(plan, number):
    command = [sys.executable, "-c", "from evenhand.cli.main import main; main()", "worker"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--root", str(plan().parent)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert b"Ctrl-C stops it" in process.stdout.readline()
            asked(plan())
            # What it logs tells that it is past its start.
            assert b"done" in process.stderr.readline()
            process.send_signal(number)
            assert process.wait(30) == 0
            assert b"Traceback" not in process.stderr.read()
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--memory", "much"], "'much' is no size.\n  Write 512MiB or 4GiB."),
        (["--limit", "long"], "'long' is no span of time.\n  Write 30m or 6h."),
        (["--root", "nowhere"], "--root nowhere: this is no folder"),
    ],
)
def test_what_cannot_be_is_said_at_once(evenhand, words, said):
    status, _, err = evenhand("worker", "--once", *words)
    assert status == 2
    assert said in err


def test_a_missing_extra_names_the_line_that_installs_it(evenhand, monkeypatch):
    monkeypatch.setitem(sys.modules, "huey", None)
    status, _, err = evenhand("worker", "--once")
    assert status == 2
    assert "pip install 'evenhand[centre]'" in err
