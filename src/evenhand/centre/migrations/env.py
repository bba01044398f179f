"""How Alembic reaches the database: by the engine that `migration` hands over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from sqlalchemy import Connection, text

from evenhand.centre.store.database import Database
from evenhand.centre.store.tables import Base
from evenhand.errors import CentreError, Problem

_LOCK = 0x6576656E
"""An advisory lock of PostgreSQL, so that two servers that start at once migrate in turn."""


def _run() -> None:
    database: Database = context.config.attributes["database"]
    with database.engine.connect() as connection, _references(database, connection):
        # Writers of SQLite wait in line from the beginning, as in `Database.writing`.
        connection.execution_options(writes=True)
        with connection.begin():
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=database.is_sqlite,
            )
            context.run_migrations()
            _check_references(database, connection)


@contextmanager
def _references(database: Database, connection: Connection) -> Iterator[None]:
    """Let SQLite replace tables that others refer to: it changes a table by making it anew.

    It does not switch this within a transaction, hence past SQLAlchemy, which would begin one.
    """
    if not database.is_sqlite:
        yield
        return
    driver = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")  # type: ignore[union-attr]


def _check_references(database: Database, connection: Connection) -> None:
    """Check that every row that is referred to is still there.

    Raises:
        CentreError: One is not; then the migration is undone.

    """
    if not database.is_sqlite:
        return
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if lost:
        what = f"{len(lost)} rows of '{lost[0][0]}' would refer to rows that are gone."
        raise CentreError(Problem("migration", what, "Nothing was changed. Restore a backup."))


_run()
