"""``evenhand check``: does a plan fit its log? No row is read."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from evenhand.cli import flags, modelled
from evenhand.cli.output import USAGE, show


def check(
    ctx: typer.Context,
    plan: Annotated[Path, typer.Argument(help="The plan, audit.yaml.", show_default=False)],
    *,
    engine: flags.Engine = None,
    master: flags.Master = None,
    probes: modelled.Logs = None,
    trust_pickle: modelled.TrustPickle = False,
    rate: modelled.Rate = None,
    timeout: modelled.Timeout = 30.0,
    keep: modelled.Keep = None,
    as_json: flags.AsJson = False,
) -> None:
    """Check a plan against the columns of its log: all problems at once, and no row is read.

    Side tables are read, to see that their keys do not repeat. Of a plan that names a model, the
    model and its inputs are opened, and what its probes may cost is told, in queries and, going by
    a few examples, in time; none is run.

    [bold]Example[/bold]

      evenhand check audit.yaml
    """
    from rich.text import Text

    from evenhand.audits.plan.file import check_plan, names_model
    from evenhand.errors import EngineError, EvenhandError, listed

    document: dict[str, Any] = {
        "ok": True,
        "errors": [],
        "roles": {},
        "measures": [],
        "predicted_state_rows": 0,
    }
    runner = None
    if names_model(plan):
        runner = modelled.runner_of(
            probes=probes,
            trust_pickle=trust_pickle,
            rate=rate,
            timeout=timeout,
            keep=keep,
            timed=not as_json,
        )
    else:
        modelled.refuse(ctx, str(plan))
    try:
        fit, prepared, steps = check_plan(
            plan, runner=runner, engine=flags.engine_of(engine, master)
        )
    except EvenhandError as error:
        if isinstance(error, EngineError):
            raise
        document |= {"ok": False, "errors": [dataclasses.asdict(one) for one in error.problems]}
        lines = [f"{one}" for one in error.problems]
        count = f"{len(lines)} problem{'s' * (len(lines) != 1)}"
        show(Text("\n".join([*lines, count])), document, as_json=as_json)
        raise typer.Exit(USAGE) from error
    log = fit.log
    document |= {
        "roles": {role: expression.text for role, expression in log.roles.items()},
        "measures": [question.key for question in fit.questions[None]],
        "predicted_state_rows": fit.predicted_state_rows,
    }
    lines = [f"{plan} fits {log.source.name}; no row was read."]
    if prepared is not None:
        document |= modelled.probed_document(prepared, steps)
        lines = [f"{plan} fits; no probe was run.", *modelled.probed_lines(prepared, steps)]
    lines += [f"  {role}: {text}" for role, text in document["roles"].items()]
    lines += [f"  group {name}: {group.expression.text}" for name, group in log.groups.items()]
    lines += [
        f"  table {table.name} by {table.key}: {listed(table.columns or ())}; a miss is unknown"
        for table in log.source.tables
    ]
    slices = [scope for scope in fit.questions if scope is not None]
    lines += [f"  unit: {log.unit}", f"  {len(document['measures'])} measures"]
    lines += [f"  slice: {scope}" for scope in slices]
    lines += [f"  rule {rule.id}: {rule.rule}" for rule in fit.plan.gate]
    if not fit.plan.gate:
        lines.append("  no rules: evenhand gate would have nothing to decide")
    lines.append(
        f"Next: evenhand audit {shlex.quote(str(plan))} --out v1.evidence.zip --html v1.html"
    )
    show(Text("\n".join(lines)), document, as_json=as_json)
