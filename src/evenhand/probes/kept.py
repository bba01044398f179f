"""What a probe has finished, kept in a folder by what it was made of, so that it resumes."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from evenhand.errors import OutputError, Problem, reason

ENDING, CLEAN, CHECKED, JUDGED, HALF = ".block", ".clean", ".checked", ".judged", ".part"

ASKED = "asked"
"""The column of a kept block that holds what the model was asked for all of it."""


def kept_in(folder: Path) -> list[Path]:
    """Return the finished blocks that a folder keeps."""
    return sorted(folder.glob(f"*{ENDING}"))


def forget(folder: Path) -> None:
    """Remove what was kept, and the folder unless it holds something else."""
    rest = [path for ending in (CLEAN, CHECKED, JUDGED, HALF) for path in folder.glob(f"*{ending}")]
    for path in (*kept_in(folder), *rest):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def named(known: Sequence[object]) -> str:
    """Return a file's name by what is in it."""
    return hashlib.sha256(json.dumps([str(one) for one in known]).encode()).hexdigest()[:32]


def read(path: Path) -> pl.DataFrame | None:
    """Return a block that was kept; None where there is none that is whole."""
    try:
        return pl.read_parquet(path) if path.exists() else None
    except Exception:  # noqa: BLE001 - it is made again
        return None


def write(rows: pl.DataFrame, path: Path) -> None:
    """Keep a block.

    Raises:
        OutputError: It cannot be kept.

    """
    try:
        path.parent.mkdir(exist_ok=True)
        half = path.with_suffix(HALF)
        rows.write_parquet(half)
        half.replace(path)
    except OSError as error:
        what = f"what is finished cannot be kept: {reason(error)}."
        raise OutputError(Problem(str(path.parent), what)) from error
