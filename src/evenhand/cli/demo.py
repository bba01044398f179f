"""``evenhand demo``: what was planted in a simulated product beside what an audit finds."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from evenhand.cli import flags
from evenhand.cli.output import show
from evenhand.errors import MissingExtraError, OutputError, Problem

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

    from evenhand.audits.evidence.bundle import Bundle
    from evenhand.audits.finding import Finding
    from evenhand.cli.planted import Product

_COMPAS: dict[str, Any] = {
    "evenhand": 1,
    "subject": {"product": "justice", "model": "COMPAS", "version": "2013-2014"},
    "roles": {"label": "two_year_recid", "prediction": "score_text != 'Low'"},
    "groups": {"race": "race"},
    "measures": [
        "difference(false_positive_rate, by=race)",
        "difference(false_negative_rate, by=race)",
        "difference(positive_predictive_value, by=race)",
    ],
    "gate": [
        {"id": "false-alarms", "rule": "difference(false_positive_rate, by=race) <= 0.05"},
        {
            "id": "predictive-parity",
            "rule": "difference(positive_predictive_value, by=race) <= 0.1",
        },
    ],
}


def demo(
    *,
    seed: Annotated[int, typer.Option(help="Seed of the simulated world.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Write evidence and reports into this folder.")
    ] = None,
    centre: Annotated[
        bool,
        typer.Option("--centre", help="Fill a centre in that folder with products and a past."),
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Fill it, and serve it until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port that it is served on.")] = 8642,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Audit decisions, lists and a reader of digits with planted gaps, then real decisions.

    [bold]Example[/bold]

      EVENHAND_DATA=/path/to/data evenhand demo --out demo --serve
    """
    import numpy as np
    from rich.console import Group
    from rich.text import Text

    from evenhand.cli.planted import MODERATION, PRODUCTS
    from evenhand.render import verdicts
    from evenhand.worlds.moderation import ModerationWorld

    if (centre or serve) and out is None:
        what = "a centre needs a folder for its evidence."
        raise OutputError(Problem("--centre", what, "Name it: --out demo."))
    if (centre or serve) and not force and (cast("Path", out) / "centre").exists():
        what = "there is a centre already."
        hint = "Name another folder, or write over it: --force."
        raise OutputError(Problem(f"{out}/centre", what, hint))
    world = ModerationWorld()
    rows = world.rows(np.random.default_rng(seed))
    bundle = _audited(MODERATION, "moderation", out, force=force, table=rows)
    planted = world.truth()["false_positive_rate"]
    told = [_told(finding, planted) for finding in bundle.findings if finding.pair]
    creators, videos = sum(world.creators.values()), world.videos
    parts: list[RenderableType] = [
        Text(f"A simulated short-video product: {creators:,} creators, {videos} videos each"),
        Text(
            "Planted: videos within the rules are wrongly removed more often in some languages; "
            "videos that break them are found alike.\n"
        ),
        verdicts.audited(
            bundle,
            out=_file(out, "moderation", "evidence.zip"),
            html=_file(out, "moderation", "html"),
        ),
        Text("\nWrongly removed: planted beside found"),
        _table(("languages",), [(" - ".join(one["pair"]),) for one in told], told, "+"),
        Text(""),
    ]
    document: dict[str, Any] = {"planted": told, "simulated": bundle.to_dict()}
    audited = {"moderation": bundle}
    for product_of in PRODUCTS:
        product = product_of(seed)
        audited[product.name] = _audited(
            product.plan, product.name, out, force=force, table=product.rows
        )
        shown, document_of = _shown(product, audited[product.name], out)
        parts += shown
        document |= document_of
    with _folder(out) as folder:
        parts += _vision(folder, out, seed, document, audited, force=force)
    parts += _real(out, document, force=force)
    if centre or serve:
        home = _filled(cast("Path", out) / "centre", audited, seed)
        # A file to try the first-run page on.
        trial = home / "rows" / "moderation.csv"
        trial.parent.mkdir(exist_ok=True)
        rows.write_csv(trial)
        again = f"EVENHAND_HOME={home} evenhand serve --root {trial.parent}"
        parts.append(Text(f"\nA centre of simulated products: {home}\nserve it   {again}"))
    show(Group(*parts), document, as_json=as_json)
    if serve:
        from evenhand.cli.serve import serve as start

        os.environ["EVENHAND_HOME"] = str(home)
        start(port=port, root=[str(trial.parent)])


def _real(out: Path | None, document: dict[str, Any], *, force: bool) -> list[RenderableType]:
    """Return the audit of real decisions, added to a document; absent ones are said to be."""
    from rich.text import Text

    from evenhand.render import verdicts

    heading = Text("Real decisions: COMPAS recidivism scores, Broward County")
    data = Path(os.environ.get("EVENHAND_DATA", "../shared/data")) / "compas_two_years.parquet"
    if not data.exists():
        left_out = f"Skipped: {data} is not here; EVENHAND_DATA names the folder."
        return [heading, Text(left_out, "dim")]
    real = _audited({**_COMPAS, "log": {"source": str(data)}}, "compas", out, force=force)
    document["real"] = real.to_dict()
    files = (_file(out, "compas", "evidence.zip"), _file(out, "compas", "html"))
    return [heading, verdicts.audited(real, out=files[0], html=files[1])]


