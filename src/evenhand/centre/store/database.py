"""Opening the database: SQLite in a file by default, PostgreSQL by one address.

A transaction that writes takes its place in line when it begins: on SQLite by ``BEGIN IMMEDIATE``,
on PostgreSQL by locking the product's row (`chain.append`). So no writer fails at its end because
another came first.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from evenhand.errors import CentreError, MissingExtraError, Problem, first_line

_WAIT_SECONDS = 30
"""How long a writer waits for another; a transaction takes milliseconds."""

_AGAIN_SECONDS = 0.01

_WRITES = "writes"


class Database:
    """Sessions on one database.

    Attributes:
        url: Its address.
        engine: SQLAlchemy's engine.

    """

    def __init__(self, address: str) -> None:
        self.url = _url(address)
        self.engine = _engine(self.url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that only reads."""
        with _told(self.url), self._sessions() as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Give a session that reads everything as it was at one moment, while others write."""
        with _told(self.url), self._sessions() as session:
            if not self.is_sqlite:
                # SQLite's transactions are so by themselves.
                repeatable = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
                session.connection(execution_options=repeatable)
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose changes are kept together when the block ends, or not at all."""
        with _told(self.url), self._sessions() as session, session.begin():
            session.connection(execution_options={_WRITES: True})
            yield session

    def check(self) -> None:
        """Ask the database for something.

        Raises:
            CentreError: It does not answer.

        """
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _url(address: str) -> URL:
    """Return the address of a database; a plain path is a file of SQLite.

    Raises:
        CentreError: It is no address, or of a database that is not supported.

    """
    hint = "Write sqlite:///centre.db or postgresql+psycopg://user@host/name."
    try:
        url = make_url(address if "://" in address else f"sqlite:///{address}")
    except (ArgumentError, ValueError) as error:
        raise CentreError(Problem("--database", "this is no address.", hint)) from error
    name = url.get_backend_name()
    if name == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if name != "sqlite":
        what = f"'{name}' is not supported; SQLite and PostgreSQL are."
        raise CentreError(Problem("--database", what, hint))
    if not url.database or url.database == ":memory:":
        what = "a database in memory would be gone with its evidence."
        raise CentreError(Problem("--database", what, hint))
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        folder = Path(str(url.database)).parent
        if not folder.is_dir():
            what = f"there is no folder '{folder}'."
            raise CentreError(Problem("--database", what, f"mkdir -p {folder}"))
        engine = create_engine(url, connect_args={"timeout": _WAIT_SECONDS})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine
    try:
        return create_engine(url, pool_pre_ping=True, pool_size=20, max_overflow=20)
    except ImportError as error:
        raise MissingExtraError("postgres", where="--database") from error


def _prepare(connection: Any, _: Any) -> None:  # noqa: ANN401 - of the driver
    # The driver must not begin transactions by itself: `_begin` says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    _write_ahead(cursor)
    for name, value in (
        # In WAL mode a power failure may lose the last transactions, never the file; accepted
        # evidence must not be lost, hence FULL.
        ("synchronous", "FULL"),
        ("foreign_keys", "ON"),
        ("busy_timeout", str(1000 * _WAIT_SECONDS)),
    ):
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Let readers and a writer work side by side: the file keeps that once it is said.

    Of several that say it to a new file at once, SQLite refuses some without making them wait.

    Raises:
        sqlite3.OperationalError: The file cannot be opened or written.

    """
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def _begin(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _told(url: URL) -> Iterator[None]:
    """Say of a database that it is away, in words.

    Raises:
        CentreError: It cannot be reached, or lost its connection.

    """
    try:
        yield
    except OperationalError as error:
        said = first_line(error.orig) if error.orig else "no reason is given"
        shown = url.render_as_string(hide_password=True)
        what = f"the database does not answer: {said}."
        raise CentreError(Problem(shown, what, "Is it running? Try again.")) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        what = "the connection to the database was lost."
        raise CentreError(Problem("database", what, "Try again.")) from error
