"""What ``evenhand probe explain.gap`` says: for each pair of groups, the parts of their gap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl
    from rich.console import RenderableType

    from evenhand.audits import Finding
    from evenhand.models.inputs import Inputs

_PAIRS = 3
"""Groups up to which every pair is shown; of more, each beside all together."""

_SHOWN = 20
"""Features whose parts are shown, and gaps; of more the log tells."""

_MOST = 100
"""Groups that are compared; more are no grouping, and their gaps nothing that anybody reads."""


@dataclass(frozen=True)
class Gap:
    """The difference of two groups' mean scores, and its parts.

    Attributes:
        pair: The groups in order: the first minus the second.
        whole: The difference of their mean scores.
        parts: The difference of the mean part of each feature, the largest first.
        added: The difference of the mean of all parts of an example added up.
        shifts: For each feature half of what its part is beside one half of the background above
            the other half: about as far as another background moves it.

    """

    pair: tuple[str, str]
    whole: Finding
    parts: Mapping[str, Finding]
    added: Finding
    shifts: Mapping[str, float]

    @property
    def left_out(self) -> list[str]:
        """How many examples are in no group, and why."""
        return [f"{one.rows:,} examples left out: {one.reason}" for one in self.whole.excluded]

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
                {"feature": name, **finding.to_dict(), "background_shift": self.shifts[name]}
                for name, finding in self.parts.items()
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

    def found(some: pl.DataFrame, measure: str = "mean_attribution") -> list[Finding]:
        asked = str(Term(contrast, (Term(measure),), (("by", by),)))
        return estimates([asked], log(some, kind="attributions", groups=[by]))

    names = rows["variant"].unique(maintain_order=True).to_list()
    first = rows.filter(pl.col("variant") == names[0])
    wholes = found(first, "mean_explained_score")
    sums = rows.group_by("source").agg(pl.col("attribution").sum())
    added = found(first.drop("attribution").join(sums, on="source", maintain_order="left"))
    each = {name: found(rows.filter(pl.col("variant") == name)) for name in names}
    shift = pl.col("background_shift")
    moved = {
        name: found(rows.filter(pl.col("variant") == name).with_columns(attribution=shift))
        for name in names
    }
    told = []
    for place, whole in enumerate(wholes):
        parts = {name: some[place] for name, some in each.items()}
        order = sorted(parts, key=lambda name: -_size(parts[name]))
        pair = [next(iter(group.values())) for group in whole.pair] or [by, ""]
        ordered = {name: parts[name] for name in order}
        # Of a linear score the background moves everybody alike, and no difference.
        shifts = {name: _size(some[place], signed=True) for name, some in moved.items()}
        told.append(Gap((pair[0], pair[1]), whole, ordered, added[place], shifts))
    return told


def check_compared(inputs: Inputs, by: Sequence[str], what: str) -> None:
    """Refuse columns whose groups have no gap, before a model is asked anything.

    Args:
        inputs: The examples.
        by: Columns of their groups.
        what: The probe, as it was written.

    Raises:
        ModelError: A column has less than two groups that can be compared, or far too many.

    """
    from evenhand.errors import ModelError, Problem

    problems = []
    for name in by:
        sizes = inputs.table[name].drop_nulls().value_counts()["count"]
        groups, alone = len(sizes), int((sizes == 1).sum())
        hint = "Name a column of two groups or more."
        if not groups:
            wrong = "nobody's group is known: all its values are missing."
        elif groups == 1:
            wrong = f"all {int(sizes.sum()):,} examples whose group is known are of one group, and "
            wrong += "a gap is of two."
        elif groups > _MOST:
            wrong = f"it has {groups:,} groups, of which {alone:,} hold a single example; {_MOST} "
            wrong += "are the most that are compared."
            hint = "Put numbers and dates into bins first, rare values together."
        elif groups - alone < 2:  # noqa: PLR2004 - a pair
            wrong = f"of its {groups:,} groups {alone:,} hold a single example, whose mean has no "
            wrong += "interval, so that no two can be compared."
        else:
            continue
        problems.append(Problem(f"{what}, group '{name}'", wrong, hint))
    if problems:
        raise ModelError(problems)


def tables(found: Sequence[Gap], figure: Callable[[Finding], str]) -> list[RenderableType]:
    """Return a table of each gap, whose last rows are the sum of the parts and the gap.

    Args:
        found: The gaps by one column; of many those farthest from 0 are shown.
        figure: Writes a finding.

    """
    from rich.text import Text

    shown = sorted(found, key=lambda one: -_size(one.whole))[:_SHOWN]
    shown = shown if len(found) > _SHOWN else [*found]
    made: list[RenderableType] = [_table(one, figure) for one in shown]
    if len(found) > _SHOWN:
        made.append(Text(f"... and {len(found) - _SHOWN} smaller gaps, which --json tells"))
    left = dict.fromkeys(text for one in found for text in one.left_out)
    return [*made, *([Text("\n".join(left))] if left else [])]


def _table(one: Gap, figure: Callable[[Finding], str]) -> RenderableType:
    """Return the table of a gap, with the reasons of parts that are not known below it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("feature", f"part of {one.pair[0]} minus {one.pair[1]}", "share"):
        table.add_column(heading)
    whole = _value(one.whole)
    # Of a gap that may be none no part is a share.
    apart = _apart(one.whole)
    shown = [*one.parts.items()][:_SHOWN]
    for name, finding in shown:
        part = _value(finding)
        known = not math.isnan(part)
        told = f"{part / whole:.1%}" if apart and known else ""
        cell = figure(finding) if known else "undefined"
        table.add_row(Text(name), Text(cell), Text(told, justify="right"))
    if len(one.parts) > _SHOWN:
        table.add_row(Text(f"... and {len(one.parts) - _SHOWN} more"), Text(""), Text(""))
    total = "undefined" if math.isnan(one.total) else f"{one.total:.3f}"
    table.add_row(Text("sum of parts"), Text(total), Text(""), style="bold")
    gap = "undefined" if math.isnan(whole) else figure(one.whole)
    table.add_row(Text("gap of mean scores"), Text(gap), Text(""), style="bold")
    every = [*shown, ("gap of mean scores", one.whole)]
    why = [f"{name}: undefined, {of.undefined}" for name, of in every if math.isnan(_value(of))]
    return Group(table, Text("\n".join([*why, _moved(one)])))


def _moved(one: Gap) -> str:
    """Return how far another background moves parts, which no interval tells."""
    most = max(one.shifts, key=lambda name: abs(one.shifts[name]))
    far = abs(one.shifts[most])
    if not far:
        return "another background moves no part"
    return f"another background moves parts too: {most} most, by about {far:.2g}"


def _apart(finding: Finding) -> bool:
    """Return whether the interval of a gap leaves 0 out."""
    from evenhand.stats.estimate import Estimate

    outcome = finding.outcome
    return isinstance(outcome, Estimate) and not outcome.low <= 0 <= outcome.high


def _value(finding: Finding) -> float:
    """Return the value of a part, 0 of one that is 0 in every row; NaN where it is not defined."""
    from evenhand.measures.attributions.part import is_zero
    from evenhand.stats.estimate import Estimate

    outcome = finding.outcome
    if is_zero(outcome):
        return 0.0
    return outcome.value if isinstance(outcome, Estimate) else math.nan


def _size(finding: Finding, *, signed: bool = False) -> float:
    """Return the size of a part, or its value; 0 where it is not defined."""
    value = _value(finding)
    if math.isnan(value):
        return 0.0
    return value if signed else abs(value)
