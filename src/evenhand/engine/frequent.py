"""Which values of a group stand for themselves: the most frequent; rare ones are one group.

Ten to the five creators are no groups that anybody reads. A rule on how many rows a value has says
who is compared by name (``top``), who together as the tail (``tail``), and the rest is shown apart
as ``other values``: nobody is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import narwhals as nw
import polars as pl

from evenhand.engine.lower import ROWS, Lowered
from evenhand.engine.relational import collect
from evenhand.engine.table import group_column
from evenhand.logs.backend import Frame
from evenhand.logs.group import OTHER, UNKNOWN, Group

Kept = Mapping[str, tuple[str, ...]]
"""For each group with a rule ``top``, the values that stand for themselves, most frequent first."""

_RARE, _RARE_VALUE = "rare", "rare_value"


def frequent(lowered: Lowered, groups: Mapping[str, Group]) -> Kept:
    """Return the most frequent values of the groups that keep only these; ties by name."""
    found = {}
    for name, group in groups.items():
        if group.top is None:
            continue
        column = group_column(name)
        most = collect(
            _sizes(lowered, name)
            .sort(ROWS, column, descending=[True, False])
            .head(group.top + 1)  # one more, since unknown may be among them
        )
        found[name] = tuple(value for value in most[column] if value != UNKNOWN)[: group.top]
    return found


def named(lowered: Lowered, groups: Mapping[str, Group], kept: Kept) -> Lowered:
    """Return the log with the values of its groups named as their rules say.

    Args:
        lowered: The log as the engine sees it.
        groups: The groups by name.
        kept: What `frequent` found, in the whole log.

    """
    frame = lowered.frame
    for name, group in groups.items():
        if not group.by_size:
            continue
        column = nw.col(group_column(name))
        stays = column.is_in([*kept.get(name, ()), UNKNOWN])
        others = nw.lit(OTHER) if group.top is not None else column
        if group.tail:
            columns = frame.collect_schema().names()
            frame = frame.join(
                _rare(lowered, name, group.tail),
                left_on=group_column(name),
                right_on=_RARE_VALUE,
                how="left",
            )
            rare = ~nw.col(_RARE).is_null()
            others = nw.when(rare).then(nw.lit(group.tail_label)).otherwise(others)
            others = nw.when(stays).then(column).otherwise(others)
            frame = frame.with_columns(others.alias(group_column(name))).select(*columns)
        else:
            chosen = nw.when(stays).then(column).otherwise(others)
            frame = frame.with_columns(chosen.alias(group_column(name)))
    return replace(lowered, frame=frame)


def _sizes(lowered: Lowered, name: str) -> Frame:
    """Return the number of rows of every value."""
    return lowered.frame.group_by(group_column(name)).agg(nw.len().alias(ROWS))


def _rare(lowered: Lowered, name: str, tail: int) -> Frame:
    """Return the values of fewer rows than the tail's limit."""
    column = group_column(name)
    sizes = _sizes(lowered, name)
    rare = sizes.filter((nw.col(ROWS) < tail) & (nw.col(column) != UNKNOWN)).select(
        nw.col(column).alias(_RARE_VALUE), nw.lit(1).alias(_RARE)
    )
    if not rare.implementation.is_polars():
        return rare
    # In one query Polars would keep the rows in memory, to read them once for both.
    counted: pl.DataFrame = collect(rare)
    return nw.from_native(counted.lazy())
