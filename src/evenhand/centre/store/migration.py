"""Bringing the tables up to date, and back: Alembic, from the migrations beside the tables."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from evenhand.centre.store.database import Database
from evenhand.errors import CentreError, Problem, listed

FOLDER = Path(__file__).parent.parent / "migrations"


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables up to a revision; two servers that start at once wait for each other.

    Raises:
        CentreError: A newer release made the tables, or there is no such revision.

    """
    found = known(database)
    if found == newest() and revision == "head":
        return
    _check(revision, "head")
    command.upgrade(_config(database), revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to a revision; ``base`` for none.

    Raises:
        CentreError: A newer release made the tables, or there is no such revision.

    """
    known(database)
    _check(revision, "base")
    command.downgrade(_config(database), revision)


def ensure(database: Database) -> None:
    """Make tables where there are none; those of another release are left to whoever runs it.

    Raises:
        CentreError: An older or a newer release made the tables.

    """
    found = known(database)
    if found is None:
        upgrade(database)
    elif found != newest():
        what = f"its tables were made by an older release (revision {found})."
        hint = "Back it up, stop its servers, then: evenhand centre migrate up."
        raise CentreError(Problem("database", what, hint))


def known(database: Database) -> str | None:
    """Return the revision of the tables, which this release knows.

    Raises:
        CentreError: A newer release made the tables.

    """
    found = current(database)
    if found is not None and found not in revisions():
        what = f"its tables were made by a newer release (revision {found})."
        hint = "pip install --upgrade 'evenhand[centre]'"
        raise CentreError(Problem("database", what, hint))
    return found


def current(database: Database) -> str | None:
    """Return the revision of the tables; None where there are none."""
    with database.reading() as session:
        context = MigrationContext.configure(session.connection())
        return context.get_current_revision()


def newest() -> str | None:
    """Return the revision that this release makes."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def revisions() -> list[str]:
    """Return all revisions that this release knows, the newest first."""
    return [one.revision for one in ScriptDirectory(str(FOLDER)).walk_revisions()]


def _check(revision: str, end: str) -> None:
    if revision not in {end, *revisions()}:
        hint = f"There are: {listed([end, *revisions()])}."
        raise CentreError(Problem("migration", f"there is no revision '{revision}'.", hint))


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["database"] = database
    return config
