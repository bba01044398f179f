"""Audits: a plan's evidence, the states that it is made of, and evidence of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenhand.audits.evidence.bundle import Bundle
    from evenhand.audits.plan import AuditPlan
    from evenhand.audits.plan.fit import Fit
    from evenhand.logs.source import EngineLike, OnBadFile


def audit(
    plan: str | Path | Mapping[str, Any] | AuditPlan | None = None,
    *,
    table: object = None,
    engine: EngineLike = None,
    on_bad_file: OnBadFile = "fail",
    from_states: str | Path | None = None,
    states: str | Path | None = None,
    out: str | Path | None = None,
    html: str | Path | None = None,
    pictures: bool = False,
    sign: str | Path | None = None,
    probes: str | Path | None = None,
    trust_pickle: bool = False,
    believe: bool = False,
    max_queries: int | None = None,
    force: bool = False,
) -> Bundle:
    """Return the evidence of an audit: findings, verdicts, and what they were made with.

    Args:
        plan: A file (``audit.yaml``), or the same as a mapping; None with ``from_states`` for the
            plan that they were counted for.
        table: A table in memory to audit instead of the plan's source, as `evenhand.log` takes it.
        engine: ``polars``, ``duckdb``, ``spark`` or `evenhand.spark`.
        on_bad_file: ``fail``, or ``skip`` to leave out files that are broken or have another
            schema; the evidence names them.
        from_states: Read no rows: answer from these states, which an earlier audit wrote.
        states: Write what the rows were counted to here, ``x.states``, to be merged with others.
        out: Write the evidence here, ``x.evidence.zip``.
        html: Write the report here, one HTML file.
        pictures: Show in the report some of the examples that probes kept beside their logs; they
            are rows of data, and in no evidence.
        sign: Sign the evidence with this Ed25519 key, a PEM file.
        probes: For a plan that names a model: the folder of the logs of its probes; by default
            ``audit.probes`` beside ``audit.yaml``, and in the current folder for a mapping. What
            the same probes made of the same model and inputs is taken from there.
        trust_pickle: For a plan that names a model: read a pickle, which runs what is in it.
        believe: For a plan that names a model: go on where the check of it is certain that it was
            misread.
        max_queries: For a plan that names a model: what it may be asked by this run.
        force: Write over files that are there.

    A scan of many files that is stopped goes on from where it was, when it is started again with
    the same ``out`` or ``states``.

    Raises:
        PlanError: With every problem of the plan and its line.
        OutputError: A file that would be written is there already, or cannot be written; then
            none is.
        StateMergeError: The states cannot answer the plan.
        EvenhandError: The rows cannot be read, or hold what a role does not allow.

    """
    from evenhand import __version__
    from evenhand.audits.evidence.file import check_targets
    from evenhand.audits.plan import AuditPlan, Located, plan_from
    from evenhand.audits.run import conclude, keeping
    from evenhand.audits.run import count_rows as count
    from evenhand.audits.states.file import read_states, write_states
    from evenhand.audits.states.states import fit_states
    from evenhand.errors import PlanError, Problem
    from evenhand.render.file import check_audit, write_audit

    check_audit(out, html, key=sign, force=force)
    check_targets([states] if states else [], force=force)
    given = plan if plan is None or isinstance(plan, str | Path | AuditPlan) else None
    if isinstance(plan, Mapping):
        given = plan_from(Located("", plan, {}))
    if from_states is not None:
        counted = read_states(from_states)
        fitted = fit_states(counted, given)
    elif given is None:
        raise PlanError(Problem("audit", "a plan or from_states is needed."))
    else:
        how: dict[str, Any] = {"table": table, "engine": engine, "on_bad_file": on_bad_file}
        said = {"trust_pickle": trust_pickle, "believe": believe, "max_queries": max_queries}
        fitted = _fitted(given, how, probes, said)
        with keeping(states or out) as folder:
            counted = count(fitted, version=__version__, folder=folder)
    bundle = conclude(fitted, counted, version=__version__)
    if states is not None:
        write_states(counted, states, force=force)
    logs = fitted.log.source.files if pictures else ()
    write_audit(bundle, out, html, key=sign, force=force, logs=logs)
    return bundle


def _fitted(
    plan: str | Path | AuditPlan,
    how: dict[str, Any],
    probes: str | Path | None,
    said: dict[str, Any],
) -> Fit:
    """Return a plan with its log, which probes of its model make first where it names one."""
    from evenhand import __version__
    from evenhand.audits.plan import AuditPlan
    from evenhand.audits.plan.file import names_model, open_plan
    from evenhand.audits.plan.fit import fit
    from evenhand.errors import PlanError, Problem, listed

    modelled = plan.model is not None if isinstance(plan, AuditPlan) else names_model(plan)
    if not modelled or how["table"] is not None:
        given = [name for name, value in {"probes": probes, **said}.items() if value]
        if given:
            what = "it is for plans that name a model, and no model is probed here."
            raise PlanError(Problem(listed(given), what, "Leave it out."))
        return fit(plan, **how) if isinstance(plan, AuditPlan) else open_plan(plan, **how)
    from evenhand.audits.modelled import Runner, checked, probed
    from evenhand.audits.plan.opened import Trust

    trust = Trust(trust_pickle=said["trust_pickle"], max_queries=said["max_queries"])
    folder = None if probes is None else Path(probes)
    runner = Runner(version=__version__, trust=trust, believe=said["believe"], probes=folder)
    how = {name: how[name] for name in ("engine", "on_bad_file")}
    if not isinstance(plan, AuditPlan):
        return open_plan(plan, **how, runner=runner)
    ready = checked(plan, None, folder=None, runner=runner)
    return probed(*ready, None, folder=None, runner=runner, **how)


def merge(
    states: Iterable[str | Path],
    out: str | Path,
    *,
    unknown_inputs: bool = False,
    force: bool = False,
) -> None:
    """Merge states of one plan, of different days, shards or machines, into one file.

    Args:
        states: Files that audits wrote.
        out: Where the merged states go.
        unknown_inputs: Merge also rows that are in no local file, of which nobody can tell whether
            several states have them.
        force: Write over a file that is there.

    Raises:
        StateMergeError: They are of different plans, subjects or versions, or have files in common.
        OutputError: The file is there already, or cannot be written.

    """
    from evenhand.audits.evidence.file import check_targets
    from evenhand.audits.states.file import read_states, write_states
    from evenhand.audits.states.states import merged

    check_targets([out], force=force)
    all_states = [read_states(path) for path in states]
    write_states(merged(all_states, unknown_inputs=unknown_inputs), out, force=force)


def read_bundle(path: str | Path) -> Bundle:
    """Return the evidence of a file, after checking that nothing in it was changed.

    Raises:
        BundleError: It is cut, edited, from a newer version, or no evidence.

    """
    from evenhand.audits.evidence.archive import read_bundle as read

    return read(Path(path))
