"""The centre that the flags name, opened without a server."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from evenhand.errors import MissingExtraError

if TYPE_CHECKING:
    from evenhand.centre.store.centre import Centre

Asked: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--to",
        help="The address of a centre that runs elsewhere, asked in place of a database.",
        show_default=False,
    ),
]
By: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Who does this, as the chain tells it; by default whoever is logged in.",
        show_default=False,
    ),
]


@contextmanager
def opened(database: str | None, storage: str | None, *, ensure: bool = True) -> Iterator[Centre]:
    """Give the centre of a database and a storage.

    Args:
        database: Its address; None for that of this machine.
        storage: Its address; None for that of this machine.
        ensure: Whether its tables must be those of this release; they are made where there are
            none.

    Raises:
        CentreError: Something that it stands on does not answer, or its tables are of another
            release.
        MissingExtraError: The packages of ``centre`` are not installed.

    """
    needed()
    from evenhand.centre.store.centre import open_centre
    from evenhand.centre.store.migration import ensure as ensure_tables

    found = open_centre(database=database, storage=storage, prepare=False)
    try:
        if ensure:
            ensure_tables(found.database)
        yield found
    finally:
        found.database.close()


def needed() -> None:
    """Check that the packages of a centre are installed.

    Raises:
        MissingExtraError: They are not.

    """
    try:
        import alembic  # noqa: F401 - whether it is there
        import sqlalchemy  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("centre", where="evenhand centre") from error


def whoever(by: str | None) -> str:
    """Return who does something at this machine."""
    if by is not None and by.strip():
        return by.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a user without a name.
        return "operator"
