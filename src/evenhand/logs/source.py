"""Sources of rows: paths and globs, and the tables that people already have in memory.

Every source becomes one lazy Narwhals frame on one engine; nothing is read here but schemas.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from evenhand.errors import (
    EngineError,
    EvenhandError,
    MissingExtraError,
    Problem,
    SourceError,
    did_you_mean,
    listed,
    reason,
)
from evenhand.logs.backend import (
    ENGINES,
    Engine,
    Frame,
    duckdb_connection,
    installed,
    spark_session,
)
from evenhand.logs.reader import (
    FORMATS,
    NOT_UTF8,
    READERS,
    SEPARATORS,
    check_field_counts,
    check_text,
    format_of,
    header_of,
    separator_of,
)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that can be scanned.

    Attributes:
        name: Where they come from, for messages.
        engine: The engine they are scanned on.
        frame: The rows, lazily.
        verify: Raises SourceError for faults that the engine itself would pass over; called once
            before the rows are scanned.
        files: The files that they are in; empty for a table in memory.

    """

    name: str
    engine: Engine
    frame: Frame
    verify: Callable[[], None] = lambda: None
    files: tuple[str, ...] = ()


def row_count(source: Source) -> int | None:
    """Return the number of rows where it is known without reading them, as in Parquet files."""
    if not source.files or {format_of(file) for file in source.files} != {"parquet"}:
        return None
    lazy = pl.scan_parquet([*source.files])
    return int(lazy.select(pl.len()).collect().item())


