"""What a centre holds is looked at, taken elsewhere while it runs, and brought back."""

from __future__ import annotations

import datetime as dt
import errno
import gzip
import itertools
import json
import os
import threading

import pytest
from sqlalchemy import delete, select, text, update

import bundles
import postgres as server
from evenhand.centre.decision import decide
from evenhand.centre.operations.backup import back_up, read_backup, restore
from evenhand.centre.operations.dump import digest_of_file
from evenhand.centre.operations.inspection import heads, inspect
from evenhand.centre.storage.storage import place_of
from evenhand.centre.store import migration
from evenhand.centre.store.centre import open_centre
from evenhand.centre.store.chain import Head
from evenhand.centre.store.decisions import decide_now
from evenhand.centre.store.dossiers import dossier_of
from evenhand.centre.store.evidence import Subject, accept
from evenhand.centre.store.plans import register_plan
from evenhand.centre.store.policies import write_policy
from evenhand.centre.store.runs import end_run, start_run
from evenhand.centre.store.tables import (
    Audit,
    Base,
    Decision,
    Entry,
    Finding,
    Product,
    Standing,
    Waiver,
)
from evenhand.centre.store.tokens import issue
from evenhand.centre.store.waivers import answer_waiver, request_waiver
from evenhand.errors import CentreError, ConflictError
from pushed import evidence

LOANS = Subject("loans", "score", "v1")


@pytest.fixture
def full(centre):
    """A centre with something in nearly every table."""
    accept(centre, evidence(), LOANS, by="kim")
    accept(centre, evidence(product="search", version="v2"), None, by="lee")
    start_run(centre, LOANS, id="a" * 32, plan="sha256:" + "1" * 64, by="kim")
    end_run(centre, "a" * 32, state="failed", reason="no such file: ünï\u2028", by="kim")
    register_plan(centre, "loans", "release", bundles.PLAN, by="kim")
    write_policy(centre, None, "policy: 1\nmax_age: 30d\n", by="kim")
    write_policy(centre, "loans", "policy: 1\nmax_age: 10d\n", by="kim")
    waiver = request_waiver(
        centre,
        "loans",
        model="score",
        rule="gap",
        owner="lee",
        reason="known",
        expires=dt.date(2026, 12, 1),
        requester="kim",
    )
    answer_waiver(centre, waiver.id, approver="ada", approved=True)
    decide_now(centre, LOANS, by="kim")
    issue(centre, person="kim", product="loans", rights=["read"])
    return centre


@pytest.fixture
def empty(request, tmp_path, clock):
    """Open an empty centre beside the other, on a database of a kind."""
    opened, numbers = [], itertools.count()

    def make(kind):
        folder = tmp_path / f"other{next(numbers)}"
        folder.mkdir()
        address = f"sqlite:///{folder / 'centre.db'}"
        if kind == "postgresql":
            address = server.new_database(request.getfixturevalue("postgres"))
        made = open_centre(
            database=address,
            storage=str(folder / "evidence"),
            key=folder / "centre.pem",
            clock=clock,
        )
        opened.append(made)
        return made

    yield make
    for one in opened:
        one.database.close()


def rows(centre) -> dict[str, list]:
    """All rows of all tables but the sessions of browsers."""
    with centre.database.reading() as session:
        return {
            table.name: [*map(tuple, session.execute(select(table).order_by(*table.primary_key)))]
            for table in Base.metadata.sorted_tables
            if table.name != "session"
        }


def decision(centre):
    with centre.database.reading() as session:
        found = decide(dossier_of(centre, session, LOANS), at=centre.clock()).to_dict()
    return {name: value for name, value in found.items() if name != "id"}


def said(inspection) -> str:
    return "\n".join(map(str, inspection.problems))


@pytest.mark.parametrize("other", ["sqlite", "postgresql"])
def test_a_backup_brings_all_rows_and_files_back_to_either_database(full, empty, tmp_path, other):
    with full.database.reading() as session:
        kept = heads(session)
    taken = back_up(full, tmp_path / "backup")
    assert (taken.files, taken.missing) == (2, [])
    restored = empty(other)
    backup, found = restore(tmp_path / "backup", restored)
    assert backup == taken
    assert (said(found), found.orphans, found.files) == ("", (), 2)
    assert rows(restored) == rows(full)
    assert {*restored.storage.digests()} == {*full.storage.digests()}
    with restored.database.reading() as session:
        assert heads(session) == kept
    assert decision(restored) == decision(full)


