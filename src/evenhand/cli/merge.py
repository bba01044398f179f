"""``evenhand merge``: states of several days become one; refused where a row would count twice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.output import show


def merge(
    states: Annotated[
        list[Path],
        typer.Argument(help="Files that evenhand audit --states wrote.", show_default=False),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Write the merged states here, x.states.")],
    unknown_inputs: Annotated[
        bool,
        typer.Option(
            "--allow-unknown-inputs",
            help="Merge also rows of which nobody can tell whether several states have them: "
            "those of tables and of addresses.",
        ),
    ] = False,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Merge states of one plan, of different days, shards or machines; no row is read.

    States of different plans, subjects or versions are refused, and those with a file in common.

    [bold]Example[/bold]

      evenhand merge day20.states day21.states --out two_days.states

      evenhand audit --from-states two_days.states --plan audit.yaml --html two_days.html
    """
    from evenhand.audits.states.file import read_states, write_states
    from evenhand.audits.states.states import merged
    from evenhand.render import states as told
    from evenhand.render.file import check_targets

    check_targets([out], force=force)
    found = merged([read_states(path) for path in states], unknown_inputs=unknown_inputs)
    write_states(found, out, force=force)
    show(told.written(found, out), told.to_dict(found, out), as_json=as_json)
