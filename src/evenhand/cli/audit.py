"""``evenhand audit``: a plan, or a log with flags, becomes evidence and a report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import flags, modelled
from evenhand.cli.output import exit_with, show, status_of
from evenhand.cli.progress import shown_progress
from evenhand.cli.sending import announced, finish

if TYPE_CHECKING:
    from evenhand.audits.plan.fit import Fit


def audit(
    ctx: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            help="A plan (audit.yaml), or a log: a path, a quoted glob, an address or a table.",
            show_default=False,
        ),
    ] = None,
    *,
    kind: flags.Kind = "decisions",
    label: flags.Label = None,
    prediction: flags.Prediction = None,
    score: flags.Score = None,
    neighbours: flags.Neighbours = None,
    weight: flags.Weight = None,
    user: flags.User = None,
    request: flags.Request = None,
    query: flags.Query = None,
    item: flags.Item = None,
    rank: flags.Rank = None,
    relevance: flags.Relevance = None,
    propensity: flags.Propensity = None,
    provider: flags.Provider = None,
    time: flags.Time = None,
    variant: flags.Variant = None,
    correct: flags.Correct = None,
    robust: flags.Robust = None,
    minimal_norm: flags.MinimalNorm = None,
    certified_radius: flags.CertifiedRadius = None,
    certified: flags.Certified = None,
    corrupted_correct: flags.CorruptedCorrect = None,
    baseline_error: flags.BaselineError = None,
    baseline_relative_error: flags.BaselineRelativeError = None,
    classes: flags.Classes = None,
    group: flags.Groups = None,
    item_group: flags.ItemGroups = None,
    unit: flags.Unit = None,
    table: flags.Tables = None,
    catalogue: flags.Catalogue = None,
    max_bad_requests: flags.MaxBadRequests = 0.001,
    where: flags.Where = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(help="A measure or contrast; by default all that apply, by every group."),
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option("--slice", help="Measure also in the rows where this expression holds."),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="What must hold: 'difference(selection_rate, by=sex) <= 0.05'."),
    ] = None,
    reliable: Annotated[
        bool,
        typer.Option(
            "--reliable",
            help="Rules on perturbed examples pass only where the attacks are judged reliable.",
        ),
    ] = False,
    engine: flags.Engine = None,
    master: flags.Master = None,
    on_bad_file: flags.OnBadFile = "fail",
    level: flags.Level = 0.95,
    seed: flags.Seed = 1,
    top: flags.Top = None,
    min_units: Annotated[
        int, typer.Option(help="Groups of fewer units are suppressed, and undecided in rules.")
    ] = 30,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit as 'evenhand gate' would: 1 fail, 3 undecided.")
    ] = False,
    honour_waivers: flags.HonourWaivers = False,
    states: Annotated[
        Path | None,
        typer.Option(
            help="Write what the rows are counted to here, x.states, to merge with other days'; "
            "no report unless --out or --html is given too."
        ),
    ] = None,
    from_states: Annotated[
        Path | None,
        typer.Option("--from-states", help="Read no rows: answer from these states."),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(help="With --from-states: the plan; by default the one they were made for."),
    ] = None,
    probes: modelled.Logs = None,
    trust_pickle: modelled.TrustPickle = False,
    believe: modelled.Believe = False,
    max_queries: modelled.Budget = None,
    rate: modelled.Rate = None,
    timeout: modelled.Timeout = 30.0,
    keep: modelled.Keep = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the evidence here: x.evidence.zip.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report here, one HTML file.")] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures",
            help="Show in the report some of the examples that probes kept beside their logs; "
            "they are rows of data.",
        ),
    ] = False,
    sign: Annotated[
        Path | None, typer.Option(help="Sign the evidence with this Ed25519 key (PEM).")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="The address of a centre: announce the audit there, and push its evidence."
        ),
    ] = None,
    token_file: flags.TokenFile = None,
    insecure: flags.Insecure = False,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Audit a log: every figure with its interval, the gate's verdict, evidence, a report.

    A plan may name a model and probes in place of a log: they are run first, and what they may cost
    is printed before. A long scan, and a probe, that is stopped goes on where it was when the same
    command is run again.

    [bold]Example[/bold]

      evenhand audit audit.yaml --gate --out v7.evidence.zip --html v7.html

      evenhand audit decisions.csv --label repaid --prediction approved --group sex --html v7.html

      evenhand audit audit.yaml --engine spark --master spark://host:7077 --states day.states

      evenhand audit audit.yaml --out v7.evidence.zip --to http://127.0.0.1:8642
    """
    import evenhand
    from evenhand.audits.run import conclude, count_rows
    from evenhand.audits.states.file import read_states, write_states
    from evenhand.audits.states.states import fit_states
    from evenhand.logs.table_spec import spec_of
    from evenhand.render import states as told
    from evenhand.render import verdicts
    from evenhand.render.file import check_audit, check_targets, write_audit

    _check_combination(ctx, source, plan, from_states)
    of_model: dict[str, Any] = {
        "probes": probes,
        "trust_pickle": trust_pickle,
        "believe": believe,
        "max_queries": max_queries,
        "rate": rate,
        "timeout": timeout,
        "keep": keep,
    }
    check_audit(out, html, key=sign, force=force)
    check_targets([states] if states else [], force=force)
    if from_states is not None:
        counted = read_states(from_states)
        fit = fit_states(counted, plan)
    else:
        document: dict[str, Any] = {
            "log": {
                "source": source,
                "kind": kind,
                "where": where,
                "top": top,
                "max_bad_requests": max_bad_requests,
            },
            "roles": flags.given(
                label=label,
                prediction=prediction,
                score=score,
                neighbours=neighbours,
                weight=weight,
                user=user,
                request=request,
                query=query,
                item=item,
                rank=rank,
                relevance=relevance,
                propensity=propensity,
                provider=provider,
                time=time,
                variant=variant,
                correct=correct,
                robust=robust,
                minimal_norm=minimal_norm,
                certified_radius=certified_radius,
                certified=certified,
                corrupted_correct=corrupted_correct,
                baseline_error=baseline_error,
                baseline_relative_error=baseline_relative_error,
            ),
            **({"unit": unit} if unit else {}),
            "groups": group or [],
            "item_groups": item_group or [],
            "catalogue": catalogue,
            "tables": [spec_of(one) for one in table or []],
            "classes": classes or [],
            "measures": [{"measure": one, "slices": slices or []} for one in measure or []],
            "gate": [
                {"id": f"rule-{place}", "rule": one, "reliable": reliable}
                for place, one in enumerate(rule or [], 1)
            ],
            "level": level,
            "seed": seed,
            "min_units": min_units,
        }
        reading: dict[str, Any] = {
            "engine": flags.engine_of(engine, master),
            "on_bad_file": on_bad_file,
        }
        _check_reliable(rule, reliable=reliable)
        fit = _fitted(ctx, str(source), document, slices, reading, of_model, silent=as_json)
    if gate:
        _check_rules(fit, str(source or plan or from_states))
    with announced(to, fit, out, token_file, insecure=insecure) as sending:
        with shown_progress(silent=as_json) as progress:
            if from_states is None:
                with _kept(states or out) as folder:
                    counted = count_rows(
                        fit, version=evenhand.__version__, progress=progress, folder=folder
                    )
                    if states is not None:
                        write_states(counted, states, force=force)
            elif states is not None:
                write_states(counted, states, force=force)
            if states is not None and not (out or html or gate or to):
                show(
                    told.written(counted, states),
                    told.to_dict(counted, states),
                    as_json=as_json,
                )
                return
            bundle = conclude(fit, counted, version=evenhand.__version__, progress=progress)
        logs = fit.log.source.files if pictures else ()
        write_audit(bundle, out, html, key=sign, force=force, logs=logs)
        end = None if sending is None else finish(sending, bundle, out)
    document = {**bundle.to_dict(), "bundle": None if out is None else str(out)}
    if bundle.skipped:
        document["skipped"] = bundle.skipped
    if end is not None:
        document["pushed"] = end.to_dict()
    show(verdicts.audited(bundle, out=out, html=html), document, as_json=as_json)
    if end is not None:
        typer.echo(end.line, err=True)
    if gate:
        exit_with(bundle.rules, honour_waivers=honour_waivers)
    if end is not None and end.error is not None:
        raise typer.Exit(status_of(end.error))


