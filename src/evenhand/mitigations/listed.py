"""The candidates of a log: its requests side by side, and their new slots written back as a log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import polars as pl

from evenhand.errors import Problem, RoleError, SourceError, first_line
from evenhand.logs.group import UNKNOWN as UNKNOWN_NAME
from evenhand.logs.group import Group
from evenhand.logs.log import Log
from evenhand.mitigations.candidates import NOBODY, UNKNOWN, Candidates, Places

BEFORE = "_before"
"""What the column of slots is called by that was there before."""

_REQUEST, _ITEM, _SCORE, _GROUP = "_request", "_item", "_score", "_group"


@dataclass(frozen=True)
class Listed:
    """The candidates of a log's requests.

    Attributes:
        candidates: Side by side, in the order of the log.
        rows: The place of each candidate among `frame`, shape (n, m); `NOBODY` where there is none.
        frame: The rows in scope, in the order of the log.
        rank: The column of slots.
        requests: What tells each request from others, n values.

    """

    candidates: Candidates
    rows: Places
    frame: pl.DataFrame
    rank: str
    requests: tuple[object, ...]

    def written(self, order: Places) -> pl.DataFrame:
        """Return the rows with new slots, from 1; null for a candidate that is not shown.

        The slots that were there stand in a column beside, ``rank_before``.

        Args:
            order: Places of candidates, shape (n, k).

        """
        slots = np.zeros(len(self.frame), np.int64)
        request, slot = np.nonzero(order != NOBODY)
        slots[self.rows[request, order[request, slot]]] = slot + 1
        shown = pl.Series(self.rank, slots).replace(0, None)
        frame = self.frame
        if self.rank in frame.columns:
            frame = frame.rename({self.rank: f"{self.rank}{BEFORE}"})
        return frame.with_columns(shown)


def listed(log: Log, of: str) -> Listed:
    """Return the candidates of a log, each request's in the order of its rows.

    Args:
        log: A log of ranked lists whose rows fit into memory.
        of: The attribute of items that groups are made of.

    Raises:
        RoleError: A role is missing, an item is in several groups at once, no item has a group, or
            a candidate has no score or no request, or stands twice in too many requests.
        SourceError: The rows cannot be read, or there are none.

    """
    problems = []
    if not log.kind.ranked:
        what = f"a log of kind '{log.kind.name}' has no lists."
        problems.append(Problem("log", what, "Say --kind recommendation or search."))
    for role, hint in _NEEDED.items():
        if role not in log.roles:
            problems.append(Problem(f"role '{role}'", "it is not in the log.", hint))
    if problems:
        raise RoleError(problems)
    group = log.item_group(of)
    if isinstance(group.expression.dtype(log.schema), nw.List):
        what = "its items are in several groups at once, and a slot would count for each of them."
        raise RoleError(Problem(f"item group '{of}'", what, "Name a column of single values."))
    rows = _read(log, group)
    problems = [*_missing(log, rows), *_repeated(log, rows)]
    if rows[_GROUP].is_in([UNKNOWN_NAME]).fill_null(value=True).all():
        what = f"it is unknown for all {len(rows):,} candidates, so there is nothing to balance."
        problems.append(Problem(f"item group '{of}'", what, "Name another: --item-group COLUMN."))
    if problems:
        raise RoleError(problems)
    return _aside(rows, _rank_of(log))


def _read(log: Log, group: Group) -> pl.DataFrame:
    """Return the rows in scope, with what candidates are made of beside.

    Raises:
        SourceError: They cannot be read, or there are none.

    """
    frame = log.source.frame
    if log.where is not None:
        frame = frame.filter(log.where.lower(log.schema))
    named = {"request": _REQUEST, "item": _ITEM}
    beside = [log.roles[r].lower(log.schema).alias(n) for r, n in named.items() if r in log.roles]
    beside.append(log.roles["score"].lower(log.schema).cast(nw.Float64()).alias(_SCORE))
    beside.append(group.lower(log.schema).alias(_GROUP))
    try:
        made = nw.from_native(frame.with_columns(*beside).to_native())
        rows: pl.DataFrame = made.lazy().collect(backend="polars").to_native()
    except Exception as error:
        raise SourceError(Problem(log.source.name, first_line(error))) from error
    if not len(rows):
        if log.where is None:
            raise SourceError(Problem(log.source.name, "there are no rows."))
        hint = "Look at the values of the columns that it names."
        raise SourceError(Problem("where", f"'{log.where.text}' holds for no row.", hint))
    return rows


def _repeated(log: Log, rows: pl.DataFrame) -> Iterator[Problem]:
    """Yield that requests name an item again, where there are more than an audit leaves out."""
    if "item" not in log.roles:
        return
    found: pl.DataFrame = rows.select(_REQUEST, _ITEM)
    bad = found.filter(found.is_duplicated())[_REQUEST].n_unique()
    requests = rows[_REQUEST].n_unique()
    if bad > log.max_bad_requests * requests:
        what = f"it is listed twice in {bad:,} of {requests:,} requests, and would be shown twice."
        hint = "Check --request and --item: which column tells lists apart, and which items."
        yield Problem("role 'item'", what, hint)


def _missing(log: Log, rows: pl.DataFrame) -> Iterator[Problem]:
    """Yield what candidates lack that each must have."""
    without = {
        "request": rows[_REQUEST].is_null(),
        "score": rows[_SCORE].is_null() | rows[_SCORE].is_nan(),
    }
    for role, flags in without.items():
        if missing := int(flags.sum()):
            what = f"{missing:,} of {len(rows):,} candidates have none."
            hint = f"Leave them out: --where '{log.roles[role].text} != None'."
            yield Problem(f"role '{role}'", what, hint)


_NEEDED = {
    "request": "Say which column tells lists apart: --request COLUMN.",
    "score": "Say what lists are sorted by: --score COLUMN, or --score=-rank.",
}


def _rank_of(log: Log) -> str:
    """Return the column that new slots are written to: that of the log where it is one."""
    text = log.roles["rank"].text if "rank" in log.roles else ""
    return text if text in log.schema else "rank"


def _aside(rows: pl.DataFrame, rank: str) -> Listed:
    request = rows[_REQUEST].rank("dense").cast(pl.Int64).to_numpy() - 1
    count = int(request.max()) + 1 if len(request) else 0
    place = rows.select(pl.int_range(pl.len()).over(_REQUEST)).to_series().to_numpy()
    shape = (count, int(place.max()) + 1 if len(place) else 0)
    names = sorted({*rows[_GROUP].unique().to_list()} - {None, UNKNOWN_NAME})
    code = {name: number for number, name in enumerate(names)}
    codes = [code.get(name, UNKNOWN) for name in rows[_GROUP].to_list()]
    scores, groups = np.full(shape, np.nan), np.full(shape, UNKNOWN, np.int64)
    where = np.full(shape, NOBODY, np.int64)
    scores[request, place] = rows[_SCORE].to_numpy()
    groups[request, place] = codes
    where[request, place] = np.arange(len(rows))
    frame = rows.drop(_REQUEST, _ITEM, _SCORE, _GROUP, strict=False)
    asked = tuple(rows[_REQUEST].unique().sort().to_list())
    return Listed(Candidates(scores, groups, tuple(names)), where, frame, rank, asked)
