"""How a worker runs jobs: what they may read, how much they may take, how often it looks."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from evenhand.centre.policy import Span
from evenhand.centre.store.attempts import MOST_LOST
from evenhand.centre.store.centre import home
from evenhand.errors import EvenhandError, Problem

VARIABLES = ("EVENHAND_DATA",)
"""The variables of the environment that plans may use, where nobody says more."""

_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join(_UNITS)})")


def _scratch() -> Path:
    return home() / "jobs"


@dataclass(frozen=True)
class Settings:
    """How a worker runs jobs.

    Attributes:
        roots: What jobs may read, as `roots.roots_of` takes it.
        variables: The variables of the environment that plans may use.
        master: Spark's master; None for this machine's cores.
        parallel: How many jobs it runs at once.
        memory: How many bytes a job may allocate; None for any number.
        limit: How long an attempt may take; None for any time.
        lease: How long a job stays with a worker that gives no sign of life.
        beat: How often it gives one.
        look: How often it looks for jobs that no message told it of.
        most_lost: After how many attempts that ended without a word a job has failed.
        scratch: The folder for what is not finished.

    """

    roots: tuple[str, ...] = ()
    variables: tuple[str, ...] = VARIABLES
    master: str | None = None
    parallel: int = 1
    memory: int | None = 4 * 2**30
    limit: dt.timedelta | None = dt.timedelta(hours=6)
    lease: dt.timedelta = dt.timedelta(seconds=60)
    beat: dt.timedelta = dt.timedelta(seconds=2)
    look: dt.timedelta = dt.timedelta(seconds=5)
    most_lost: int = MOST_LOST
    scratch: Path = field(default_factory=_scratch)


def size_of(text: str) -> int:
    """Return the bytes of a size.

    >>> size_of("1.5 GiB")
    1610612736

    Raises:
        EvenhandError: It is none.

    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        what = f"'{text}' is no size."
        raise EvenhandError(Problem("--memory", what, "Write 512MiB or 4GiB."))
    return int(float(found[1]) * _UNITS[found[2]])


def span_of(text: str) -> dt.timedelta:
    """Return a span of time, as policies write them.

    >>> span_of("30m")
    datetime.timedelta(seconds=1800)

    Raises:
        EvenhandError: It is none.

    """
    try:
        return _SPAN.validate_python(text)
    except ValidationError as error:
        what = f"'{text}' is no span of time."
        raise EvenhandError(Problem("--limit", what, "Write 30m or 6h.")) from error


_SPAN: TypeAdapter[dt.timedelta] = TypeAdapter(Span)


def size_said(size: int) -> str:
    """Return a size in words.

    >>> size_said(4 * 2**30), size_said(300 * 2**20)
    ('4 GiB', '300 MiB')
    """
    unit = next(name for name in reversed(_UNITS) if size >= _UNITS[name] or name == "KiB")
    return f"{size / _UNITS[unit]:g} {unit}"
