"""What changed between two audits, found out in a process of its own.

Only comparisons read replicates, which are Parquet; a file that was sealed on purpose can stop its
reader, or make it take all memory. Then that process ends, and the centre says so.
"""

from __future__ import annotations

import contextlib
from typing import Any

from evenhand.centre.store.centre import Centre
from evenhand.centre.store.child import BusyError, Child, LateError
from evenhand.centre.store.opened import Shelf
from evenhand.errors import BundleError, CentreError, Problem

MOST_SECONDS = 60.0
"""How long a comparison may take, and how long another may wait for its turn."""

_MOST_MEMORY = 4 * 2**30
"""Bytes that the process may ask for."""

_SHELF: Shelf[dict[str, Any]] = Shelf(100_000)
"""Room for so many changes, of about 1 kB each."""

_AT_LEAST = 10


def compared(centre: Centre, before: str, after: str) -> dict[str, Any]:
    """Return what changed from one bundle to another, as ``evenhand diff --json`` prints it.

    Args:
        centre: The centre.
        before: SHA-256 of the first file.
        after: SHA-256 of the second.

    Raises:
        BundleError: They cannot be compared, or stop what reads them.
        CentreError: A file cannot be read, or others are being compared.

    """

    def make() -> tuple[dict[str, Any], int]:
        files = centre.storage.read(before), centre.storage.read(after)
        found = _asked((before, after), files)
        return found, _AT_LEAST + len(found["changes"])

    return _SHELF.get((before, after), make)


def begin() -> None:
    """Start the process that compares, so that nobody waits for it."""
    with contextlib.suppress(BundleError, CentreError):
        _asked(("", ""), (b"", b""))


def _asked(names: tuple[str, str], files: tuple[bytes, bytes]) -> dict[str, Any]:
    """Return what changed from a file to another.

    Raises:
        BundleError: They cannot be compared, or stopped the process.
        CentreError: It is not this one's turn for too long.

    """
    try:
        found = _CHILD.ask((names, files))
    except BusyError as error:
        what = "other evidence is being compared."
        raise CentreError(Problem("diff", what, "Try again in a minute.")) from error
    except LateError as error:
        what = f"comparing them takes more than {MOST_SECONDS:g} seconds."
        hint = "Compare them where there is time: evenhand diff BEFORE AFTER."
        raise BundleError(Problem(_pair(names), what, hint)) from error
    except (EOFError, OSError) as error:
        what = "reading their replicates stopped the process that did it."
        hint = "Was one of them made on purpose? evenhand verify tells whether it changed."
        raise BundleError(Problem(_pair(names), what, hint)) from error
    if isinstance(found, tuple):
        raise BundleError([Problem(*one) for one in found])
    return found


def _pair(names: tuple[str, str]) -> str:
    return f"{names[0][:19]} and {names[1][:19]}"


def _compare(
    asked: tuple[tuple[str, str], tuple[bytes, bytes]],
) -> dict[str, Any] | tuple[tuple[str, str, str], ...]:
    """Return what changed, or why that cannot be told."""
    from evenhand.audits.evidence.archive import bundle_again
    from evenhand.audits.evidence.comparison import diff
    from evenhand.errors import EvenhandError

    names, files = asked
    try:
        pair = [
            bundle_again(file, name[:19], replicates=True)
            for name, file in zip(names, files, strict=True)
        ]
        return diff(*pair).to_dict()
    except EvenhandError as error:
        return tuple((one.where, one.what, one.hint) for one in error.problems)


_CHILD = Child(_compare, seconds=MOST_SECONDS, memory=_MOST_MEMORY)