def open_source(source: object, engine: str | None = None) -> Source:
    """Return the source as a lazy frame on an engine.

    Args:
        source: A path or glob (Parquet, Arrow IPC, CSV in UTF-8 separated by commas, semicolons
            or tabs), a pandas, Polars or PyArrow table, a DuckDB relation or a Spark DataFrame.
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
        path = os.fspath(source)
        try:
            return _open_path(path, chosen or "polars")
        except OSError as error:
            raise unreadable(str(error.filename or path), error) from error
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
        try:
            return Source(f"{own} table", own, nw.from_native(table))
        except TypeError as error:
            raise _no_source(table) from error
    if library == "pandas" and importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("pandas", where="a pandas DataFrame")
    try:
        lazy = _lazy(table, library)
        lazy.collect_schema()
        return Source(f"{library} table", engine or "polars", _move(lazy, engine or "polars"))
    except SourceError:
        raise
    except Exception as error:
        raise unreadable(f"{library} table", error) from error


def _lazy(table: Any, library: str) -> pl.LazyFrame:  # noqa: ANN401 - any table library
    if isinstance(table, pl.LazyFrame | pl.DataFrame):
        return table.lazy()
    if library == "pandas" and type(table).__name__ == "DataFrame":
        return pl.from_pandas(table).lazy()
    if library == "pyarrow" and type(table).__name__ in {"Table", "RecordBatch"}:
        return pl.DataFrame(table).lazy()
    raise _no_source(table)


def _no_source(table: object) -> SourceError:
    return SourceError(
        Problem(
            "source",
            f"{type(table).__module__}.{type(table).__name__} is not a source of rows.",
            "Pass a path, a glob, a pandas, Polars or PyArrow table, a DuckDB relation or a "
            "Spark DataFrame.",
        )
    )


def _move(lazy: pl.LazyFrame, engine: Engine) -> Frame:
    """Return an in-memory table on another engine, handed over as Arrow."""
    if engine == "polars":
        return nw.from_native(lazy)
    arrow = lazy.collect().to_arrow()
    moved = (
        duckdb_connection().from_arrow(arrow)
        if engine == "duckdb"
        else spark_session().createDataFrame(arrow)
    )
    frame: Frame = nw.from_native(moved)
    return frame


def _open_path(path: str, engine: Engine) -> Source:
    paths = _matches(path) if _is_glob(path) else [path]
    if Path(path).is_dir():
        paths = sorted(str(file) for file in Path(path).rglob("*.parquet"))
        if not paths:
            hint = f"Name files of another kind by a glob, such as '{Path(path) / '*.csv'}'."
            raise SourceError(Problem(path, "the folder holds no Parquet files.", hint))
    if not paths or not Path(paths[0]).exists():
        raise SourceError(Problem(path, "no such file.", _nearby(path)))
    formats = {format_of(name) for name in paths}
    if len(formats) > 1 or None in formats:
        raise SourceError(
            Problem(
                path,
                f"no known format: {listed(Path(name).name for name in paths[:3])}.",
                f"Known endings, one kind at a time: {listed(FORMATS)}.",
            )
        )
    _check_not_empty(paths)
    form = str(formats.pop())
    reader = READERS[engine, form]
    try:
        frame: Frame = nw.from_native(reader(paths))
        frame.collect_schema()
    except EvenhandError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error
    if form == "csv" and engine == "polars":
        return Source(path, engine, frame, lambda: check_field_counts(paths), tuple(paths))
    if form == "csv" and engine == "spark":
        return Source(path, engine, frame, lambda: check_text(paths), tuple(paths))
    return Source(path, engine, frame, files=tuple(paths))


def _check_not_empty(paths: list[str]) -> None:
    headers = {}
    for path in paths:
        if Path(path).stat().st_size == 0:
            raise SourceError(Problem(path, "the file is empty (0 bytes)."))
        with Path(path).open("rb") as file:
            if format_of(path) != "csv":
                continue
            headers[path] = header_of(path).rstrip()
            file.readline()
            if path.lower().endswith(".csv") and not file.readline().strip():
                raise SourceError(Problem(path, "there are no rows under the header."))
    separated = {path: SEPARATORS[separator_of(path)] for path in headers}
    for path, by in separated.items():
        if by != separated[paths[0]]:
            what = f"its fields are separated by {by}, those of {paths[0]} by "
            hint = "Give all files the same separator."
            raise SourceError(Problem(path, f"{what}{separated[paths[0]]}.", hint))
    different = [path for path, header in headers.items() if header != headers[paths[0]]]
    if different:
        what = f"its header differs from that of {paths[0]}; columns would be mixed up."
        raise SourceError(Problem(different[0], what, "Give all files the same columns in order."))


def failure(name: str, error: Exception) -> Exception:
    """Return what to raise for an error of an engine: unreadable rows, or a failed engine.

    An error that no engine raised is a fault of ours and comes back as it is.
    """
    library = type(error).__module__.partition(".")[0]
    if isinstance(error, MemoryError) or "OutOfMemory" in f"{type(error).__name__} {error}":
        hint = "Keep fewer groups (--top), or use --engine duckdb or spark, which spill to disk."
        return EngineError(Problem(name, f"the engine ran out of memory: {_said(error)}", hint))
    if library in _LIBRARIES or isinstance(error, OSError):
        return unreadable(name, error)
    return error


_LIBRARIES = {"polars", "duckdb", "_duckdb", "pyspark", "py4j", "pyarrow", "narwhals"}


def unreadable(path: str, error: Exception) -> SourceError:
    """Return the error for rows that an engine could not read, with the engine's first line."""
    said = _said(error)
    if isinstance(error, PermissionError) or "permission denied" in said.casefold():
        hint = "Ask for the right to read it, or copy it to where you have that right."
        return SourceError(Problem(path, "cannot be read: you have no permission.", hint))
    if isinstance(error, OSError) and error.errno:
        return SourceError(Problem(path, f"cannot be read: {reason(error)}."))
    if re.search("(not|invalid) utf-?8", str(error).casefold()):
        return SourceError(Problem(path, *NOT_UTF8))
    return SourceError(
        Problem(
            path,
            f"cannot be read: {said}",
            "Check that the file is whole and that every row has the header's columns and types.",
        )
    )


def _said(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def _matches(pattern: str) -> list[str]:
    anchor = Path(pattern).anchor
    try:
        return sorted(map(str, Path(anchor or ".").glob(pattern.removeprefix(anchor))))
    except ValueError as error:
        raise SourceError(Problem(pattern, f"not a glob: {error}.", "Write a/**/*.csv.")) from error


def _is_glob(path: str) -> bool:
    return any(mark in path for mark in "*?[") and not Path(path).exists()


def _nearby(path: str) -> str:
    folder = Path(path).parent
    if not folder.is_dir():
        return f"The folder {folder} does not exist either."
    names = sorted(file.name for file in folder.iterdir() if format_of(file.name))
    return did_you_mean(Path(path).name, names) if names else f"{folder} holds no log files."
