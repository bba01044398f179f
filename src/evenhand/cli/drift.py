"""``evenhand drift``: where current rows differ from those of a reference, and how sure that is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.output import show


def drift(
    reference: Annotated[str, typer.Argument(help="The rows that were before, as a file.")],
    current: Annotated[str, typer.Argument(help="The rows that are now, as a file.")],
    *,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            help="A column that is compared; by default all but ids, unit, group and label.",
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="A column: drift is looked for in each of its groups too.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="What is independent: row (default), or the column of its id."),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(help="Chances that the label is 1: accuracy is estimated without labels."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Labels of the reference: the score's calibration is tested by them."),
    ] = None,
    level: Annotated[
        float,
        typer.Option(help="Coverage of the intervals; 1 minus it is the false discovery rate."),
    ] = 0.95,
    seed: Annotated[
        int, typer.Option(help="Seed of permutations, split and classifier.", min=0)
    ] = 1,
    report: Annotated[
        Path | None, typer.Option(help="Write what was found as a page, drift.html.")
    ] = None,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Say where current rows differ from a reference: each feature, jointly, and by group.

    [bold]Example[/bold]

      evenhand drift reference.parquet current.parquet --group sex --score risk --label repaid
    """
    from evenhand.audits.drift import find_drift
    from evenhand.audits.evidence.file import check_targets, write_all
    from evenhand.render.drift import text

    if report is not None:
        check_targets([report], force=force)
    found = find_drift(
        reference,
        current,
        features=features or (),
        group=group,
        unit=None if unit == "row" else unit,
        score=score,
        label=label,
        level=level,
        seed=seed,
    )
    document = found.to_dict()
    if report is not None:
        from evenhand import __version__
        from evenhand.render.drift_page import page

        names = (Path(reference).name, Path(current).name)
        told = page(found, version=__version__, reference=names[0], current=names[1])
        write_all({report: told.encode()}, force=force)
        document["report"] = str(report)
    show(text(found), document, as_json=as_json)
