"""How Alembic reaches the database: by the engine that `migration` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from evenhand.centre.store.database import Database
from evenhand.centre.store.tables import Base

_LOCK = 0x6576656E
"""An advisory lock of PostgreSQL, so that two servers that start at once migrate in turn."""


def _run() -> None:
    database: Database = context.config.attributes["database"]
    with database.engine.connect() as connection:
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


_run()
