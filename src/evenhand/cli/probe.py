"""``evenhand probe``: a model is attacked, and what it does becomes a log."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from evenhand.cli import flags
from evenhand.cli.output import show
from evenhand.cli.progress import shown_progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from evenhand.audits import Finding
    from evenhand.probes.run import Probed


def probe(
    attack: Annotated[
        str,
        typer.Argument(help="What is done: attack.pgd, 'attack.pgd(steps=100)'.", metavar="ATTACK"),
    ],
    *,
    model: Annotated[
        str,
        typer.Option(
            help="The model: pkg.mod:name, a file (.onnx, .safetensors, .joblib) or http(s)://."
        ),
    ],
    inputs: Annotated[
        str, typer.Option(help="The examples: Parquet, Arrow, CSV, .npz, a folder with a CSV.")
    ],
    label: Annotated[
        str | None, typer.Option(help="The column of true classes; of an .npz its y.")
    ] = None,
    ids: Annotated[
        str | None, typer.Option("--id", help="The column of ids; by default places.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="A column to compare by, which goes into the log.")
    ] = None,
    pixels: Annotated[str | None, typer.Option(help="The column of images.")] = None,
    shape: Annotated[
        str | None, typer.Option(help="Shape of one image: 28x28, 3x32x32 or 32x32x3.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="The columns of one example, in the model's order: a,b,c.")
    ] = None,
    where: flags.Where = None,
    eps: Annotated[
        list[str] | None,
        typer.Option(
            help="How far an example may be changed, in the units of its range: 0.1, 8/255."
        ),
    ] = None,
    norm: Annotated[
        list[str] | None, typer.Option(help="By which norm: linf (default) or l2.")
    ] = None,
    input_range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--range",
            help="Smallest and largest value of an input, before normalisation; 0 1 by default.",
            metavar="LOW HIGH",
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="A class, in the order of the model's scores."),
    ] = None,
    output: Annotated[
        Literal["logits", "probabilities", "scores", "labels"] | None,
        typer.Option(help="What the model gives; by default what it looks like."),
    ] = None,
    layout: Annotated[
        Literal["features", "HW", "CHW", "HWC"] | None,
        typer.Option(help="What the axes of an input are; by default by their lengths."),
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="Subtracted of each channel before the model: 0.5,0.5,0.5.")
    ] = None,
    std: Annotated[str | None, typer.Option(help="What each channel is divided by then.")] = None,
    architecture: Annotated[
        str | None, typer.Option(help="What .safetensors are the weights of: pkg.mod:build.")
    ] = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Read a pickle, which runs what is in it.")
    ] = False,
    judge: Annotated[
        bool,
        typer.Option(
            "--flags/--no-flags",
            help="Look for reasons not to believe the attack, on a sample of the examples.",
        ),
    ] = True,
    seed: Annotated[int, typer.Option(help="Where every random number comes from.")] = 1,
    max_queries: Annotated[
        int | None, typer.Option(help="What this run may ask the model at most.")
    ] = None,
    believe: Annotated[
        bool,
        typer.Option("--believe", help="Go on where the check says that the model was misread."),
    ] = False,
    out: Annotated[Path, typer.Option(help="Write the log here.")] = Path("attacked.parquet"),
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Attack a model, and write what it does as a log: one row per example, norm and eps.

    A probe that is stopped goes on where it was when the same command is run again.

    [bold]Example[/bold]

      evenhand probe attack.pgd --model mypkg.models:load --inputs digits.parquet --pixels image
      --shape 8x8 --label label --group thickness --eps 0.05 --eps 0.1 --out attacked.parquet
    """
    import yaml

    import evenhand
    from evenhand.audits.evidence.file import check_targets, write_whole
    from evenhand.audits.run import kept_beside
    from evenhand.models.told import Told
    from evenhand.probes.log import check_groups, to_parquet
    from evenhand.probes.opened import Asked, opened
    from evenhand.probes.probe import probe_of
    from evenhand.probes.run import forget, most_asked, run

    check_targets([out], force=force)
    wanted = probe_of(attack, eps=eps or (), norm=norm or (), seed=seed)
    low, high = input_range or (None, None)
    labels = tuple(yaml.safe_load(one) for one in classes or ()) or None
    told = Told(
        labels=labels,
        shape=_shape(shape),
        low=low,
        high=high,
        layout=layout,
        output=output,
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
    )
    asked = Asked(
        labels=label,
        ids=ids,
        pixels=pixels,
        features=None if features is None else [one.strip() for one in features.split(",")],
        shape=_shape(shape),
        where=where,
        groups=group or [],
    )
    found, examples = opened(
        model, inputs, asked, told=told, architecture=architecture, trust_pickle=trust_pickle
    )
    groups = check_groups(examples, group or [])
    wanted.check(found)
    most = most_asked(wanted, found, len(examples), judged=judge)
    typer.echo(
        f"{wanted.attack} of {len(examples):,} examples, {_variants(wanted.variants)}: "
        f"at most {most:,} queries of {found.name}",
        err=True,
    )
    with _kept(kept_beside(out)) as folder, shown_progress(silent=as_json) as progress:
        probed = run(
            wanted,
            found,
            examples,
            groups=groups,
            version=evenhand.__version__,
            folder=folder,
            max_queries=max_queries,
            believe=believe,
            judged=judge,
            progress=progress,
        )
    write_whole(to_parquet(probed.rows, probed.made), out, force=force)
    forget(folder)
    figures = _figures(probed)
    following = _following(probed, out, group or [])
    document: dict[str, Any] = {
        "log": str(out),
        "rows": len(probed.rows),
        "most_queries": most,
        "queries": probed.made.queries,
        "resumed_blocks": probed.resumed,
        "variants": [
            {"variant": name, **{one.measure: one.to_dict() for one in found}}
            for name, found in figures.items()
        ],
        "flags": probed.made.flags,
        "notes": probed.made.probe["notes"],
        "next": following,
    }
    show(_shown(probed, figures, out, following), document, as_json=as_json)


