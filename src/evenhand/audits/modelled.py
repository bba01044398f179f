"""Auditing a plan that names a model: checked, its cost told, probed, and its rows audited."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from evenhand.audits.plan.fit import Fit, fit
from evenhand.audits.plan.lines import Located
from evenhand.audits.plan.opened import Trust
from evenhand.audits.plan.plan import AuditPlan
from evenhand.audits.plan.probed import Prepared, prepare
from evenhand.audits.probing import predicted, predicted_time, probe_to, telling_kept
from evenhand.audits.reused import Wanted, align, found, put, strange, targets
from evenhand.audits.run import kept_beside
from evenhand.errors import OutputError
from evenhand.logs.source import EngineLike, OnBadFile
from evenhand.probes.method import Progress, silent
from evenhand.probes.pace import Clock
from evenhand.probes.run import most_asked


def _unheard(_line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Runner:
    """What whoever runs a plan decides, and no plan says.

    Attributes:
        version: The version of Evenhand.
        trust: What is said of the model.
        believe: Go on where the check of the spec is certain that something was said wrongly.
        probes: The folder of the probes' logs; by default ``<plan>.probes`` beside the plan.
        tell: Told what will be done and what it may cost, before it is.
        progress: Told how far the work is.
        clock: Tells seconds, to measure how long a probe will take; None to measure nothing.

    """

    version: str
    trust: Trust = field(default_factory=Trust)
    believe: bool = False
    probes: Path | None = None
    tell: Callable[[str], None] = _unheard
    progress: Progress = silent
    clock: Clock | None = None


class Step(NamedTuple):
    """What becomes of one probe of a plan.

    Attributes:
        probe: How it is written.
        variants: What its rows are known by.
        log: Where its log goes.
        taken: The log that an earlier run made, which is taken as it is; None for none.
        most_queries: The most that it may ask; 0 where its log is taken.
        line: The same in words.

    """

    probe: str
    variants: tuple[str, ...]
    log: Path
    taken: Path | None
    most_queries: int
    line: str


def folder_of(located: Located | None, runner: Runner, folder: Path | None) -> Path:
    """Return the folder of the logs of a plan's probes: ``audit.probes`` for ``audit.yaml``."""
    if runner.probes is not None:
        return runner.probes
    name = Path(located.name).stem if located is not None and located.name else "audit"
    return (folder or Path()) / f"{name}.probes"


def steps_of(prepared: Prepared, folder: Path, runner: Runner) -> list[Step]:
    """Return what becomes of each probe of a plan.

    The model is asked for its fingerprint alone, and to tell how long a probe takes, if anybody
    asks, about a few examples.
    """
    wanted = _wanted(prepared, runner.version)
    entries, steps = prepared.fit.plan.probes, []
    places = targets(folder, wanted)
    for entry, one, place, (log, why) in zip(
        entries, wanted, places, found(folder, wanted), strict=True
    ):
        probe, count = one.probe, len(one.inputs)
        names = tuple(variant.name for variant in probe.variants)
        most = 0
        if log is not None:
            line = f"{probe.method.name}: taken from {log}, made by the same probe"
        else:
            most = most_asked(probe, one.model, count, judged=entry.flags, pictures=entry.pictures)
            line = predicted(probe, one.model, count, most)
            line += predicted_time(
                *(probe, one.model, one.inputs, most),
                folder=kept_beside(place),
                max_queries=runner.trust.max_queries,
                clock=runner.clock,
            )
            line += f"; {place} is not taken: {why}" if why else ""
        steps.append(Step(probe.method.name, names, place, log, most, line))
    return steps


def _wanted(prepared: Prepared, version: str) -> list[Wanted]:
    fingerprint = prepared.model.fingerprint()
    by = prepared.groups[0] if prepared.groups else None
    return [
        Wanted(probe, prepared.model, fingerprint, prepared.inputs, entry.flags, by, version)
        for probe, entry in zip(prepared.probes, prepared.fit.plan.probes, strict=True)
    ]


def checked(
    plan: AuditPlan, located: Located | None, *, folder: Path | None, runner: Runner
) -> tuple[Prepared, list[Step]]:
    """Return a plan with everything opened, and what would become of each of its probes.

    Raises:
        PlanError: With every problem of the plan, the model and the inputs.

    """
    prepared = prepare(plan, located, folder=folder, trust=runner.trust)
    return prepared, steps_of(prepared, folder_of(located, runner, folder), runner)


def probed(
    prepared: Prepared,
    steps: Sequence[Step],
    located: Located | None,
    *,
    folder: Path | None,
    runner: Runner,
    engine: EngineLike = None,
    on_bad_file: OnBadFile = "fail",
) -> Fit:
    """Return a plan that names a model with the log of its probes, which are run now.

    What an earlier run of the same probes, model and inputs finished is taken as it is.

    Args:
        prepared: As `checked` gives it.
        steps: As `checked` gives them.
        located: Where everything stands in the plan's file.
        folder: The folder that relative paths start from; None for the current one.
        runner: What its runner decides.
        engine: What audits the rows.
        on_bad_file: As `fit`.

    Raises:
        ModelError: The model cannot be probed to the end; what is finished is kept.
        OutputError: Logs cannot be kept.

    """
    logs = folder_of(located, runner, folder)
    wrong = strange(logs)
    if wrong:
        raise OutputError(wrong)
    for step in steps:
        runner.tell(step.line)
    put(logs, [step.taken for step in steps], [step.log for step in steps])
    _run(prepared, steps, runner)
    for step in steps:
        align(step.log, prepared.types, prepared.inputs, prepared.groups)
    return fit(
        prepared.fit.plan,
        located,
        folder=folder,
        table=str(Path(glob.escape(str(logs))) / "*.parquet"),
        engine=engine,
        on_bad_file=on_bad_file,
    )


def _run(prepared: Prepared, steps: Sequence[Step], runner: Runner) -> None:
    whole, done = sum(step.most_queries for step in steps), 0
    model, most = prepared.model, runner.trust.max_queries
    began = model.queries
    for step, probe, entry in zip(steps, prepared.probes, prepared.fit.plan.probes, strict=True):
        if step.taken is not None:
            continue

        def progress(what: str, share: float, step: Step = step, done: int = done) -> None:
            part = (done + share * step.most_queries) / whole
            runner.progress(f"{step.probe}, {what}", part)

        with telling_kept(kept_beside(step.log), runner.tell):
            probe_to(
                step.log,
                probe,
                model,
                prepared.inputs,
                groups=prepared.groups,
                version=runner.version,
                max_queries=None if most is None else most - (model.queries - began),
                believe=runner.believe,
                judged=entry.flags,
                pictures=entry.pictures,
                force=True,
                progress=progress,
            )
        done += step.most_queries
