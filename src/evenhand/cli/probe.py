"""``evenhand probe``: a model is attacked, corrupted, certified or explained; rows are a log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import flags, modelled
from evenhand.cli.output import show
from evenhand.cli.progress import shown_progress


def probe(
    what: Annotated[
        str,
        typer.Argument(
            help="What is done: attack.auto, 'attack.pgd(steps=100)', corrupt.common, "
            "'certify.smoothing(sigma=0.25)', attribute.common, explain.gap.",
            metavar="PROBE",
        ),
    ],
    *,
    model: modelled.Address = None,
    inputs: modelled.Examples = None,
    label: modelled.Label = None,
    ids: modelled.Id = None,
    group: Annotated[
        list[str] | None, typer.Option(help="A column to compare by, which goes into the log.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="explain.gap: the column of the groups whose gap is taken apart."),
    ] = None,
    pixels: modelled.Pixels = None,
    shape: modelled.Shape = None,
    features: modelled.Features = None,
    where: flags.Where = None,
    eps: Annotated[
        list[str] | None,
        typer.Option(
            help="Attacks: how far an example may be changed, in the units of its range: "
            "0.1, 8/255."
        ),
    ] = None,
    norm: Annotated[
        list[str] | None, typer.Option(help="Attacks: by which norm, linf (default) or l2.")
    ] = None,
    certificate: Annotated[
        str | None,
        typer.Option(
            help="Attacks: what proves that no attack breaks some, such as certify.ibp; the "
            "robust accuracy then lies between both."
        ),
    ] = None,
    severity: Annotated[
        list[int] | None, typer.Option(help="Corruptions: 1 to 5; all five by default.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="Corruptions: a model whose errors mCE divides by, as --model."),
    ] = None,
    fill: Annotated[
        list[str] | None,
        typer.Option(
            help="Attributions: what their card removes features with: mean (default), low, blur."
        ),
    ] = None,
    immutable: Annotated[
        list[str] | None,
        typer.Option(help="explain.counterfactual: features that stay as they are: sex,race."),
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(help="explain.counterfactual: from where to where: age=18:90,hours=0:80."),
    ] = None,
    shown_examples: Annotated[
        int,
        typer.Option(
            "--examples",
            min=0,
            help="explain.counterfactual: how many of the changes that were found are shown, from "
            "the cheapest to the dearest; 0 by default, since they are of people.",
        ),
    ] = 0,
    limits: modelled.Range = None,
    classes: modelled.Classes = None,
    output: modelled.Gives = None,
    layout: modelled.Axes = None,
    mean: modelled.Mean = None,
    std: modelled.Std = None,
    stochastic: modelled.Stochastic = False,
    architecture: modelled.Architecture = None,
    trust_pickle: modelled.TrustPickle = False,
    form: modelled.Sent = "json",
    rate: modelled.Rate = None,
    timeout: modelled.Timeout = 30.0,
    keep: modelled.Keep = None,
    judge: Annotated[
        bool,
        typer.Option(
            "--flags/--no-flags",
            help="Attacks: look for reasons not to believe them, on a sample of the examples.",
        ),
    ] = True,
    pictures: Annotated[
        int,
        typer.Option(
            help="Images of each variant that are kept to be looked at, in a file beside the log; "
            "0 for none."
        ),
    ] = 24,
    seed: Annotated[int, typer.Option(help="Where every random number comes from.")] = 1,
    max_queries: Annotated[
        int | None, typer.Option(help="What this run may ask the model at most.")
    ] = None,
    believe: Annotated[
        bool,
        typer.Option("--believe", help="Go on where the check says that the model was misread."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the log here; by default attacked.parquet, corrupted.parquet, "
            "certified.parquet, attributed.parquet or explained.parquet."
        ),
    ] = None,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Attack, corrupt, certify or explain a model, and write what it does as a log.

    One row per example and variant. What it may cost is printed first; a probe that is stopped goes
    on where it was when the same command is run again.

    [bold]Example[/bold]

      evenhand probe attack.pgd --model mypkg.models:load --inputs digits.parquet --pixels image
      --shape 8x8 --label label --group thickness --eps 0.05 --eps 0.1 --out attacked.parquet

      evenhand probe corrupt.common --model net.onnx --inputs digits.parquet --pixels image
      --shape 8x8 --label label --group thickness --out corrupted.parquet

      evenhand probe explain.gap --model model.joblib --trust-pickle --inputs adult.parquet
      --label income_gt_50k --by sex --out gap.parquet
    """
    import evenhand
    from evenhand.audits.probing import check_out, predicted, predicted_time, probe_to, telling_kept
    from evenhand.audits.run import kept_beside
    from evenhand.cli.examined import both
    from evenhand.cli.gap import check_compared
    from evenhand.cli.probed import document, shown
    from evenhand.cli.turned import check_examples
    from evenhand.errors import ModelError, Problem
    from evenhand.probes.log import check_groups
    from evenhand.probes.opened import Asked, baseline_of, opened
    from evenhand.probes.run import most_asked
    from evenhand.probes.work import labels_of
    from evenhand.probes.written import probe_of

    groups_said = [*dict.fromkeys([*(by or ()), *(group or ())])]
    said = {
        "eps": eps or (),
        "norm": norm or (),
        "severity": severity or (),
        "fill": fill or (),
        "immutable": modelled.names_of(immutable or ()),
        "ranges": modelled.ranges_of(ranges or ()),
        "seed": seed,
    }
    wanted = probe_of(what, certificate=certificate, **said)  # type: ignore[arg-type]
    if wanted.method.compared and not groups_said:
        asks = "whose gap is taken apart? It has no groups."
        raise ModelError(Problem(what, asks, "Say --by COLUMN, such as --by sex."))
    if by and not wanted.method.compared:
        asks = "it takes no gap apart."
        hint = f"Compare by {by[0]} with --group {by[0]}; --by is for explain.gap."
        raise ModelError(Problem("--by", f"{what}: {asks}", hint))
    check_examples(wanted.method, shown_examples, what)
    out = _log_of(what) if out is None else out
    check_out(out, pictures=pictures, force=force)
    told = modelled.told_of(
        shape=shape,
        limits=limits,
        classes=classes,
        output=output,
        layout=layout,
        mean=mean,
        std=std,
        stochastic=stochastic,
    )
    asked = Asked(
        labels=label,
        ids=ids,
        pixels=pixels,
        features=None if features is None else [one.strip() for one in features.split(",")],
        shape=modelled.shape_of(shape),
        where=where,
        groups=groups_said,
        observed=wanted.method.of_tables,
    )
    address, source = both(model, inputs)
    way = modelled.way_of(form=form, rate=rate, timeout=timeout, max_queries=max_queries, keep=keep)
    found, examples = opened(
        address,
        source,
        asked,
        told=told,
        architecture=architecture,
        trust_pickle=trust_pickle,
        way=way,
    )
    if baseline is not None:
        beside = baseline_of(
            baseline, examples, told=told, architecture=architecture, trust_pickle=trust_pickle
        )
        wanted = probe_of(what, certificate=certificate, baseline=beside, **said)  # type: ignore[arg-type]
    labels_of(examples)
    groups = check_groups(examples, groups_said)
    if wanted.method.compared:
        check_compared(examples, groups, what)
    wanted = wanted.among(examples)
    wanted.check(found)
    most = most_asked(wanted, found, len(examples), judged=judge, pictures=pictures)
    # Queries at once: to measure how long they take takes a moment.
    typer.echo(predicted(wanted, found, len(examples), most), err=True, nl=False)
    typer.echo(
        predicted_time(
            *(wanted, found, examples, most), folder=kept_beside(out), max_queries=max_queries
        ),
        err=True,
    )
    with telling_kept(kept_beside(out), modelled.tell), shown_progress(silent=as_json) as progress:
        probed = probe_to(
            out,
            wanted,
            found,
            examples,
            groups=groups,
            version=evenhand.__version__,
            max_queries=max_queries,
            believe=believe,
            judged=judge,
            pictures=pictures,
            force=force,
            progress=progress,
        )
    fields = document(probed, wanted.method, out, groups_said, examples=shown_examples)
    show(
        shown(probed, wanted.method, out, groups_said, examples=shown_examples),
        {**fields, "most_queries": most},
        as_json=as_json,
    )
    if not as_json:
        # Apart, since a line that is copied may not be broken.
        typer.echo(f"  {fields['next']}")


def _log_of(what: str) -> Path:
    """Return the file that a probe is written to where nobody says one."""
    return Path(f"{_WRITES.get(what.strip().partition('.')[0], 'attacked')}.parquet")


_WRITES = {
    "corrupt": "corrupted",
    "certify": "certified",
    "attribute": "attributed",
    "explain": "explained",
}
"""What the log of a kind of probe is called; an attack may be written without its kind."""
