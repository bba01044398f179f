"""Jobs as rows: who holds one, what an attempt may write, and what becomes of lost ones."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from sqlalchemy import select, update

from evenhand.centre.store.attempts import (
    MOST_LOST,
    LostError,
    announce,
    beat,
    claim,
    complete,
    finish,
    reap,
    release,
    run_of_attempt,
)
from evenhand.centre.store.chain import check
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.jobs import cancel, enqueue, job_told, jobs_told, lines_of
from evenhand.centre.store.registry import product_named
from evenhand.centre.store.tables import Audit, Job, Run
from evenhand.errors import ConflictError, PlanError, UnknownError
from pushed import evidence

LEASE = dt.timedelta(seconds=60)
PLAN = "sha256:" + "ab" * 32
SUBJECT = Subject("loans", "score", "v1")


def asked(centre, version="v1", **body):
    subject = Subject("loans", "score", version)
    return enqueue(centre, subject, body or {"text": "evenhand: 1"}, by="ann")


def taken(centre, job, worker="w1"):
    return claim(centre, job.id, worker, lease=LEASE)


def started(centre, held):
    return announce(centre, held, plan=PLAN, artefact=None, window=None)


def lapse(centre, job):
    """Let the lease of a job run out, by the clock of any database."""
    with centre.database.writing() as session:
        past = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
        session.execute(update(Job).where(Job.id == job.id).values(lease=past))


def now(centre, job):
    with centre.database.reading() as session:
        return job_told(session, job.id).job


def runs(centre):
    with centre.database.reading() as session:
        return {one.id: one for one in session.scalars(select(Run))}


def audits(centre):
    with centre.database.reading() as session:
        return session.scalars(select(Audit)).all()


@pytest.fixture(autouse=True)
def sound(centre):
    """After every test the chain is whole."""
    yield
    with centre.database.reading() as session:
        assert not [*check(session, product_named(session, "loans"))]


def test_a_job_waits_until_a_worker_takes_it_and_ends_with_its_evidence(centre):
    job = asked(centre)
    assert now(centre, job).state == "queued"
    assert reap(centre) == [job.id]
    held = taken(centre, job)
    assert (held.attempt, held.subject) == (1, SUBJECT)
    assert reap(centre) == []
    run = started(centre, held)
    assert run.id == held.run == run_of_attempt(job.id, 1)
    assert beat(centre, held, lease=LEASE, progress=0.5, doing="reading") == "held"
    found = now(centre, job)
    assert (found.state, found.progress, found.doing) == ("running", 0.5, "reading")
    accepted = complete(centre, held, evidence())
    found = now(centre, job)
    assert (found.state, found.audit_id, found.error) == ("done", accepted.audit.id, "")
    assert accepted.audit.run_id == held.run
    assert runs(centre)[held.run].state == "finished"
    with centre.database.reading() as session:
        assert job_told(session, job.id).bundle == accepted.audit.bundle
        said = [line.text for line in lines_of(session, job.id)]
    assert said[:2] == ["asked for by ann", "attempt 1 by w1"]


def test_a_job_is_taken_by_one_of_many_workers(centre):
    job, held = asked(centre), []
    gate = threading.Barrier(8)

    def take(name):
        gate.wait()
        found = taken(centre, job, name)
        if found is not None:
            held.append(found)

    threads = [threading.Thread(target=take, args=(f"w{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.attempt for one in held] == [1]
    assert now(centre, job).worker == held[0].job.worker


def test_a_lease_that_ran_out_is_taken_over_and_the_run_before_has_an_end(centre):
    job = asked(centre)
    first = taken(centre, job)
    started(centre, first)
    assert taken(centre, job, "w2") is None
    lapse(centre, job)
    assert reap(centre) == [job.id]
    second = taken(centre, job, "w2")
    assert second.attempt == 2
    before = runs(centre)[first.run]
    assert (before.state, before.reason) == ("failed", "its worker ended without a word")


def test_a_slow_attempt_writes_nothing_once_another_took_over(centre):
    job = asked(centre)
    first = taken(centre, job)
    started(centre, first)
    lapse(centre, job)
    second = taken(centre, job, "w2")
    assert beat(centre, first, lease=LEASE, progress=1.0, doing="") == "lost"
    with pytest.raises(LostError):
        complete(centre, first, evidence())
    assert audits(centre) == []
    assert not finish(centre, first, "failed", "too late")
    assert not release(centre, first, "too late", lost=False)
    assert now(centre, job).state == "running"
    started(centre, second)
    accepted = complete(centre, second, evidence())
    with pytest.raises(LostError):
        complete(centre, first, evidence(created=dt.datetime(2026, 11, 1, tzinfo=dt.UTC)))
    assert [one.id for one in audits(centre)] == [accepted.audit.id]


def test_an_attempt_that_was_taken_over_announces_no_run(centre):
    job = asked(centre)
    first = taken(centre, job)
    lapse(centre, job)
    taken(centre, job, "w2")
    with pytest.raises(LostError):
        started(centre, first)
    assert runs(centre) == {}


def test_a_late_beat_keeps_a_lease_that_nobody_took(centre):
    job = asked(centre)
    held = taken(centre, job)
    lapse(centre, job)
    assert beat(centre, held, lease=LEASE, progress=0.0, doing="") == "held"
    assert reap(centre) == []


def test_two_attempts_that_finish_at_once_are_accepted_once(centre):
    job = asked(centre)
    first = taken(centre, job)
    lapse(centre, job)
    second = taken(centre, job, "w2")
    files = [evidence(), evidence(created=dt.datetime(2026, 11, 1, tzinfo=dt.UTC))]
    ended, gate = [], threading.Barrier(2)

    def end(held, data):
        gate.wait()
        try:
            ended.append(complete(centre, held, data).audit.bundle)
        except LostError:
            ended.append(None)

    pairs = zip((first, second), files, strict=True)
    threads = [threading.Thread(target=end, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None in ended
    assert [one.bundle for one in audits(centre)] == [one for one in ended if one]


def test_a_job_whose_workers_end_without_a_word_fails_in_the_end(centre):
    job = asked(centre)
    for attempt in range(1, MOST_LOST + 1):
        held = taken(centre, job)
        assert held.attempt == attempt
        started(centre, held)
        lapse(centre, job)
        assert reap(centre) == ([job.id] if attempt < MOST_LOST else [])
    found = now(centre, job)
    assert found.state == "failed"
    assert found.error == f"its worker ended without a word, {MOST_LOST} times"
    assert {one.state for one in runs(centre).values()} == {"failed"}
    assert taken(centre, job) is None


def test_a_job_whose_process_dies_goes_back_and_fails_in_the_end(centre):
    job = asked(centre)
    for attempt in range(1, MOST_LOST + 1):
        held = taken(centre, job)
        assert release(centre, held, "its process was killed", lost=True)
        assert now(centre, job).state == ("queued" if attempt < MOST_LOST else "failed")
    assert now(centre, job).error == f"its process was killed, {MOST_LOST} times"


def test_a_worker_that_is_stopped_puts_its_job_back_as_often_as_need_be(centre):
    job = asked(centre)
    for attempt in range(1, 2 * MOST_LOST):
        held = taken(centre, job)
        started(centre, held)
        assert held.attempt == attempt
        assert release(centre, held, "its worker was stopped", lost=False)
    found = now(centre, job)
    assert (found.state, found.lost, found.worker) == ("queued", 0, None)
    assert {one.reason for one in runs(centre).values()} == {"its worker was stopped"}


def test_a_job_that_failed_has_a_run_that_failed(centre):
    job = asked(centre)
    held = taken(centre, job)
    started(centre, held)
    assert finish(centre, held, "failed", "log.csv: no such file.")
    found = now(centre, job)
    assert (found.state, found.error) == ("failed", "log.csv: no such file.")
    assert runs(centre)[held.run].reason == "log.csv: no such file."


def test_a_job_that_waits_is_cancelled_at_once(centre):
    job = asked(centre)
    assert cancel(centre, job.id, by="bob").state == "cancelled"
    assert cancel(centre, job.id, by="ann").error == "cancelled by bob"
    assert taken(centre, job) is None
    assert reap(centre) == []


def test_a_job_that_runs_is_cancelled_when_its_worker_notices(centre):
    job = asked(centre)
    held = taken(centre, job)
    started(centre, held)
    assert cancel(centre, job.id, by="bob").state == "running"
    assert beat(centre, held, lease=LEASE, progress=0.1, doing="") == "cancel"
    assert finish(centre, held, "cancelled", "whatever")
    found = now(centre, job)
    assert (found.state, found.error) == ("cancelled", "cancelled by bob")
    assert runs(centre)[held.run].reason == "cancelled by bob"


@pytest.mark.parametrize("ending", ["lapses", "is put back"])
def test_a_cancelled_job_is_not_taken_up_again(centre, ending):
    job = asked(centre)
    held = taken(centre, job)
    started(centre, held)
    cancel(centre, job.id, by="bob")
    if ending == "lapses":
        lapse(centre, job)
        assert taken(centre, job) is None
        assert reap(centre) == []
    else:
        release(centre, held, "its worker was stopped", lost=False)
    assert now(centre, job).state == "cancelled"
    assert runs(centre)[held.run].reason == "cancelled by bob"


def test_what_was_accepted_before_a_worker_noticed_a_cancellation_stays(centre):
    job = asked(centre)
    held = taken(centre, job)
    cancel(centre, job.id, by="bob")
    complete(centre, held, evidence())
    found = now(centre, job)
    assert (found.state, found.error) == ("done", "")
    with pytest.raises(ConflictError, match="ended already: done"):
        cancel(centre, asked_and_done(centre).id, by="bob")


def asked_and_done(centre):
    job = asked(centre, "v2")
    complete(centre, taken(centre, job), evidence(version="v2"))
    return job


def test_evidence_that_was_pushed_before_ends_a_job_too(centre):
    job = asked(centre)
    first = taken(centre, job)
    complete(centre, first, evidence())
    again = asked(centre)
    held = taken(centre, again)
    started(centre, held)
    assert not complete(centre, held, evidence()).new
    assert now(centre, again).state == "done"
    assert runs(centre)[held.run].state == "finished"
    assert len(audits(centre)) == 1


def test_evidence_of_something_else_is_not_accepted(centre):
    job = asked(centre)
    held = taken(centre, job)
    with pytest.raises(ConflictError, match="is about 'v2'"):
        complete(centre, held, evidence(version="v2"))
    assert now(centre, job).state == "running"
    assert audits(centre) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"engine": "polars"}, "no plan is given"),
        ({"plan": "a.yaml", "text": "evenhand: 1"}, "two plans are given"),
        ({"plan": "a.yaml", "folder": "b"}, "sent as text"),
    ],
)
def test_a_job_has_one_plan(centre, body, said):
    asked(centre)
    with pytest.raises(PlanError, match=said):
        asked(centre, **body)


def test_jobs_are_listed_page_by_page_the_newest_first(centre, clock):
    jobs = []
    for number in range(7):
        clock.pass_(seconds=number // 3)
        jobs.append(asked(centre, f"v{number}"))
    cancel(centre, jobs[0].id, by="ann")
    seen, after = [], None
    with centre.database.reading() as session:
        while True:
            page = jobs_told(session, after=after, limit=3)
            assert page.total == 7
            seen += [one.job for one in page.items]
            after = page.next
            if after is None:
                break
        waiting = jobs_told(session, state="queued")
        none = jobs_told(session, products=[])
        lines = lines_of(session, jobs[0].id)
        assert [one.text for one in lines] == ["asked for by ann", "cancelled by ann"]
        assert [*lines_of(session, jobs[0].id, after=lines[0].id)] == [lines[1]]
        with pytest.raises(UnknownError):
            job_told(session, "ff" * 16)
    assert sorted(one.id for one in seen) == sorted(one.id for one in jobs)
    assert [one.created for one in seen] == sorted((one.created for one in seen), reverse=True)
    assert {one.product for one in waiting.items} == {"loans"}
    assert (waiting.total, none.items, none.total) == (6, [], 0)


def test_what_a_process_says_is_kept_whatever_letters_it_has(centre):
    job = asked(centre)
    held = taken(centre, job)
    odd = "a\x00b\udcff" + "c" * 10_000
    assert beat(centre, held, lease=LEASE, progress=7, doing=odd, lines=[odd]) == "held"
    found = now(centre, job)
    assert found.doing.startswith("ab?ccc")
    assert found.progress == 1
