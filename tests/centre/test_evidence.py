"""Evidence that is pushed: verified, kept once, listed, and chained."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import threading

import pytest
from sqlalchemy import func, select

import bundles
from evenhand.audits.evidence.archive import packed
from evenhand.centre.operations.inspection import inspect
from evenhand.centre.store.centre import open_centre
from evenhand.centre.store.chain import check, head
from evenhand.centre.store.evidence import (
    Subject,
    accept,
    evidence_records,
    keep,
    read_file,
    subject_of,
)
from evenhand.centre.store.registry import product_named
from evenhand.centre.store.tables import Audit, Base, Entry, Finding, Rule, Standing
from evenhand.errors import BundleError, ConflictError
from pushed import evidence

LOANS = Subject("loans", "score", "v1")


def count(centre, table):
    with centre.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def test_accepted_evidence_is_the_bundle(centre):
    data = evidence()
    accepted = accept(centre, data, LOANS, by="kim")
    assert accepted.new
    assert centre.storage.read(accepted.audit.bundle) == data
    whole = bundles.bundle()
    assert count(centre, Finding) == len(whole.findings) == accepted.audit.findings
    with centre.database.reading() as session:
        (record,) = evidence_records(session, accepted.audit.version_id)
        rules = [row.body for row in session.scalars(select(Rule).order_by(Rule.position))]
        values = session.execute(select(Finding.key, Finding.value).order_by(Finding.position))
        assert [*map(tuple, values)] == [(one.key, one.value) for one in whole.findings]
    assert rules == [rule.to_dict() for rule in whole.rules] == record.rules
    assert record.verdict == whole.verdict


def test_the_same_file_is_kept_once(centre):
    first = accept(centre, evidence(), LOANS, by="kim")
    again = accept(centre, evidence(), LOANS, by="lee")
    assert (again.new, again.audit.id) == (False, first.audit.id)
    assert count(centre, Audit) == 1
    assert count(centre, Entry) == 4  # product, model, version, evidence


def test_a_changed_byte_is_refused_and_nothing_is_kept(centre):
    data = bytearray(evidence())
    data[len(data) // 2] ^= 1
    with pytest.raises(BundleError, match="expected sha256"):
        accept(centre, bytes(data), LOANS, by="kim")
    assert count(centre, Audit) == 0
    assert not [*centre.storage.digests()]


def test_evidence_is_not_pushed_as_something_else(centre):
    with pytest.raises(ConflictError, match="is about 'v1', and is pushed as 'v2'"):
        accept(centre, evidence(), Subject("loans", "score", "v2"), by="kim")


def test_a_chain_tells_what_was_edited_and_what_was_left_out(centre):
    accept(centre, evidence(), LOANS, by="kim")
    with centre.database.writing() as session:
        product = product_named(session, "loans")
        kept = head(product)
        assert not [*check(session, product, kept)]
        entry = session.get_one(Entry, (product.id, 3))
        body = json.loads(entry.body)
        entry.body = json.dumps({**body, "by": "somebody else"})
        session.flush()
        (broken,) = check(session, product, kept)
        assert broken.sequence == 3
        session.delete(entry)
        session.flush()
        assert any("missing" in one.what for one in check(session, product, kept))


def test_a_chain_that_was_written_anew_is_told_by_a_head_kept_elsewhere(centre):
    accept(centre, evidence(), LOANS, by="kim")
    with centre.database.writing() as session:
        kept = head(product_named(session, "loans"))
    with centre.database.writing() as session:
        product = product_named(session, "loans")
        last = session.get_one(Entry, (product.id, product.sequence))
        product.head, product.sequence = last.previous, product.sequence - 1
        session.delete(last)
        session.flush()
        assert not [*check(session, product)]
        assert [one.what for one in check(session, product, kept)] == [
            f"the head that was kept is {kept.digest}; here it is missing"
        ]


def test_files_that_are_kept_together_give_the_rows_of_pushes(centre, tmp_path, clock):
    files = [
        evidence(product=product, version=f"v{number // 2}", created=clock() - dt.timedelta(number))
        for number in range(4)
        for product in ("loans", "cards")
    ]
    with centre.database.writing() as session:
        for data in files:
            read = read_file(data)
            centre.storage.put(read.digest, data)
            keep(session, centre, read, subject_of(read.said, None), by="kim")
    other = open_centre(
        database=f"sqlite:///{tmp_path / 'other.db'}",
        storage=str(tmp_path / "other"),
        key=tmp_path / "centre.pem",
        clock=clock,
    )
    for data in files:
        accept(other, data, None, by="kim")
    for table in Base.metadata.sorted_tables:
        with centre.database.reading() as one, other.database.reading() as two:
            ours, theirs = (sorted(map(repr, it.execute(table.select()))) for it in (one, two))
        assert ours == theirs
    other.database.close()


def test_many_that_push_at_once_make_one_chain(centre):
    files = [evidence(version=f"v{number}") for number in range(12)]
    failed = []

    def push(number):
        try:
            accept(centre, files[number], None, by="kim")
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with centre.database.reading() as session:
        product = product_named(session, "loans")
        assert not [*check(session, product)]
        assert product.sequence == 2 + 2 * 12
    assert count(centre, Standing) == 1


def test_text_that_not_every_database_keeps_is_kept_alike_by_each(centre):
    made = bundles.bundle()
    plan = made.plan.model_copy(
        update={
            "subject": type(made.plan.subject).model_validate(
                {
                    "product": "loans",
                    "model": "score",
                    "version": "v1",
                    "owner": "risk\x00" + "y" * 300,
                }
            )
        }
    )
    odd = dataclasses.replace(made.findings[0], slice="channel == 'a\x00b'")
    rules = [dataclasses.replace(made.rules[0], id="i" * 300, scope="a\x00b"), *made.rules[1:]]
    fields = {"plan": plan, "findings": (odd, *made.findings[1:]), "rules": tuple(rules)}
    data = packed(dataclasses.replace(made, **fields), "x.evidence.zip")[0]
    accepted = accept(centre, data, None, by="kim")
    assert centre.storage.read(accepted.audit.bundle) == data
    with centre.database.reading() as session:
        assert product_named(session, "loans").owner == "risk" + "y" * 196
        query = select(Finding.slice).where(Finding.position == 0)
        assert session.scalar(query) == "channel == 'ab'"
    assert inspect(centre).ok
