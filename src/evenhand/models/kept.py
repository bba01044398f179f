"""Answers of an endpoint that are kept: on disk, so that a probe goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evenhand.errors import ModelError, Problem, reason
from evenhand.models.answer import batches
from evenhand.models.model import Floats

_AT_ONCE = 500
"""Keys in a question to the database: fewer than SQLite takes."""

_CANARIES = b"canaries"


def key_of(x: Floats) -> bytes:
    """Return the key of one input, as it is sent."""
    return hashlib.sha256(x.tobytes()).digest()


def same(first: Any, again: Any) -> bool:  # noqa: ANN401 - scores, or labels
    """Return whether a model answers as it did: numbers within 0.0001 of themselves."""
    first, again = np.asarray(first), np.asarray(again)
    if first.shape != again.shape or first.dtype.kind != "f":
        return np.array_equal(first, again)
    return bool(np.allclose(first, again, rtol=1e-4, atol=1e-6))


@dataclass(frozen=True)
class Kept:
    """Answers by the key of their input.

    Attributes:
        file: A database of SQLite.
        canaries: What the model answered to canaries when it was made.

    """

    file: sqlite3.Connection
    canaries: Any

    @classmethod
    def open(cls, folder: Path | None, of: str, canaries: Any) -> Kept:  # noqa: ANN401
        """Open what is kept of a model, or begin to.

        Args:
            folder: Where; without one nothing outlives the process.
            of: What tells the model from others: its address and more.
            canaries: What it answers to canaries now. What it said when it answered them otherwise
                is left alone.

        Raises:
            ModelError: It cannot be written, or is no such file.

        """
        name = hashlib.sha256(of.encode()).hexdigest()[:24]
        try:
            if folder is None:
                return cls._made(":memory:", canaries)
            folder.mkdir(parents=True, exist_ok=True)
            paths = sorted(folder.glob(f"{name}-*.answers"))
            for path in paths:
                kept = cls._made(str(path), canaries)
                if same(kept.canaries, canaries):
                    return kept
                kept.file.close()
            return cls._made(str(folder / f"{name}-{len(paths):04d}.answers"), canaries)
        except (OSError, ValueError, sqlite3.Error) as error:
            said = reason(error) if isinstance(error, OSError) else str(error)
            what = f"answers cannot be kept there: {said}."
            raise ModelError(Problem(str(folder), what)) from error

    @classmethod
    def _made(cls, path: str, canaries: Any) -> Kept:  # noqa: ANN401
        file = sqlite3.connect(path)
        with file:
            file.execute("CREATE TABLE IF NOT EXISTS answer (key BLOB PRIMARY KEY, said TEXT)")
            said = json.dumps(np.asarray(canaries).tolist())
            file.execute("INSERT OR IGNORE INTO answer VALUES (?, ?)", (_CANARIES, said))
        ((text,),) = file.execute("SELECT said FROM answer WHERE key = ?", (_CANARIES,))
        return cls(file, np.asarray(json.loads(text)))

    def found(self, keys: Iterable[bytes]) -> dict[bytes, Any]:
        """Return the answers that are kept."""
        wanted = [*dict.fromkeys(keys)]
        said: dict[bytes, Any] = {}
        for some in batches(len(wanted), _AT_ONCE):
            part = wanted[some]
            marks = ",".join("?" * len(part))
            asked = f"SELECT key, said FROM answer WHERE key IN ({marks})"  # noqa: S608 - of marks
            said |= {key: json.loads(text) for key, text in self.file.execute(asked, part)}
        return said

    def add(self, answers: Mapping[bytes, Any]) -> None:
        """Keep answers, all or none of them.

        Raises:
            ModelError: They cannot be written.

        """
        rows = [(key, json.dumps(said)) for key, said in answers.items()]
        try:
            with self.file:
                self.file.executemany("INSERT OR REPLACE INTO answer VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            what = f"an answer cannot be kept: {error}."
            raise ModelError(Problem("answers", what, "Is the disk full?")) from error
