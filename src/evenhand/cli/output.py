"""What every verb prints: JSON or text on stdout, problems on stderr."""

from __future__ import annotations

import dataclasses
import json
import sys

import typer
from rich.console import Console, RenderableType

from evenhand.errors import EngineError, EvenhandError

USAGE = 2
ENGINE = 4


def show(text: RenderableType, document: object, *, as_json: bool) -> None:
    """Print the document as JSON, or the text for people."""
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
        return
    # Piped output is not wrapped to a screen that is not there.
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(text)


def fail(error: EvenhandError, *, as_json: bool) -> int:
    """Print all problems of an error and return the exit status."""
    if as_json:
        errors = [dataclasses.asdict(problem) for problem in error.problems]
        typer.echo(json.dumps({"errors": errors}, indent=2, ensure_ascii=False))
    else:
        typer.echo(str(error), err=True)
    return ENGINE if isinstance(error, EngineError) else USAGE
