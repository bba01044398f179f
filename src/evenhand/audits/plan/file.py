"""A plan in a file, checked against its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.audits.plan.fit import Fit, fit, form_problems
from evenhand.audits.plan.lines import Located, ordered, read_yaml
from evenhand.audits.plan.parsed import parse_mended
from evenhand.audits.plan.plan import AuditPlan
from evenhand.errors import EngineError, EvenhandError, PlanError, Problem, reason
from evenhand.logs.source import EngineLike, OnBadFile

if TYPE_CHECKING:
    from evenhand.audits.modelled import Runner, Step
    from evenhand.audits.plan.probed import Prepared

ENDINGS = {".yaml", ".yml"}


def is_plan(path: str | Path) -> bool:
    """Return whether a path names a plan rather than a log."""
    return Path(path).suffix.lower() in ENDINGS


def names_model(path: str | Path) -> bool:
    """Return whether a plan names a model; what is wrong with it is said when it is opened."""
    try:
        content = read_yaml(plan_text(path), str(path)).content
    except PlanError:
        return False
    return isinstance(content, Mapping) and content.get("model") is not None


def open_plan(
    path: str | Path,
    *,
    table: object = None,
    engine: EngineLike = None,
    on_bad_file: OnBadFile = "fail",
    read: bool = True,
    joined: bool = False,
    runner: Runner | None = None,
) -> Fit:
    """Return the plan of a file with its log; relative sources start from the plan's folder.

    Args:
        path: The file.
        table: A table in memory to audit instead of the plan's source.
        engine: ``polars``, ``duckdb``, ``spark``, or a `Spark`.
        on_bad_file: Whether files that are broken fail the audit or are left out.
        read: Whether rows may be looked at, where the plan names no measures.
        joined: Whether the table has the columns of the plan's side tables already.
        runner: For a plan that names a model, what its runner decides: its probes are run now.
            Without one such a plan is refused, since a model may run whatever it holds.

    Raises:
        PlanError: With every problem and its line.
        SourceError: The log cannot be opened.

    """
    plan, located, problems = _parsed(path)
    folder = Path(path).parent
    if plan.model is not None and table is None and runner is not None:
        from evenhand.audits.modelled import checked, probed

        with _together(problems, str(path)):
            prepared, steps = checked(plan, located, folder=folder, runner=runner)
        how: dict[str, Any] = {"engine": engine, "on_bad_file": on_bad_file}
        return probed(prepared, steps, located, folder=folder, runner=runner, **how)
    with _together(problems, str(path)):
        return fit(
            plan,
            located,
            folder=folder,
            table=table,
            engine=engine,
            on_bad_file=on_bad_file,
            read=read,
            joined=joined,
        )


def check_plan(
    path: str | Path, *, runner: Runner | None, engine: EngineLike = None
) -> tuple[Fit, Prepared | None, list[Step]]:
    """Return the plan of a file, checked; of one that names a model also what its probes would do.

    No row is read, and nothing is attacked: a model is opened, and asked about a few inputs.

    Args:
        path: The file.
        runner: What its runner decides.
        engine: ``polars``, ``duckdb``, ``spark``, or a `Spark`.

    Raises:
        PlanError: With every problem and its line.
        SourceError: The log cannot be opened.

    """
    plan, located, problems = _parsed(path)
    if plan.model is None or runner is None:
        return open_plan(path, engine=engine, read=False), None, []
    from evenhand.audits.modelled import checked

    with _together(problems, str(path)):
        prepared, steps = checked(plan, located, folder=Path(path).parent, runner=runner)
    return prepared.fit, prepared, steps


def _parsed(path: str | Path) -> tuple[AuditPlan, Located, list[Problem]]:
    """Return the plan that a file means, and what is wrong with its form where it can be mended."""
    plan, located, problems = parse_mended(plan_text(path), str(path))
    if plan is not None:
        return plan, located, problems
    problems += form_problems(located)
    probes = located.content.get("probes") if isinstance(located.content, Mapping) else None
    if probes:
        from evenhand.audits.plan.probed import notation_problems

        problems += notation_problems(probes, located)
    raise PlanError(ordered(problems, str(path)))


@contextmanager
def _together(problems: list[Problem], name: str) -> Iterator[None]:
    """Say what is wrong with the form of a plan together with whatever else is found wrong."""
    try:
        yield
    except EngineError:
        raise
    except EvenhandError as error:
        if not problems:
            raise
        raise PlanError(ordered([*problems, *error.problems], name)) from error
    if problems:
        raise PlanError(problems)


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
