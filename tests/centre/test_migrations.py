"""The tables are brought up to date and taken back: whole, in turn, with what stands in them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from evenhand.centre.store import migration
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import check, head
from evenhand.centre.store.database import Database
from evenhand.centre.store.evidence import accept
from evenhand.centre.store.registry import product_named
from evenhand.centre.store.tables import Base
from evenhand.errors import CentreError
from pushed import evidence


@pytest.fixture
def opened(database):
    """A database without tables."""
    found = Database(database)
    yield found
    found.close()


def tables(opened) -> set[str]:
    with opened.reading() as session:
        return {*inspect(session.connection()).get_table_names()}


def columns(opened, table) -> set[str]:
    with opened.reading() as session:
        return {one["name"] for one in inspect(session.connection()).get_columns(table)}


def test_tables_are_those_that_the_code_speaks_of(opened):
    migration.upgrade(opened)
    with opened.reading() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert migration.current(opened) == migration.newest()


def test_down_to_nothing_and_up_again(opened):
    assert migration.current(opened) is None
    migration.upgrade(opened)
    wanted = tables(opened)
    migration.upgrade(opened)
    migration.downgrade(opened, "base")
    assert tables(opened) == {"alembic_version"}
    migration.upgrade(opened)
    assert tables(opened) == wanted >= {*Base.metadata.tables}


@pytest.mark.slow
def test_processes_that_upgrade_at_once_take_turns(opened, database):
    line = "import sys; from evenhand.centre.store.database import Database as D; "
    line += "from evenhand.centre.store.migration import upgrade; "
    line += "d = D(sys.argv[1]); print(1, flush=True); input(); upgrade(d)"
    words = [sys.executable, "-c", line, database]
    running = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(4)
    ]
    for one in running:
        one.stdout.readline()
    for one in running:
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in running:
        one.communicate()
    assert [one.returncode for one in running] == [0] * 4
    assert migration.current(opened) == migration.newest()


def test_tables_of_a_newer_release_are_refused_with_the_way_out(opened):
    migration.upgrade(opened)
    with opened.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'abcd'"))
    for attempt in (migration.upgrade, lambda found: migration.downgrade(found, "base")):
        with pytest.raises(CentreError, match="made by a newer release") as error:
            attempt(opened)
        assert "pip install --upgrade" in error.value.problems[0].hint
    assert "product" in tables(opened)


def test_a_revision_that_does_not_exist_is_refused(opened):
    migration.upgrade(opened)
    with pytest.raises(CentreError, match="no revision 'zzz'"):
        migration.downgrade(opened, "zzz")


def test_evidence_outlives_an_upgrade_and_the_way_back(database, centre, later, tmp_path):
    accept(centre, evidence(), None, by="kim")
    with centre.database.reading() as session:
        before = head(product_named(session, "loans"))
    centre.database.close()
    oldest = later()
    opened = Database(database)
    migration.upgrade(opened)
    assert "site" in columns(opened, "product")
    with opened.reading() as session:
        assert session.scalar(text("SELECT site FROM product")) == "here"
    migration.downgrade(opened, oldest)
    assert "site" not in columns(opened, "product")
    again = Centre(opened, centre.storage, tmp_path / "centre.pem", clock=centre.clock)
    with opened.reading() as session:
        product = product_named(session, "loans")
        assert head(product) == before
        assert not [*check(session, product, before)]
    assert not accept(again, evidence(), None, by="kim").new
    opened.close()


def test_an_upgrade_that_fails_changes_nothing(opened, later):
    migration.upgrade(opened)
    oldest = later(after='raise RuntimeError("the power is gone")')
    with pytest.raises(RuntimeError):
        migration.upgrade(opened)
    assert "site" not in columns(opened, "product")
    assert migration.current(opened) == oldest