@contextmanager
def _kept(target: Path | None) -> Iterator[Path | None]:
    """Give the folder that keeps what is finished, and say of it where the work is broken off."""
    from evenhand.audits.run import keeping
    from evenhand.engine.partition import kept_in

    with keeping(target) as folder:
        try:
            yield folder
        except BaseException:
            parts = 0 if folder is None else len(kept_in(folder))
            if parts:
                said = f"{parts} finished part{'s' * (parts != 1)} of the log are kept in {folder}"
                typer.echo(f"{said}: the same command goes on from there", err=True)
            raise


def _check_combination(
    ctx: typer.Context, source: str | None, plan: Path | None, from_states: Path | None
) -> None:
    """Refuse what contradicts itself before any work is done."""
    from evenhand.audits.plan.file import is_plan
    from evenhand.errors import PlanError, Problem

    if from_states is not None and source is not None:
        what = "states are answered without rows: a log or plan beside them would be passed over."
        hint = "Name the plan as --plan PLAN."
        raise PlanError(Problem(f"--from-states {source}", what, hint))
    if plan is not None and from_states is None:
        hint = f"evenhand audit {shlex.quote(str(plan))}"
        raise PlanError(Problem("--plan", "it is for --from-states.", hint))
    if from_states is not None:
        _refuse_flags(ctx, str(plan or "the states' own plan"))
        modelled.refuse(ctx, "the plan, and audit it without --from-states")
    elif source is None:
        hint = "evenhand audit audit.yaml, evenhand audit LOG --prediction ..., or --from-states."
        raise PlanError(Problem("audit", "a plan or a log is needed.", hint))
    elif is_plan(source):
        _refuse_flags(ctx, source)


