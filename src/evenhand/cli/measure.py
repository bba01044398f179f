"""``evenhand measure``: figures from a log, no plan needed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from evenhand.cli import flags
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
    engine: flags.Engine = None,
    master: flags.Master = None,
    on_bad_file: flags.OnBadFile = "fail",
    level: flags.Level = 0.95,
    seed: flags.Seed = 1,
    top: flags.Top = None,
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
    as_json: flags.AsJson = False,
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
    roles = flags.given(
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
    )
    opened = log(
        source,
        kind=kind,
        groups=group or [],
        unit=unit[0] if unit and len(unit) == 1 else unit or None,
        where=where,
        engine=flags.engine_of(engine, master),
        on_bad_file=on_bad_file,
        top=top,
        classes=[yaml.safe_load(value) for value in classes or []],
        tables=table or [],
        item_groups=item_group or [],
        catalogue=catalogue,
        max_bad_requests=max_bad_requests,
        **dict[str, Any](roles),
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
