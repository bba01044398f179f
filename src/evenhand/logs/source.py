"""Sources of rows: paths and globs, and the tables that people already have in memory.

Every source becomes one lazy Narwhals frame on one engine; nothing is read here but schemas.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import narwhals as nw
import polars as pl

from evenhand.errors import (
    EngineError,
    EvenhandError,
    MissingExtraError,
    Problem,
    SourceError,
    StoppedError,
    did_you_mean,
    first_line,
)
from evenhand.logs.backend import (
    ENGINES,
    Engine,
    Frame,
    Spark,
    duckdb_connection,
    installed,
    spark_session,
    spark_table,
)
from evenhand.logs.file import Files, Skipped, find_files, skipped
from evenhand.logs.reader import (
    READERS,
    check_field_counts,
    check_text,
    format_of,
    unreadable,
)
from evenhand.logs.remote import is_remote, is_table_name, open_remote, open_table

if TYPE_CHECKING:
    from evenhand.logs.side_table import SideTable

EngineLike: TypeAlias = str | Spark | None
"""An engine as it is asked for: its name, or Spark with a session or a master."""

OnBadFile = Literal["fail", "skip"]
"""What becomes of a file that is broken or has another schema."""


def _unchecked(_files: Iterable[str]) -> None:
    """Leave all checks to the engine."""


@dataclass(frozen=True)
class Source:
    """Rows that can be scanned.

    Attributes:
        name: Where they come from, for messages.
        engine: The engine they are scanned on.
        frame: The rows, lazily.
        at: The engine's connection or session, where it has one.
        files: The files that they are in; empty for a table in memory or far away.
        reader: What reads some of the files; None where there are none.
        check: Raises SourceError for faults of files that the engine itself would pass over.
        parts: What is known of the files; None where there are none.
        on_bad_file: Whether files that turn out to be broken are left out.
        skipped: The files that were left out.
        tables: The side tables that the rows are joined with, whichever of the files are read.

    """

    name: str
    engine: Engine
    frame: Frame
    at: Any = None
    files: tuple[str, ...] = ()
    reader: Callable[[Sequence[str]], Frame] | None = None
    check: Callable[[Iterable[str]], None] = _unchecked
    parts: Files | None = None
    on_bad_file: OnBadFile = "fail"
    skipped: tuple[Skipped, ...] = ()
    tables: tuple[SideTable, ...] = ()

    def verify(self) -> None:
        """Check what the engine itself would pass over; called once before rows are scanned.

        Raises:
            SourceError: A file is faulty.

        """
        self.check(self.files)

    def only(self, files: Sequence[str]) -> Source:
        """Return the rows of some of the files alone."""
        if self.reader is None:
            raise TypeError(f"{self.name} is not made of files")
        return replace(self, frame=_joined(self.reader(files), self.tables), files=tuple(files))

    def beside(self, tables: Sequence[SideTable]) -> Source:
        """Return the same rows joined with side tables, and so for any of the files."""
        return replace(self, frame=_joined(self.frame, tables), tables=tuple(tables))

    def without(self, faults: Iterable[Problem]) -> Source:
        """Return the rows of all files but those that these problems are about."""
        bad = {problem.where: problem for problem in faults}
        return self.only([file for file in self.files if file not in bad]).noting(bad)

    def noting(self, faults: Mapping[str, Problem]) -> Source:
        """Return the same rows, with the files that were not among them for their faults."""
        return replace(self, skipped=(*self.skipped, *self._left_out(faults)))

    def _left_out(self, faults: Mapping[str, Problem]) -> list[Skipped]:
        parts = {} if self.parts is None else {**self.parts.faults, **self.parts.columns}
        names = names_of([*{**parts, **faults}])
        return [skipped(path, problem, names[path]) for path, problem in faults.items()]

    def fitting(self, used: Iterable[str]) -> Source:
        """Return the rows of the files that have these columns, all of one type.

        Raises:
            SourceError: With every file that has not, unless such files are left out.

        """
        if self.parts is None or self.parts.even:
            return self
        needed = {column for table in self.tables for column in table.reads}
        parts = self.parts.fitting({*used, *needed})
        found = [problem for path, problem in parts.faults.items() if path in self.files]
        if found and (self.on_bad_file == "fail" or not parts.columns):
            raise SourceError(found)
        reader = _reader(self.engine, parts, self.at, None if parts.even else parts.common())
        whole = replace(self, reader=reader, parts=parts)
        return whole.without(found) if found else whole.only(parts.sound)


def _joined(frame: Frame, tables: Iterable[SideTable]) -> Frame:
    for table in tables:
        frame = table.join(frame)
    return frame


def names_of(files: Sequence[str]) -> dict[str, str]:
    """Return files by their names below the folder above them all, which stays.

    Evidence names files by these: days often differ in nothing else, and what is above tells who
    read them on which machine.
    """
    if not files:
        return {}
    folders = [Path(file).resolve().parent for file in files]
    root = Path(os.path.commonpath(folders)).parent
    return {file: Path(file).resolve().relative_to(root).as_posix() for file in files}


def row_count(source: Source) -> int | None:
    """Return the number of rows where it is known without reading them, as in Parquet files."""
    if not source.files or {format_of(file) for file in source.files} != {"parquet"}:
        return None
    return sum(
        int(pl.scan_parquet([file], glob=False).select(pl.len()).collect().item())
        for file in source.files
    )


def open_source(
    source: object, engine: EngineLike = None, *, on_bad_file: OnBadFile = "fail"
) -> Source:
    """Return the source as a lazy frame on an engine.

    Args:
        source: A path or glob (Parquet, Arrow IPC, CSV in UTF-8 separated by commas, semicolons
            or tabs), a URI, a Delta or Iceberg table, a table of Spark's catalogue, a pandas,
            Polars or PyArrow table, a DuckDB relation or a Spark DataFrame.
        engine: ``polars``, ``duckdb``, ``spark``, or a `Spark`; by default the source's own, else
            Polars.
        on_bad_file: Whether a file that cannot be read fails the whole, or is left out.

    Raises:
        SourceError: The source does not exist, cannot be opened, or is not one of these.
        EngineError: Spark's master cannot be reached.
        MissingExtraError: The engine is not installed.

    """
    if on_bad_file not in get_args(OnBadFile):
        hint = did_you_mean(str(on_bad_file), get_args(OnBadFile))
        raise SourceError(Problem("on_bad_file", f"there is no '{on_bad_file}'.", hint))
    spark = engine if isinstance(engine, Spark) else None
    wanted = "spark" if isinstance(engine, Spark) else engine
    if wanted is not None and wanted not in ENGINES:
        raise SourceError(
            Problem("engine", f"there is no engine '{wanted}'.", did_you_mean(wanted, ENGINES))
        )
    chosen: Engine | None = next((known for known in ENGINES if known == wanted), None)
    if chosen is not None and not installed(chosen):
        raise MissingExtraError(chosen, where=f"engine '{chosen}'")
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        try:
            return _open_path(path, chosen or "polars", spark, on_bad_file)
        except OSError as error:
            raise unreadable(str(error.filename or path), error) from error
    return _open_table(source, chosen, spark)


def _reach(engine: Engine, spark: Spark | None) -> Any:  # noqa: ANN401 - any engine
    """Return the connection or session that an engine reads with."""
    match engine:
        case "polars":
            return None
        case "duckdb":
            return duckdb_connection()
        case "spark":
            return spark_session(spark)


def _open_table(
    table: Any,  # noqa: ANN401 - any table library
    engine: Engine | None,
    spark: Spark | None,
) -> Source:
    library = type(table).__module__.partition(".")[0]
    own: Engine
    if library in {"duckdb", "_duckdb"} or library == "pyspark":
        own = "spark" if library == "pyspark" else "duckdb"
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
        own = engine or "polars"
        return Source(f"{library} table", own, _move(lazy, own, _reach(own, spark)))
    except EvenhandError:
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


def _move(lazy: pl.LazyFrame, engine: Engine, at: Any) -> Frame:  # noqa: ANN401 - any engine
    """Return an in-memory table on another engine, handed over as Arrow."""
    if engine == "polars":
        return nw.from_native(lazy)
    arrow = lazy.collect().to_arrow()
    moved = at.from_arrow(arrow) if engine == "duckdb" else spark_table(arrow, at)
    frame: Frame = nw.from_native(moved)
    return frame


def _open_path(path: str, engine: Engine, spark: Spark | None, on_bad_file: OnBadFile) -> Source:
    at = None
    if is_remote(path):
        at = _reach(engine, spark)
        return Source(path, engine, open_remote(path, engine, at), at)
    if engine == "spark" and is_table_name(path):
        at = _reach(engine, spark)
        table: Frame = nw.from_native(open_table(path, at))
        return Source(path, engine, table, at)
    files = find_files(path)
    faults = [*files.faults.values()]
    if faults and (on_bad_file == "fail" or not files.columns):
        raise SourceError(faults)
    try:
        at = _reach(engine, spark)
        reader = _reader(engine, files, at)
        # Where files differ, roles say which columns are read, and so which files fit.
        empty: Frame = nw.from_native(pl.LazyFrame(schema=files.types()))
        frame = reader(files.sound) if files.even else empty
        frame.collect_schema()
    except EvenhandError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error
    check = {("csv", "polars"): check_field_counts, ("csv", "spark"): check_text}
    source = Source(
        path,
        engine,
        frame,
        at,
        tuple(files.sound),
        reader,
        check.get((files.form, engine), _unchecked),
        files,
        on_bad_file,
    )
    return source.noting(files.faults)


def _reader(
    engine: Engine,
    files: Files,
    at: Any,  # noqa: ANN401 - any engine
    columns: Sequence[str] | None = None,
) -> Callable[[Sequence[str]], Frame]:
    """Return what reads some of the files, with these columns alone where they are named."""
    rows = READERS[engine, files.form](files.sound, at)

    def reader(some: Sequence[str]) -> Frame:
        native: Any = rows(some, columns)
        frame: Frame = nw.from_native(native)
        return frame

    return reader


def failure(name: str, error: BaseException) -> BaseException:
    """Return what to raise for an error of an engine: unreadable rows, or a failed engine.

    An error that no engine raised is a fault of ours and comes back as it is. Where somebody
    stopped the work, that comes back: engines answer it with errors of their own.
    """
    stop = _stop(error)
    if stop is not None:
        return stop
    library = type(error).__module__.partition(".")[0]
    if isinstance(error, MemoryError) or "OutOfMemory" in f"{type(error).__name__} {error}":
        hint = "Keep fewer groups (--top), or use --engine duckdb or spark, which spill to disk."
        said = first_line(error)
        return EngineError(Problem(name, f"the engine ran out of memory: {said}", hint))
    if library in _LIBRARIES or isinstance(error, OSError | pl.exceptions.PanicException):
        return unreadable(name, error)
    return error


_LIBRARIES = {"polars", "duckdb", "_duckdb", "pyspark", "py4j", "pyarrow", "narwhals"}


def _stop(error: BaseException) -> BaseException | None:
    """Return what stopped the work, where the error of an engine is only its answer to that."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt | StoppedError):
            return seen
        seen = seen.__cause__ or seen.__context__
    # DuckDB forgets what interrupted it.
    interrupted = isinstance(error, RuntimeError) and "interrupted" in str(error).casefold()
    return KeyboardInterrupt() if interrupted else None
