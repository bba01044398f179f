"""Running a plan: roles on the schema, a scan for every slice, findings, verdicts, evidence."""

from __future__ import annotations

import datetime as dt
import hashlib
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import polars as pl

from evenhand.audits.asked import Asked
from evenhand.audits.estimate import answer, asked_of
from evenhand.audits.evidence.bundle import Bundle, Input
from evenhand.audits.evidence.chart import charts_of
from evenhand.audits.evidence.replicate import replicates_of
from evenhand.audits.gate.judge import Case, judge
from evenhand.audits.gate.verdict import WaiverNote
from evenhand.audits.plan.fit import Fit
from evenhand.engine.dense import Watch
from evenhand.engine.state import State
from evenhand.logs.log import ROW, Log
from evenhand.logs.source import row_count

Progress = Callable[[str, float], None]
"""Called with what is being done and the share that is done, in [0, 1]."""


def _silent(_: str, __: float) -> None:
    """Show nothing."""


def run(fit: Fit, *, version: str, progress: Progress = _silent) -> Bundle:
    """Return the evidence of an audit.

    Args:
        fit: The plan, checked against its log.
        version: The version of Evenhand.
        progress: Told what is being done.

    Raises:
        EvenhandError: The rows cannot be read, or hold what a role does not allow.

    """
    plan, started = fit.plan, dt.datetime.now(dt.UTC)
    asked: list[Asked] = []
    scopes = [*fit.questions]
    share = 1 / (len(scopes) + 1)
    total = row_count(fit.log.source)
    for place, scope in enumerate(scopes):
        asked += asked_of(
            fit.questions[scope],
            fit.log_of(scope),
            level=plan.level,
            seed=plan.seed,
            min_units=plan.min_units,
            scope=scope,
            watch=_watch(progress, scope, place * share, share, total),
        )
    progress("comparing groups", 1 - share)
    findings = tuple(finding for one in asked for finding in answer(one))
    rules = judge(cases(fit, asked)) if plan.gate else []
    inputs = tuple(inputs_of(fit.log))
    finished = dt.datetime.now(dt.UTC)
    progress("done", 1.0)
    return Bundle(
        plan=plan,
        findings=findings,
        rules=tuple(rules),
        replicates=replicates_of(asked),
        environment={
            **_environment(fit.log, version),
            "plan": fit.name,
            "rows": asked[0].state.rows,
            "seconds": round((finished - started).total_seconds(), 3),
        },
        inputs=inputs,
        units=units_of(asked[0].state, fit.log),
        created=finished.replace(microsecond=0),
        version=version,
        charts=charts_of(findings),
    )


def _watch(
    progress: Progress, scope: str | None, done: float, share: float, total: int | None
) -> Watch:
    """Return what is told of rows, and tells how much of the audit they are.

    Args:
        progress: Told what is being done.
        scope: The slice that is read.
        done: Share of the audit that was done before it.
        share: Share of the audit that it is.
        total: Number of rows, where it is known.

    """
    about = "" if scope is None else f", {scope}"
    progress(f"reading{about}", done)

    def watch(rows: int) -> None:
        of = "" if total is None else f" of {total:,}"
        progress(f"{rows:,}{of} rows{about}", done + share * (rows / total if total else 0.0))

    return watch


def cases(fit: Fit, asked: Sequence[Asked]) -> list[Case]:
    """Return every rule in every scope in which its measure is measured."""
    waivers = {
        waiver.rule: WaiverNote(waiver.owner, waiver.expires, waiver.reason)
        for waiver in fit.plan.waivers
    }
    return [
        Case(
            rule,
            fit.limits[rule.id],
            one,
            waivers.get(rule.id),
            fit.line(("gate", place, "rule")),
        )
        for place, rule in enumerate(fit.plan.gate)
        for one in asked
        if one.question.key == fit.limits[rule.id].notation
    ]


def inputs_of(log: Log) -> Iterator[Input]:
    """Yield the files that a log is read from, with their digests."""
    if not log.source.files:
        yield Input(log.source.name, None, None)
    for file in log.source.files:
        with Path(file).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        yield Input(Path(file).name, Path(file).stat().st_size, f"sha256:{digest}")


def units_of(state: State, log: Log) -> dict[str, Any]:
    """Return what is independent, and a digest of the set of units.

    The digest is of the sketch that counts units: equal for equal sets, in any order of rows, and
    it tells nothing of any one unit.
    """
    if log.unit == ROW or not state.units:
        return {"unit": str(log.unit), "sha256": None}
    marks = state.units_by(()).frame
    columns = [name for name in marks.columns if name != marks.columns[0]]
    largest = marks.select(marks.columns[0], mark=pl.max_horizontal(*columns))
    text = largest.sort(marks.columns[0]).write_csv()
    return {"unit": str(log.unit), "sha256": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"}


_PACKAGES = ("polars", "narwhals", "numpy", "scipy")


def _environment(log: Log, version: str) -> Mapping[str, Any]:
    engines = {"duckdb": ["duckdb"], "spark": ["pyspark"]}.get(log.source.engine, [])
    return {
        "evenhand": version,
        "python": platform.python_version(),
        "system": platform.system(),
        "engine": log.source.engine,
        "packages": {name: installed_version(name) for name in (*_PACKAGES, *engines)},
    }
