"""Evidence that somebody made on purpose: refused or shown, and never the end of the centre."""

from __future__ import annotations

import contextlib
import json
import os
import select as select_
import socket
import struct
import zipfile
import zlib
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
import rfc8785
from sqlalchemy import func, select

import bundles
from asked import API, client
from evenhand.audits.evidence.canonical import digest_of
from evenhand.centre.storage.folder import FolderStorage
from evenhand.centre.store import comparison
from evenhand.centre.store.centre import open_centre
from evenhand.centre.store.child import Child
from evenhand.centre.store.comparison import compared
from evenhand.centre.store.opened import Shelf
from evenhand.centre.store.tables import Audit, Entry, Finding, Product
from evenhand.errors import BundleError, CentreError
from pushed import evidence
from served import serving

PUSH = f"{API}/bundles"

NAMED = {"product": "loans", "model": "score", "version": "v1"}


@pytest.fixture
def ask(centre):
    return client(centre)


@pytest.fixture
def single(tmp_path, clock):
    """A centre on SQLite, for what is refused before any database is asked."""
    opened = open_centre(folder=tmp_path, clock=clock)
    yield opened
    opened.database.close()


def kept(centre):
    with centre.database.reading() as session:
        return [
            session.scalar(select(func.count()).select_from(table))
            for table in (Product, Audit, Finding, Entry)
        ]


def refused(ask, centre, data, said="", status=(422,)):
    answer = ask.post(PUSH, content=data)
    assert answer.status_code in status, answer.text
    assert answer.json()["errors"]
    assert said in answer.json()["detail"]
    assert kept(centre) == [0, 0, 0, 0]
    assert not [*centre.storage.digests()]
    return answer


def of_findings(change):
    """Return a bundle whose findings were changed, and whose digests agree."""
    document = json.loads(bundles.members()["findings.json"])
    change(document[0])
    return bundles.resealed({"findings.json": json.dumps(document).encode()})


@pytest.mark.slow
def test_what_is_cut_or_edited_anywhere_is_refused(single):
    ask, data = client(single), evidence()
    rng = np.random.default_rng(1)
    for place in [0, 1, *rng.integers(2, len(data), 40)]:
        refused(ask, single, data[:place])
        edited = bytearray(data)
        edited[place] ^= 1 << int(rng.integers(8))
        refused(ask, single, bytes(edited))


def zipped(*members, method=zipfile.ZIP_STORED):
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, content in members:
            made.writestr(name, content)
    return stream.getvalue()


def bomb(size=10 * 2**30):
    """Return a small zip whose only member is said, and is, 10 GB of zeros."""
    made = zlib.compressobj(9, wbits=-15)
    first = made.compress(bytes(2**24)) + made.flush(zlib.Z_FULL_FLUSH)
    again = made.compress(bytes(2**24)) + made.flush(zlib.Z_FULL_FLUSH)
    packed = first + again * (size // 2**24 - 1) + made.compress(b"") + made.flush()
    name = b"findings.json"
    more = struct.pack("<2H2Q", 1, 16, size, len(packed))
    head = struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, 0, 8, 0, 0x21, 0, *[2**32 - 1] * 2, 13, 20)
    return head + name + more + packed


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ""),
        (b"PK\x03\x04", "cut short"),
        (b"\x00" * 1000, ""),
        (zipped(("../../etc/passwd", "x")), "no member of a bundle"),
        (zipped(("/etc/passwd", "x")), "no member of a bundle"),
        (zipped(("charts/../../x.vl.json", "{}")), "no member of a bundle"),
        (bomb(), "compressed"),
        (zipped(("findings.json", bytes(2**20)), method=zipfile.ZIP_DEFLATED), "compressed"),
        (zipped(*((f"charts/{n}.vl.json", "{}") for n in range(5001))), "more than 5,000 members"),
        (bundles.resealed({}, format=2), "this release reads up to 1"),
        (bundles.resealed({"findings.json": b"[" * 10**6}), "findings.json"),
        (bundles.resealed({"rules.json": b'{"a":' * 10**5}), "rules.json"),
        (bundles.resealed({"environment.json": b"[1,2]"}), "environment.json"),
        (bundles.resealed({"plan.yaml": b"a: &a [*a, *a]"}), "plan.yaml"),
        (bundles.resealed({"plan.yaml": b"&a [" * 10**5}), "plan.yaml"),
        (bundles.resealed({"plan.yaml": b"!!python/object/apply:os.system [id]"}), "plan.yaml"),
        (of_findings(lambda one: one.update(value=10**400)), ""),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_is_no_evidence_is_refused(data, said, single):
    refused(client(single), single, data, said)


def test_a_member_that_is_there_twice_is_refused(single):
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped(("plan.yaml", "x"), ("plan.yaml", "y"))
    refused(client(single), single, data, "plan.yaml is there twice")


@pytest.mark.slow
def test_names_that_cannot_be_given_are_refused(single):
    for name in ("../../etc", "..", "a/b", "<script>", "a\tb", "a" * 300, "é", " "):
        answer = client(single).post(PUSH, content=evidence(product=name))
        assert answer.status_code == 409, name
        assert kept(single)[:2] == [0, 0]


