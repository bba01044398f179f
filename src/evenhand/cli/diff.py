"""``evenhand diff``: what changed between two audits, and whether it is more than chance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.output import FAIL, show


def diff(
    before: Annotated[
        Path, typer.Argument(metavar="BEFORE", help="The first evidence.", show_default=False)
    ],
    after: Annotated[
        Path, typer.Argument(metavar="AFTER", help="The second evidence.", show_default=False)
    ],
    *,
    level: Annotated[
        float | None,
        typer.Option(help="Coverage of the intervals; that of the first plan by default."),
    ] = None,
    as_json: flags.AsJson = False,
) -> None:
    """Say what changed between two audits, each change with its interval.

    Audits of the same units are paired: what moves both figures alike is no change. Levelling down
    is named as such: a gap that became smaller while a group lost and none gained.

    Exit status: 0 the same figures (counts equal, the rest to 1e-9), 1 changed, 2 usage.

    [bold]Example[/bold]

      evenhand diff v6.evidence.zip v7.evidence.zip
    """
    from evenhand.audits.evidence.archive import read_bundle
    from evenhand.audits.evidence.comparison import diff as compared
    from evenhand.audits.evidence.moves import levellings
    from evenhand.render import comparison

    one, other = read_bundle(before), read_bundle(after)
    found = compared(one, other, level=level)
    levelled = levellings(one, other, level=level)
    document = {**found.to_dict(), "levelling": [found.to_dict() for found in levelled]}
    show(comparison.text(found, levelled), document, as_json=as_json)
    if not found.same:
        raise typer.Exit(FAIL)