@contextmanager
def _kept(folder: Path) -> Iterator[Path]:
    """Give the folder of finished blocks, and say of it where the work is broken off."""
    from evenhand.probes.run import kept_in

    try:
        yield folder
    except BaseException:
        blocks = len(kept_in(folder))
        if blocks:
            said = f"{blocks} finished block{'s' * (blocks != 1)} of rows are kept in {folder}"
            typer.echo(f"{said}: the same command goes on from there", err=True)
        raise


_MEASURES = ("clean_accuracy", "robust_accuracy", "attack_success_rate")


def _figures(probed: Probed) -> dict[str, list[Finding]]:
    """Return the figures of each variant, with their intervals."""
    import polars as pl

    from evenhand import estimates, log

    return {
        name: estimates(
            _MEASURES, log(probed.rows.filter(pl.col("variant") == name), kind="perturbed")
        )
        for name in probed.made.probe["variants"]
    }


def _following(probed: Probed, out: Path, groups: list[str]) -> str:
    """Return the command that audits the log: of several variants each in its slice."""
    names = probed.made.probe["variants"]
    words = ["evenhand", "audit", str(out), "--kind", "perturbed"]
    words += [word for one in groups for word in ("--group", one)]
    if len(names) > 1:
        words += [word for one in names for word in ("--slice", f"variant == '{one}'")]
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Return a word as a shell reads it; with an apostrophe between quotes that are legible."""
    plain = "'" in word and not {*'"$`\\!'} & {*word}
    return f'"{word}"' if plain else shlex.quote(word)


def _shown(
    probed: Probed, figures: dict[str, list[Finding]], out: Path, following: str
) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("variant", "clean accuracy", "robust accuracy, at most", "broken of the right"):
        table.add_column(heading)
    for name, found in figures.items():
        table.add_row(*map(Text, (name, *map(_figure, found))))
    said = [f"note: {note}" for note in probed.made.probe["notes"]]
    if probed.made.flags is None:
        said.append(
            "Nobody looked for signs that the attack is weak: a stronger one may break more."
        )
    for one in probed.made.flags or ():
        said.append(f"{one['variant']}: {one['verdict']}, judged on {one['examples']} examples")
        said += [f"  {flag['name']}: {flag['text']}" for flag in one["flags"] if flag["raised"]]
        raised = [f"{g['group']} ({', '.join(g['raised'])})" for g in one["groups"] if g["raised"]]
        said += [f"  by {one['by']}: {'; '.join(raised)}"] if raised else []
    made = f"{len(probed.rows):,} rows in {out}, {probed.made.queries:,} queries"
    if probed.resumed:
        made += f"; {probed.resumed} blocks were finished before"
    return Group(
        table, Text(f"\n{made}\n" + "".join(f"{one}\n" for one in said) + f"\n  {following}")
    )


def _figure(finding: Finding) -> str:
    from evenhand.stats.estimate import Estimate

    outcome = finding.outcome
    if not isinstance(outcome, Estimate):
        return outcome.reason
    return f"{outcome.value:.3f} [{outcome.low:.3f}, {outcome.high:.3f}]"


def _variants(variants: Any) -> str:  # noqa: ANN401 - of a probe
    return ", ".join(one.name for one in variants)


def _shape(written: str | None) -> tuple[int, ...] | None:
    from evenhand.errors import ModelError, Problem

    if written is None:
        return None
    try:
        return tuple(int(one) for one in written.lower().split("x"))
    except ValueError:
        what = f"'{written}' is no shape."
        raise ModelError(Problem("--shape", what, "Write 28x28, 3x32x32 or 32x32x3.")) from None


def _numbers(flag: str, written: str | None) -> tuple[float, ...]:
    from evenhand.errors import ModelError, Problem

    try:
        return tuple(float(one) for one in written.split(",")) if written else ()
    except ValueError:
        what = f"'{written}' are no numbers."
        raise ModelError(Problem(flag, what, "Write one for all, or 0.5,0.5,0.5.")) from None
