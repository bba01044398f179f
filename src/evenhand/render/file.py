"""Rendered text in files: whole or not at all, as evidence is written."""

from __future__ import annotations

from evenhand.audits.evidence.file import Location, check_targets, write_whole

__all__ = ["check_targets", "write_text"]


def write_text(path: Location, text: str, *, force: bool) -> None:
    """Write a text as UTF-8.

    Raises:
        OutputError: It is there already, or cannot be written.

    """
    write_whole(text.encode(), path, force=force)
