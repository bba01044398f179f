"""``evenhand centre backup`` and ``restore``: all that a centre holds, kept elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.centre.chain import document_of, said
from evenhand.cli.centre.opened import opened
from evenhand.cli.output import FAIL, show
from evenhand.cli.progress import shown_progress


def back_up(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder for backups alone.", show_default=False),
    ],
    *,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Add a backup to a folder: rows of one moment, and files that are not there yet.

    Servers and workers go on meanwhile. The key that signs what pipelines cache (centre.pem) is not
    in it, nor what is private of tokens.

    Exit status: 0 all of it, 1 files were missing or damaged already, 2 usage, 4 it failed.

    [bold]Example[/bold]

      evenhand centre backup /backups/centre
    """
    with opened(database, storage, ensure=False) as centre:
        from evenhand.centre.operations import backup

        with shown_progress(silent=as_json) as progress:
            made = backup.back_up(centre, folder, progress=progress)
    rows = sum(one.rows for one in made.tables.values())
    lines = [
        f"{folder / made.name}",
        f"{rows:,} rows, {made.files:,} files of evidence, {made.bytes:,} bytes",
        *(f"missing or damaged: {one}" for one in made.missing),
    ]
    document = {"folder": str(folder / made.name), **made.model_dump(mode="json")}
    show("\n".join(lines), document, as_json=as_json)
    if made.missing:
        raise typer.Exit(FAIL)


def restore(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="A backup, or the folder of several for the newest.",
            show_default=False,
        ),
    ],
    *,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Bring a backup back to an empty centre, and check everything in it.

    Its database may be of another kind: so a centre moves from SQLite to PostgreSQL.

    Exit status: 0 all of it is there, 1 not as it was accepted, 2 usage (also: not empty), 4 it
    failed.

    [bold]Example[/bold]

      evenhand centre restore /backups/centre --database postgresql+psycopg://evenhand@db/evenhand
    """
    with opened(database, storage, ensure=False) as centre:
        from evenhand.centre.operations import backup

        with shown_progress(silent=as_json) as progress:
            taken, found = backup.restore(folder, centre, progress=progress)
    document = {"backup": taken.model_dump(mode="json"), **document_of(found)}
    text = f"restored what was taken on {taken.taken:%Y-%m-%d %H:%M:%S} UTC\n{said(found)}"
    show(text, document, as_json=as_json)
    if not found.ok:
        raise typer.Exit(FAIL)
