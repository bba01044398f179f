"""The words of a log and of an audit as flags, the same for every verb that reads rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import typer

Kind: TypeAlias = Annotated[str, typer.Option(help="What the rows are.")]
Label: TypeAlias = Annotated[str | None, typer.Option(help="What was true: column or expression.")]
Prediction: TypeAlias = Annotated[
    str | None, typer.Option(help="What was decided: column or expression.")
]
Score: TypeAlias = Annotated[
    str | None, typer.Option(help="The number behind the decision, such as a probability.")
]
Neighbours: TypeAlias = Annotated[
    str | None, typer.Option(help="Mean decision of a row's nearest neighbours, in [0, 1].")
]
Weight: TypeAlias = Annotated[
    str | None, typer.Option(help="Sampling weight of a row; not a count of rows.")
]
Classes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--class", help="A class of label and prediction, where not yes or no."),
]
Groups: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--group", help="Who is compared: a column, or bins: 'age: \\[25, 45]'."),
]
Unit: TypeAlias = Annotated[
    str,
    typer.Option(
        help="What is independent: row, the column of its id, '\\[user, item]' where a row has "
        "two, or 'pair(a, b)' where it is a pair of one kind."
    ),
]
Where: TypeAlias = Annotated[str | None, typer.Option(help="Rows in scope, as an expression.")]
Engine: TypeAlias = Annotated[str | None, typer.Option(help="polars (default), duckdb or spark.")]
Level: TypeAlias = Annotated[float, typer.Option(help="Coverage of the intervals.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="Seed of simultaneous intervals.")]
Top: TypeAlias = Annotated[
    int | None, typer.Option(help="Keep the most frequent values of each group.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]

HonourWaivers: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--honour-waivers", help="Exit with 0 where every rule that does not pass is waived."
    ),
]


def given(**roles: str | None) -> Mapping[str, str]:
    """Return the roles that were given."""
    return {role: column for role, column in roles.items() if column is not None}
