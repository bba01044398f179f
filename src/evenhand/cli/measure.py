"""``evenhand measure``: figures from a log, no plan needed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from evenhand.cli.output import show

EXAMPLE = """
[bold]Example[/bold]

  evenhand measure "difference(false_positive_rate, by=race)" decisions.parquet --kind decisions
  --label reoffended --prediction "score >= 7" --where "year >= 2025" --unit person
"""


def measure(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="MEASURE... LOG",
            help="One or more measures or contrasts, then the log: a path or a quoted glob.",
            show_default=False,
        ),
    ],
    *,
    kind: Annotated[str, typer.Option(help="What the rows are.")] = "decisions",
    label: Annotated[str | None, typer.Option(help="What was true: column or expression.")] = None,
    prediction: Annotated[
        str | None, typer.Option(help="What was decided: column or expression.")
    ] = None,
    score: Annotated[
        str | None, typer.Option(help="The number behind the decision, such as a probability.")
    ] = None,
    neighbours: Annotated[
        str | None, typer.Option(help="Mean decision of a row's nearest neighbours, in [0, 1].")
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Sampling weight of a row; not a count of rows.")
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="A class of label and prediction, where not yes or no."),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="A group with bins: 'age: [25, 45]'. Plain columns need no flag."),
    ] = None,
    unit: Annotated[
        str,
        typer.Option(
            help="What is independent: row, the column of its id, '\\[user, item]' where a row has "
            "two, or 'pair(a, b)' where it is a pair of one kind."
        ),
    ] = "row",
    where: Annotated[str | None, typer.Option(help="Rows in scope, as an expression.")] = None,
    engine: Annotated[str | None, typer.Option(help="polars (default), duckdb or spark.")] = None,
    level: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of simultaneous intervals.")] = 1,
    top: Annotated[
        int | None, typer.Option(help="Keep the most frequent values of each group.")
    ] = None,
    adjust: Annotated[
        str | None,
        typer.Option(help="Test parity: holm, benjamini_hochberg or benjamini_yekutieli."),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="Largest difference that does not matter; gives a verdict.")
    ] = None,
    shrink: Annotated[
        bool, typer.Option("--shrink", help="Show groups shrunk to their mean beside the raw.")
    ] = False,
    permutations: Annotated[
        int, typer.Option(help="Test differences of shares by so many permutations.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a log: values, intervals, groups, and what was left out."""
    import yaml

    from evenhand import estimates, log
    from evenhand.errors import NotationError, Problem
    from evenhand.render import text

    if len(arguments) < 2:  # noqa: PLR2004 - at least a measure and a log
        what = "a measure and a log are needed."
        hint = 'evenhand measure "selection_rate" decisions.parquet --prediction approved'
        raise NotationError(Problem("measure", what, hint))
    *notations, source = arguments
    roles: dict[str, Any] = {
        "label": label,
        "prediction": prediction,
        "score": score,
        "neighbours": neighbours,
        "weight": weight,
    }
    opened = log(
        source,
        kind=kind,
        groups=group or [],
        unit=unit,
        where=where,
        engine=engine,
        top=top,
        classes=[yaml.safe_load(value) for value in classes or []],
        **{role: column for role, column in roles.items() if column is not None},
    )
    found = estimates(
        notations,
        opened,
        level=level,
        seed=seed,
        adjust=adjust,
        margin=margin,
        shrink=shrink,
        permutations=permutations,
    )
    document = {"findings": [finding.to_dict() for finding in found]}
    show(text.findings(found), document, as_json=as_json)


measure.__doc__ = f"{measure.__doc__}\n{EXAMPLE}"
