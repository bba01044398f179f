"""``evenhand centre migrate``: the tables of this release, and of the one before."""

from __future__ import annotations

from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.centre.opened import opened
from evenhand.cli.output import show

app = typer.Typer(help="Bring the tables to another release.", no_args_is_help=True)


@app.command("show")
def show_(*, database: flags.DatabaseAddress = None, as_json: flags.AsJson = False) -> None:
    """Say which revision the tables have, and which this release makes.

    [bold]Example[/bold]

      evenhand centre migrate show
    """
    with opened(database, None, ensure=False) as centre:
        from evenhand.centre.store import migration

        found, known = migration.current(centre.database), migration.revisions()
    document = {"current": found, "newest": known[0], "revisions": known[::-1]}
    text = f"tables: {found or 'none'}; this release makes: {known[0]}"
    show(text, document, as_json=as_json)


@app.command("up")
def up(
    revision: Annotated[
        str, typer.Argument(metavar="[REVISION]", help="Up to here; by default to the newest.")
    ] = "head",
    *,
    database: flags.DatabaseAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Bring the tables up, as serve does by itself; servers that start at once wait.

    [bold]Example[/bold]

      evenhand centre migrate up
    """
    _move("up", revision, database, as_json=as_json)


@app.command("down")
def down(
    revision: Annotated[
        str,
        typer.Argument(
            metavar="REVISION",
            help="Down to here; 'base' drops all tables, with what is in them.",
            show_default=False,
        ),
    ],
    *,
    database: flags.DatabaseAddress = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="A backup was taken, and all servers are stopped.")
    ] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Take the tables back to those of an earlier release, before that is installed again.

    What only the newer tables hold is lost.

    [bold]Example[/bold]

      evenhand centre migrate down 0001 --yes
    """
    from evenhand.errors import EvenhandError, Problem

    if not yes:
        what = f"what only newer tables than {revision} hold would be lost."
        hint = "evenhand centre backup DIR, stop all servers and workers, and say --yes."
        raise EvenhandError(Problem("migrate down", what, hint))
    _move("down", revision, database, as_json=as_json)


def _move(way: str, revision: str, database: str | None, *, as_json: bool) -> None:
    with opened(database, None, ensure=False) as centre:
        from evenhand.centre.store import migration

        before = migration.current(centre.database)
        move = migration.upgrade if way == "up" else migration.downgrade
        move(centre.database, revision)
        now = migration.current(centre.database)
    text = f"tables: {before or 'none'} -> {now or 'none'}"
    show(text, {"before": before, "current": now}, as_json=as_json)
