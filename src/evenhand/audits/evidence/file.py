"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from evenhand.audits.evidence.zipped import MOST_BYTES
from evenhand.errors import BundleError, OutputError, Problem, reason

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
    write_all({path: data}, force=force)


def write_all(files: Mapping[Location, bytes], *, force: bool = False) -> None:
    """Write files so that all of them are there, whole, or none.

    Args:
        files: What each of them holds.
        force: Whether files that are there are replaced.

    Raises:
        OutputError: One cannot be written, or is there already.

    """
    targets = [Path(path) for path in files]
    check_targets(targets, force=force)
    # In the same folder, since only within one file system a file is replaced at once.
    parts = {one: one.with_name(f".{secrets.token_hex(12)}.part") for one in targets}
    new = [target for target in targets if not target.exists()]
    try:
        for target, data in zip(targets, files.values(), strict=True):
            with _written(target), parts[target].open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        check_targets(targets, force=force)
        for target in targets:
            try:
                with _written(target):
                    parts[target].replace(target)
            except OutputError:
                for earlier in new[: new.index(target) if target in new else None]:
                    with contextlib.suppress(OSError):
                        earlier.unlink(missing_ok=True)
                raise
    finally:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


@contextlib.contextmanager
def _written(target: Path) -> Iterator[None]:
    """Say of the file itself, not of its temporary name, that it cannot be written."""
    try:
        yield
    except OSError as error:
        what = f"it cannot be written: {reason(error)}."
        raise OutputError(Problem(str(target), what)) from error


def check_targets(targets: Iterable[Location], *, force: bool) -> None:
    """Check that files may be written here, before any work is done.

    Raises:
        OutputError: With every file that is there already or named twice, or whose folder is not
            there or takes no files.

    """
    paths = [Path(target) for target in targets]
    problems = [one for path in paths for one in _obstacles(path, force=force)]
    places = [os.path.realpath(path) for path in paths]
    twice = {
        place: path for path, place in zip(paths, places, strict=True) if places.count(place) > 1
    }
    hint = "Name a different file for each."
    problems += [
        Problem(f"{path}", "two outputs would be this file.", hint) for path in twice.values()
    ]
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
        hint = "Name another file, or write over it with force=True (--force)."
        yield Problem(where, "it is there already.", hint)
    elif not os.access(target.parent, os.W_OK | os.X_OK):
        what = f"no file can be written in the folder '{target.parent}'."
        yield Problem(where, what, "Name a file elsewhere, or ask for the right to write there.")


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
        said = reason(error) if isinstance(error, OSError) else f"{error}"
        hint = "Name a file that evenhand audit wrote."
        raise BundleError(Problem(str(source), f"it cannot be read: {said}.", hint)) from error
    if len(data) > MOST_BYTES:
        what = f"it has more than {MOST_BYTES // 2**20} MiB; no evidence is as large."
        raise BundleError(Problem(str(source), what))
    return data
