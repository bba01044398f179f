"""Reading files: every format on every engine, strictly, so that no broken row is passed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from evenhand.errors import Problem, SourceError
from evenhand.logs.backend import Engine, duckdb_connection, spark_session

FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".arrow": "ipc",
    ".feather": "ipc",
    ".ipc": "ipc",
}


def format_of(path: str) -> str | None:
    """Return the format that a file's name says, or None."""
    return next((form for end, form in FORMATS.items() if path.lower().endswith(end)), None)


def _duckdb_reader(function: str, **options: object) -> Callable[[list[str]], object]:
    return lambda paths: getattr(duckdb_connection(), function)(paths, **options)


_DUCKDB_CSV: dict[str, Any] = {
    # Left to guess, DuckDB answers a row of the wrong length with another delimiter.
    "delimiter": ",",
    "quotechar": '"',
    "escapechar": '"',
    "header": True,
    "null_padding": False,
    "strict_mode": True,
}


def _polars_csv(paths: list[str]) -> pl.LazyFrame:
    # Polars counts the fields of a row only when all are read: nothing may be left out before.
    scanned = pl.scan_csv(paths, infer_schema_length=10_000, glob=False)
    return scanned.map_batches(lambda rows: rows, projection_pushdown=False, streamable=True)


def _spark_csv(paths: list[str]) -> object:
    # As in Polars, the fields of a row are counted only when all are read.
    reader = spark_session().read.option("columnPruning", value=False)
    return reader.csv(paths, header=True, inferSchema=True, mode="FAILFAST", enforceSchema=False)


def _refuse_ipc(paths: list[str]) -> object:
    raise SourceError(
        Problem(paths[0], "only Polars reads Arrow IPC files.", "Leave --engine out.")
    )


READERS: dict[tuple[Engine, str], Callable[[list[str]], object]] = {
    ("polars", "parquet"): lambda paths: pl.scan_parquet(paths, glob=False),
    ("polars", "csv"): _polars_csv,
    ("polars", "ipc"): lambda paths: pl.scan_ipc(paths, glob=False),
    ("duckdb", "parquet"): lambda paths: duckdb_connection().read_parquet(paths),
    ("duckdb", "csv"): _duckdb_reader("read_csv", **_DUCKDB_CSV),
    ("duckdb", "ipc"): _refuse_ipc,
    ("spark", "parquet"): lambda paths: spark_session().read.parquet(*paths),
    ("spark", "csv"): _spark_csv,
    ("spark", "ipc"): _refuse_ipc,
}
