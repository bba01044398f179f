"""``evenhand centre check``, ``heads`` and ``verify``: whether it holds what it accepted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import flags
from evenhand.cli.centre.opened import Asked, needed, opened
from evenhand.cli.output import FAIL, show
from evenhand.cli.progress import shown_progress

if TYPE_CHECKING:
    from evenhand.centre.operations.inspection import Inspection


def check(
    *,
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="Whether every file is read, too.")
    ] = True,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Check that the centre holds what it accepted, while it runs.

    Chains are followed, what they tell is compared with the tables, every file of evidence is read
    and compared with its rows. Files that no row names are listed; they harm nothing.

    Exit status: 0 as it was accepted, 1 not, 2 usage, 4 the database or storage is away.

    [bold]Example[/bold]

      evenhand centre check
    """
    with opened(database, storage) as centre:
        from evenhand.centre.operations.inspection import inspect

        with shown_progress(silent=as_json) as progress:
            found = inspect(centre, files=files, progress=progress)
    show(said(found), document_of(found), as_json=as_json)
    if not found.ok:
        raise typer.Exit(FAIL)


def heads(
    *,
    to: Asked = None,
    token_file: flags.TokenFile = None,
    insecure: flags.Insecure = False,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Print the last line of every chain, to be kept where whoever runs the centre cannot write.

    A tag in git, an object lock, a letter. With --to anybody who may read can do that.

    [bold]Example[/bold]

      evenhand centre heads > heads.txt
    """
    needed()
    from evenhand.centre.operations import inspection
    from evenhand.centre.operations.kept import written

    if to is not None:
        with flags.client_of(to, token_file, insecure=insecure) as client:
            found = inspection.heads_of(client)
    else:
        with opened(database, storage) as centre, centre.database.reading() as session:
            found = inspection.heads(session)
    if as_json:
        show("", {"heads": [asdict(one) for one in found]}, as_json=True)
    else:
        # As it is read back: neither wrapped nor marked up.
        typer.echo(written(found), nl=False)


def verify(
    *,
    heads: Annotated[
        Path, typer.Option(metavar="FILE", help="What evenhand centre heads printed then.")
    ],
    to: Asked = None,
    token_file: flags.TokenFile = None,
    insecure: flags.Insecure = False,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Say whether anything was changed or left out since heads were kept elsewhere.

    It follows all chains and compares what they tell with the tables. With --to anybody who may
    read follows the chains from elsewhere and computes their digests there.

    Exit status: 0 nothing was, 1 something was, 2 usage, 4 the database is away.

    [bold]Example[/bold]

      evenhand centre verify --heads heads.txt
    """
    needed()
    from evenhand.centre.operations import inspection
    from evenhand.centre.operations.kept import read

    kept = read(heads)
    with shown_progress(silent=as_json) as progress:
        if to is not None:
            with flags.client_of(to, token_file, insecure=insecure) as client:
                found = inspection.follow_from(client, kept=kept, progress=progress)
        else:
            with opened(database, storage) as centre:
                found = inspection.inspect(centre, kept=kept, files=False, progress=progress)
    show(said(found), document_of(found), as_json=as_json)
    if not found.ok:
        raise typer.Exit(FAIL)


def said(found: Inspection) -> str:
    """Return what was looked at and what was found, for people."""
    answer = "ok" if found.ok else f"NOT as it was accepted: {len(found.problems)} problems"
    counts = (
        f"{found.products:,} products, {found.lines:,} lines of their chains, "
        f"{found.audits:,} audits, {found.files:,} files read"
    )
    lines = [
        f"{answer}  {counts}",
        *map(str, found.problems),
        *(f"no audit names this file: {one}" for one in found.orphans),
    ]
    return "\n".join(lines)


def document_of(found: Inspection) -> dict[str, Any]:
    """Return what was looked at and what was found, as JSON has it."""
    return {"ok": found.ok, **asdict(found)}