def _fitted(  # noqa: PLR0917 - what flags say
    ctx: typer.Context,
    source: str,
    document: dict[str, Any],
    slices: list[str] | None,
    reading: dict[str, Any],
    of_model: dict[str, Any],
    *,
    silent: bool,
) -> Fit:
    """Return the plan of a file, or the one that the flags write."""
    import yaml

    from evenhand.audits.plan.file import is_plan, names_model, open_plan
    from evenhand.audits.plan.fit import fit
    from evenhand.audits.plan.flags import plan_of_flags

    if not is_plan(source):
        modelled.refuse(ctx, source)
        document["classes"] = [yaml.safe_load(value) for value in document["classes"]]
        return fit(plan_of_flags(document), slices=slices or [], **reading)
    if not names_model(source):
        modelled.refuse(ctx, source)
        return open_plan(source, **reading)
    with shown_progress(silent=silent) as progress:
        runner = modelled.runner_of(**of_model, progress=progress)
        return open_plan(source, **reading, runner=runner)


_BESIDE_A_PLAN = {
    *("source", "engine", "master", "on_bad_file", "states", "from_states", "plan"),
    *("gate", "out", "html", "pictures", "sign", "force", "as_json", "honour_waivers"),
    *("to", "token_file", "insecure"),
    *modelled.OF_RUNNER,
}
"""Parameters that say how a plan is audited, and not what."""


def _refuse_flags(ctx: typer.Context, source: str) -> None:
    """Refuse flags that a plan would otherwise silently outvote."""
    from evenhand.errors import PlanError, Problem, listed

    given = [
        max(one.opts, key=len)
        for one in ctx.command.params
        if one.name not in _BESIDE_A_PLAN
        # Also where the value is the default: who writes it expects that it counts.
        and getattr(ctx.get_parameter_source(one.name), "name", "") == "COMMANDLINE"
    ]
    if given:
        what = "a plan says everything about the log; flags would contradict it."
        hint = f"Write them in {source}, or name the log itself."
        raise PlanError(Problem(listed(given), what, hint))


def _check_reliable(rule: list[str] | None, *, reliable: bool) -> None:
    from evenhand.errors import PlanError, Problem

    if reliable and not rule:
        hint = "Add one: --rule 'robust_accuracy >= 0.7'."
        raise PlanError(Problem("--reliable", "it is about rules, and there are none.", hint))


def _check_rules(fit: Fit, source: str) -> None:
    from evenhand.errors import PlanError, Problem

    if not fit.plan.gate:
        hint = "Add gate: [{id: gap, rule: 'difference(selection_rate, by=sex) <= 0.05'}]."
        raise PlanError(Problem(source, "--gate was asked for, but there are no rules.", hint))
