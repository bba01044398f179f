"""Backups: all rows as of one moment, and every file that they name.

The rows are read in one transaction that sees one moment, whatever is pushed meanwhile; the files
after it. A row's file was there before the row and is never deleted, so that none can be missing.
A backup does not tell which database it was taken from: it is also how a centre moves from SQLite
to PostgreSQL. The key that signs dossiers is not in it.

```
FOLDER/evidence/ab/ab....evidence.zip      files, shared by all backups in the folder
FOLDER/20261102T090000Z/manifest.json      one backup: what is in it, and the heads of all chains
FOLDER/20261102T090000Z/TABLE.ndjson.gz
```
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, text

import evenhand
from evenhand.audits.evidence.canonical import canonical
from evenhand.centre.operations.dump import (
    digest_of_file,
    file_of,
    is_empty,
    read_table,
    tables_in,
    write_table,
)
from evenhand.centre.operations.inspection import Inspection, Progress, heads, inspect
from evenhand.centre.storage.folder import FolderStorage
from evenhand.centre.storage.storage import Storage
from evenhand.centre.store import migration
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import Head
from evenhand.centre.store.database import Database
from evenhand.errors import CentreError, ConflictError, Problem, reason

_MANIFEST, _FILES = "manifest.json", "evidence"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TableFile(_Part):
    """A table of a backup: how many rows its file has, and its SHA-256."""

    rows: int
    digest: str


class HeadRecord(_Part):
    """The head of a chain when the backup was taken."""

    product: str
    sequence: int
    digest: str


class Backup(_Part):
    """What is in a backup: its ``manifest.json``.

    Attributes:
        revision: Of the tables.
        files: How many files of evidence belong to it, and ``bytes`` how large they are together.
        missing: Files that were missing or damaged when it was taken.

    """

    format: Literal[1] = 1
    evenhand: str
    revision: str
    taken: dt.datetime
    tables: dict[str, TableFile]
    heads: list[HeadRecord]
    files: int
    bytes: int
    missing: list[str] = Field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.taken:%Y%m%dT%H%M%SZ}"


def back_up(
    centre: Centre, folder: Path, *, progress: Progress = lambda _what, _share: None
) -> Backup:
    """Add a backup to a folder; files that another one brought there are not copied again.

    Args:
        centre: The centre, which may go on meanwhile.
        folder: The folder, which is made where there is none.
        progress: Told how far it has come.

    Raises:
        ConflictError: The folder has something else in it, or a backup of this very second.
        CentreError: Something cannot be read or written; then there is no new backup.

    """
    revision = migration.known(centre.database)
    if revision is None:
        raise CentreError(Problem("database", "it has no tables, and nothing to back up."))
    taken = centre.clock().astimezone(dt.UTC).replace(microsecond=0)
    with _told(folder), _new(folder, f"{taken:%Y%m%dT%H%M%SZ}") as part:
        with centre.database.snapshot() as session:
            tables = {}
            for table in tables_in(session.connection()):
                progress(f"table {table.name}", 0.0)
                dump = write_table(session.connection(), table, file_of(part, table.name))
                tables[table.name] = TableFile(rows=dump.rows, digest=dump.digest)
            kept = heads(session)
            sizes: dict[str, int] = {row.bundle: row.size for row in session.execute(_BUNDLES)}
        target = FolderStorage(folder / _FILES)
        backup = Backup(
            evenhand=evenhand.__version__,
            revision=revision,
            taken=taken,
            tables=tables,
            heads=[HeadRecord(**asdict(one)) for one in kept],
            files=len(sizes),
            bytes=sum(sizes.values()),
            missing=_copy(centre.storage, target, [*sizes], progress),
        )
        _write(part / _MANIFEST, canonical(backup.model_dump(mode="json"), _MANIFEST))
    return backup


_BUNDLES = text("SELECT bundle, size FROM audit ORDER BY id")
"""In plain SQL, as are the heads: the tables may be of an older release."""


def read_backup(folder: Path) -> tuple[Path, Backup]:
    """Return the folder and the manifest of a backup: of the one that is named, else the newest.

    Raises:
        CentreError: There is none, or it was made by a newer release.

    """
    found = [folder] if (folder / _MANIFEST).is_file() else sorted(folder.glob(f"*/{_MANIFEST}"))
    if not found:
        hint = "Name the folder that evenhand centre backup wrote to."
        raise CentreError(Problem(str(folder), "there is no backup here.", hint))
    chosen = folder if found[-1] == folder else found[-1].parent
    path = chosen / _MANIFEST
    with _told(path):
        try:
            return chosen, Backup.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            what = f"this is no manifest of a backup that this release reads: {first['msg']}."
            hint = "pip install --upgrade 'evenhand[centre]'"
            raise CentreError(Problem(str(path), what, hint)) from error


def restore(
    folder: Path, centre: Centre, *, progress: Progress = lambda _what, _share: None
) -> tuple[Backup, Inspection]:
    """Bring back what a backup holds, to a centre that is empty, and look at everything in it.

    Args:
        folder: The backup, or the folder of several for the newest.
        centre: The empty centre; its database may be of another kind.
        progress: Told how far it has come.

    Raises:
        ConflictError: The centre is not empty.
        CentreError: The backup is damaged or cannot be read; then the centre stays empty.

    """
    chosen, backup = read_backup(folder)
    _check_tables(chosen, backup)
    _prepare(centre.database, backup)
    with centre.database.writing() as session, _told(chosen):
        connection = session.connection()
        if not centre.database.is_sqlite:
            # Of two that restore at once, the second finds what the first brought back.
            connection.execute(text("LOCK TABLE product IN ACCESS EXCLUSIVE MODE"))
        _check_empty(connection)
        for table in tables_in(connection):
            progress(f"table {table.name}", 0.0)
            read_table(connection, table, file_of(chosen, table.name))
        # Files before rows, as in a push: the rows are there when the transaction ends.
        bundles = [row.bundle for row in session.execute(_BUNDLES)]
        _copy(FolderStorage(chosen.parent / _FILES), centre.storage, bundles, progress)
    migration.upgrade(centre.database)
    kept = [Head(one.product, one.sequence, one.digest) for one in backup.heads]
    return backup, inspect(centre, kept=kept, progress=progress)


def _check_tables(folder: Path, backup: Backup) -> None:
    """Check that a backup is whole, before anything is changed.

    Raises:
        CentreError: With every file that is not as it was written.

    """
    problems = []
    if backup.revision not in migration.revisions():
        what = f"a newer release took it (revision {backup.revision})."
        hint = "pip install --upgrade 'evenhand[centre]'"
        problems.append(Problem(str(folder), what, hint))
    for name, table in backup.tables.items():
        path = file_of(folder, name)
        with _told(path):
            found = digest_of_file(path)
        if found != table.digest:
            what = f"the file is damaged: its digest is {found}."
            problems.append(Problem(str(path), what, "Take another backup."))
    if problems:
        raise CentreError(problems)


def _prepare(database: Database, backup: Backup) -> None:
    """Make empty tables as they were when the backup was taken.

    Raises:
        ConflictError: There is something in them.

    """
    found = migration.known(database)
    if found not in {None, backup.revision}:
        with database.reading() as session:
            _check_empty(session.connection())
        migration.downgrade(database, "base")
    migration.upgrade(database, backup.revision)


def _check_empty(connection: Connection) -> None:
    if not is_empty(connection):
        what = "it has something in it already; a backup is brought back to an empty centre."
        hint = "Name another database: --database ADDRESS."
        raise ConflictError(Problem("database", what, hint))


def _copy(
    source: Storage, target: Storage, digests: Sequence[str], progress: Progress
) -> list[str]:
    """Copy files that are not there yet, and return those that are missing or damaged.

    Raises:
        CentreError: One of the places does not answer.

    """
    source.check()
    there, missing = {*target.digests()}, []
    for position, digest in enumerate(digests):
        progress("files of evidence", position / len(digests))
        if digest in there:
            continue
        try:
            data = source.read(digest)
        except CentreError:
            source.check()
            missing.append(digest)
        else:
            target.put(digest, data)
    return missing


@contextmanager
def _new(folder: Path, name: str) -> Iterator[Path]:
    """Give a folder beside which it appears under its name, whole, when the block ends.

    Raises:
        ConflictError: There is something else, or a backup of this name already.

    """
    strange = [one.name for one in folder.glob("*") if not _OURS.fullmatch(one.name)]
    if strange:
        what = f"there is something else than backups in it, such as '{min(strange)}'."
        raise ConflictError(Problem(str(folder), what, "Name a folder of their own."))
    target, part = folder / name, folder / f".{name}.{os.getpid()}.part"
    if target.exists():
        raise ConflictError(Problem(str(target), "this backup is there already."))
    part.mkdir(parents=True)
    try:
        yield part
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


_OURS = re.compile(r"evidence|\d{8}T\d{6}Z|\..*")


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"the backup cannot be written or read: {reason(error)}."
        raise CentreError(Problem(str(error.filename or path), what)) from error