@pytest.mark.parametrize("other", ["sqlite", "postgresql"])
def test_a_centre_that_was_brought_back_goes_on(full, empty, tmp_path, other):
    back_up(full, tmp_path / "backup")
    restored = empty(other)
    restore(tmp_path / "backup", restored)
    assert not accept(restored, evidence(), LOANS, by="kim").new
    assert accept(restored, evidence(version="v9"), None, by="kim").new
    issue(restored, person="lee", product="new", rights=["read"])
    assert not said(inspect(restored))


def test_the_same_rows_are_the_same_backup(full, tmp_path, clock):
    first = back_up(full, tmp_path / "backup")
    clock.pass_(days=1)
    again = back_up(full, tmp_path / "backup")
    assert first.tables == again.tables
    assert len([*(tmp_path / "backup").iterdir()]) == 3
    assert read_backup(tmp_path / "backup")[1] == again
    assert read_backup(tmp_path / "backup" / "20261102T090000Z")[1] == first


@pytest.mark.slow
def test_a_backup_that_is_taken_while_many_push_is_of_one_moment(centre, empty, tmp_path, clock):
    accept(centre, evidence(), LOANS, by="kim")
    done, failed, another = threading.Event(), [], threading.Semaphore(0)

    def push(name):
        for number in itertools.count():
            if done.is_set():
                return
            try:
                accept(centre, evidence(product=name, version=f"v{number}"), None, by="kim")
            except Exception as error:  # noqa: BLE001 - told below
                failed.append(error)
            another.release()

    def meanwhile(*_):
        """Let somebody push before the next table is read."""
        assert another.acquire(timeout=30)

    threads = [threading.Thread(target=push, args=(name,)) for name in ("loans", "search", "ads")]
    for one in threads:
        one.start()
    taken = []
    for _ in range(3):
        clock.pass_(minutes=1)
        taken.append(back_up(centre, tmp_path / "backup", progress=meanwhile))
    done.set()
    for one in threads:
        one.join()
    assert not failed
    assert taken[0].files < taken[-1].files
    for one in taken:
        assert not one.missing
        kept = [Head(head.product, head.sequence, head.digest) for head in one.heads]
        # What was backed up is the beginning of what the centre holds by now.
        assert not said(inspect(centre, kept=kept, files=False))
        restored = empty("sqlite")
        backup, found = restore(tmp_path / "backup" / one.name, restored)
        assert (backup, said(found), found.audits) == (one, "", one.files)
        with restored.database.reading() as session:
            assert heads(session) == kept
        assert decision(restored)["verdict"] == decision(centre)["verdict"]


def test_only_an_empty_centre_is_restored_to(full, tmp_path):
    back_up(full, tmp_path / "backup")
    before = rows(full)
    with pytest.raises(ConflictError, match="something in it already"):
        restore(tmp_path / "backup", full)
    assert rows(full) == before


def test_a_damaged_backup_is_refused_and_the_centre_stays_empty(full, empty, tmp_path):
    back_up(full, tmp_path / "backup")
    chosen, _ = read_backup(tmp_path / "backup")
    path = chosen / "finding.ndjson.gz"
    lines = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(lines.replace(b'"value":0.', b'"value":1.', 1)))
    restored = empty("sqlite")
    with pytest.raises(CentreError, match=r"finding\.ndjson\.gz: the file is damaged"):
        restore(tmp_path / "backup", restored)
    assert not any(rows(restored).values())


def test_rows_that_do_not_fit_leave_the_centre_empty(full, empty, tmp_path):
    back_up(full, tmp_path / "backup")
    chosen, _ = read_backup(tmp_path / "backup")
    path = chosen / "model.ndjson.gz"
    lines = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(lines + lines))
    manifest = json.loads((chosen / "manifest.json").read_bytes())
    manifest["tables"]["model"]["digest"] = digest_of_file(path)
    (chosen / "manifest.json").write_text(json.dumps(manifest))
    for kind in ("sqlite", "postgresql"):
        restored = empty(kind)
        with pytest.raises(CentreError, match="does not fit table 'model'"):
            restore(tmp_path / "backup", restored)
        assert not any(rows(restored).values())


def test_a_backup_of_a_newer_release_is_refused_with_the_way_out(full, empty, tmp_path):
    back_up(full, tmp_path / "backup")
    path = read_backup(tmp_path / "backup")[0] / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"revision":"', b'"revision":"9'))
    with pytest.raises(CentreError, match="a newer release took it") as error:
        restore(tmp_path / "backup", empty("sqlite"))
    assert "--upgrade" in error.value.problems[0].hint


def test_a_backup_of_an_older_release_is_brought_up_to_date(full, empty, later, tmp_path):
    back_up(full, tmp_path / "backup")
    later()
    restored = empty("sqlite")
    assert migration.current(restored.database) == migration.newest() == "9000"
    _, found = restore(tmp_path / "backup", restored)
    assert not said(found)
    assert migration.current(restored.database) == "9000"
    assert rows(restored) == rows(full)


