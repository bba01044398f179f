"""The state of a scan: small tables of sums that merge across days, shards and machines.

A state is a commutative monoid: `merge` is associative and commutative, and the state of no rows
is its zero. It goes in and out of one Parquet file, whatever measures it serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import polars as pl

from evenhand.engine.by_unit import UnitCounts
from evenhand.engine.frequent import Kept
from evenhand.engine.identity import Identity, differences, digest
from evenhand.engine.score import ScoreTable
from evenhand.engine.table import Table, group_column
from evenhand.errors import Problem, StateMergeError
from evenhand.logs.unit import BUCKET, REGISTER

_FORMAT = 1
_PART = "table"
NOTE = (
    "Sums by unit bucket and group: no row and no unit id, but where few people share a bucket and "
    "a group they are nearly personal data. Keep them as you keep the log."
)


@dataclass(frozen=True)
class State:
    """What one pass over the rows leaves: enough for every figure of the plan, and no row.

    Attributes:
        identity: What was asked of which roles, units, groups and filter; states merge only when
            it is equal.
        engine: The engine that counted; engines mix freely.
        rows: Number of rows in scope.
        sums: Sums of the plan's terms by bucket and groups, one table per set of groups.
        units: Largest marks by groups and register (`evenhand.engine.sketch`) for every kind of
            trial, for logs with columns of units; empty where the unit is the row. Where rows have
            units of two populations, the second has registers of its own.
        distinct: Exact numbers of units by groups for every kind of trial, for each population, in
            logs small enough to count them. They do not merge, so a merged state has none.
        scores: Counts by score value, for each set of groups and each role whose values are the
            scores.
        kept: For groups with a rule ``top``, the values that stand for themselves.
        views: For ranked lists, the states of requests and of rows, by view.
        requests: Numbers of requests of ranked lists, of the inconsistent ones, and of these by
            what is wrong.
        items: Sums by bucket of units, groups and item; None where none are made.
        size: The number of items of the catalogue; 0 where none is named.
        catalogue: For each attribute of items the share of each group in what could be shown.

    """

    identity: Identity
    engine: str
    rows: int
    sums: Mapping[tuple[str, ...], Table]
    units: Mapping[tuple[str, ...], Table]
    distinct: Mapping[tuple[str, ...], tuple[UnitCounts, ...]] | None = None
    scores: Mapping[tuple[str, ...], Mapping[str, ScoreTable]] = field(default_factory=dict)
    kept: Kept = field(default_factory=dict)
    views: Mapping[str, State] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    items: Table | None = None
    size: int = 0
    catalogue: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def of_units(self) -> State:
        """The state that tells of all units: itself, or of ranked lists one of its views."""
        return next(iter(self.views.values())) if self.views else self

    @property
    def plan(self) -> str:
        """Digest of the identity."""
        return digest(self.identity)

    def merge(self, other: State) -> State:
        """Return the state of both sets of rows.

        Raises:
            StateMergeError: The states are of different plans, or their groups keep other values.

        """
        if self.identity != other.identity:
            raise _different("; ".join(differences(self.identity, other.identity)))
        if self.kept != other.kept:
            raise _kept_otherwise(self.kept, other.kept)
        for name, rule in self.identity["groups"].items():
            if isinstance(rule, Mapping) and "tail" in rule:
                raise _rare_otherwise(name)
        engines = sorted({*self.engine.split("+"), *other.engine.split("+")})
        return State(
            self.identity,
            "+".join(engines),
            self.rows + other.rows,
            {by: table.merge(other.sums[by]) for by, table in self.sums.items()},
            {by: table.merge(other.units[by]) for by, table in self.units.items()},
            scores={
                by: {role: table.merge(other.scores[by][role]) for role, table in tables.items()}
                for by, tables in self.scores.items()
            },
            kept=self.kept,
            views={name: state.merge(other.views[name]) for name, state in self.views.items()},
            requests={
                name: self.requests.get(name, 0) + other.requests.get(name, 0)
                for name in dict.fromkeys((*self.requests, *other.requests))
            },
            items=None
            if self.items is None or other.items is None
            else self.items.merge(other.items),
            size=max(self.size, other.size),
            catalogue=_mean_catalogue(self, other),
        )

    def sums_by(self, by: Sequence[str]) -> Table:
        """Return the sums by bucket and these groups, from the smallest table that has them."""
        return _covering(self.sums, by).marginal([BUCKET, *map(group_column, by)])

    def scores_by(self, by: Sequence[str], role: str) -> ScoreTable:
        """Return the counts by these groups and the values of a role."""
        have = [stage for stage, tables in self.scores.items() if role in tables]
        fine = {stage: self.scores[stage][role].fine for stage in have if set(by) <= set(stage)}
        smallest = min(fine, key=lambda stage: len(fine[stage].frame))
        return self.scores[smallest][role].marginal(by)

    def units_by(self, by: Sequence[str]) -> Table:
        """Return the largest marks by these groups and register."""
        return _covering(self.units, by).marginal([*map(group_column, by), REGISTER])

    def write(self, target: Path | IO[bytes]) -> None:
        """Write the state, without its exact unit counts, as one Parquet file."""
        parts = [*_tables(self)]
        for view, state in self.views.items():
            parts += [({**about, "view": view}, table) for about, table in _tables(state)]
        frames = [
            table.frame.with_columns(pl.lit(index, dtype=pl.Int64).alias(_PART))
            for index, (_, table) in enumerate(parts)
        ]
        layout = [
            about | {"keys": table.keys, "reduce": table.reduce, "columns": table.frame.columns}
            for about, table in parts
        ]
        document = {
            "format": _FORMAT,
            "note": NOTE,
            "identity": self.identity,
            "engine": self.engine,
            "rows": self.rows,
            "kept": self.kept,
            "tables": layout,
        }
        if self.views:
            document["requests"] = self.requests
            document["catalogue"] = self.catalogue
            document["views"] = {
                name: {
                    "identity": view.identity,
                    "rows": view.rows,
                    "kept": view.kept,
                    "size": view.size,
                }
                for name, view in self.views.items()
            }
        metadata = {"evenhand.state": json.dumps(document)}
        pl.concat(frames, how="diagonal").write_parquet(
            target, metadata=metadata, compression="zstd"
        )

    @classmethod
    def read(cls, path: Path | IO[bytes]) -> State:
        """Return the state that `write` wrote.

        Raises:
            StateMergeError: The file is not a state, or of a newer format.

        """
        text = pl.read_parquet_metadata(path).get("evenhand.state")
        layout = json.loads(text) if text else {}
        if layout.get("format") != _FORMAT:
            found = layout.get("format", "no state")
            where = str(path) if isinstance(path, Path) else "states"
            raise StateMergeError(Problem(where, f"this is {found}, not format {_FORMAT}."))
        if not isinstance(path, Path):
            path.seek(0)
        rows = pl.read_parquet(path)
        whole = _state(rows, layout, layout["engine"], layout["tables"], None)
        views = {
            name: _state(rows, about, layout["engine"], layout["tables"], name)
            for name, about in layout.get("views", {}).items()
        }
        return replace(
            whole,
            views=views,
            requests=layout.get("requests", {}),
            catalogue=layout.get("catalogue", {}),
        )


def _tables(state: State) -> Iterator[tuple[dict[str, Any], Table]]:
    """Yield the tables of a state, without those of its views, and what each is."""
    for by, table in state.sums.items():
        yield {"part": "sums", "by": by}, table
    for by, table in state.units.items():
        yield {"part": "units", "by": by}, table
    for by, tables in state.scores.items():
        for role, scores in tables.items():
            about = {"by": by, "role": role}
            yield {"part": "fine", **about, "width": scores.width}, scores.fine
            if scores.coarse is not None:
                yield {"part": "coarse", **about, "width": scores.coarse_width}, scores.coarse
    if state.items is not None:
        yield {"part": "items", "by": ()}, state.items


def _state(
    rows: pl.DataFrame,
    about: Mapping[str, Any],
    engine: str,
    tables: Sequence[Mapping[str, Any]],
    view: str | None,
) -> State:
    """Return the state, or one of its views, that tables of a file make."""
    sums: dict[tuple[str, ...], Table] = {}
    units: dict[tuple[str, ...], Table] = {}
    scores: dict[tuple[str, ...], dict[str, ScoreTable]] = {}
    items = None
    for index, entry in enumerate(tables):
        if entry.get("view") != view:
            continue
        frame = rows.filter(pl.col(_PART) == index).select(entry["columns"])
        table = Table(tuple(entry["keys"]), entry["reduce"], frame)
        by = tuple(entry["by"])
        match entry["part"]:
            case "sums":
                sums[by] = table
            case "units":
                units[by] = table
            case "fine":
                scores.setdefault(by, {})[entry["role"]] = ScoreTable(table, entry["width"])
            case "items":
                items = table
            case "coarse":
                fine = scores[by][entry["role"]]
                both = replace(fine, coarse=table, coarse_width=entry["width"])
                scores[by][entry["role"]] = both
    kept = {name: tuple(values) for name, values in about["kept"].items()}
    return State(
        about["identity"],
        engine,
        about["rows"],
        sums,
        units,
        scores=scores,
        kept=kept,
        items=items,
        size=about.get("size", 0),
    )


def _mean_catalogue(one: State, other: State) -> Mapping[str, Mapping[str, float]]:
    """Return shares of groups in catalogues of two logs, each weighing as its rows do."""
    total = max(one.rows + other.rows, 1)
    return {
        name: {
            group: (shares.get(group, 0.0) * one.rows + others.get(group, 0.0) * other.rows) / total
            for group in sorted({*shares, *others})
        }
        for name, shares in one.catalogue.items()
        if (others := other.catalogue.get(name)) is not None
    }


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


def _rare_otherwise(name: str) -> StateMergeError:
    what = f"group '{name}' has a tail: which values are rare is known only from all rows together."
    hint = f"Name values in the plan: groups: {{{name}: {{column: ..., values: [...]}}}}."
    return StateMergeError(Problem("merge", what, hint))


def _kept_otherwise(one: Kept, other: Kept) -> StateMergeError:
    name = next(name for name in one if one[name] != other.get(name))
    apart = sorted({*one[name]} ^ {*other.get(name, ())})[:3]
    what = f"group '{name}' keeps its most frequent values, which differ: {', '.join(apart)}, ..."
    hint = f"Name them in the plan: groups: {{{name}: {{column: ..., values: [...]}}}}."
    return StateMergeError(Problem("merge", what, hint))
