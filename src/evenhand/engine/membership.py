"""To which groups the items of rows belong, from a column of groups or of lists of them."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import polars as pl

from evenhand.logs.grammar import Schema
from evenhand.logs.group import OTHER, UNKNOWN, Group
from evenhand.logs.log import members_type
from evenhand.measures.lists import Membership


def membership(rows: pl.DataFrame, group: Group, schema: Schema) -> Membership:
    """Return the groups of the items of rows; values that a group does not name are not known."""
    if members_type(group, schema) is not None:
        return _soft(rows[group.expression.text])
    column = group.expression.text
    if schema.get(column) == nw.String and not (group.bins or group.values or group.labelled):
        text = rows[column].fill_null(UNKNOWN)
    else:
        lowered = nw.from_native(rows).select(group.lower(schema).alias("of"))
        text = lowered.to_native()["of"].replace(OTHER, UNKNOWN)
    names = text.unique().sort().to_list()
    codes = text.cast(pl.Enum(names)).to_physical().to_numpy().astype(np.intp)
    return Membership(tuple(names), np.arange(len(rows)), codes, np.ones(len(rows)))


def _soft(lists: pl.Series) -> Membership:
    """Return the groups of items that may have several, each entry an equal part of its item."""
    rows = pl.DataFrame({"row": pl.int_range(len(lists), eager=True), "of": lists})
    filled = rows.with_columns(
        pl.when(pl.col("of").list.len().fill_null(0) == 0)
        .then(pl.lit([UNKNOWN], dtype=pl.List(pl.String)))
        .otherwise(pl.col("of").cast(pl.List(pl.String)))
        .alias("of")
    )
    entries = filled.explode("of").with_columns(pl.col("of").fill_null(UNKNOWN))
    counted = (
        entries.group_by("row", "of")
        .agg(pl.len().alias("n"))
        .with_columns(share=pl.col("n") / pl.col("n").sum().over("row"))
        .sort("row", "of")
    )
    names = sorted(counted["of"].unique())
    codes = counted["of"].cast(pl.Enum(names)).to_physical().cast(pl.Int64).to_numpy()
    return Membership(
        tuple(names), counted["row"].to_numpy(), codes, counted["share"].to_numpy(), soft=True
    )
