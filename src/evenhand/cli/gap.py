"""What ``evenhand probe explain.gap`` says: for each pair of groups, the parts of their gap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from rich.table import Table

    from evenhand.audits import Finding

_PAIRS = 3
"""Groups up to which every pair is shown; of more, each beside all together."""

_SHOWN = 20
"""Features whose parts are shown; of more the log tells."""


@dataclass(frozen=True)
class Gap:
    """The difference of two groups' mean scores, and its parts.

    Attributes:
        pair: The groups in order: the first minus the second.
        whole: The difference of their mean scores.
        parts: The difference of the mean part of each feature, the largest first.
        added: The difference of the mean of all parts of an example added up.

    """

    pair: tuple[str, str]
    whole: Finding
    parts: Mapping[str, Finding]
    added: Finding

    @property
    def total(self) -> float:
        """What the parts add up to, those too whose interval is not defined; NaN with the gap."""
        return _value(self.added)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "groups": [*self.pair],
            "gap": self.whole.to_dict(),
            "sum_of_parts": None if math.isnan(self.total) else self.total,
            "parts": [
                {"feature": name, **finding.to_dict()} for name, finding in self.parts.items()
            ],
        }


def gaps(rows: pl.DataFrame, by: str) -> list[Gap]:
    """Return the gaps of groups: of up to three every pair, else each group beside all together.

    Args:
        rows: A row for each example and feature, with `attribution` and the scores.
        by: The column of groups.

    """
    import polars as pl

    from evenhand import estimates, log
    from evenhand.notation import Term

    count = rows[by].drop_nulls().n_unique()
    contrast = "pairs" if count <= _PAIRS else "to_overall"
    asked = str(Term(contrast, (Term("mean_attribution"),), (("by", by),)))

    def found(some: pl.DataFrame) -> list[Finding]:
        return estimates([asked], log(some, kind="attributions", groups=[by]))

    names = rows["variant"].unique(maintain_order=True).to_list()
    score = pl.col("explained_score") - pl.col("base_score")
    first = rows.filter(pl.col("variant") == names[0])
    wholes = found(first.with_columns(attribution=score))
    sums = rows.group_by("source").agg(pl.col("attribution").sum())
    added = found(first.drop("attribution").join(sums, on="source", maintain_order="left"))
    each = {name: found(rows.filter(pl.col("variant") == name)) for name in names}
    told = []
    for place, whole in enumerate(wholes):
        parts = {name: some[place] for name, some in each.items()}
        order = sorted(parts, key=lambda name: -_size(parts[name]))
        pair = [next(iter(group.values())) for group in whole.pair] or [by, ""]
        ordered = {name: parts[name] for name in order}
        told.append(Gap((pair[0], pair[1]), whole, ordered, added[place]))
    return told


def tables(found: list[Gap], figure: Any) -> list[Table]:  # noqa: ANN401 - writes a finding
    """Return a table of each gap, whose last rows are the sum of the parts and the gap."""
    from rich.table import Table
    from rich.text import Text

    made = []
    for one in found:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("feature", f"part of {one.pair[0]} minus {one.pair[1]}", "share"):
            table.add_column(heading)
        whole = _value(one.whole)
        # Of a gap that may be none no part is a share.
        shown = _apart(one.whole)
        for name, finding in [*one.parts.items()][:_SHOWN]:
            part = _value(finding)
            told = f"{part / whole:.1%}" if shown and not math.isnan(part) else ""
            table.add_row(Text(name), Text(figure(finding)), Text(told, justify="right"))
        if len(one.parts) > _SHOWN:
            table.add_row(Text(f"... and {len(one.parts) - _SHOWN} more"), Text(""), Text(""))
        total = figure(one.added) if math.isnan(one.total) else f"{one.total:.3f}"
        table.add_row(Text("sum of parts"), Text(total), Text(""), style="bold")
        table.add_row(Text("gap of mean scores"), Text(figure(one.whole)), Text(""), style="bold")
        made.append(table)
    return made


def _apart(finding: Finding) -> bool:
    """Return whether the interval of a gap leaves 0 out."""
    from evenhand.stats.estimate import Estimate

    outcome = finding.outcome
    return isinstance(outcome, Estimate) and not outcome.low <= 0 <= outcome.high


def _value(finding: Finding) -> float:
    from evenhand.stats.estimate import Estimate

    outcome = finding.outcome
    return outcome.value if isinstance(outcome, Estimate) else math.nan


def _size(finding: Finding) -> float:
    """Return the size of a part; 0 where it is not defined, which is that of what never changes."""
    value = _value(finding)
    return 0.0 if math.isnan(value) else abs(value)
