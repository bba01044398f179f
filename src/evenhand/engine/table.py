"""Small tables with a key and values that merge, which states are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

Reduce = Literal["sum", "max"]


def group_column(name: str) -> str:
    """Return the column that holds the group of this name, which cannot clash with a sum."""
    return f"group:{name}"


@dataclass(frozen=True)
class Table:
    """Rows with a key and mergeable values.

    Attributes:
        keys: Key columns, such as ``bucket`` and ``group:race``.
        reduce: How values of equal keys become one: added, or the larger kept.
        frame: One row per key; sums are Int64 or Float64.

    """

    keys: tuple[str, ...]
    reduce: Reduce
    frame: pl.DataFrame

    def merge(self, other: Table) -> Table:
        """Return the table of both; keys that only one has are kept as they are."""
        both = pl.concat([self.frame, other.frame.select(self.frame.columns)])
        return self._reduced(both, self.keys)

    def marginal(self, keys: Sequence[str]) -> Table:
        """Return the table with the keys that are left out summed over (or their maximum)."""
        if {*keys} == {*self.keys}:
            return self
        return self._reduced(self.frame, tuple(keys))

    def rekeyed(self, frame: pl.DataFrame) -> Table:
        """Return the table with other values of its keys, of which several may have become one."""
        return self._reduced(frame, self.keys)

    def _reduced(self, frame: pl.DataFrame, keys: tuple[str, ...]) -> Table:
        values = pl.exclude(self.keys)
        reduced = values.sum() if self.reduce == "sum" else values.max()
        if not keys:
            return Table(keys, self.reduce, frame.select(reduced))
        return Table(keys, self.reduce, frame.group_by(keys).agg(reduced).sort(keys))
