"""``evenhand show``: evidence as text, a page, Markdown, LaTeX and other formats."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.output import show as show_on_terminal

_REPORTS = {".html": "html", ".md": "markdown", ".tex": "latex", ".txt": "text"}
"""Endings of the report itself; several other formats are Markdown too."""


def show(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Evidence.", show_default=False)],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            "--format", help="Such as html, markdown or latex; by default text, or that of --out."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead of the terminal.")
    ] = None,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Show evidence: the verdict, its rules and every finding.

    [bold]Example[/bold]

      evenhand show v7.evidence.zip --out v7.html
    """
    from evenhand.audits.evidence.archive import read_bundle
    from evenhand.errors import OutputError, Problem, did_you_mean
    from evenhand.render import text
    from evenhand.render.file import check_targets, write_text
    from evenhand.render.format import formats

    if as_json and (name is not None or out is not None):
        hint = "Leave out --json, or leave out --format and --out."
        raise OutputError(Problem("show", "--json prints the evidence itself.", hint))
    known = formats()
    if name is None and out is not None:
        alike = [one.name for one in known.values() if out.name.endswith(one.suffix)]
        name = _REPORTS.get(out.suffix) or (alike[0] if len(alike) == 1 else None)
        if name is None:
            hint = f"Write --format: {', '.join(alike or known)}."
            raise OutputError(Problem(str(out), "its ending names no one format.", hint))
    elif name is not None and name not in known:
        what = f"'{name}' is no format."
        raise OutputError(Problem("--format", what, did_you_mean(name, [*known])))
    if out is not None:
        check_targets([out], force=force)
    found = read_bundle(bundle, replicates=False)
    if name is None:
        show_on_terminal(text.bundle(found), found.to_dict(), as_json=as_json)
        return
    page = known[name].render(found)
    if out is None:
        sys.stdout.write(page)
        return
    write_text(out, page, force=force)
    typer.echo(f"{name}  {out}")
