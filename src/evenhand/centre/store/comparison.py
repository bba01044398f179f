"""What changed between two audits, found out in a process of its own.

Only comparisons read replicates, which are Parquet; a file that was sealed on purpose can stop its
reader, or make it take all memory. Then that process ends, and the centre says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenhand.audits.finding import Finding
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.child import BusyError, Child, LateError
from evenhand.centre.store.opened import Shelf
from evenhand.errors import BundleError, CentreError, Problem

MOST_SECONDS = 60.0
"""How long a comparison may take, and how long another may wait for its turn."""

_MOST_MEMORY = 4 * 2**30
"""Bytes that the process may ask for."""

_SHELF: Shelf[Found] = Shelf(100_000)
"""Room for so many changes, of about 1 kB each."""

_AT_LEAST = 10


@dataclass(frozen=True, slots=True)
class About:
    """What a change is about that its record does not say: the finding afterwards.

    Attributes:
        better: Its convention: ``higher``, ``lower`` or anything else.

    """

    measure: str
    by: tuple[str, ...]
    contrast: str | None
    better: str
    is_pair: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What changed, and what each change is about; None for what is gone."""

    document: dict[str, Any]
    about: tuple[About | None, ...]


def compared(centre: Centre, before: str, after: str) -> Found:
    """Return what changed from one bundle to another, as ``evenhand diff --json`` prints it.

    Args:
        centre: The centre.
        before: SHA-256 of the first file.
        after: SHA-256 of the second.

    Raises:
        BundleError: They cannot be compared, or stop what reads them.
        CentreError: A file cannot be read, or others are being compared.

    """

    def make() -> tuple[Found, int]:
        files = centre.storage.read(before), centre.storage.read(after)
        found = _asked((before, after), files)
        return found, _AT_LEAST + len(found.about)

    return _SHELF.get((before, after), make)


def begin() -> None:
    """Start the process that compares, so that nobody waits for it."""
    with contextlib.suppress(BundleError, CentreError):
        _asked(("", ""), (b"", b""))


def _asked(names: tuple[str, str], files: tuple[bytes, bytes]) -> Found:
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
    if isinstance(found, Found):
        return found
    raise BundleError([Problem(*one) for one in found])


def _pair(names: tuple[str, str]) -> str:
    return f"{names[0][:19]} and {names[1][:19]}"


def _compare(
    asked: tuple[tuple[str, str], tuple[bytes, bytes]],
) -> Found | tuple[tuple[str, str, str], ...]:
    """Return what changed, or why that cannot be told."""
    from evenhand.audits.evidence.archive import bundle_again
    from evenhand.audits.evidence.comparison import diff
    from evenhand.audits.evidence.moves import document_of, levellings
    from evenhand.errors import EvenhandError

    names, files = asked
    try:
        before, after = (
            bundle_again(file, name[:19], replicates=True)
            for name, file in zip(names, files, strict=True)
        )
        document = document_of(diff(before, after), levellings(before, after))
    except EvenhandError as error:
        return tuple((one.where, one.what, one.hint) for one in error.problems)
    known = {_identity(one): _about(one) for one in after.findings}
    return Found(document, tuple(known.get(_named(change)) for change in document["changes"]))


def _identity(one: Finding) -> tuple[object, ...]:
    pair = tuple(tuple(sorted(group.items())) for group in one.pair)
    return one.key, one.slice, pair, one.part


def _named(change: Mapping[str, Any]) -> tuple[object, ...]:
    pair = tuple(tuple(sorted(group.items())) for group in change.get("pair", ()))
    return change["key"], change["slice"], pair, change.get("part", "")


def _about(one: Finding) -> About:
    better = one.conventions.get("better", "")
    return About(one.measure, one.by, one.contrast, better, bool(one.pair))


_CHILD = Child(_compare, seconds=MOST_SECONDS, memory=_MOST_MEMORY)
