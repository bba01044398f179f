"""A first plan for a file, drafted in a process of its own, which is this module.

A data file can stop what reads it, or make it take all memory; then that process ends, and the
centre says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evenhand.errors import CentreError, EvenhandError, PlanError, Problem

_SECONDS = 45.0
"""How long drafting may take: a sample of the rows is looked at, not all."""

_MEMORY = 2 * 2**30
"""Bytes that the process may allocate."""

_AT_ONCE = threading.Semaphore(2)
_WAIT = 20.0

PARTS = ("prediction", "label", "group", "unit")
"""What a person can say that is else guessed."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was guessed, and the plan; no plan where something an audit needs could not be told.

    Attributes:
        text: The plan; empty where there is none.
        guessed: Parts with ``part``, ``text``, ``bins``, ``why`` and ``sure``.
        notes: What could not be told, and what is lost by that.
        problems: What must be said before there is a plan.
        columns: The columns of the file.
        looked: In which rows it was looked.

    """

    text: str
    guessed: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]
    columns: tuple[str, ...]
    looked: str


def draft_of(path: Path, said: Mapping[str, str]) -> Draft:
    """Return a first plan for a file that may be read.

    Args:
        path: The file.
        said: What somebody said of `PARTS`; empty where they did not.

    Raises:
        PlanError: It cannot be read, or stops what reads it.
        CentreError: Others are being looked at.

    """
    if not _AT_ONCE.acquire(timeout=_WAIT):
        raise CentreError(Problem(path.name, "other files are being looked at.", "Try again."))
    try:
        # Not the folder where the server happens to be, which may hold modules of any name.
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", __name__],
            input=json.dumps([str(path), dict(said)]).encode(),
            env={name: one for name, one in os.environ.items() if not name.startswith("EVENHAND_")},
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        what = f"looking at it takes more than {_SECONDS:g} seconds."
        raise PlanError(Problem(path.name, what, f"evenhand init {path.name}")) from error
    finally:
        _AT_ONCE.release()
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        what = "reading it stopped the process that did it."
        hint = "Is it whole, and what its name says?"
        raise PlanError(Problem(path.name, what, hint)) from error
    problems = tuple(Problem(*one) for one in answer["problems"])
    return Draft(
        text=answer["text"],
        guessed=tuple(answer["guessed"]),
        notes=tuple(answer["notes"]),
        problems=problems,
        columns=tuple(answer["columns"]),
        looked=answer["looked"],
    )


def _drafted(path: Path, said: Mapping[str, str]) -> Draft:
    from evenhand.audits.plan.draft import draft
    from evenhand.audits.plan.guess import guess

    roles = {name: said[name] for name in ("prediction", "label") if said.get(name)}
    groups = [said["group"]] if said.get("group") else []
    found = guess(str(path), roles=roles, groups=groups, unit=said.get("unit") or None)
    rows = f"{found.sample.rows.height:,} rows"
    return Draft(
        text="" if found.problems else draft(found, path.name),
        guessed=tuple(found.to_dict()["guessed"]),
        notes=tuple(map(_as_field, found.notes)),
        problems=tuple(
            Problem(one.where, _as_field(one.what), _as_field(one.hint)) for one in found.problems
        ),
        columns=tuple(found.sample.columns),
        looked=f"all {rows}" if found.sample.is_whole else f"the first {rows}",
    )


def _as_field(text: str) -> str:
    """Return what tells of the flags of a command as it tells of the fields of a form.

    >>> _as_field("Say --group COLUMN.")
    'Say group: COLUMN.'
    """
    return _FLAG.sub(r"\1:", text)


_FLAG = re.compile(rf"--({'|'.join(PARTS)})\b")


def main() -> None:
    """Draft the plan that is asked for in the standard input."""
    path, said = json.loads(sys.stdin.buffer.read())
    _limit_memory()
    try:
        answer = asdict(_drafted(Path(path), said))
    except EvenhandError as error:
        problems = [asdict(one) for one in error.problems]
        answer = asdict(Draft("", (), (), (), (), "")) | {"problems": problems}
    answer["problems"] = [[one["where"], one["what"], one["hint"]] for one in answer["problems"]]
    sys.stdout.write(json.dumps(answer))


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        # On Windows nothing limits it.
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    main()
