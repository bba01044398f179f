"""The state of a scan: small tables of sums that merge across days, shards and machines.

A state is a commutative monoid: `merge` is associative and commutative, and the state of no rows
is its zero. It goes in and out of one Parquet file, whatever measures it serves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from evenhand.errors import Problem, StateMergeError
from evenhand.logs.unit import BUCKET, REGISTER

Reduce = Literal["sum", "max"]


_FORMAT = 1
_PART = "table"
_NOTE = (
    "Sums by unit bucket and group: no row and no unit id, but where few people share a bucket and "
    "a group they are nearly personal data. Keep them as you keep the log."
)


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
        return self._reduced(self.frame, tuple(keys))

    def _reduced(self, frame: pl.DataFrame, keys: tuple[str, ...]) -> Table:
        values = pl.exclude(self.keys)
        reduced = values.sum() if self.reduce == "sum" else values.max()
        if not keys:
            return Table(keys, self.reduce, frame.select(reduced))
        return Table(keys, self.reduce, frame.group_by(keys).agg(reduced).sort(keys))


@dataclass(frozen=True)
class State:
    """What one pass over the rows leaves: enough for every figure of the plan, and no row.

    Attributes:
        plan: Digest of what was asked of which roles, units, groups and filter; states merge
            only when it is equal.
        engine: The engine that counted; engines mix freely.
        rows: Number of rows in scope.
        sums: Sums of the plan's terms by bucket and groups, one table per set of groups.
        units: Largest marks by groups and register (`evenhand.engine.sketch`) for every kind of
            trial, for logs whose unit is a column; empty where the unit is the row.
        distinct: Exact numbers of units by groups for every kind of trial, for logs small enough
            to count them. They do not merge, so a merged state has none.

    """

    plan: str
    engine: str
    rows: int
    sums: Mapping[tuple[str, ...], Table]
    units: Mapping[tuple[str, ...], Table]
    distinct: Mapping[tuple[str, ...], pl.DataFrame] | None = None

    def merge(self, other: State) -> State:
        """Return the state of both sets of rows.

        Raises:
            StateMergeError: The states are of different plans.

        """
        if self.plan != other.plan:
            raise _different("their roles, unit, filter, groups or measures differ")
        engines = sorted({*self.engine.split("+"), *other.engine.split("+")})
        return State(
            self.plan,
            "+".join(engines),
            self.rows + other.rows,
            {by: table.merge(other.sums[by]) for by, table in self.sums.items()},
            {by: table.merge(other.units[by]) for by, table in self.units.items()},
        )

    def sums_by(self, by: Sequence[str]) -> Table:
        """Return the sums by bucket and these groups, from the smallest table that has them."""
        return _covering(self.sums, by).marginal([BUCKET, *map(group_column, by)])

    def units_by(self, by: Sequence[str]) -> Table:
        """Return the largest marks by these groups and register."""
        return _covering(self.units, by).marginal([*map(group_column, by), REGISTER])

    def write(self, path: Path) -> None:
        """Write the state, without its exact unit counts, as one Parquet file."""
        parts = [("sums", by, table) for by, table in self.sums.items()]
        parts += [("units", by, table) for by, table in self.units.items()]
        frames = [
            table.frame.with_columns(pl.lit(index, dtype=pl.Int64).alias(_PART))
            for index, (_, _, table) in enumerate(parts)
        ]
        layout = [
            {
                "part": part,
                "by": by,
                "keys": table.keys,
                "reduce": table.reduce,
                "columns": table.frame.columns,
            }
            for part, by, table in parts
        ]
        document = {
            "format": _FORMAT,
            "note": _NOTE,
            "plan": self.plan,
            "engine": self.engine,
            "rows": self.rows,
            "tables": layout,
        }
        metadata = {"evenhand.state": json.dumps(document)}
        pl.concat(frames, how="diagonal").write_parquet(path, metadata=metadata)

    @classmethod
    def read(cls, path: Path) -> State:
        """Return the state that `write` wrote.

        Raises:
            StateMergeError: The file is not a state, or of a newer format.

        """
        text = pl.read_parquet_metadata(path).get("evenhand.state")
        layout = json.loads(text) if text else {}
        if layout.get("format") != _FORMAT:
            found = layout.get("format", "no state")
            raise StateMergeError(Problem(str(path), f"this is {found}, not format {_FORMAT}."))
        rows = pl.read_parquet(path)
        tables: dict[str, dict[tuple[str, ...], Table]] = {"sums": {}, "units": {}}
        for index, entry in enumerate(layout["tables"]):
            frame = rows.filter(pl.col(_PART) == index).select(entry["columns"])
            table = Table(tuple(entry["keys"]), entry["reduce"], frame)
            tables[entry["part"]][tuple(entry["by"])] = table
        about = (layout["plan"], layout["engine"], layout["rows"])
        return cls(*about, tables["sums"], tables["units"])


def _covering(tables: Mapping[tuple[str, ...], Table], by: Sequence[str]) -> Table:
    wide_enough = [table for have, table in tables.items() if set(by) <= set(have)]
    return min(wide_enough, key=lambda table: len(table.frame))


def _different(what: str) -> StateMergeError:
    return StateMergeError(
        Problem(
            "merge",
            f"the states are of different plans: {what}.",
            "Merge states of one plan only.",
        )
    )
