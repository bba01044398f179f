"""What the centre stands on fails, and comes back: a clear answer, and nothing half kept."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading

import httpx2
import pytest
from sqlalchemy import event

import postgres as server
from asked import API, again, client, token
from evenhand.centre.api import guard
from evenhand.centre.api.routes.evidence import Room
from evenhand.centre.operations.inspection import inspect
from evenhand.centre.store.centre import open_centre
from pushed import evidence
from served import serving

PUSH = f"{API}/bundles"


def sound(centre):
    """Return how many audits there are, each with its rows, its line and its file."""
    found = inspect(centre)
    assert found.ok, found.problems
    return found.audits


def test_a_full_disk_keeps_nothing_half(centre, monkeypatch):
    ask, sync = client(centre), os.fsync

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = ask.post(PUSH, content=evidence())
    assert answer.status_code == 503
    assert "the disk is full" in answer.json()["detail"]
    monkeypatch.setattr(os, "fsync", sync)
    assert sound(centre) == 0
    assert not [path for path in centre.storage.folder.rglob("*") if path.is_file()]
    assert ask.post(PUSH, content=evidence()).status_code == 201
    assert sound(centre) == 1


@pytest.mark.slow
def test_a_full_database_keeps_nothing_half(tmp_path):
    centre = open_centre(folder=tmp_path)
    ask = client(centre)
    assert ask.post(PUSH, content=evidence()).status_code == 201
    limit = {"pages": 0}

    def bound(connection, _):
        connection.execute(f"PRAGMA max_page_count={limit['pages']}")

    event.listen(centre.database.engine, "connect", bound)
    with centre.database.reading() as session:
        limit["pages"] = session.connection().exec_driver_sql("PRAGMA page_count").scalar() + 4
    centre.database.close()
    answers = [ask.post(PUSH, content=evidence(version=f"v{n}")) for n in range(2, 40)]
    accepted = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code != 201]
    assert refused
    assert {answer.status_code for answer in refused} == {503}
    assert "full" in refused[0].json()["detail"]
    assert sound(centre) == 1 + len(accepted)
    # Reading goes on where nothing can be written.
    assert ask.get(f"{API}/audits").json()["total"] == 1 + len(accepted)
    limit["pages"] = 2**30
    centre.database.close()
    assert ask.post(PUSH, content=evidence(version="v99")).status_code == 201
    assert sound(centre) == 2 + len(accepted)
    centre.database.close()


@pytest.mark.slow
def test_a_database_that_goes_down_and_comes_back(tmp_path_factory):
    if server.tool("initdb") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = tmp_path_factory.mktemp("down")
    with server.server_in(folder / "postgres", fsync="on") as running:
        centre = open_centre(folder=folder, database=server.new_database(running.address))
        app = client(centre, "token").app
        ask = again(app, token(centre))
        assert ask.post(PUSH, content=evidence()).status_code == 201
        running.stop()
        for path in ("/products", "/audits"):
            answer = ask.get(f"{API}{path}")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert ask.post(PUSH, content=evidence(version="v2")).status_code == 503
        assert ask.get("/healthz").status_code == 200
        assert ask.get("/readyz").json() == {
            "status": "not ready",
            "database": "away",
            "storage": "ok",
        }
        running.start()
        assert ask.get("/readyz").status_code == 200
        assert ask.get(f"{API}/audits").json()["total"] == 1
        assert ask.post(PUSH, content=evidence(version="v2")).status_code == 201
        assert sound(centre) == 2
        centre.database.close()


@pytest.mark.slow
def test_two_servers_on_one_database_agree(postgres, tmp_path):
    address = server.new_database(postgres)
    centres = [open_centre(folder=tmp_path, database=address) for _ in range(2)]
    apps = [client(centre, "token").app for centre in centres]
    text = token(centres[0])
    asks = [again(app, text) for app in apps]
    files = [evidence(version=f"v{number}") for number in range(16)]
    answers = []

    def push(number):
        # Every file is pushed to both, at once and in another order.
        order = asks if number % 2 else asks[::-1]
        answers.extend((number, ask.post(PUSH, content=files[number])) for ask in order)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(16):
        statuses = sorted(answer.status_code for other, answer in answers if other == number)
        assert statuses == [200, 201]
    told = [ask.get(f"{API}/audits", params={"limit": 200}).json() for ask in asks]
    assert told[0] == told[1]
    assert told[0]["total"] == 16
    assert sound(centres[0]) == 16
    # A session begun at one is known to the other; one that ends there ends here.
    browser = again(apps[0])
    browser.post("/login", data={"token": text})
    other = again(apps[1])
    other.cookies.update(browser.cookies)
    assert other.get(f"{API}/products").status_code == 200
    for centre in centres:
        centre.database.close()


@contextlib.contextmanager
def wire_to(centre):
    """Give a connection to a centre that listens."""
    with (
        serving(centre) as address,
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 30) as wire,
    ):
        yield wire, httpx2.Client(base_url=address, timeout=30)


HEAD = "POST /api/v1/bundles HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n"


def test_a_body_that_stops_coming_is_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.1)
    centre, data = open_centre(folder=tmp_path), evidence()
    with wire_to(centre) as (wire, other), other:
        wire.sendall(HEAD.format(len(data)).encode() + data[:100])
        assert wire.recv(1000).startswith(b"HTTP/1.1 408 ")
        assert other.get(f"{API}/audits").json()["total"] == 0
    centre.database.close()


def test_a_sender_that_goes_away_leaves_nothing(tmp_path):
    centre, data = open_centre(folder=tmp_path), evidence()
    with wire_to(centre) as (wire, other), other:
        wire.sendall(HEAD.format(len(data)).encode() + data[:-1])
        wire.close()
        assert other.post(PUSH, content=evidence(version="v2")).status_code == 201
    assert sound(centre) == 1
    centre.database.close()


def test_a_length_that_is_no_truth_is_caught(tmp_path):
    centre, data = open_centre(folder=tmp_path), evidence()
    for length in (len(data) - 10, 10, "-1", "1e3", "99999999999999999999999"):
        with wire_to(centre) as (wire, other), other:
            wire.sendall(HEAD.format(length).encode() + data)
            assert wire.recv(1000)[:12] in {b"HTTP/1.1 422", b"HTTP/1.1 400", b"HTTP/1.1 413"}
    assert sound(centre) == 0
    centre.database.close()


def test_memory_for_what_is_sent_at_once_is_bounded(tmp_path):
    centre = open_centre(folder=tmp_path)
    ask = client(centre)
    ask.app.state.room = Room(10_000)
    for _ in range(3):
        answer = ask.post(PUSH, content=evidence())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    ask.app.state.room = Room(100_000)
    # What was taken is given back, whatever became of it.
    for number in range(8):
        data = evidence(version=f"v{number}")
        assert ask.post(PUSH, content=data if number % 2 else data[:-9]).status_code in {201, 422}
    assert sound(centre) == 4
    centre.database.close()
