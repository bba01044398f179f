"""Sources of rows: paths and globs, and the tables that people already have in memory.

Every source becomes one lazy Narwhals frame on one engine; nothing is read here but schemas.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import narwhals as nw
import polars as pl

from evenhand.errors import (
    EvenhandError,
    MissingExtraError,
    Problem,
    SourceError,
    did_you_mean,
    listed,
)
from evenhand.logs.unit import register_duckdb

Engine = Literal["polars", "duckdb", "spark"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
Frame: TypeAlias = "nw.LazyFrame[Any]"

_MODULES: dict[Engine, tuple[str, ...]] = {
    "polars": ("polars",),
    "duckdb": ("duckdb", "pyarrow"),
    "spark": ("pyspark", "pyarrow"),
}
_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".arrow": "ipc",
    ".feather": "ipc",
    ".ipc": "ipc",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that can be scanned: where they come from, on which engine, and the lazy frame."""

    name: str
    engine: Engine
    frame: Frame


def installed(engine: Engine) -> bool:
    """Return whether the packages of this engine are installed."""
    return all(importlib.util.find_spec(module) is not None for module in _MODULES[engine])


def open_source(source: object, engine: str | None = None) -> Source:
    """Return the source as a lazy frame on an engine.

    Args:
        source: A path or glob (Parquet, CSV, Arrow IPC), a pandas, Polars or PyArrow table, a
            DuckDB relation or a Spark DataFrame.
        engine: ``polars``, ``duckdb`` or ``spark``; by default the source's own, else Polars.

    Raises:
        SourceError: The source does not exist, cannot be opened, or is not one of these.
        MissingExtraError: The engine is not installed.

    """
    if engine is not None and engine not in ENGINES:
        raise SourceError(
            Problem("engine", f"there is no engine '{engine}'.", did_you_mean(engine, ENGINES))
        )
    chosen: Engine | None = next((known for known in ENGINES if known == engine), None)
    if chosen is not None and not installed(chosen):
        raise MissingExtraError(chosen, where=f"engine '{chosen}'")
    if isinstance(source, str | os.PathLike):
        return _open_path(os.fspath(source), chosen or "polars")
    return _open_table(source, chosen)


def _open_table(table: Any, engine: Engine | None) -> Source:  # noqa: ANN401 - any table library
    library = type(table).__module__.partition(".")[0]
    if library in {"duckdb", "_duckdb"} or library == "pyspark":
        own: Engine = "spark" if library == "pyspark" else "duckdb"
        if engine not in {None, own}:
            raise SourceError(
                Problem(
                    "engine",
                    f"a {own} table stays on its engine; '{engine}' was asked for.",
                    f"Leave the engine out, or pass files to scan them with '{engine}'.",
                )
            )
        return Source(f"{own} table", own, nw.from_native(table))
    if isinstance(table, pl.LazyFrame | pl.DataFrame):
        lazy = table.lazy()
    elif library == "pandas":
        if importlib.util.find_spec("pyarrow") is None:
            raise MissingExtraError("pandas", where="a pandas DataFrame")
        lazy = pl.from_pandas(table).lazy()
    elif library == "pyarrow":
        lazy = pl.DataFrame(table).lazy()
    else:
        raise SourceError(
            Problem(
                "source",
                f"{type(table).__module__}.{type(table).__name__} is not a source of rows.",
                "Pass a path, a glob, a pandas, Polars or PyArrow table, a DuckDB relation or a "
                "Spark DataFrame.",
            )
        )
    return Source(f"{library} table", engine or "polars", _move(lazy, engine or "polars"))


def _move(lazy: pl.LazyFrame, engine: Engine) -> Frame:
    """Return an in-memory table on another engine, handed over as Arrow."""
    if engine == "polars":
        return nw.from_native(lazy)
    arrow = lazy.collect().to_arrow()
    moved = (
        _duckdb_connection().from_arrow(arrow)
        if engine == "duckdb"
        else spark_session().createDataFrame(arrow)
    )
    frame: Frame = nw.from_native(moved)
    return frame


def _open_path(path: str, engine: Engine) -> Source:
    paths = _matches(path) if _is_glob(path) else [path]
    if Path(path).is_dir():
        paths = sorted(str(file) for file in Path(path).rglob("*.parquet"))
    if not paths or not Path(paths[0]).exists():
        raise SourceError(Problem(path, "no such file.", _nearby(path)))
    formats = {_format(name) for name in paths}
    if len(formats) > 1 or None in formats:
        raise SourceError(
            Problem(
                path,
                f"no known format: {listed(Path(name).name for name in paths[:3])}.",
                f"Known endings, one kind at a time: {listed(_FORMATS)}.",
            )
        )
    empty = [name for name in paths if Path(name).stat().st_size == 0]
    if empty:
        raise SourceError(Problem(empty[0], "the file is empty (0 bytes)."))
    reader = _READERS[engine, str(formats.pop())]
    try:
        frame: Frame = nw.from_native(reader(paths))
        frame.collect_schema()
    except EvenhandError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error
    return Source(path, engine, frame)


def unreadable(path: str, error: Exception) -> SourceError:
    """Return the error for rows that an engine could not read, with the engine's first line."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
    return SourceError(
        Problem(
            path,
            f"cannot be read: {said}",
            "Check that the file is whole and that every row has the header's columns and types.",
        )
    )


def _matches(pattern: str) -> list[str]:
    found = Path(Path(pattern).anchor or ".").glob(pattern.removeprefix(Path(pattern).anchor))
    return sorted(map(str, found))


def _is_glob(path: str) -> bool:
    return any(mark in path for mark in "*?[") and not Path(path).exists()


def _format(path: str) -> str | None:
    return next((form for end, form in _FORMATS.items() if path.lower().endswith(end)), None)


def _nearby(path: str) -> str:
    folder = Path(path).parent
    if not folder.is_dir():
        return f"The folder {folder} does not exist either."
    names = sorted(file.name for file in folder.iterdir() if _format(file.name))
    return did_you_mean(Path(path).name, names) if names else f"{folder} holds no log files."


def _duckdb_connection() -> Any:  # noqa: ANN401 - duckdb is optional
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


def _duckdb_reader(function: str, **options: object) -> Callable[[list[str]], object]:
    return lambda paths: getattr(_duckdb_connection(), function)(paths, **options)


def _spark_csv(paths: list[str]) -> object:
    reader = spark_session().read
    return reader.csv(paths, header=True, inferSchema=True, mode="FAILFAST", enforceSchema=False)


def _refuse_ipc(paths: list[str]) -> object:
    raise SourceError(
        Problem(paths[0], "only Polars reads Arrow IPC files.", "Leave --engine out.")
    )


_READERS: dict[tuple[Engine, str], Callable[[list[str]], object]] = {
    ("polars", "parquet"): pl.scan_parquet,
    ("polars", "csv"): lambda paths: pl.scan_csv(paths, infer_schema_length=10_000),
    ("polars", "ipc"): pl.scan_ipc,
    ("duckdb", "parquet"): lambda paths: _duckdb_connection().read_parquet(paths),
    ("duckdb", "csv"): _duckdb_reader("read_csv", header=True, null_padding=False),
    ("duckdb", "ipc"): _refuse_ipc,
    ("spark", "parquet"): lambda paths: spark_session().read.parquet(*paths),
    ("spark", "csv"): _spark_csv,
    ("spark", "ipc"): _refuse_ipc,
}
