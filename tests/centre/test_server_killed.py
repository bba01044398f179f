"""A server that is killed at any moment: what it accepted is there, nothing is there by half."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

from evenhand.centre.store.centre import open_centre
from evenhand.centre.store.chain import check
from evenhand.centre.store.registry import product_named
from evenhand.centre.store.tables import Audit, Entry, Finding, Rule
from pushed import evidence

ROUNDS = int(os.environ.get("EVENHAND_KILLS", "2"))
"""How often the server is killed; more by hand."""

PUSHERS = 3


class Server:
    """`evenhand serve` as a process of its own, on one port."""

    def __init__(self, tmp_path, database) -> None:
        self.words = [str(Path(sys.executable).with_name("evenhand")), "serve", "--workers", "0"]
        self.words += ["--json", "--database", database, "--storage", str(tmp_path / "evidence")]
        self.home, self.port = tmp_path, 0
        self.log = (tmp_path / "server.log").open("a")

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [*self.words, "--port", str(self.port)],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, "EVENHAND_HOME": str(self.home)},
            text=True,
        )
        told = json.loads(self.process.stdout.readline())
        self.port = int(told["url"].rpartition(":")[2])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def push_until(stop, server, accepted, seed):
    """Push fresh evidence, again and again; what is acknowledged is written down."""
    number = 0
    with httpx2.Client(timeout=10) as client:
        while not stop.is_set():
            number += 1
            data = evidence(version=f"v{seed}.{number}")
            while not stop.is_set():
                try:
                    address = f"http://127.0.0.1:{server.port}/api/v1/bundles"
                    answer = client.post(address, content=data)
                except httpx2.HTTPError:
                    time.sleep(0.05)
                    continue
                assert answer.status_code in {200, 201}, answer.text
                accepted[answer.json()["audit"]["bundle"]] = data
                break


def wait_for_more(accepted, seconds=60):
    """Wait until a push is acknowledged again."""
    before, until = len(accepted), time.monotonic() + seconds
    while len(accepted) == before:
        assert time.monotonic() < until, "the server accepts nothing"
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_server_loses_nothing_that_it_accepted(database, tmp_path):
    drawn = random.Random(7)  # noqa: S311 - when to kill
    server, accepted, stop = Server(tmp_path, database), {}, threading.Event()
    server.start()
    pushers = [
        threading.Thread(target=push_until, args=(stop, server, accepted, seed))
        for seed in range(PUSHERS)
    ]
    for one in pushers:
        one.start()
    try:
        for _ in range(ROUNDS):
            wait_for_more(accepted)
            time.sleep(0.4 * drawn.random())
            server.kill()
            server.start()
        wait_for_more(accepted)
    finally:
        stop.set()
        for one in pushers:
            one.join()
        server.kill()
        server.log.close()
    assert len(accepted) > ROUNDS
    centre = open_centre(
        database=database, storage=str(tmp_path / "evidence"), key=tmp_path / "centre.pem"
    )
    try:
        with centre.database.reading() as session:
            audits = session.scalars(select(Audit)).all()
            product = product_named(session, "loans")
            assert not [*check(session, product)]
            chained = session.scalar(
                select(func.count()).select_from(Entry).where(Entry.kind == "evidence")
            )
            assert chained == len(audits)
            for one in audits:
                for table, expected in ((Finding, one.findings), (Rule, one.passed + one.failed)):
                    query = select(func.count()).where(table.audit_id == one.id)
                    found = session.scalar(query.select_from(table))
                    undecided = one.undecided if table is Rule else 0
                    assert found == expected + undecided
        by_bundle = {one.bundle for one in audits}
        assert accepted.keys() <= by_bundle
        for bundle in by_bundle:
            assert centre.storage.read(bundle) == accepted.get(bundle, centre.storage.read(bundle))
    finally:
        centre.database.close()
