"""The log that a plan names: opened, or everything that stops it, each at its place in the plan."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from evenhand.audits.plan.lines import Located
from evenhand.audits.plan.placed import at_place, placed
from evenhand.audits.plan.plan import AuditPlan
from evenhand.errors import EngineError, EvenhandError, PlanError, Problem
from evenhand.logs.backend import Spark
from evenhand.logs.kinds import kind_named
from evenhand.logs.log import Log, open_log
from evenhand.logs.remote import within
from evenhand.logs.source import EngineLike, OnBadFile


def opened_log(
    plan: AuditPlan,
    places: Located,
    folder: Path | None,
    table: object,
    reading: tuple[EngineLike, OnBadFile],
) -> tuple[Log | None, list[Problem]]:
    """Return the log, or what stops it, each problem at its line.

    Args:
        plan: The plan.
        places: Where everything stands in its file.
        folder: The folder that relative paths start from; None for the current one.
        table: A table in memory to read instead of the plan's source; None for the source.
        reading: The engine, and whether files that are broken stop it.

    Raises:
        EngineError: The engine is not there.

    """
    (engine, on_bad_file), source = reading, table
    if source is None and plan.model is not None:
        # It may run whatever code it holds: only who says so has it run.
        what = "the plan names a model, and it was not said that it may be asked here."
        hint = "evenhand audit PLAN probes it; its log can be audited anywhere."
        return None, [Problem(places.where(("model",)), what, hint)]
    if source is None:
        try:
            path = expanded(plan.log.source)
        except EvenhandError as error:
            return None, at_place(places, ("log", "source"), error)
        source = path if folder is None else within(folder, path, catalogue=_is_spark(engine))
    catalogue, missing = _catalogue(plan, places, folder)
    tables, wrong = _tables(plan, places, folder, catalogue=_is_spark(engine))
    wrong += missing
    if wrong:
        return None, wrong
    try:
        return (
            open_log(
                source,
                kind=plan.log.kind,
                roles=plan.roles,
                groups=dict(plan.groups),
                unit=plan.written_unit,
                where=plan.log.where,
                engine=engine,
                top=plan.log.top,
                classes=plan.classes,
                on_bad_file=on_bad_file,
                tables=tables,
                item_groups=dict(plan.item_groups),
                catalogue=catalogue,
                max_bad_requests=plan.log.max_bad_requests,
            ),
            [],
        )
    except EngineError:
        raise
    except EvenhandError as error:
        found = [placed(problem, places) for problem in error.problems]
        wrong = kind_problems(plan.log.kind, places)
        if wrong:
            # Roles are those of a kind; where the rest of the log is wrong can be said without it.
            other = plan.model_copy(
                update={"log": plan.log.model_copy(update={"kind": _ANY_KIND}), "roles": {}}
            )
            found = wrong + opened_log(other, places, folder, table, reading)[1]
        return None, found


def _tables(
    plan: AuditPlan, places: Located, folder: Path | None, *, catalogue: bool
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the side tables with their sources as they are found from here."""
    tables, problems = [], []
    for index, table in enumerate(plan.tables):
        try:
            path = expanded(table.source)
        except EvenhandError as error:
            problems += at_place(places, ("tables", index, "source"), error)
            continue
        path = path if folder is None else within(folder, path, catalogue=catalogue)
        tables.append({**table.model_dump(), "source": path})
    return tables, problems


def _catalogue(
    plan: AuditPlan, places: Located, folder: Path | None
) -> tuple[str | None, list[Problem]]:
    """Return the table of what could have been shown as it is found from here."""
    if plan.catalogue is None:
        return None, []
    try:
        path = expanded(plan.catalogue)
    except EvenhandError as error:
        return None, at_place(places, ("catalogue",), error)
    return path if folder is None else within(folder, path, catalogue=False), []


def _is_spark(engine: EngineLike) -> bool:
    return engine == "spark" or isinstance(engine, Spark)


_ANY_KIND = "decisions"


def expanded(text: str) -> str:
    """Return a path with ``${NAME}`` replaced by the environment's value."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in os.environ:
            what = f"the environment variable {name} is not set."
            raise PlanError(Problem(text, what, f"export {name}=..., or write the path."))
        return os.environ[name]

    return _VARIABLE.sub(value, text)


def variables_in(text: str) -> list[str]:
    """Return the names of the environment variables that a path is written with."""
    return _VARIABLE.findall(text)


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def kind_problems(kind: str, places: Located) -> list[Problem]:
    """Return that there is no such kind."""
    try:
        kind_named(kind)
    except EvenhandError as error:
        return [placed(problem, places) for problem in error.problems]
    return []
