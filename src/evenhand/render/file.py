"""Rendered text in files: whole or not at all, as evidence is written."""

from __future__ import annotations

from pathlib import Path

from evenhand.audits.evidence.file import Location, check_targets, write_whole
from evenhand.errors import OutputError, Problem, reason

__all__ = ["add_text", "check_targets", "write_text"]


def write_text(path: Location, text: str, *, force: bool) -> None:
    """Write a text as UTF-8.

    Raises:
        OutputError: It is there already, or cannot be written.

    """
    write_whole(text.encode(), path, force=force)


def add_text(path: Location, text: str) -> None:
    """Add a text to the end of a file.

    Raises:
        OutputError: It cannot be written.

    """
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        what = f"it cannot be written: {reason(error)}."
        raise OutputError(Problem(str(path), what)) from error
