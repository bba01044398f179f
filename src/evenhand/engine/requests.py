"""Reading whole requests: rows of one request together, whatever their order in the log.

Logs are mostly written request by request. Then one pass over the rows in their order is enough,
and a request that turns up again later shows that it is not. Other logs, and other engines, are
read in parts by the hash of the request, each of which fits into memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import narwhals as nw
import numpy as np
import polars as pl

from evenhand.engine.relational import collect
from evenhand.errors import Problem, ValueInLogError
from evenhand.logs.backend import Engine, Frame
from evenhand.logs.unit import BUCKET, HASH, PART, UNIT, Unit, with_unit_columns

REQUEST = "request:"
"""The column of what a list answers."""

RUN = "run:"
"""The column that numbers the requests of a block from 0."""

BLOCK = 400_000
"""Rows that are worked on at once, which a processor's cache still likes."""

PART_ROWS = 6_000_000
"""Rows of a part that are read at once where requests are scattered over the log."""

Watch = Callable[[int], None]


class ScatteredError(Exception):
    """A request's rows do not stand together."""


def read_requests(
    frame: Frame, engine: Engine, watch: Watch, *, scattered: bool
) -> Iterator[pl.DataFrame]:
    """Yield blocks of whole requests, with their rows together and numbered in ``run:``.

    Args:
        frame: Rows with a column ``request:``; without it every row is a request.
        engine: Their engine.
        watch: Told how many rows are read.
        scattered: Whether rows of a request may stand apart.

    Raises:
        ScatteredError: They do, and it was said that they do not.
        ValueInLogError: A row has no request.

    """
    if REQUEST not in frame.collect_schema().names():
        for batch in _batches(frame, engine, watch):
            yield batch.with_columns(pl.int_range(pl.len()).alias(RUN))
    elif scattered or engine != "polars":
        yield from _parts(frame, engine, watch)
    else:
        yield from _in_order(frame, engine, watch)


def _in_order(frame: Frame, engine: Engine, watch: Watch) -> Iterator[pl.DataFrame]:
    """Yield blocks of a log that is written request by request."""
    seen = _Seen()
    left: pl.DataFrame | None = None
    for batch in _batches(frame, engine, watch):
        rows = batch if left is None else pl.concat([left, batch])
        runs = rows[REQUEST].rle_id()
        last = int(runs[-1])
        start = int(runs.search_sorted(last))
        left = rows[start:]
        if start:
            block = _numbered(rows[:start])
            seen.add(block)
            yield block
    if left is not None and len(left):
        block = _numbered(left)
        seen.add(block)
        yield block
    seen.check()


@dataclass
class _Seen:
    """The requests that were read, by a hash of each; as many numbers as requests."""

    hashes: list[np.ndarray] = field(default_factory=list)

    def add(self, block: pl.DataFrame) -> None:
        """Note the requests of a block.

        Raises:
            ScatteredError: One of them is there twice.

        """
        first = block[RUN].search_sorted(pl.int_range(int(block[RUN][-1]) + 1, eager=True))
        hashes = block[REQUEST].gather(first).hash(seed=1).to_numpy()
        _check(hashes)
        self.hashes.append(hashes)

    def check(self) -> None:
        """Check that no request was read twice.

        Raises:
            ScatteredError: One was.

        """
        if self.hashes:
            _check(np.concatenate(self.hashes))


def _check(hashes: np.ndarray) -> None:
    ordered = np.sort(hashes)
    if (ordered[1:] == ordered[:-1]).any():
        raise ScatteredError


def _parts(frame: Frame, engine: Engine, watch: Watch) -> Iterator[pl.DataFrame]:
    """Yield blocks of a log whose requests are scattered, part by part of their hashes."""
    rows = int(collect(frame.select(nw.len().cast(nw.Int64))).item())
    parts = max(1, math.ceil(rows / PART_ROWS))
    if parts > 1:
        columns = frame.collect_schema().names()
        raw = nw.col(REQUEST)
        whole = frame.collect_schema()[REQUEST].is_integer()
        keyed = frame.with_columns((raw if whole else raw.cast(nw.String)).alias(UNIT))
        keyed = with_unit_columns(keyed, engine, Unit("column", (UNIT,)))
        # A null request has no hash: it must be found, not lost.
        part = nw.col(HASH).fill_null(0) % parts
        frame = keyed.drop(UNIT, BUCKET, PART).with_columns(part.alias(PART)).drop(HASH)
    done = 0
    for number in range(parts):
        some = frame.filter(nw.col(PART) == number).select(*columns) if parts > 1 else frame
        table = collect(some)
        done += len(table)
        watch(done)
        table = table.sort(REQUEST, maintain_order=True)
        yield from _blocks(table)


def _blocks(table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield a table, whose requests stand together, in blocks of whole requests."""
    runs = table[REQUEST].rle_id()
    start = 0
    while start < len(table):
        stop = min(start + BLOCK, len(table))
        if stop < len(table):
            last = int(runs[stop])
            stop = int(runs.search_sorted(last))
            if stop <= start:
                # One request is larger than a block.
                stop = int(runs.search_sorted(last, "right"))
        yield _numbered(table[start:stop])
        start = stop


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    requests = rows[REQUEST]
    if requests.null_count():
        what = f"the request is missing for {requests.null_count():,} rows."
        hint = "Filter such rows with where, or give them an id."
        raise ValueInLogError([Problem("role 'request'", what, hint)])
    return rows.with_columns(requests.rle_id().cast(pl.Int64).alias(RUN))


def _batches(frame: Frame, engine: Engine, watch: Watch) -> Iterator[pl.DataFrame]:
    """Yield the rows of a log in their order."""
    rows = 0
    if engine != "polars":
        table = collect(frame)
        watch(len(table))
        for start in range(0, len(table), BLOCK):
            yield table[start : start + BLOCK]
        return
    native: pl.LazyFrame = frame.to_native()
    for batch in native.collect_batches(chunk_size=BLOCK, maintain_order=True, engine="streaming"):
        rows += len(batch)
        watch(rows)
        if len(batch):
            yield batch
