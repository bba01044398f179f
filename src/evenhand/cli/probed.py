"""What ``evenhand probe`` says: figures of each variant, flags, cost, and the next command."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from evenhand.audits import Finding
    from evenhand.cli.gap import Gap
    from evenhand.probes.method import Method
    from evenhand.probes.run import Probed

_HEADINGS = {
    "clean_accuracy": "clean accuracy",
    "robust_accuracy": "robust accuracy, at most",
    "attack_success_rate": "broken of the right",
    "corruption_error": "corruption error",
    "certified_accuracy(r=0)": "certified at all",
    "permutation_importance": "rise of the error",
    "log_loss_importance": "rise of the log-loss",
    "mean_attribution": "mean part",
    "mean_absolute_attribution": "mean size of its part",
    "mean_recourse_cost": "mean cost of recourse",
    "no_recourse": "share without recourse",
}

_MOST_SHOWN = 20
"""Variants whose figures are shown; of more the log tells."""


def document(
    probed: Probed, method: Method, out: Path, groups: Sequence[str], *, examples: int = 0
) -> dict[str, Any]:
    """Return what is said, as JSON; of changes that turn decisions with so many examples."""
    from evenhand.cli import turned
    from evenhand.cli.curve import as_json, curves

    return {
        "log": str(out),
        "rows": len(probed.rows),
        "queries": probed.made.queries,
        "resumed_blocks": probed.resumed,
        "pictures": 0 if probed.pictures is None else len(probed.pictures),
        "variants": [
            {"variant": name, **{one.measure: one.to_dict() for one in found}}
            for name, found in _figures(probed, method).items()
        ]
        # Over all places of a curve nothing is measured.
        if not method.curved
        else [{"variant": one.name} for one in method.variants],
        **({"gaps": [one.to_dict() for one in _gaps(probed, groups)]} if method.compared else {}),
        **({"curves": [as_json(one) for one in curves(probed.rows)]} if method.curved else {}),
        **(
            {"recourse": turned.as_json(probed.rows, examples)}
            if turned.COLUMN in probed.rows.columns
            else {}
        ),
        "flags": probed.made.flags,
        "notes": probed.made.probe["notes"],
        "next": following(probed, method, out, groups),
    }


def shown(
    probed: Probed, method: Method, out: Path, groups: Sequence[str] = (), *, examples: int = 0
) -> RenderableType:
    """Return what is said, for people, but for the next command."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from evenhand.cli import turned
    from evenhand.cli.curve import curves
    from evenhand.cli.curve import table as table_of
    from evenhand.cli.gap import gaps, tables

    if method.curved:
        return Group(table_of(curves(probed.rows)), Text(_told(probed, method, out)))
    if method.compared:
        every = [table for by in groups for table in tables(gaps(probed.rows, by), _figure)]
        return Group(*_spaced(every), Text(_told(probed, method, out)))
    names = probed.made.probe["variants"]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in (
        "feature" if method.of_tables else "variant",
        *(_HEADINGS.get(one, one) for one in method.summary),
    ):
        table.add_column(heading)
    # What is explained is read from the largest feature on.
    figures = _figures(probed, method, names if method.of_tables else names[:_MOST_SHOWN])
    order = sorted(figures, key=lambda one: -_size(figures[one])) if method.of_tables else figures
    for name, found in [(one, figures[one]) for one in order][:_MOST_SHOWN]:
        table.add_row(*map(Text, (name, *map(_figure, found))))
    more = f"... and {len(names) - _MOST_SHOWN} more\n" if len(names) > _MOST_SHOWN else ""
    if turned.COLUMN in probed.rows.columns:
        more = f"\n{turned.told(probed.rows, examples)}\n"
    return Group(table, Text(f"{more}{_told(probed, method, out)}"))


def _gaps(probed: Probed, groups: Sequence[str]) -> list[Gap]:
    """Return the gaps by every column of groups."""
    from evenhand.cli.gap import gaps

    return [one for by in groups for one in gaps(probed.rows, by)]


def _spaced(found: Sequence[RenderableType]) -> list[RenderableType]:
    """Return tables with an empty line between them."""
    spaced: list[RenderableType] = []
    for table in found:
        spaced += [table, ""]
    return spaced[:-1]


