"""What turned a decision, as columns: whether anything did, what it costs, what it changes."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.probes.explain.recourse import Numbers
from evenhand.probes.explain.table import Table


def as_columns(
    table: Table,
    count: int,
    *,
    rows: NDArray[np.int64],
    x: Numbers,
    z: Numbers,
    price: Numbers,
) -> pl.DataFrame:
    """Return the columns; null of examples that are decided favourably."""
    found, cost = np.full(count, np.nan), np.full(count, np.nan)
    changes: list[str | None] = [None] * count
    there = ~np.isnan(price)
    found[rows], cost[rows] = there.astype(np.float64), price
    for at in np.flatnonzero(there).tolist():
        changes[rows[at]] = json.dumps(
            _changed(table, x[at], z[at]), default=str, ensure_ascii=False
        )
    return pl.DataFrame(
        {
            "recourse": pl.Series(found).fill_nan(None),
            "recourse_cost": pl.Series(cost).fill_nan(None),
            "changes": pl.Series(changes, dtype=pl.String),
        }
    )


def _changed(table: Table, x: Numbers, z: Numbers) -> dict[str, list[object]]:
    """Return what each changed feature was and became, with all digits."""
    found: dict[str, list[object]] = {}
    for place, name in enumerate(table.names):
        if x[place] == z[place]:
            continue
        values = table.values.get(name, ())
        both = (float(x[place]), float(z[place]))
        if len(values):
            found[name] = [values[int(one)] for one in both]
        else:
            found[name] = [int(one) if one.is_integer() else one for one in both]
    return found
