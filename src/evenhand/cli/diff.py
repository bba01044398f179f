"""``evenhand diff``: what changed between two audits, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.output import FAIL, show

if TYPE_CHECKING:
    from evenhand.render.gains import Changes


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
    report: Annotated[
        Path | None,
        typer.Option(help="Write one page of it too: changes.html, or changes.md as Markdown."),
    ] = None,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Say what changed between two audits, each change with its interval.

    Audits of the same units are paired: what moves both figures alike is no change. Levelling down
    is named as such: a gap that became smaller while a group lost and none gained.

    Exit status: 0 the same figures (counts equal, the rest to 1e-9), 1 changed, 2 usage.

    [bold]Example[/bold]

      evenhand diff v6.evidence.zip v7.evidence.zip --report changes.html
    """
    from evenhand.audits.evidence.archive import read_bundle
    from evenhand.audits.evidence.moves import document_of
    from evenhand.render import comparison
    from evenhand.render.file import check_targets, write_text
    from evenhand.render.gains import changes_of

    render = None if report is None else _format_of(report)
    if report is not None:
        check_targets([report], force=force)
    changes = changes_of(read_bundle(before), read_bundle(after), level=level)
    found, levelled = changes.found, changes.levelled
    document = document_of(found, levelled)
    if report is not None and render is not None:
        write_text(report, render(changes), force=force)
        document["report"] = str(report)
    show(comparison.text(found, levelled), document, as_json=as_json)
    if report is not None and not as_json:
        typer.echo(f"\nreport  {report}")
    if not found.same:
        raise typer.Exit(FAIL)


def _format_of(report: Path) -> Callable[[Changes], str]:
    """Return what writes a page of this name.

    Raises:
        OutputError: Its ending names no format.

    """
    from evenhand.errors import OutputError, Problem
    from evenhand.render.changes import changes_html
    from evenhand.render.changes_markdown import changes_markdown

    known = {".html": changes_html, ".md": changes_markdown}
    found = known.get(report.suffix)
    if found is None:
        what = "its ending names no format."
        raise OutputError(Problem(str(report), what, "Write changes.html or changes.md."))
    return found
