"""``evenhand demo``: a planted gap found in a simulated world, and real data where present."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli.output import show

_GAP = "difference(false_positive_rate, by=group)"


def demo(
    *,
    seed: Annotated[int, typer.Option(help="Seed of the simulated world.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Audit a simulated moderation team with a planted gap, then real decisions where present.

    [bold]Example[/bold]

      EVENHAND_DATA=/path/to/data evenhand demo
    """
    import numpy as np
    from rich.console import Group
    from rich.text import Text

    from evenhand import estimates, log
    from evenhand.render import text
    from evenhand.worlds.decisions import DecisionWorld

    rates = {"established": 0.10, "new": 0.20}
    world = DecisionWorld(
        true_positive_rates={"established": 0.70, "new": 0.70},
        false_positive_rates=rates,
        base_rates={"established": 0.30, "new": 0.30},
        rows_per_unit=20,
        intra_unit=0.15,
    )
    rows = world.rows({"established": 500, "new": 300}, np.random.default_rng(seed))
    questions = [_GAP, "difference(true_positive_rate, by=group)"]
    decisions = log(rows, kind="decisions", label="label", prediction="prediction", unit="unit")
    simulated = estimates(questions, decisions)
    planted = rates["new"] - rates["established"]
    parts = [
        Text("A simulated moderation team, 800 creators with 20 videos each", "bold underline"),
        Text(
            f"Planted: videos of new creators are wrongly removed {100 * planted:.0f} points more "
            "often; rightly removed alike.\n"
        ),
        text.findings(simulated),
    ]
    document = {"planted": {_GAP: planted}, "simulated": [one.to_dict() for one in simulated]}
    data = Path(os.environ.get("EVENHAND_DATA", "../shared/data")) / "compas_two_years.parquet"
    parts.append(
        Text("\nReal decisions: COMPAS recidivism scores, Broward County", "bold underline")
    )
    if data.exists():
        real = estimates(
            [
                "difference(false_positive_rate, by=race)",
                "difference(false_negative_rate, by=race)",
            ],
            log(
                data,
                kind="decisions",
                label="two_year_recid",
                prediction="score_text != 'Low'",
                where="race in ['African-American', 'Caucasian']",
            ),
        )
        parts.append(text.findings(real))
        document["real"] = [one.to_dict() for one in real]
    else:
        parts.append(Text(f"Skipped: {data} is not here; EVENHAND_DATA names the folder.", "dim"))
    show(Group(*parts), document, as_json=as_json)
