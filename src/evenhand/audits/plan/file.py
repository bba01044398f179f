"""A plan in a file, checked against its log."""

from __future__ import annotations

from pathlib import Path

from evenhand.audits.plan.fit import Fit, fit
from evenhand.audits.plan.plan import parse_plan
from evenhand.errors import PlanError, Problem

ENDINGS = {".yaml", ".yml"}


def is_plan(path: str | Path) -> bool:
    """Return whether a path names a plan rather than a log."""
    return Path(path).suffix.lower() in ENDINGS


def open_plan(
    path: str | Path, *, table: object = None, engine: str | None = None, read: bool = True
) -> Fit:
    """Return the plan of a file with its log; relative sources start from the plan's folder.

    Args:
        path: The file.
        table: A table in memory to audit instead of the plan's source.
        engine: ``polars``, ``duckdb`` or ``spark``.
        read: Whether rows may be looked at, where the plan names no measures.

    Raises:
        PlanError: With every problem and its line.
        SourceError: The log cannot be opened.

    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        hint = "Draft one from a log: evenhand init LOG."
        raise PlanError(Problem(str(path), "no such file.", hint)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(Problem(str(path), f"cannot be read: {error}.")) from error
    plan, located = parse_plan(text, str(path))
    return fit(plan, located, folder=file.parent, table=table, engine=engine, read=read)
