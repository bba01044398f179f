"""Tables as text: a JSON document a line, compressed; the same from every database, and for it."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, MetaData, Table, func, insert, select
from sqlalchemy.exc import DBAPIError, OperationalError

from evenhand.centre.store.tables import Base
from evenhand.errors import CentreError, Problem, first_line

_LEFT_OUT = {"session"}
"""Sessions of browsers end with the centre that began them."""

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Dump:
    """How many rows a file has, and its SHA-256."""

    rows: int
    digest: str


def tables_in(connection: Connection) -> list[Table]:
    """Return our tables as a database has them, whatever release made them.

    Those that others refer to come first.
    """
    found = MetaData()
    found.reflect(
        connection, only=lambda name, _: name in Base.metadata.tables and name not in _LEFT_OUT
    )
    for table in found.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type.none_as_null = True
    return found.sorted_tables


def is_empty(connection: Connection) -> bool:
    """Return whether none of our tables has a row."""
    tables = tables_in(connection)
    return all(connection.execute(select(one).limit(1)).first() is None for one in tables)


def file_of(folder: Path, table: str) -> Path:
    """Return the file of a table in the folder of a backup."""
    return folder / f"{table}.ndjson.gz"


def write_table(connection: Connection, table: Table, path: Path) -> Dump:
    """Write the rows of a table to a new file, in the order of their keys."""
    query = select(table).order_by(*table.primary_key.columns)
    count = 0
    with path.open("xb") as raw:
        # Without the time in it, the same rows are the same file.
        with gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as file:
            for row in connection.execute(query, execution_options={"yield_per": _BATCH}):
                document = {name: _plain(value) for name, value in row._mapping.items()}  # noqa: SLF001
                line = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
                file.write(line.encode() + b"\n")
                count += 1
        raw.flush()
        os.fsync(raw.fileno())
    return Dump(count, digest_of_file(path))


def read_table(connection: Connection, table: Table, path: Path) -> int:
    """Put the rows of a file into an empty table, and return how many they are.

    Raises:
        CentreError: They do not fit.

    """
    count = 0
    try:
        rows = _rows(table, path)
        while batch := [*itertools.islice(rows, _BATCH)]:
            connection.execute(insert(table), batch)
            count += len(batch)
    except OperationalError:
        raise
    except (DBAPIError, ValueError, KeyError, TypeError, OSError, EOFError) as error:
        said = error.orig if isinstance(error, DBAPIError) and error.orig else error
        what = (
            f"a row after {count:,} others does not fit table '{table.name}': {first_line(said)}."
        )
        raise CentreError(Problem(str(path), what, "Nothing was restored.")) from error
    _go_on_counting(connection, table)
    return count


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, however large.

    Raises:
        CentreError: It cannot be read.

    """
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _rows(table: Table, path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file as a table takes them."""
    kinds = {one.name: one.type.python_type for one in table.columns}
    with gzip.open(path, "rb") as file:
        for line in file:
            document = json.loads(line)
            yield {name: _typed(kinds[name], value) for name, value in document.items()}


def _plain(value: object) -> object:
    """Return a value as JSON has it; times are in UTC, though SQLite does not say so."""
    if isinstance(value, dt.datetime):
        zoned = value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value
        return zoned.astimezone(dt.UTC).isoformat()
    return value.isoformat() if isinstance(value, dt.date) else value


def _typed(kind: type, value: Any) -> object:  # noqa: ANN401 - any JSON
    if value is None or kind not in {dt.datetime, dt.date}:
        return value
    return dt.datetime.fromisoformat(value) if kind is dt.datetime else dt.date.fromisoformat(value)


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number the next row after those that brought their numbers along."""
    if connection.dialect.name != "postgresql" or "id" not in table.columns:
        return
    sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, "id")))
    newest = connection.scalar(select(func.max(table.c.id)))
    if sequence is not None and newest is not None:
        connection.execute(select(func.setval(sequence, newest)))
