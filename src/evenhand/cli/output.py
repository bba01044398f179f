"""What every verb prints: JSON or text on stdout, problems on stderr."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console, RenderableType

from evenhand.errors import CentreError, EngineError, EvenhandError, UnreachableError

if TYPE_CHECKING:
    from evenhand.audits.gate.verdict import RuleVerdict, Verdict

FAIL = 1
USAGE = 2
UNDECIDED = 3
ENGINE = 4
INTERRUPTED = 130


def show(text: RenderableType, document: object, *, as_json: bool) -> None:
    """Print the document as JSON, or the text for people."""
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
        return
    if sys.stdout.isatty():
        Console(highlight=False).print(text)
        return
    # Piped output is not wrapped to a screen that is not there, and not filled up to its edge.
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) else _PIPED
    page = io.StringIO()
    Console(file=page, width=width, highlight=False).print(text)
    typer.echo("\n".join(line.rstrip() for line in page.getvalue().splitlines()))


_PIPED = 160


def exit_with(rules: Sequence[RuleVerdict], *, honour_waivers: bool) -> None:
    """Leave with the status of a gate, as `leave`."""
    from evenhand.audits.gate.verdict import of_all

    today = dt.datetime.now(dt.UTC).date()
    standing = [
        rule.verdict
        for rule in rules
        if not (honour_waivers and rule.waiver and rule.waiver.expires >= today)
    ]
    leave(of_all(standing))


def leave(verdict: Verdict) -> None:
    """Leave with the status of a verdict: 0 pass, 1 fail, 3 undecided."""
    status = {"pass": 0, "fail": FAIL, "undecided": UNDECIDED}[verdict]
    if status:
        raise typer.Exit(status)


def fail(error: EvenhandError, *, as_json: bool) -> int:
    """Print all problems of an error and return the exit status."""
    if as_json:
        typer.echo(json.dumps({"errors": errors_of(error)}, indent=2, ensure_ascii=False))
    else:
        typer.echo(str(error), err=True)
    return status_of(error)


def errors_of(error: EvenhandError) -> list[dict[str, str]]:
    """Return all problems of an error as JSON has them."""
    return [dataclasses.asdict(problem) for problem in error.problems]


def status_of(error: EvenhandError) -> int:
    """Return the exit status of an error."""
    # As itself an error of the centre says that it failed, and not that it was asked wrongly.
    failed = isinstance(error, EngineError | UnreachableError) or type(error) is CentreError
    return ENGINE if failed else USAGE