def _told(probed: Probed, method: Method, out: Path) -> str:
    """Return what stands under the figures: what was written, what it cost, and notes."""
    said = [f"note: {note}" for note in probed.made.probe["notes"]]
    said += _doubts(probed) if method.doubted else []
    made = f"{len(probed.rows):,} rows in {out}, {probed.made.queries:,} queries"
    if probed.pictures is not None and len(probed.pictures):
        made += f"; {len(probed.pictures):,} pictures beside it"
    if probed.resumed:
        made += f"; {probed.resumed} blocks were finished before"
    lines = "".join(f"{one}\n" for one in said)
    return f"\n{made}\n{lines}"


def _doubts(probed: Probed) -> list[str]:
    """Return the flags in words."""
    if probed.made.flags is None:
        return ["Nobody looked for signs that the attack is weak: a stronger one may break more."]
    said = []
    for one in probed.made.flags:
        said.append(f"{one['variant']}: {one['verdict']}, judged on {one['examples']} examples")
        said += [f"  {flag['name']}: {flag['text']}" for flag in one["flags"] if flag["raised"]]
        raised = [f"{g['group']} ({', '.join(g['raised'])})" for g in one["groups"] if g["raised"]]
        said += [f"  by {one['by']}: {'; '.join(raised)}"] if raised else []
    return said


def _figures(
    probed: Probed, method: Method, names: Sequence[str] | None = None
) -> Mapping[str, list[Finding]]:
    """Return the figures of each variant, with their intervals."""
    import polars as pl

    from evenhand import estimates, log

    return {
        name: estimates(
            method.summary,
            log(probed.rows.filter(pl.col("variant") == name), kind=method.kind),
        )
        for name in (probed.made.probe["variants"] if names is None else names)
    }


def following(probed: Probed, method: Method, out: Path, groups: Sequence[str]) -> str:
    """Return the command that audits the log: of several variants mostly each in its slice.

    Of curves the widest alone, in a slice for each of its places: a plan asks for all of them. A
    radius that stands there is to be changed.
    """
    from evenhand.cli import turned
    from evenhand.cli.curve import curves
    from evenhand.notation import Term, parse

    words = ["evenhand", "audit", str(out), "--kind", method.kind]
    words += [word for one in groups for word in ("--group", one)]
    first = method.first(probed.rows)
    how = "pairs" if method.compared else "difference"
    by = groups if first else ()
    # Who has a way at all is compared too: without it a mean cost is misread.
    compared = first if turned.COLUMN in probed.rows.columns or method.compared else first[-1:]
    asked = [
        # Of a gap what all together have is that of a background that happened to be drawn.
        *(() if method.compared and by else first),
        *(str(Term(how, (parse(plain),), (("by", one),))) for plain in compared for one in by),
    ]
    words += [word for one in asked for word in ("--measure", one)]
    shown = method.variants if method.apart and len(method.variants) > 1 else ()
    if method.curved:
        widest = curves(probed.rows)[0].feature
        shown = tuple(one for one in method.variants if one.name == widest)
    scopes = [scope for one in shown for scope in method.scopes(one)]
    words += [word for scope in scopes for word in ("--slice", scope)]
    words += ["--html", str(out.with_suffix(".html"))]
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Return a word as a shell reads it; with an apostrophe between quotes that are legible."""
    plain = "'" in word and not {*'"$`\\!'} & {*word}
    return f'"{word}"' if plain else shlex.quote(word)


def _size(found: Sequence[Finding]) -> float:
    """Return the size of the last figure that is defined, 0 without."""
    from evenhand.stats.estimate import Estimate

    values = [abs(one.outcome.value) for one in found if isinstance(one.outcome, Estimate)]
    return values[-1] if values else 0.0


def _figure(finding: Finding) -> str:
    from evenhand.measures.attributions.part import is_zero
    from evenhand.stats.estimate import Estimate

    outcome = finding.outcome
    if is_zero(outcome):
        return "0"
    if not isinstance(outcome, Estimate):
        return outcome.reason
    return f"{outcome.value:.3f} [{outcome.low:.3f}, {outcome.high:.3f}]"