@pytest.mark.slow
def test_what_is_longer_than_tables_keep_is_no_end_of_the_server(ask):
    """Each is shown or refused, on either database, and the next push is accepted."""
    plan = bundles.PLAN.replace("version: v1", f"version: v1, owner: {'o' * 1000}")
    long_rule = bundles.PLAN.replace("id: gap", f"id: {'g' * 1000}")
    tries = [
        of_findings(lambda one: one.update(key="k" * 100_000)),
        of_findings(lambda one: one.update(measure="m" * 1000)),
        of_findings(lambda one: one.update(key="a\x00b")),
        of_findings(lambda one: one.update(slice="<img src=x onerror=alert(1)>")),
        of_findings(lambda one: one.update(value=1e308, low=-1e308, high=1e308)),
        of_findings(lambda one: one.update(rows=10**30)),
        bundles.resealed({"environment.json": rfc8785.dumps({"rows": 2**53 - 1})}),
        bundles.resealed({"environment.json": b'{"rows":1000000000000000000000000000000}'}),
        bundles.resealed({"plan.yaml": plan.encode()}),
        bundles.resealed({"plan.yaml": long_rule.encode()}),
        bundles.resealed({}, evenhand="9" * 1000),
        bundles.resealed({}, created="0001-01-01T00:00:00+14:00"),
        bundles.resealed({}, created="9999-12-31T23:59:59-14:00"),
    ]
    for data in tries:
        answer = ask.post(PUSH, content=data)
        assert answer.status_code in {201, 422}, answer.text
        if answer.status_code == 201:
            links = answer.json()["audit"]["links"]
            for name in ("self", "findings", "report"):
                assert ask.get(links[name]).status_code == 200, (name, answer.text[:300])
            assert ask.get(f"{links['findings']}/0").status_code == 200
        else:
            assert answer.json()["errors"]
    for path in ("/products", "/audits", "/findings", "/products/loans/chain"):
        assert ask.get(f"{API}{path}").status_code in {200, 404}
    assert ask.post(PUSH, content=evidence(version="v9")).status_code == 201


def test_the_same_bytes_are_no_evidence_of_another_version(ask, centre):
    data = evidence(product=None, model=None, version=None)
    assert ask.post(PUSH, params=NAMED, content=data).status_code == 201
    before = kept(centre)
    again = ask.post(PUSH, params={**NAMED, "version": "v2"}, content=data)
    assert again.status_code == 409
    assert "loans" not in again.json()["detail"]
    assert kept(centre) == before


GARBAGE = [b"PAR1", b"PAR1" + bytes(1000) + b"PAR1", b"", b"\xff" * 5000]


@pytest.mark.slow
def test_replicates_that_are_no_parquet_are_shown_and_not_compared(single):
    ask = client(single)
    good = ask.post(PUSH, content=evidence()).json()["audit"]["bundle"]
    rng = np.random.default_rng(2)
    parquet = bundles.members()["replicates.parquet"]
    broken = [*GARBAGE]
    for _ in range(20):
        edited = bytearray(parquet)
        for place in rng.integers(0, len(parquet), 4):
            edited[place] = int(rng.integers(256))
        broken.append(bytes(edited))
    statuses = []
    for one in broken:
        data = bundles.resealed({"replicates.parquet": one})
        made = ask.post(PUSH, content=data)
        assert made.status_code in {200, 201}
        bundle = made.json()["audit"]["bundle"]
        assert ask.get(f"{API}/audits/{bundle}/findings/0").status_code == 200
        assert ask.get(f"{API}/audits/{bundle}/report").status_code == 200
        answer = ask.get(f"{API}/audits/{good}/diff/{bundle}")
        statuses.append(answer.status_code)
        assert answer.status_code in {200, 422}, answer.text
    assert statuses[: len(GARBAGE)] == [422] * len(GARBAGE)
    assert ask.get(f"{API}/audits/{good}/diff/{good}").status_code == 200


@pytest.mark.slow
def test_a_comparison_that_dies_or_hangs_ends_alone(monkeypatch, tmp_path):
    stored = FolderStorage(tmp_path)
    bundles_ = [evidence(version=version) for version in ("v1", "v2", "v3")]
    shas = [digest_of(data) for data in bundles_]
    for sha, data in zip(shas, bundles_, strict=True):
        stored.put(sha, data)
    centre = SimpleNamespace(storage=stored)
    child = Child(comparison._compare, seconds=60, memory=2**32)  # noqa: SLF001 - one of its own
    monkeypatch.setattr(comparison, "_CHILD", child)
    monkeypatch.setattr(comparison, "_SHELF", Shelf(0))
    try:
        whole = compared(centre, shas[0], shas[1])
        process, _ = child._running  # noqa: SLF001 - killed, as by a file made on purpose
        process.kill()
        process.join()
        assert compared(centre, shas[0], shas[1]) == whole
        child._seconds = 0.0  # noqa: SLF001 - the shortest time
        with pytest.raises(BundleError, match="takes more than"):
            compared(centre, shas[0], shas[2])
        child._seconds = 60.0  # noqa: SLF001
        assert compared(centre, shas[0], shas[1]) == whole
        child._seconds = 0.01  # noqa: SLF001
        with child._turn, pytest.raises(CentreError, match="being compared"):  # noqa: SLF001
            compared(centre, shas[0], shas[1])
        # Whatever else ends the process while it answers.
        child._seconds, child._answer = 60.0, os._exit  # noqa: SLF001
        child.stop()
        with pytest.raises(BundleError, match="stopped the process"):
            compared(centre, shas[0], shas[1])
    finally:
        child.stop()


@pytest.mark.slow
def test_ten_gigabytes_of_zeros_are_not_read(single):
    piece = b"100000\r\n" + bytes(2**20) + b"\r\n"
    head = "POST /api/v1/bundles HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        serving(single) as address,
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 60) as wire,
    ):
        wire.sendall(head.encode())
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 10 * 2**10 and not select_.select([wire], [], [], 0)[0]:
                wire.sendall(piece)
                sent += 1
        assert 256 <= sent < 300
        assert wire.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert kept(single) == [0, 0, 0, 0]
