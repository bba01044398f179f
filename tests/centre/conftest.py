"""Centres of the tests: each with a database of its own, on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import secrets
import tempfile
from pathlib import Path

import pytest

import postgres as server

pytest.importorskip("sqlalchemy")
pytest.importorskip("fastapi")

from sqlalchemy import create_engine, text

from evenhand.centre.store.centre import open_centre


class Clock:
    """A clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.time = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.time

    def pass_(self, **span: float) -> None:
        self.time += dt.timedelta(**span)


@pytest.fixture(scope="session")
def postgres():
    """The address of a PostgreSQL server; tests that need one skip where it is not installed."""
    if server.tool("initdb") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with (
        tempfile.TemporaryDirectory(prefix="evenhand-") as folder,
        server.running(Path(folder) / "postgres") as address,
    ):
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path) -> str:
    """The address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'centre.db'}"
    return new_database(request.getfixturevalue("postgres"))


def new_database(address: str) -> str:
    """Return the address of a new database on a server."""
    name = f"test_{secrets.token_hex(6)}"
    engine = create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{address}/{name}"


@pytest.fixture
def clock() -> Clock:
    """A clock that a test moves."""
    return Clock()


@pytest.fixture
def centre(database, tmp_path, clock):
    """An empty centre."""
    opened = open_centre(
        database=database,
        storage=str(tmp_path / "evidence"),
        key=tmp_path / "centre.pem",
        roots=(str(tmp_path / "rows"),),
        clock=clock,
    )
    yield opened
    opened.database.close()
