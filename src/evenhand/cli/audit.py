"""``evenhand audit``: a plan, or a log with flags, becomes evidence and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import flags
from evenhand.cli.output import exit_with, show
from evenhand.cli.progress import shown_progress

if TYPE_CHECKING:
    from evenhand.audits.plan.fit import Fit


def audit(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            help="A plan (audit.yaml), or a log: a path or a quoted glob.", show_default=False
        ),
    ],
    *,
    kind: flags.Kind = "decisions",
    label: flags.Label = None,
    prediction: flags.Prediction = None,
    score: flags.Score = None,
    neighbours: flags.Neighbours = None,
    weight: flags.Weight = None,
    classes: flags.Classes = None,
    group: flags.Groups = None,
    unit: flags.Unit = "row",
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
    engine: flags.Engine = None,
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
    out: Annotated[
        Path | None, typer.Option(help="Write the evidence here: x.evidence.zip.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report here, one HTML file.")] = None,
    sign: Annotated[
        Path | None, typer.Option(help="Sign the evidence with this Ed25519 key (PEM).")
    ] = None,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Audit a log: every figure with its interval, the gate's verdict, evidence, a report.

    [bold]Example[/bold]

      evenhand audit audit.yaml --gate --out v7.evidence.zip --html v7.html

      evenhand audit decisions.csv --label repaid --prediction approved --group sex --html v7.html
    """
    import evenhand
    from evenhand.audits.plan.file import is_plan
    from evenhand.audits.run import run
    from evenhand.render import verdicts
    from evenhand.render.file import check_audit, write_audit

    if is_plan(source):
        _refuse_flags(ctx, source)
    check_audit(out, html, key=sign, force=force)
    document: dict[str, Any] = {
        "log": {"source": source, "kind": kind, "where": where, "top": top},
        "roles": flags.given(
            label=label, prediction=prediction, score=score, neighbours=neighbours, weight=weight
        ),
        "unit": unit,
        "groups": group or [],
        "classes": classes or [],
        "measures": [{"measure": one, "slices": slices or []} for one in measure or []],
        "gate": [{"id": f"rule-{place}", "rule": one} for place, one in enumerate(rule or [], 1)],
        "level": level,
        "seed": seed,
        "min_units": min_units,
    }
    fit = _fitted(source, document, engine, slices)
    if gate:
        _check_rules(fit, source)
    with shown_progress(silent=as_json) as progress:
        bundle = run(fit, version=evenhand.__version__, progress=progress)
    write_audit(bundle, out, html, key=sign, force=force)
    written = {**bundle.to_dict(), "bundle": None if out is None else str(out)}
    show(verdicts.audited(bundle, out=out, html=html), written, as_json=as_json)
    if gate:
        exit_with(bundle.rules, honour_waivers=honour_waivers)


def _fitted(
    source: str, document: dict[str, Any], engine: str | None, slices: list[str] | None
) -> Fit:
    """Return the plan of a file, or the one that the flags write."""
    import yaml

    from evenhand.audits.plan.file import is_plan, open_plan
    from evenhand.audits.plan.fit import fit
    from evenhand.audits.plan.flags import plan_of_flags

    if not is_plan(source):
        document["classes"] = [yaml.safe_load(value) for value in document["classes"]]
        return fit(plan_of_flags(document), engine=engine, slices=slices or [])
    return open_plan(source, engine=engine)


_BESIDE_A_PLAN = {
    *("source", "engine", "gate", "out", "html", "sign", "force", "as_json", "honour_waivers")
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


def _check_rules(fit: Fit, source: str) -> None:
    from evenhand.errors import PlanError, Problem

    if not fit.plan.gate:
        hint = "Add gate: [{id: gap, rule: 'difference(selection_rate, by=sex) <= 0.05'}]."
        raise PlanError(Problem(source, "--gate was asked for, but there are no rules.", hint))
