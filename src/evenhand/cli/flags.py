"""The words of a log and of an audit as flags, the same for every verb that reads rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from evenhand.errors import Problem, RoleError

if TYPE_CHECKING:
    from evenhand.centre.client.client import Client
    from evenhand.logs.backend import Spark

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
User: TypeAlias = Annotated[
    str | None, typer.Option(help="Ranked lists: who was served, a column of ids.")
]
Request: TypeAlias = Annotated[
    str | None, typer.Option(help="Ranked lists: what one list answers, a column of ids.")
]
Query: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Ranked lists: what several sampled rankings answer; else each request."),
]
Item: TypeAlias = Annotated[str | None, typer.Option(help="Ranked lists: what is ranked.")]
Rank: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Ranked lists: the slot from 1, empty for an item that was not shown."),
]
Relevance: TypeAlias = Annotated[
    str | None, typer.Option(help="Ranked lists: what an item was worth, 0 or more.")
]
Propensity: TypeAlias = Annotated[
    str | None, typer.Option(help="Ranked lists: chance of the item in its slot.")
]
Provider: TypeAlias = Annotated[
    str | None, typer.Option(help="Ranked lists: who offers the item, a column of ids.")
]
Time: TypeAlias = Annotated[str | None, typer.Option(help="Ranked lists: when the list was shown.")]
Variant: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Perturbed examples: what was done to them, such as 'linf 0.1'."),
]
Correct: TypeAlias = Annotated[
    str | None, typer.Option(help="Perturbed examples: whether the clean example is right.")
]
Robust: TypeAlias = Annotated[
    str | None, typer.Option(help="Perturbed examples: whether it is right and stays so.")
]
MinimalNorm: TypeAlias = Annotated[
    str | None, typer.Option(help="Perturbed examples: the smallest perturbation found.")
]
CertifiedRadius: TypeAlias = Annotated[
    str | None, typer.Option(help="Perturbed examples: how far nothing can change the class.")
]
Certified: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Perturbed examples: whether it is proved that nothing within eps breaks it."
    ),
]
CorruptedCorrect: TypeAlias = Annotated[
    str | None, typer.Option(help="Perturbed examples: whether the changed example is right.")
]
BaselineError: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Perturbed examples: a baseline's mean error on the row's corruption."),
]
BaselineRelativeError: TypeAlias = Annotated[
    str | None, typer.Option(help="Perturbed examples: how far it is above the clean error.")
]
ItemGroups: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--item-group",
        help="An attribute of items that of= names: a column, of lists where items have several.",
    ),
]
Catalogue: TypeAlias = Annotated[
    str | None,
    typer.Option(help="The table of what could have been shown, for target=catalogue."),
]
MaxBadRequests: TypeAlias = Annotated[
    float,
    typer.Option(help="Largest share of requests with tied slots or repeated items left out."),
]
Unit: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="What is independent: row (default), the column of its id, twice or '\\[user, item]' "
        "where a row has two, or 'pair(a, b)' where it is a pair of one kind. Of ranked lists the "
        "user, or else the request; of perturbed examples the column source."
    ),
]
Tables: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--table",
        help="A side table and the column it is joined on: creators.parquet:creator_id; where it "
        "has rows of several times, history.parquet:creator_id@event_time.",
    ),
]
Where: TypeAlias = Annotated[str | None, typer.Option(help="Rows in scope, as an expression.")]
Engine: TypeAlias = Annotated[str | None, typer.Option(help="polars (default), duckdb or spark.")]
Master: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Spark's master: local\\[4], spark://host:7077, yarn, sc://host:15002."),
]
OnBadFile: TypeAlias = Annotated[
    Literal["fail", "skip"],
    typer.Option(help="Leave out files that are broken or have another schema, or fail."),
]
Level: TypeAlias = Annotated[float, typer.Option(help="Coverage of the intervals.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="Seed of simultaneous intervals.")]
Top: TypeAlias = Annotated[
    int | None, typer.Option(help="Keep the most frequent values of each group.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]

DatabaseAddress: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="The centre's database: sqlite:///FILE, postgresql+psycopg://user@host/name.",
        envvar="EVENHAND_DATABASE",
        show_default=False,
    ),
]
StorageAddress: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--storage",
        help="The centre's files: a folder, s3://bucket/prefix, gs:// or az://.",
        envvar="EVENHAND_STORAGE",
        show_default=False,
    ),
]
Roots: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--root", help="A folder or address that jobs may read.", show_default=False),
]

HonourWaivers: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--honour-waivers", help="Exit with 0 where every rule that does not pass is waived."
    ),
]

To: TypeAlias = Annotated[
    str | None,
    typer.Option("--to", help="The centre's address; by default EVENHAND_CENTRE."),
]
From: TypeAlias = Annotated[
    str | None,
    typer.Option("--from", help="The centre's address; by default EVENHAND_CENTRE."),
]
TokenFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="A file with the token that the centre lets in by; else EVENHAND_TOKEN."),
]
Insecure: TypeAlias = Annotated[
    bool,
    typer.Option("--insecure", help="Send the token unencrypted, where the way is safe."),
]
Product: TypeAlias = Annotated[str | None, typer.Option(help="The product.")]
Model: TypeAlias = Annotated[str | None, typer.Option(help="The model.")]
Version: TypeAlias = Annotated[str | None, typer.Option(help="The model's version.")]


def engine_of(name: str | None, master: str | None) -> str | Spark | None:
    """Return the engine that was asked for.

    Raises:
        RoleError: A master was given to an engine that has none.

    """
    if master is None:
        return name
    if name not in {None, "spark"}:
        what = f"engine '{name}' has no master."
        raise RoleError(Problem("--master", what, "Leave it out, or write --engine spark."))
    from evenhand.logs.backend import Spark

    return Spark(master=master)


def given(**roles: str | None) -> Mapping[str, str]:
    """Return the roles that were given."""
    return {role: column for role, column in roles.items() if column is not None}


def client_of(to: str | None, token_file: Path | None, *, insecure: bool) -> Client:
    """Return the centre that the flags, or the environment, name.

    Raises:
        EvenhandError: None is named, or the token cannot be read.
        DeniedError: The token would be sent unencrypted to another machine.

    """
    from evenhand.centre.client.address import address_of, named, read_token
    from evenhand.centre.client.client import Client

    token = read_token(token_file)
    return Client(address_of(named(to), token, insecure=insecure))
