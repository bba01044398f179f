"""Evidence that is pushed, read in processes of their own.

A file that was made to hurt stops nobody else there, and while others push, pages need not wait for
what takes most of the time of a push. Large files have a process for themselves.
"""

from __future__ import annotations

import contextlib

from evenhand.centre.store.child import BusyError, Child, LateError
from evenhand.centre.store.evidence import EvidenceFile, read_file
from evenhand.errors import BundleError, CentreError, EvenhandError, Problem

_SMALL = 8 * 2**20
"""Bytes up to which reading takes less than a second."""

_Refused = tuple[tuple[str, str, str], ...]


def read_elsewhere(data: bytes) -> EvidenceFile:
    """Return what a file of evidence says, as `evidence.read_file`.

    Raises:
        BundleError: It is no evidence, or stops or holds up the process that reads it.
        CentreError: Too many push at once.

    """
    child = _CHILD if len(data) <= _SMALL else _LARGE
    try:
        found = child.ask(data)
    except BusyError as error:
        what = "too much evidence is pushed at once."
        raise CentreError(Problem("bundle", what, "Push it again in a minute.")) from error
    except LateError as error:
        raise BundleError(Problem("bundle", "reading it takes too long.")) from error
    except (EOFError, OSError) as error:
        what = "it stopped the process that read it."
        hint = "See where it was made whether it is whole: evenhand verify FILE."
        raise BundleError(Problem("bundle", what, hint)) from error
    if isinstance(found, EvidenceFile):
        return found
    raise BundleError([Problem(*one) for one in found])


def begin() -> None:
    """Start the process that reads what is not large, so that nobody waits for it."""
    with contextlib.suppress(BundleError, CentreError):
        read_elsewhere(b"")


def _read(data: bytes) -> EvidenceFile | _Refused:
    try:
        return read_file(data)
    except EvenhandError as error:
        return tuple((one.where, one.what, one.hint) for one in error.problems)


_CHILD = Child(_read, seconds=60, memory=2 * 2**30, waiting=64)
_LARGE = Child(_read, seconds=300, memory=8 * 2**30, waiting=2)
