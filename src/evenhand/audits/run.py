"""Running a plan: roles on the schema, a scan for every slice, findings, verdicts, evidence."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path, PurePath
from typing import Any

import narwhals as nw
import polars as pl

from evenhand.audits.asked import Asked
from evenhand.audits.estimate import answer, asked_of, requests
from evenhand.audits.evidence.bundle import Bundle, Input
from evenhand.audits.evidence.chart import charts_of
from evenhand.audits.evidence.legible import sized
from evenhand.audits.evidence.probed import kept
from evenhand.audits.evidence.replicate import replicates_of
from evenhand.audits.evidence.strength import is_of_sources, variant_column
from evenhand.audits.gate.judge import Case, judge
from evenhand.audits.gate.reliance import doubt
from evenhand.audits.gate.verdict import WaiverNote
from evenhand.audits.made import UNTOLD, Makers, makers_of
from evenhand.audits.plan.fit import Fit
from evenhand.audits.states.states import States
from evenhand.engine import State, plan_scan
from evenhand.engine.partition import count, forget, ignore
from evenhand.engine.variant import check_variant
from evenhand.logs.log import ROW, Log
from evenhand.logs.source import names_of, row_count

Progress = Callable[[str, float], None]
"""Called with what is being done and the share that is done, in [0, 1]."""


def _silent(_: str, __: float) -> None:
    """Show nothing."""


def run(
    fit: Fit, *, version: str, progress: Progress = _silent, folder: Path | None = None
) -> Bundle:
    """Return the evidence of an audit.

    Args:
        fit: The plan, checked against its log.
        version: The version of Evenhand.
        progress: Told what is being done.
        folder: Where finished parts of a long scan are kept, and found; None for nowhere.

    Raises:
        EvenhandError: The rows cannot be read, or hold what a role does not allow.

    """
    states = count_rows(fit, version=version, progress=progress, folder=folder)
    return conclude(fit, states, version=version, progress=progress)


@contextmanager
def keeping(target: str | Path | None) -> Iterator[Path | None]:
    """Give the folder beside a target that keeps what is finished, and remove it once all is.

    Args:
        target: What the work will be written to; None for nothing, and then nothing is kept.

    """
    if target is None:
        yield None
        return
    folder = kept_beside(target)
    yield folder
    forget(folder)


def kept_beside(target: str | Path) -> Path:
    """Return the folder that keeps finished parts of the work whose result goes to a target."""
    path = Path(target)
    return path.with_name(f"{path.name}.parts")


def count_rows(
    fit: Fit, *, version: str, progress: Progress = _silent, folder: Path | None = None
) -> States:
    """Return the rows of a log, counted for every scope of a plan; as `run`."""
    began, log, scopes = dt.datetime.now(dt.UTC), fit.log, [*fit.questions]
    for scope in fit.scopes:
        asked = requests(fit.questions[scope])
        check_variant(fit.log_of(scope), [one.measure for one in asked])
    states: dict[str | None, State] = {}
    for place, scope in enumerate(scopes):
        # A file that turned out to be broken is left out of every scope.
        of_scope = replace(fit.log_of(scope), source=log.source)
        counted = count(
            plan_scan(requests(fit.questions[scope]), of_scope),
            of_scope,
            _watch(progress, scope, log, place / (len(scopes) + 1), 1 / (len(scopes) + 1)),
            folder=folder,
            empty=scope is not None,
        )
        if len(counted.log.source.files) < len(log.source.files) and place:
            # Found in a slice alone: what was counted before has rows of that file.
            smaller = replace(fit, log=replace(fit.log, source=counted.log.source))
            return count_rows(smaller, version=version, progress=progress, folder=folder)
        log = replace(log, source=counted.log.source)
        states[scope] = counted.state
    return States(
        plan=fit.plan,
        schema=_schema(fit.log),
        scopes=states,
        inputs=tuple(inputs_of(log)),
        skipped=log.source.skipped,
        versions=(version,),
        began=began,
        makers=makers_of(log),
    )


def _schema(log: Log) -> pl.Schema:
    """Return the columns of a log, without those of a type that only its engine knows."""
    known = {
        name: dtype for name, dtype in log.schema.items() if dtype not in {nw.Unknown, nw.Object}
    }
    return nw.Schema(known).to_polars()


def conclude(
    fit: Fit,
    states: States,
    *,
    version: str,
    progress: Progress = _silent,
) -> Bundle:
    """Return the evidence that states of a plan's rows give; no row is read.

    Args:
        fit: The plan.
        states: States that can answer it.
        version: The version of Evenhand.
        progress: Told what is being done.

    """
    began = states.began or dt.datetime.now(dt.UTC)
    plan = fit.plan
    progress("comparing groups", len(fit.questions) / (len(fit.questions) + 1))
    asked = [
        one
        for scope in fit.scopes
        for one in asked_of(
            fit.questions[scope],
            fit.log_of(scope),
            level=plan.level,
            seed=plan.seed,
            min_units=plan.min_units,
            scope=scope,
            state=states.scopes[scope],
        )
    ]
    findings = tuple(finding for one in asked for finding in answer(one))
    rules = judge(cases(fit, asked, states.makers)) if plan.gate else []
    finished = dt.datetime.now(dt.UTC)
    progress("done", 1.0)
    return Bundle(
        plan=plan,
        findings=findings,
        rules=tuple(rules),
        replicates=replicates_of(asked),
        environment={
            **_environment(states, version),
            "plan": fit.name,
            "rows": states.whole.rows,
            "seconds": round((finished - began).total_seconds(), 3),
        },
        # A name, without the folder that tells it from others of one log.
        inputs=tuple(replace(one, name=PurePath(one.name).name) for one in states.inputs),
        units=units_of(states.whole, fit.log),
        created=finished.replace(microsecond=0),
        version=version,
        charts=charts_of(
            findings,
            variant_column(plan),
            apart=is_of_sources(plan),
            probes=states.makers.records,
        ),
    )


def _watch(
    progress: Progress, scope: str | None, log: Log, done: float, share: float
) -> Callable[[int, int], None]:
    """Return what is told of rows and bytes, and tells how much of the audit they are.

    Args:
        progress: Told what is being done.
        scope: The slice that is read.
        log: The log.
        done: Share of the audit that was done before it.
        share: Share of the audit that it is.

    """
    if progress is _silent:
        return ignore
    about = "" if scope is None else f", {scope}"
    progress(f"reading{about}", done)
    total = row_count(log.source)
    size = sum(Path(file).stat().st_size for file in log.source.files)

    def watch(rows: int, read: int) -> None:
        of = "" if total is None else f" of {total:,}"
        part = f", {sized(read)} of {sized(size)}" if size else ""
        known = rows / total if total else read / size if size else 0.0
        progress(f"{rows:,}{of} rows{part}{about}", done + share * min(known, 1.0))

    return watch


def cases(fit: Fit, asked: Sequence[Asked], makers: Makers = UNTOLD) -> list[Case]:
    """Return every rule in every scope in which its measure is measured.

    Args:
        fit: The plan.
        asked: Its questions with their answers.
        makers: What made the rows, for rules that ask for a reliable attack.

    """
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
            doubt(makers, one.log, one.question.by) if rule.reliable else "",
        )
        for place, rule in enumerate(fit.plan.gate)
        for one in asked
        if one.question.key == fit.limits[rule.id].notation
    ]


def inputs_of(log: Log) -> Iterator[Input]:
    """Yield the files that a log is read from, with their digests, then those of its tables."""
    yield from _rows_of(log)
    for table in log.source.tables:
        if not table.files:
            yield Input(table.name, None, f"sha256:{table.sha256}", table=True)
        yield from _table_of(table.files)
    if log.catalogue is not None:
        yield from _table_of(log.catalogue.files)


def _table_of(files: Sequence[str]) -> Iterator[Input]:
    names = names_of(files)
    for file in files:
        size, digest = Path(file).stat().st_size, _digest(file)
        yield Input(names[file], size, f"sha256:{digest}", table=True)


def _rows_of(log: Log) -> Iterator[Input]:
    files = log.source.files
    if not files:
        yield Input(log.source.name, None, None)
        return
    names = names_of(files)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, digest in zip(files, pool.map(_digest, files), strict=True):
            only = replace(log.source, files=(file,))
            size = Path(file).stat().st_size
            yield Input(names[file], size, f"sha256:{digest}", row_count(only))


def _digest(file: str) -> str:
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def units_of(state: State, log: Log) -> dict[str, Any]:
    """Return what is independent, and a digest of the set of units.

    The digest is of the sketch that counts units: equal for equal sets, in any order of rows, and
    it tells nothing of any one unit.
    """
    state = state.of_units
    if log.unit == ROW or not state.units:
        return {"unit": str(log.unit), "sha256": None}
    marks = state.units_by(()).frame
    columns = [name for name in marks.columns if name != marks.columns[0]]
    largest = marks.select(marks.columns[0], mark=pl.max_horizontal(*columns))
    text = largest.sort(marks.columns[0]).write_csv()
    return {"unit": str(log.unit), "sha256": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"}


_PACKAGES = ("polars", "narwhals", "numpy", "scipy")


def _environment(states: States, version: str) -> Mapping[str, Any]:
    packages = {"duckdb": "duckdb", "spark": "pyspark"}
    engine = states.whole.engine
    used = [packages[name] for name in engine.split("+") if name in packages]
    found: dict[str, Any] = {
        "evenhand": version,
        "python": platform.python_version(),
        "system": platform.system(),
        "engine": engine,
        "packages": {name: text for name in (*_PACKAGES, *used) if (text := _installed(name))},
    }
    if states.versions != (version,):
        found["counted by"] = ", ".join(states.versions)
    for record in states.makers.records:
        # As they were where the rows were made, which may be another machine.
        for name, number in record.probe.packages.items():
            found["packages"].setdefault(name, number)
    found |= kept(states.makers.records, states.makers.unknown)
    if states.skipped:
        found["skipped"] = [dataclasses.asdict(one) for one in states.skipped]
    return found


def _installed(package: str) -> str | None:
    """Return the version of a package, None where states of another machine needed it."""
    try:
        return installed_version(package)
    except PackageNotFoundError:
        return None
