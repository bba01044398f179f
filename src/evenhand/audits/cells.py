"""A table of sums by bucket and group, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.engine.table import group_column
from evenhand.logs.log import ITEM, Log
from evenhand.logs.unit import BUCKET

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class Cells:
    """A table of sums by bucket and group as arrays of shape (buckets, groups).

    Attributes:
        by: Names of the group attributes.
        keys: Their columns.
        groups: The groups in the order in which they are shown.

    """

    def __init__(self, table: pl.DataFrame, by: Sequence[str], log: Log) -> None:
        self.by = tuple(by)
        self.keys = [group_column(name) for name in by]
        names: list[tuple[str, ...]] = [()]
        if by:
            names = [*table.select(self.keys).unique().iter_rows()]
        ranks = [log.group(name).rank for name in by]
        names.sort(key=lambda row: [rank(name) for rank, name in zip(ranks, row, strict=True)])
        self._index = {row: index for index, row in enumerate(names)}
        shown = [name.removeprefix(ITEM) for name in by]
        self.groups = tuple(dict(zip(shown, row, strict=True)) for row in names)
        self._table = table
        self._shape = (log.unit.buckets, len(self.groups))
        self._place = (table[BUCKET].to_numpy(), self.places(table))

    def of(self, column: str) -> Floats:
        """Return a column of the table."""
        cells = np.zeros(self._shape)
        cells[self._place] = self._table[column].to_numpy()
        return cells

    def by_group(self, counted: pl.DataFrame, column: str) -> Floats:
        """Return a column of another table with one row for some of the groups; 0 elsewhere."""
        values = np.zeros(len(self.groups))
        values[self.places(counted)] = counted[column].to_numpy()
        return values

    def places(self, table: pl.DataFrame) -> Indices:
        """Return the place of each row's group among the groups."""
        rows = table.select(self.keys).iter_rows() if self.keys else [()] * len(table)
        return np.array([self._index[row] for row in rows], dtype=np.intp)
