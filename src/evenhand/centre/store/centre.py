"""A centre: its database, its files and its key, opened together."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from evenhand.centre.storage.storage import Storage, open_storage
from evenhand.centre.store.database import Database

Clock = Callable[[], dt.datetime]


def now() -> dt.datetime:
    """Return the time, in UTC."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Centre:
    """What every part of the centre works on.

    Attributes:
        database: Its tables.
        storage: Its files.
        key: The file of the Ed25519 key that signs what clients cache.
        roots: The folders and addresses that jobs may read.
        clock: The time.

    """

    database: Database
    storage: Storage
    key: Path
    roots: tuple[str, ...] = ()
    clock: Clock = field(default=now)


def home() -> Path:
    """Return the folder of the centre of this machine: ``EVENHAND_HOME``, else ``~/.evenhand``."""
    return Path(os.environ.get("EVENHAND_HOME") or Path.home() / ".evenhand")


def open_centre(
    *,
    folder: Path | None = None,
    database: str | None = None,
    storage: str | None = None,
    key: Path | None = None,
    roots: tuple[str, ...] = (),
    clock: Clock = now,
    prepare: bool = True,
) -> Centre:
    """Return a centre; its tables are brought up to date, and its key is made, where need be.

    Args:
        folder: Where what is not named is; by default that of this machine.
        database: Address of the database; by default a file of SQLite in that folder.
        storage: Folder or address of its files; by default a folder in that folder.
        key: Its key; by default a file in that folder.
        roots: The folders and addresses that jobs may read.
        clock: The time.
        prepare: False leaves tables and key as they are.

    Raises:
        CentreError: Something that it stands on does not answer.

    """
    from evenhand.centre.key import ensure_key
    from evenhand.centre.store.migration import upgrade

    base = folder or home()
    if database is None or storage is None or key is None:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
    opened = Database(database or f"sqlite:///{base / 'centre.db'}")
    pem = key or base / "centre.pem"
    if prepare:
        upgrade(opened)
        ensure_key(pem)
    return Centre(
        database=opened,
        storage=open_storage(storage or str(base / "evidence")),
        key=pem,
        roots=roots,
        clock=clock,
    )
