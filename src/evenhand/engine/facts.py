"""What must be known of a whole log of ranked lists before its requests are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import narwhals as nw
import numpy as np
import polars as pl

from evenhand.engine.membership import membership
from evenhand.engine.relational import collect
from evenhand.engine.view import SPREAD, View, attributes_of, measures_of
from evenhand.errors import Problem, ValueInLogError, listed
from evenhand.logs.backend import Frame
from evenhand.logs.expression import Expression
from evenhand.logs.grammar import Schema
from evenhand.logs.group import OTHER, UNKNOWN, Group
from evenhand.logs.log import Log, members_type
from evenhand.measures.lists import Floats

SAMPLED_ROWS = 2**20
"""Rows of a log up to which all requests are put in random and in best order."""

_GROUP, _COUNT = "group", "n"
_MOST_SLOTS = 2**20


@dataclass(frozen=True)
class Facts:
    """What must be known of the whole log before its requests are read.

    Attributes:
        catalogue: For each attribute the share of each group in what could be shown.
        by_slot: For each column its mean at each slot.
        sizes: For each view that is summed by item, the number of items in the catalogue; 0 where
            none is named.
        items: For each such view what the catalogue has; no entry where none is named.
        every: Of so many requests one is taken where a sample is enough.

    """

    catalogue: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    by_slot: Mapping[str, Floats] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    items: Mapping[str, pl.Series] = field(default_factory=dict)
    every: int = 1


def facts_of(log: Log, views: Iterable[View], rows: Frame) -> Facts:
    """Return what views need to know of the whole log; rows are read only where they must be.

    Args:
        log: The log of items.
        views: The views that will be filled.
        rows: The rows in scope.

    Raises:
        ValueInLogError: A catalogue is needed and not there, or lacks an attribute.

    """
    views = [*views]
    _check_catalogue(log)
    measures, attributes = measures_of(views), attributes_of(views)
    aims = [(one.aim, name) for one in measures for name in one.attributes]
    known = [(aim, name) for aim, name in aims if aim is not None and aim.from_catalogue]
    required = {name for aim, name in known if aim.needs_catalogue}
    found = {}
    for name in dict.fromkeys(name for _, name in known):
        from_log = log.catalogue is None and name not in required
        found[name] = (
            _shares_in(rows, log.schema, log.item_group(name))
            if from_log
            else catalogue_shares(name, log)
        )
    # Shares of exposure may be held against the catalogue when no row is read any more.
    others = [name for name in attributes if name not in found]
    found |= {n: catalogue_shares(n, log) for n in others if not without_catalogue(n, log)}
    items = {view.name: _items(log, view) for view in views if view.spread}
    named = {name: known for name, known in items.items() if known is not None}
    averaged = (c for one in measures for model in one.models for c in model.averaged)
    return Facts(
        catalogue=found,
        by_slot={column: _means(log, column) for column in dict.fromkeys(averaged)},
        sizes={name: 0 if known is None else len(known) for name, known in items.items()},
        items=named,
        every=_every(log) if any(one.landmarks for one in measures) else 1,
    )


def _check_catalogue(log: Log) -> None:
    """Check that a catalogue has one row for each item, where it tells items apart."""
    item = log.roles.get("item")
    if log.catalogue is None or item is None:
        return
    schema = dict(log.catalogue.frame.collect_schema())
    if item.problems(schema, "catalogue"):
        return
    items = collect(log.catalogue.frame.select(item.lower(schema).alias(SPREAD)))[SPREAD]
    missing, twice = items.null_count(), len(items) - items.n_unique()
    if missing or twice:
        said = [f"{missing:,} rows have no item"] * bool(missing)
        said += [f"{twice:,} rows name an item again"] * bool(twice)
        hint = "A catalogue has one row for each item; groups of one item go into a list."
        raise ValueInLogError([Problem("catalogue", f"{' and '.join(said)}.", hint)])


def _every(log: Log) -> int:
    """Return of how many requests one stands for all in what chance and the best order give."""
    rows = int(collect(log.source.frame.select(nw.len().cast(nw.Int64))).item())
    return 1 << (rows // SAMPLED_ROWS).bit_length()


def _items(log: Log, view: View) -> pl.Series | None:
    """Return the items, or groups of them, that the catalogue has; None where none is named."""
    if log.catalogue is None:
        return None
    if view.over is not None:
        groups = sorted({*catalogue_shares(view.over, log)} - {UNKNOWN})
        return pl.Series(groups, dtype=pl.String)
    schema = dict(log.catalogue.frame.collect_schema())
    item = log.roles.get("item")
    wrong = [] if item is None else item.problems(schema, "catalogue")
    if item is None or wrong:
        raise ValueInLogError(wrong or [Problem("role 'item'", "no column plays it.")])
    items = collect(log.catalogue.frame.select(item.lower(schema).alias(SPREAD)))
    return items[SPREAD].cast(pl.String)


def _means(log: Log, column: str) -> Floats:
    """Return the mean of a column at every slot from 1."""
    slot = log.roles["rank"].lower(log.schema).cast(nw.Float64).floor().cast(nw.Int64)
    value = Expression(column).lower(log.schema).cast(nw.Float64)
    frame = log.source.frame
    if log.where is not None:
        frame = frame.filter(log.where.lower(log.schema))
    frame = frame.select(slot.alias("slot"), value.alias("value"))
    shown = frame.filter((nw.col("slot") >= 1) & (nw.col("slot") <= _MOST_SLOTS))
    means = collect(shown.group_by("slot").agg(nw.col("value").mean())).sort("slot")
    if means["value"].null_count():
        slots = listed(map(str, means.filter(pl.col("value").is_null())["slot"][:3]))
        what = f"'{column}' is missing at every impression of slot {slots}."
        raise ValueInLogError([Problem(f"empirical({column})", what)])
    if not np.isfinite(means["value"].to_numpy()).all() or (means["value"] < 0).any():
        what = f"the mean of '{column}' at a slot is below 0, or infinite."
        hint = "Attention is 0 or more, such as the share of a video that was watched."
        raise ValueInLogError([Problem(f"empirical({column})", what, hint)])
    found = np.zeros(int(means["slot"][-1]) if len(means) else 0)
    found[means["slot"].to_numpy() - 1] = means["value"].to_numpy()
    return found


def catalogue_shares(name: str, log: Log) -> Mapping[str, float]:
    """Return the shares of the groups of an attribute in what could be shown.

    Raises:
        ValueInLogError: No catalogue is named, or it lacks the attribute.

    """
    wrong = without_catalogue(name, log)
    if log.catalogue is None or wrong:
        raise ValueInLogError(wrong)
    frame = log.catalogue.frame
    return _shares_in(frame, dict(frame.collect_schema()), log.item_group(name))


def without_catalogue(name: str, log: Log) -> list[Problem]:
    """Return why the shares of an attribute's groups in the catalogue are not known."""
    if log.catalogue is None:
        what = "target=catalogue needs the table of what could be shown."
        hint = "Name it (--catalogue items.parquet), or use target=candidates."
        return [Problem(f"of={name}", what, hint)]
    schema = dict(log.catalogue.frame.collect_schema())
    return log.item_group(name).expression.problems(schema, f"catalogue, of={name}")


def _shares_in(frame: Frame, schema: Schema, group: Group) -> Mapping[str, float]:
    if members_type(group, schema) is not None:
        rows = collect(frame.select(nw.col(group.expression.text)))
        members = membership(rows, group, schema)
        totals = np.bincount(members.group, members.share, len(members.names))
        return dict(zip(members.names, (totals / totals.sum()).tolist(), strict=True))
    text = group.lower(schema)
    text = nw.when(text != OTHER).then(text).otherwise(nw.lit(UNKNOWN)).alias(_GROUP)
    counts = collect(frame.select(text).group_by(_GROUP).agg(nw.len().alias(_COUNT)))
    counts = counts.with_columns(pl.col(_COUNT) / pl.col(_COUNT).sum()).sort(_GROUP)
    return dict(counts.select(_GROUP, _COUNT).iter_rows())