def test_backups_are_kept_apart_from_other_files(full, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("x")
    with pytest.raises(ConflictError, match=r"todo\.txt"):
        back_up(full, tmp_path / "notes")
    with pytest.raises(CentreError, match="there is no backup here"):
        read_backup(tmp_path / "notes")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CentreError, match="cannot be written"):
        back_up(full, tmp_path / "file")


def test_a_backup_on_a_full_disk_is_none(full, tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "fsync", refuse)
        with pytest.raises(CentreError, match="the disk is full"):
            back_up(full, tmp_path / "backup")
    with pytest.raises(CentreError, match="there is no backup here"):
        read_backup(tmp_path / "backup")
    assert back_up(full, tmp_path / "backup").files == 2


def test_what_was_lost_before_a_backup_is_said_by_it_and_after_it(full, empty, tmp_path):
    lost = accept(full, evidence(), LOANS, by="kim").audit.bundle
    (tmp_path / "evidence" / place_of(lost)).unlink()
    assert back_up(full, tmp_path / "backup").missing == [lost]
    _, found = restore(tmp_path / "backup", empty("sqlite"))
    assert [(one.where, one.what) for one in found.problems] == [
        (f"evidence {lost}", "the file is not there.")
    ]


def test_a_centre_as_it_was_accepted_has_nothing_to_say(full):
    found = inspect(full)
    assert (said(found), found.orphans) == ("", ())
    assert (found.products, found.audits, found.files) == (2, 2, 2)


def test_a_file_without_an_audit_is_listed_and_harms_nothing(full):
    digest = "sha256:" + "0" * 64
    full.storage.put(digest, b"cut off")
    found = inspect(full)
    assert (found.ok, found.orphans) == (True, (digest,))


def test_a_damaged_file_is_named(full, tmp_path):
    bundle = accept(full, evidence(), LOANS, by="kim").audit.bundle
    path = tmp_path / "evidence" / place_of(bundle)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert [(one.where, one.what[:19]) for one in inspect(full).problems] == [
        (f"evidence {bundle}", "the file is damaged")
    ]


EDITS = {
    "a figure": (update(Finding).where(Finding.position == 0).values(value=0.001), "finding"),
    "a figure left out": (delete(Finding).where(Finding.position == 1), "finding"),
    "a verdict": (update(Audit).values(verdict="pass", failed=0), "verdict is pass"),
    "when it was done": (update(Audit).values(audited=dt.datetime.now(dt.UTC)), "audited is"),
    "what the heat map shows": (
        update(Standing).values(verdict="pass"),
        "the audits say otherwise",
    ),
    "a cell left out": (delete(Standing), "lacks 2 of its cells"),
    "who answers for it": (update(Waiver).values(owner="max"), "owner is max"),
    "whether it may pass": (update(Decision).values(verdict="pass"), "verdict is pass"),
    "what a gate rested on": (update(Decision).values(body={"rules": []}), "body is"),
    "a decision left out": (delete(Decision), "the tables do not have it"),
    "what the policy asks": (
        text("UPDATE policy SET text = 'policy: 1' WHERE product_id IS NOT NULL"),
        "loans: policy 1: digest is",
    ),
    "what the company asks": (
        text("UPDATE policy SET text = 'policy: 1' WHERE product_id IS NULL"),
        "policy 1 of the company",
    ),
    "what happened": (update(Entry).where(Entry.kind == "evidence").values(kind="x"), "broken"),
    "how much happened": (update(Product).values(sequence=1), "names line 1 as its last"),
}


@pytest.mark.parametrize("what", EDITS)
def test_whatever_is_edited_in_the_database_is_found(full, what):
    edit, told = EDITS[what]
    with full.database.writing() as session:
        session.execute(edit)
    found = inspect(full)
    assert not found.ok
    assert told in said(found)


def test_a_waiver_that_nobody_approved_by_the_chain_is_found(full):
    with full.database.writing() as session:
        one = session.scalars(select(Waiver)).one()
        session.add(
            Waiver(
                **{
                    name: value
                    for name, value in vars(one).items()
                    if name not in {"id", "_sa_instance_state"}
                }
            )
        )
    assert "the chain does not tell of it" in said(inspect(full))


def test_a_product_that_is_gone_is_told_by_a_head_that_was_kept(full):
    with full.database.reading() as session:
        kept = heads(session)
    assert inspect(full, kept=kept).ok
    gone = [*kept, Head("credit", 7, "sha256:" + "2" * 64)]
    assert "it had 7 lines when its head was kept" in said(inspect(full, kept=gone))
