"""What ``evenhand probe`` says: figures of each variant, flags, cost, and the next command."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from evenhand.audits import Finding
    from evenhand.probes.run import Probed

_HEADINGS = {
    "clean_accuracy": "clean accuracy",
    "robust_accuracy": "robust accuracy, at most",
    "attack_success_rate": "broken of the right",
    "corruption_error": "corruption error",
    "certified_accuracy(r=0)": "certified at all",
}

_OF = {
    "attack": ("clean_accuracy", "robust_accuracy", "attack_success_rate"),
    "corrupt": ("clean_accuracy", "corruption_error"),
    "certify": ("clean_accuracy", "certified_accuracy(r=0)"),
}

_MOST_SHOWN = 20
"""Variants whose figures are shown; of more the log tells."""


def document(probed: Probed, out: Path, groups: Sequence[str]) -> dict[str, Any]:
    """Return what is said, as JSON."""
    return {
        "log": str(out),
        "rows": len(probed.rows),
        "queries": probed.made.queries,
        "resumed_blocks": probed.resumed,
        "pictures": 0 if probed.pictures is None else len(probed.pictures),
        "variants": [
            {"variant": name, **{one.measure: one.to_dict() for one in found}}
            for name, found in _figures(probed).items()
        ],
        "flags": probed.made.flags,
        "notes": probed.made.probe["notes"],
        "next": following(probed, out, groups),
    }


def shown(probed: Probed, out: Path) -> RenderableType:
    """Return what is said, for people, but for the next command."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    kind, names = _kind(probed), probed.made.probe["variants"]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("variant", *(_HEADINGS[one] for one in _OF[kind])):
        table.add_column(heading)
    for name, found in _figures(probed, names[:_MOST_SHOWN]).items():
        table.add_row(*map(Text, (name, *map(_figure, found))))
    more = f"... and {len(names) - _MOST_SHOWN} more\n" if len(names) > _MOST_SHOWN else ""
    said = [f"note: {note}" for note in probed.made.probe["notes"]]
    said += _doubts(probed) if kind == "attack" else []
    made = f"{len(probed.rows):,} rows in {out}, {probed.made.queries:,} queries"
    if probed.pictures is not None and len(probed.pictures):
        made += f"; {len(probed.pictures):,} pictures beside it"
    if probed.resumed:
        made += f"; {probed.resumed} blocks were finished before"
    lines = "".join(f"{one}\n" for one in said)
    return Group(table, Text(f"{more}\n{made}\n{lines}"))


def _kind(probed: Probed) -> str:
    """Return what was done: attack, corrupt or certify."""
    columns = probed.rows.columns
    return next(
        (name for name, mark in _MARKS.items() if mark in columns),
        "certify",
    )


_MARKS = {"attack": "broken_by", "corrupt": "corruption"}
"""Columns that only one kind of probe writes."""


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


def _figures(probed: Probed, names: Sequence[str] | None = None) -> Mapping[str, list[Finding]]:
    """Return the figures of each variant, with their intervals."""
    import polars as pl

    from evenhand import estimates, log

    return {
        name: estimates(
            _OF[_kind(probed)],
            log(probed.rows.filter(pl.col("variant") == name), kind="perturbed"),
        )
        for name in (probed.made.probe["variants"] if names is None else names)
    }


def following(probed: Probed, out: Path, groups: Sequence[str]) -> str:
    """Return the command that audits the log: of several variants each in its slice.

    Of certificates at one radius, which stands there to be changed.
    """
    names = probed.made.probe["variants"]
    words = ["evenhand", "audit", str(out), "--kind", "perturbed"]
    words += [word for one in groups for word in ("--group", one)]
    if _kind(probed) == "corrupt" and len(names) > 1:
        words += ["--measure", "mean_corruption_error"]
        for one in groups:
            words += ["--measure", f"difference(mean_corruption_error, by={one})"]
    elif _kind(probed) == "certify":
        certified = f"certified_accuracy(r={_radius(probed)})"
        words += ["--measure", "clean_accuracy", "--measure", certified]
        for one in groups:
            words += ["--measure", f"difference({certified}, by={one})"]
    if _kind(probed) != "corrupt" and len(names) > 1:
        words += [word for one in names for word in ("--slice", f"variant == '{one}'")]
    words += ["--html", str(out.with_suffix(".html"))]
    return " ".join(map(_quoted, words))


def _radius(probed: Probed) -> str:
    """Return a radius to ask about: the median of those that are above 0, to two digits."""
    import numpy as np
    import polars as pl

    found = probed.rows.filter(pl.col("certified_radius") > 0)["certified_radius"]
    middle = float(np.median(found.to_numpy())) if len(found) else 0.0
    return np.format_float_positional(middle, precision=2, fractional=False, trim="-")


def _quoted(word: str) -> str:
    """Return a word as a shell reads it; with an apostrophe between quotes that are legible."""
    plain = "'" in word and not {*'"$`\\!'} & {*word}
    return f'"{word}"' if plain else shlex.quote(word)


def _figure(finding: Finding) -> str:
    from evenhand.stats.estimate import Estimate

    outcome = finding.outcome
    if not isinstance(outcome, Estimate):
        return outcome.reason
    return f"{outcome.value:.3f} [{outcome.low:.3f}, {outcome.high:.3f}]"
