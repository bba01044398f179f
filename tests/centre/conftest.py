"""Centres of the tests: each with a database of its own, on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path

import pytest

import postgres as server

pytest.importorskip("sqlalchemy")
pytest.importorskip("fastapi")

from evenhand.centre.store import migration
from evenhand.centre.store.centre import open_centre


class Clock:
    """A clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.time = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.time

    def pass_(self, **span: float) -> None:
        self.time += dt.timedelta(**span)


NEXT = '''
"""A column that a later release may add."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    with op.batch_alter_table("product") as table:
        table.add_column(sa.Column("site", sa.String(20), server_default="here", nullable=False))
    {after}


def downgrade():
    with op.batch_alter_table("product") as table:
        table.drop_column("site")
'''


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
    return server.new_database(request.getfixturevalue("postgres"))


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


@pytest.fixture
def later(tmp_path, monkeypatch):
    """Add a migration that a later release may bring."""

    def add(after=""):
        newest = migration.newest()
        folder = tmp_path / "migrations"
        shutil.copytree(migration.FOLDER, folder)
        made = NEXT.format(revision="9000", before=newest, after=after)
        (folder / "versions" / "9000_later.py").write_text(made)
        monkeypatch.setattr(migration, "FOLDER", folder)
        return newest

    return add