@contextlib.contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Give the folder that the log of a probe goes into; without one it is not kept."""
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _vision(
    folder: Path,
    out: Path | None,
    seed: int,
    document: dict[str, Any],
    audited: dict[str, Bundle],
    *,
    force: bool,
) -> list[RenderableType]:
    """Return the audit of a reader of digits, added to a document and to what was audited.

    Without scikit-learn, whose digits they are, it says so in its place.
    """
    from rich.text import Text

    from evenhand.cli import vision

    try:
        reader = vision.reader(seed)
    except MissingExtraError as error:
        [problem] = error.problems
        left_out = f"Left out, a reader of digits: {problem.what} {problem.hint}\n"
        return [Text(left_out, "dim")]
    attacked, plan = reader.attacked(folder, force=force)
    products = [
        vision.falsified(reader, plan),
        vision.misled(reader, reader.noisy(folder, force=force)[1]),
        vision.decorated(reader, reader.explained(folder, force=force)),
    ]
    shown = []
    for product in products:
        audited[product.name] = _audited(
            product.plan, product.name, out, force=force, pictures=out is not None
        )
        shown.append(_shown(product, audited[product.name], out))
        document |= shown[-1][1]
    lines = vision.left_by_attacks(reader, attacked)
    document[products[0].name]["attacks"] = lines
    heading = "What attacks leave of the audited thin strokes beside what no attack could break"
    rest = [part for parts, _ in shown[1:] for part in parts]
    return [*shown[0][0], Text(heading), _attacks(lines), Text(""), *rest]


def _filled(folder: Path, audited: Mapping[str, Bundle], seed: int) -> Path:
    """Fill a centre in a folder, which is emptied first, and return the folder."""
    from evenhand.cli import showcase

    try:
        from evenhand.centre.store.centre import open_centre
    except ImportError as error:
        raise MissingExtraError("centre", where="--centre") from error
    showcase.cleared(folder)
    centre = open_centre(folder=folder)
    showcase.fill(centre, audited, seed)
    centre.database.close()
    return folder


def _shown(
    product: Product, bundle: Bundle, out: Path | None
) -> tuple[list[RenderableType], dict[str, Any]]:
    """Return the audit of a product with ranked lists, for the terminal and as a document."""
    from rich.text import Text

    from evenhand.cli.planted import told
    from evenhand.render import verdicts

    lines = told(product, bundle)
    files = (_file(out, product.name, "evidence.zip"), _file(out, product.name, "html"))
    parts: list[RenderableType] = [
        Text(product.title),
        Text(f"Planted: {product.planted}\n"),
        verdicts.audited(bundle, out=files[0], html=files[1]),
        Text("\nPlanted beside found"),
        _table(("figure", "group"), [(one["figure"], one["group"]) for one in lines], lines, ""),
        Text(""),
    ]
    return parts, {product.name: {"planted": lines, "audit": bundle.to_dict()}}


def _audited(
    plan: Mapping[str, Any],
    name: str,
    out: Path | None,
    *,
    force: bool,
    table: pl.DataFrame | None = None,
    pictures: bool = False,
) -> Bundle:
    """Return the evidence of a plan, written into the folder where one is given."""
    import evenhand

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    return evenhand.audit(
        plan,
        table=table,
        out=_file(out, name, "evidence.zip"),
        html=_file(out, name, "html"),
        pictures=pictures,
        force=force,
    )


def _file(out: Path | None, name: str, ending: str) -> Path | None:
    return None if out is None else out / f"{name}.{ending}"


def _told(finding: Finding, planted: dict[str, float]) -> dict[str, Any]:
    """Return what was planted between two languages, and what the audit says of it."""
    first, second = (group["language"] for group in finding.pair)
    truth = planted[first] - planted[second]
    if finding.undefined is not None:
        says = f"not looked at: {finding.undefined}"
        found = None
    else:
        found = {"value": finding.value, "low": finding.low, "high": finding.high}
        apart = finding.low > 0 or finding.high < 0
        says = {
            (True, True): "found",
            (False, False): "rightly none found",
            (False, True): "not found: too few creators to tell",
            (True, False): "a false alarm",
        }[apart, truth != 0]
    return {"pair": [first, second], "planted": truth, "found": found, "says": says}


def _table(
    headings: Sequence[str],
    names: Sequence[Sequence[str]],
    told: Sequence[Mapping[str, Any]],
    sign: str,
) -> RenderableType:
    """Return what was planted beside what was found, a line each.

    Args:
        headings: The columns of names.
        names: The names of each line.
        told: The lines.
        sign: ``+`` where figures are differences; else empty.

    """
    rows = []
    for name, one in zip(names, told, strict=True):
        found = one["found"]
        shown = ("\N{EN DASH}", "\N{EN DASH}")
        if found is not None:
            low, high = (f"{found[end]:{sign}.3f}" for end in ("low", "high"))
            shown = (f"{found['value']:{sign}.3f}", f"[{low}, {high}]")
        rows.append((*name, f"{one['planted']:{sign}.3f}", *shown, one["says"]))
    return _columns(headings, ("planted", "found", "interval"), rows)


def _attacks(told: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return what attacks left beside what no attack could break, a line each."""
    rows = [
        (
            one["attack"],
            one["variant"],
            *(f"{one[name]:.3f}" for name in ("exact", "found")),
            f"{one['missed']:,}",
            ": ".join(filter(None, (one["verdict"], ", ".join(one["raised"])))),
        )
        for one in told
    ]
    return _columns(("attack", "variant"), ("exactly", "found", "images missed"), rows)


def _columns(
    words: Sequence[str], numbers: Sequence[str], rows: Sequence[Sequence[str]]
) -> RenderableType:
    """Return columns of words and of numbers, and one of what is said of each line."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in words:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in rows:
        table.add_row(*map(Text, row))
    return Padding(table, (0, 0, 0, 2), expand=False)
