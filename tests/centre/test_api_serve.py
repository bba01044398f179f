"""``evenhand serve``: where it listens, what it says, how it stops."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from asked import API
from evenhand.centre.api import server
from evenhand.cli.main import app
from evenhand.errors import CentreError, EvenhandError
from pushed import evidence

EVENHAND = str(Path(sys.executable).with_name("evenhand"))


@contextlib.contextmanager
def serving(home, *words):
    """Run ``evenhand serve`` on a free port; gives the process and what it told."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [EVENHAND, "serve", "--port", "0", "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "EVENHAND_HOME": str(home)},
        text=True,
    )
    try:
        yield process, json.loads(process.stdout.readline() or "{}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def run(home, *words):
    done = subprocess.run(  # noqa: S603 - our own command
        [EVENHAND, "serve", *words],
        capture_output=True,
        env={**os.environ, "EVENHAND_HOME": str(home)},
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_it_says_where_it_is_answers_and_stops(tmp_path):
    with serving(tmp_path / "home", "--root", str(tmp_path)) as (process, told):
        assert told["url"].startswith("http://127.0.0.1:")
        assert told["roots"] == [str(tmp_path)]
        with httpx2.Client(base_url=told["url"], timeout=30) as one:
            assert one.get("/readyz").json()["status"] == "ready"
            entered = one.get(told["open"])
            assert entered.status_code == 303
            assert one.get(told["open"]).status_code == 303
        with httpx2.Client(base_url=told["url"], timeout=30) as other:
            assert other.get(told["open"]).status_code == 403
            assert other.post(f"{API}/bundles", content=evidence()).status_code == 201
            answer = other.get(f"{API}/", headers={"Host": "evil.example"})
            assert answer.status_code == 403
            assert "server" not in answer.headers
        status, said = run(tmp_path, "--port", told["url"].rpartition(":")[2])
        assert status == 4
        assert "is in use already" in said
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_several_processes_let_a_token_in_and_stop(tmp_path):
    words = ("--auth", "token", "--processes", "2", "--workers", "0", "--host", "0.0.0.0")  # noqa: S104
    with serving(tmp_path, *words) as (process, told):
        assert told["tokens"] == 0
        assert told["open"].endswith("/login")
        with httpx2.Client(base_url=told["url"], timeout=60) as one:
            assert one.get("/readyz").status_code == 200
            assert one.get(f"{API}/products").status_code == 401
            assert one.get("/").headers["location"] == "/login"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "--auth token"),  # noqa: S104
        (["--url", "https://centre.example.org"], "--auth token"),
        (["--url", "centre.example.org/x", "--auth", "token"], "is no address of a centre"),
        (["--database", "postgresql://nobody@127.0.0.1:1/x"], "does not answer"),
        (["--database", "mysql://x/y"], "is not supported"),
        (["--storage", "/dev/null/x"], "cannot be kept"),
        (["--host", "192.0.2.1", "--auth", "token"], "cannot listen there"),
    ],
)
def test_what_cannot_be_served_is_said(words, said, tmp_path, monkeypatch):
    monkeypatch.setenv("EVENHAND_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["serve", "--port", "0", *words])
    assert isinstance(done.exception, EvenhandError)
    assert said in str(done.exception)


def test_names_of_this_machine_are_its_own():
    assert server.names_of("127.0.0.1", 8642, None) == (
        "127.0.0.1:8642",
        "[::1]:8642",
        "localhost:8642",
    )
    assert "centre.example.org" in server.names_of("0.0.0.0", 80, "https://Centre.example.org")  # noqa: S104
    assert "localhost" in server.names_of("127.0.0.1", 80, None)


def test_a_port_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CentreError, match=f"--port {port + 1}"):
            server.listen("127.0.0.1", port)


@pytest.mark.parametrize("url", ["x", "ftp://x", "https://", "https://x/path", "https://x?y"])
def test_an_address_of_no_centre_is_refused(url):
    with pytest.raises(EvenhandError, match="no address of a centre"):
        server.check_url(url, "token")
