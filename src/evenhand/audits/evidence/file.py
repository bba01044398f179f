"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from evenhand.audits.evidence.zipped import MOST_BYTES
from evenhand.errors import BundleError, OutputError, Problem

Location: TypeAlias = str | os.PathLike[str]


def write_whole(data: bytes, path: Location, *, force: bool = False) -> None:
    """Write a file so that nobody ever sees half of it, however the writing ends.

    Args:
        data: What it holds.
        path: Where it goes; its folder must be there.
        force: Whether a file that is there is replaced.

    Raises:
        OutputError: It cannot be written, or is there already.

    """
    target = Path(path)
    check_targets([target], force=force)
    # In the same folder, since only within one file system a file is replaced at once.
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    try:
        try:
            with part.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            check_targets([target], force=force)
            part.replace(target)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise OutputError(Problem(str(target), f"it cannot be written: {said}.")) from error


def check_targets(targets: Iterable[Location], *, force: bool) -> None:
    """Check that files may be written here, before any work is done.

    Raises:
        OutputError: With every file that is there already, or whose folder is not.

    """
    problems = [one for target in targets for one in _obstacles(Path(target), force=force)]
    if problems:
        raise OutputError(problems)


def _obstacles(target: Path, *, force: bool) -> Iterator[Problem]:
    where = str(target)
    if target.is_dir():
        yield Problem(where, "this is a folder.", "Name a file in it.")
    elif not target.parent.is_dir():
        what = f"there is no folder '{target.parent}'."
        yield Problem(where, what, f"mkdir -p {shlex.quote(str(target.parent))}")
    elif target.exists() and not force:
        hint = "Name another file, or replace it with --force (force=True)."
        yield Problem(where, "it is there already.", hint)


def read_whole(path: Location) -> bytes:
    """Return the bytes of a file of evidence.

    Raises:
        BundleError: It cannot be read, or is larger than evidence is.

    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            # One byte more than allowed tells a file that is too large, a pipe without end too.
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        hint = "Name a file that evenhand audit wrote."
        raise BundleError(Problem(str(source), f"it cannot be read: {said}.", hint)) from error
    if len(data) > MOST_BYTES:
        what = f"it has more than {MOST_BYTES // 2**20} MiB; no evidence is as large."
        raise BundleError(Problem(str(source), what))
    return data
