"""``evenhand init``: a first plan from a log, with what was guessed and why."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.output import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from evenhand.audits.plan.guess import Guess


def init(
    log: Annotated[
        str, typer.Argument(help="The log: a path or a quoted glob.", show_default=False)
    ],
    *,
    out: Annotated[Path, typer.Option(help="Write the plan here.")] = Path("audit.yaml"),
    kind: Annotated[
        str | None, typer.Option(help="What the rows are; by default it is guessed.")
    ] = None,
    label: flags.Label = None,
    prediction: flags.Prediction = None,
    score: flags.Score = None,
    weight: flags.Weight = None,
    group: flags.Groups = None,
    unit: Annotated[
        str | None, typer.Option(help="What is independent: row, or the column of its id.")
    ] = None,
    engine: flags.Engine = None,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Draft a plan from a log: guess what its columns mean, say why, and write audit.yaml.

    What a flag says is not guessed. The rules are a start: agree on your own limits.

    [bold]Example[/bold]

      evenhand init decisions.csv --prediction approved --group sex
    """
    from evenhand.audits.plan import parse_plan
    from evenhand.audits.plan.draft import draft
    from evenhand.audits.plan.fit import fit
    from evenhand.audits.plan.guess import guess
    from evenhand.errors import PlanError
    from evenhand.logs.log import open_log
    from evenhand.render.file import check_targets, write_text

    check_targets([out], force=force)
    roles = flags.given(label=label, prediction=prediction, score=score, weight=weight)
    found = guess(log, kind=kind, roles=roles, groups=group or [], unit=unit, engine=engine)
    if found.problems:
        raise PlanError(found.problems)
    open_log(
        log,
        kind=found.kind,
        roles={one.part: one.text for one in found.roles},
        groups={
            one.name: {"column": one.text, **({"bins": [*one.bins]} if one.bins else {})}
            for one in found.groups
        },
        unit=found.unit.text,
        engine=engine,
    )
    text = draft(found, _source_from(log, out.parent))
    # Whoever writes a plan that does not fit should know before it is there.
    fitted = fit(*parse_plan(text, str(out)), folder=out.parent, engine=engine)
    write_text(out, text, force=force)
    following = f"evenhand check {shlex.quote(str(out))}"
    document = {
        **found.to_dict(),
        "plan": str(out),
        "rules": [rule.rule for rule in fitted.plan.gate],
        "next": following,
    }
    show(_shown(found, out, following), document, as_json=as_json)


def _source_from(log: str, folder: Path) -> str:
    """Return the log's path as a plan in a folder names it: relative, unless far away."""
    relative = os.path.relpath(log, folder)
    far = Path(log).is_absolute() and relative.startswith("..")
    return log if far else Path(relative).as_posix()


def _shown(found: Guess, out: Path, following: str) -> RenderableType:
    """Return what was guessed as a table, and the next command to type."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("part", "column", "how sure", "why"):
        table.add_column(heading, overflow="fold")
    for one in found.parts:
        bins = f": {[*one.bins]}" if one.bins else ""
        # As Text, because a name such as [b] is a name here, not markup.
        cells = (one.part, f"{one.text}{bins}", one.sure, one.why)
        table.add_row(*map(Text, cells))
    rows = f"{found.sample.rows.height:,} rows"
    looked = f"all {rows}" if found.sample.is_whole else f"the first {rows}"
    unsure = any(one.sure == "unsure" for one in found.parts)
    check = "check what is unsure, " if unsure else ""
    return Group(
        Text(f"Guessed from the values and names in {looked} ({found.kind}):\n"),
        table,
        Text("".join(f"\n{note}" for note in found.notes)),
        Text(f"\nWrote {out}: {check}edit the limits, then type\n\n  {following}"),
    )
