"""Side tables: what another table knows of a row's user, item or creator.

A log is joined on the left with a small table. Every row of the log stays, once, and gets the
columns that the table has for its key; where the table has no such key they are missing, so that a
group of them is ``unknown``: counted and shown apart, as any missing value is. With ``as_of`` the
table has several rows for a key: each is in force from its own time on, until the key's next row.
Before the first of them nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import polars as pl

from evenhand.logs.backend import Frame, spark_table
from evenhand.logs.lookup import KEY, in_force, time_of

_BROADCAST = 2**28
"""Bytes of a table up to which Spark hands it to every worker, and no row of the log moves."""


@dataclass(frozen=True)
class SideTable:
    """A table whose columns are joined to a log; checked when it was opened.

    Joining keeps every row of the log exactly once: keys do not repeat, and the times at which
    rows of one key are in force share no moment and leave none out.

    Attributes:
        name: Where it comes from, for messages.
        key: The column of the log that is looked up.
        their_key: The column of the table in which it is found.
        columns: The columns that are added; None where the table was not opened.
        as_of: The column of the log with the time at which the table is asked; None where the
            table has one row for each key.
        rows: `KEY` and the columns, by key; with ``as_of`` also `FROM`, the first moment at which
            a row is in force, and `TO`, the first at which it is no more; missing for none.
        sha256: Digest of its content; empty where the table was not opened.
        files: The files that it is in; empty for a table in memory or far away.

    """

    name: str
    key: str
    their_key: str
    columns: tuple[str, ...] | None
    as_of: str | None = None
    rows: pl.DataFrame = field(default_factory=pl.DataFrame, repr=False, compare=False)
    sha256: str = ""
    files: tuple[str, ...] = ()
    _moved: dict[int, Frame] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that it needs of the log."""
        return (self.key,) if self.as_of is None else (self.key, self.as_of)

    @property
    def identity(self) -> dict[str, Any]:
        """All that joined rows depend on, as plain values."""
        columns = None if self.columns is None else sorted(self.columns)
        key = [self.key, self.their_key]
        return {"key": key, "columns": columns, "as_of": self.as_of, "sha256": self.sha256}

    def join(self, frame: Frame) -> Frame:
        """Return the rows of a log, each once, with the columns of this table."""
        if frame.implementation.is_pyspark() or frame.implementation.is_pyspark_connect():
            frame = _without_points(frame)
        schema = frame.collect_schema()
        key, dtype = nw.col(self.key), nw.Schema.from_polars(self.rows.schema)[KEY]
        left = frame.with_columns(
            (key if schema[self.key] == dtype else key.cast(dtype)).alias(KEY)
        )
        joined = left.join(self._beside(frame), on=KEY, how="left")
        if self.as_of is not None:
            joined = joined.filter(in_force(time_of(self.as_of, schema[self.as_of])))
        return joined.select(*schema.names(), *(self.columns or ()))

    def _beside(self, frame: Frame) -> Frame:
        """Return the table on the engine of a frame, in the frame's own connection or session."""
        native: Any = frame.to_native()
        if frame.implementation.is_polars():
            return nw.from_native(self.rows.lazy())
        if frame.implementation.is_duckdb():
            moved: Frame = nw.from_native(_in_connection(self.rows, native))
            return moved
        session = native.sparkSession
        if id(session) not in self._moved:
            self._moved[id(session)] = nw.from_native(_in_session(self.rows, session))
        return self._moved[id(session)]


def _without_points(frame: Frame) -> Frame:
    """Return a log of Spark without columns such as ``a.b``, which it takes for a part of ``a``."""
    odd = [name for name in frame.collect_schema().names() if "." in name]
    if not odd:
        return frame
    native: Any = frame.to_native()
    plain_names: Frame = nw.from_native(native.drop(*odd))
    return plain_names


def _in_connection(rows: pl.DataFrame, relation: Any) -> object:  # noqa: ANN401 - duckdb is optional
    """Return a table as a relation of another relation's connection, which none else can meet."""
    evenhand_side_table = rows.to_arrow()  # noqa: F841 - DuckDB finds it by its name
    return relation.query("evenhand_log", "select * from evenhand_side_table")


def _in_session(rows: pl.DataFrame, session: Any) -> object:  # noqa: ANN401 - pyspark is optional
    table = spark_table(rows.to_arrow(), session)
    return table.hint("broadcast") if rows.estimated_size() <= _BROADCAST else table
