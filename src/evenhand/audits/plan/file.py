"""A plan in a file, checked against its log."""

from __future__ import annotations

import re
from pathlib import Path

from evenhand.audits.plan.fit import Fit, fit, form_problems
from evenhand.audits.plan.plan import parse_mended
from evenhand.errors import EngineError, EvenhandError, PlanError, Problem, reason
from evenhand.logs.source import EngineLike, OnBadFile

ENDINGS = {".yaml", ".yml"}


def is_plan(path: str | Path) -> bool:
    """Return whether a path names a plan rather than a log."""
    return Path(path).suffix.lower() in ENDINGS


def open_plan(
    path: str | Path,
    *,
    table: object = None,
    engine: EngineLike = None,
    on_bad_file: OnBadFile = "fail",
    read: bool = True,
    joined: bool = False,
) -> Fit:
    """Return the plan of a file with its log; relative sources start from the plan's folder.

    Args:
        path: The file.
        table: A table in memory to audit instead of the plan's source.
        engine: ``polars``, ``duckdb``, ``spark``, or a `Spark`.
        on_bad_file: Whether files that are broken fail the audit or are left out.
        read: Whether rows may be looked at, where the plan names no measures.
        joined: Whether the table has the columns of the plan's side tables already.

    Raises:
        PlanError: With every problem and its line.
        SourceError: The log cannot be opened.

    """
    file = Path(path)
    text = plan_text(path)
    plan, located, problems = parse_mended(text, str(path))
    if plan is None:
        raise PlanError(_ordered([*problems, *form_problems(located)], str(path)))
    try:
        found = fit(
            plan,
            located,
            folder=file.parent,
            table=table,
            engine=engine,
            on_bad_file=on_bad_file,
            read=read,
            joined=joined,
        )
    except EngineError:
        raise
    except EvenhandError as error:
        if not problems:
            raise
        raise PlanError(_ordered([*problems, *error.problems], str(path))) from error
    if problems:
        raise PlanError(problems)
    return found


def plan_text(path: str | Path) -> str:
    """Return what is written in the file of a plan.

    Raises:
        PlanError: It cannot be read.

    """
    file = Path(path)
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        hint = "Draft one from a log: evenhand init LOG."
        raise PlanError(Problem(str(path), "no such file.", hint)) from error
    except IsADirectoryError as error:
        hint = f"Name a plan in it, such as {file / 'audit.yaml'}."
        raise PlanError(Problem(str(path), "this is a folder.", hint)) from error
    except OSError as error:
        raise PlanError(Problem(str(path), f"cannot be read: {reason(error)}.")) from error
    except UnicodeDecodeError as error:
        raise PlanError(Problem(str(path), "it is not UTF-8.", "Save it as UTF-8.")) from error


def _ordered(problems: list[Problem], name: str) -> list[Problem]:
    """Return problems in the order of their lines, each once."""

    def line(problem: Problem) -> int:
        found = re.match(r":(\d+)", problem.where.removeprefix(name))
        return int(found[1]) if found else 0

    return sorted(dict.fromkeys(problems), key=line)
