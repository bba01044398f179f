"""Writing what was rendered: as a whole or not at all, and over nothing unless told to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from evenhand.errors import OutputError, Problem


def check_targets(targets: Iterable[Path], *, force: bool) -> None:
    """Refuse to write over files that are there, before any work is done.

    Raises:
        OutputError: With every target that exists, or whose folder does not.

    """
    problems = []
    for path in targets:
        if path.exists() and not force:
            what, hint = "it is there already.", "Write over it with --force (force=True)."
            problems.append(Problem(str(path), what, hint))
        if not path.parent.is_dir():
            what, hint = "its folder does not exist.", f"mkdir -p {path.parent}"
            problems.append(Problem(str(path), what, hint))
    if problems:
        raise OutputError(problems)


def write_text(path: Path, text: str, *, force: bool) -> None:
    """Write a file as a whole or not at all.

    Raises:
        OutputError: It is there already, or cannot be written.

    """
    check_targets([path], force=force)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise OutputError(Problem(str(path), f"cannot be written: {error}.")) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
