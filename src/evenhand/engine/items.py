"""Sums by bucket of units, groups and item: what figures of a whole catalogue are made of."""

from __future__ import annotations

import functools
import operator

import polars as pl

from evenhand.engine.frequent import Kept, named
from evenhand.engine.lower import lower
from evenhand.engine.table import Table, group_column
from evenhand.engine.view import SOUND, SPREAD, View
from evenhand.logs.log import Log
from evenhand.logs.unit import BUCKET, CROSSED
from evenhand.measures.ranking import Ranking

BUCKETS = CROSSED
"""Buckets of units by which sums of items are kept: enough for a variance, and few."""


def count_items(view: View, log: Log, kept: Kept) -> Table:
    """Return the sums of a view's numbers by bucket of units, groups and item.

    Args:
        view: The view.
        log: The view with some of its rows.
        kept: For groups that keep some values only, these.

    """
    groups = {name: log.group(name) for name in view.by}
    numbers = [role.name for role in log.kind.roles if role.values == "plain"]
    conditions = [role.name for role in log.kind.roles if role.values != "plain"]
    wanted = {
        item_column(one, name): (name, _conditions(one))
        for one in view.measures
        for name in one.counted
    }
    # The lowered log has the bucket and the groups, and rows in the order of the log.
    lowered = named(lower(log, numbers, view.by), groups, kept)
    in_order: pl.LazyFrame = lowered.frame.select(BUCKET, *map(group_column, view.by)).to_native()
    rows = in_order.collect()
    own: pl.DataFrame = log.source.frame.to_native().select(SPREAD, *numbers, *conditions).collect()
    table = pl.concat([rows, own], how="horizontal")
    keys = (BUCKET, *map(group_column, view.by), SPREAD)
    sums = (
        table.with_columns(pl.col(BUCKET).cast(pl.Int64) % BUCKETS)
        .group_by(keys)
        .agg(_among(name, held).sum().alias(column) for column, (name, held) in wanted.items())
        .sort(keys)
    )
    return Table(keys, "sum", sums)


def item_column(measure: Ranking, number: str) -> str:
    """Return the column of a measure's number: its sum over the rows that the measure counts."""
    return f"{number} [{', '.join(_conditions(measure))}]"


def _conditions(measure: Ranking) -> list[str]:
    return [SOUND, *sorted(condition.name for condition in measure.every_condition)]


def _among(number: str, conditions: list[str]) -> pl.Expr:
    """Return a number where all conditions hold, else 0."""
    held = functools.reduce(operator.and_, (pl.col(name).is_not_null() for name in conditions))
    return pl.when(held).then(pl.col(number)).otherwise(0.0)
