"""The engines that rows can be scanned on: which are installed, and how to reach them."""

from __future__ import annotations

import importlib.util
import os
from typing import Any, Literal, TypeAlias, get_args

import narwhals as nw

from evenhand.logs.unit import register_duckdb

Engine = Literal["polars", "duckdb", "spark"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
Frame: TypeAlias = "nw.LazyFrame[Any]"

_MODULES: dict[Engine, tuple[str, ...]] = {
    "polars": ("polars",),
    "duckdb": ("duckdb", "pyarrow"),
    "spark": ("pyspark", "pyarrow"),
}


def installed(engine: Engine) -> bool:
    """Return whether the packages of this engine are installed."""
    return all(importlib.util.find_spec(module) is not None for module in _MODULES[engine])


def duckdb_connection() -> Any:  # noqa: ANN401 - duckdb is optional
    """Return a new in-memory DuckDB that knows the hash of text units."""
    import duckdb

    connection = duckdb.connect()
    register_duckdb(connection)
    return connection


def spark_session() -> Any:  # noqa: ANN401 - pyspark is optional
    """Return the running Spark session, or a local one on this machine's cores."""
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    session = (
        SparkSession.builder.master(f"local[{os.cpu_count() or 1}]")
        .appName("evenhand")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", str(2 * (os.cpu_count() or 1)))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session
