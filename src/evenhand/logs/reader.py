"""Reading files: every format on every engine, strictly, so that no broken row is passed over."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import polars as pl

from evenhand.errors import Problem, SourceError, first_line, reason
from evenhand.logs.backend import Engine

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


SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""What separates the fields of a CSV file; the first where a header decides nothing."""

NOT_UTF8 = ("it is not UTF-8.", "Save it as UTF-8 (in Excel: CSV UTF-8).")


def unreadable(path: str, error: BaseException) -> SourceError:
    """Return the error for rows that an engine could not read, with the engine's first line."""
    said = first_line(error)
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


@contextmanager
def _bytes_of(path: str) -> Iterator[BinaryIO]:
    """Give the bytes of a file, unpacked where it is packed."""
    with Path(path).open("rb") as file:
        packed = file.peek(2).startswith(b"\x1f\x8b")
        try:
            yield gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[misc]
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            hint = "Check that the file is whole."
            raise SourceError(Problem(path, "it cannot be unpacked.", hint)) from error


def header_of(path: str) -> str:
    """Return the first line of a CSV file.

    Raises:
        SourceError: It is not UTF-8.

    """
    with _bytes_of(path) as file:
        line = file.readline()
    try:
        return line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise SourceError(Problem(path, *NOT_UTF8)) from error


NO_ROWS = "there are no rows under the header."


def has_rows(path: str) -> bool:
    """Return whether a CSV file has anything under its header; what is packed is taken to."""
    if not path.lower().endswith(".csv"):
        return True
    with Path(path).open("rb") as file:
        file.readline()
        return bool(file.readline().strip())


def separator_of(path: str) -> str:
    """Return what separates the fields of a CSV file: what its header has most of."""
    unquoted = re.sub('"[^"]*"', "", header_of(path))
    return max(SEPARATORS, key=unquoted.count)


def check_text(paths: Iterable[str]) -> None:
    """Raise SourceError for a CSV file that is not UTF-8, in which Spark would replace letters."""
    for path in paths:
        decoder = codecs.getincrementaldecoder("utf-8")()
        with _bytes_of(path) as file:
            try:
                while block := file.read(2**20):
                    decoder.decode(block)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError as error:
                raise SourceError(Problem(path, *NOT_UTF8)) from error


_DUCKDB_CSV: dict[str, Any] = {
    "quotechar": '"',
    "escapechar": '"',
    "header": True,
    "null_padding": False,
    "strict_mode": True,
}


def check_field_counts(paths: Iterable[str]) -> None:
    """Raise SourceError for a row with fewer fields than the header, which Polars would pad.

    Files with a quoted line break are left to the parser.
    """
    for path in paths:
        separator = separator_of(path)
        lines = pl.scan_csv(
            path,
            separator="\x01",
            quote_char=None,
            has_header=False,
            schema={"line": pl.String},
            glob=False,
            truncate_ragged_lines=True,
        ).with_row_index("number", offset=1)
        line = pl.col("line").fill_null("")
        if len(lines.filter(line.str.count_matches('"', literal=True) % 2 == 1).head(1).collect()):
            continue
        unquoted = line.str.replace_all('"[^"]*"', "")
        counted = lines.with_columns(
            (unquoted.str.count_matches(separator, literal=True) + 1).alias("fields")
        )
        header = counted.head(1).collect()["fields"].item()
        blank = line.str.strip_chars() == ""
        wrong = counted.filter((pl.col("fields") != header) & ~blank).head(1).collect()
        if len(wrong):
            number, found = wrong["number"].item(), wrong["fields"].item()
            fields = "field" if found == 1 else "fields"
            what = f"line {number} has {found} {fields} where the header has {header}."
            raise SourceError(Problem(path, what, "Complete or remove the row."))


_SQL_TYPES: dict[object, str] = {pl.Int64: "BIGINT", pl.Float64: "DOUBLE", pl.Boolean: "BOOLEAN"}


def _scanned(paths: list[str]) -> tuple[pl.LazyFrame, str, bool]:
    """Return CSV files as Polars reads them, their separator, and whether decimals have commas."""
    separator = separator_of(paths[0])

    def scan(*, comma: bool) -> pl.LazyFrame:
        return pl.scan_csv(
            paths,
            separator=separator,
            decimal_comma=comma,
            infer_schema_length=_GUESS,
            glob=False,
        )

    points = scan(comma=False)
    if separator == ",":
        return points, separator, False
    # Beside numbers that only commas make so, 1.234 is not 1.234 but, at a guess, 1234: text.
    commas = scan(comma=True)
    with_points, with_commas = points.collect_schema(), commas.collect_schema()
    meant = any(dtype == pl.Float64 != with_points[name] for name, dtype in with_commas.items())
    return (commas, separator, True) if meant else (points, separator, False)


def _csv_types(scanned: pl.LazyFrame, text: str) -> dict[str, str]:
    """Return the SQL type of every column as Polars guesses it, so that engines guess alike."""
    schema = scanned.collect_schema()
    return {name: _SQL_TYPES.get(dtype, text) for name, dtype in schema.items()}


_GUESS = 10_000
"""Rows of a CSV file that are looked at to guess its types."""


Rows: TypeAlias = Callable[[Sequence[str], Sequence[str] | None], object]
"""Gives the rows of some of the files as a lazy table of the engine, with only the columns named
where columns are named, as they must be where files differ in those that are not."""


def _polars_csv(paths: list[str], _: object) -> Rows:
    whole, separator, comma = _scanned(paths)
    # Types are those of all files, however few of them are read at once.
    types = whole.collect_schema()

    def rows(some: Sequence[str], _: object) -> pl.LazyFrame:
        scanned = pl.scan_csv(
            [*some], separator=separator, decimal_comma=comma, schema=types, glob=False
        )
        # Polars counts the fields of a row only when all are read: nothing may be left out before.
        scanned = scanned.map_batches(
            lambda batch: batch, projection_pushdown=False, streamable=True
        )
        # Polars reads a blank line as a row without values; the other engines skip it.
        return scanned.filter(pl.any_horizontal(pl.all().is_not_null()))

    return rows


def _duckdb_csv(paths: list[str], connection: Any) -> Rows:  # noqa: ANN401 - duckdb is optional
    scanned, separator, comma = _scanned(paths)
    types = _csv_types(scanned, "VARCHAR")
    how = {**_DUCKDB_CSV, "delimiter": separator, "decimal": "," if comma else "."}
    # DuckDB reads a number that is cast to text as the text it was, 01 and not 1: add nothing.
    names = {name: quoted(name) for name in types}
    columns = [
        f"{column} + 0 as {column}" if types[name] == "BIGINT" else column
        for name, column in names.items()
    ]

    def rows(some: Sequence[str], _: object) -> object:
        # Left to guess, DuckDB answers a row of the wrong length with another delimiter.
        return connection.read_csv([*some], dtype=types, **how).project(", ".join(columns))

    return rows


def _spark_csv(paths: list[str], session: Any) -> Rows:  # noqa: ANN401 - pyspark is optional
    scanned, separator, comma = _scanned(paths)
    if comma:
        hint = "Leave --engine out, use --engine duckdb, or write decimals with a point."
        raise SourceError(Problem(paths[0], "Spark reads no decimal commas (1,5).", hint))
    types = ", ".join(f"`{name}` {sql}" for name, sql in _csv_types(scanned, "STRING").items())
    # As in Polars, the fields of a row are counted only when all are read.
    reader = session.read.option("columnPruning", value=False)
    how = {"header": True, "mode": "FAILFAST", "enforceSchema": False, "sep": separator}
    return lambda some, _: reader.csv([*some], schema=types, **how)


def quoted(name: str) -> str:
    """Return a column's name as SQL reads it."""
    return '"' + name.replace('"', '""') + '"'


def _polars_parquet(_: list[str], __: object) -> Rows:
    def rows(some: Sequence[str], columns: Sequence[str] | None) -> pl.LazyFrame:
        if columns is None:
            return pl.scan_parquet([*some], glob=False, hive_partitioning=False)
        types = pl.scan_parquet([some[0]], glob=False).collect_schema()
        return pl.scan_parquet(
            [*some],
            glob=False,
            hive_partitioning=False,
            schema={name: types[name] for name in columns},
            extra_columns="ignore",
        )

    return rows


def _duckdb_parquet(_: list[str], connection: Any) -> Rows:  # noqa: ANN401 - duckdb is optional
    def rows(some: Sequence[str], columns: Sequence[str] | None) -> object:
        if columns is None:
            return connection.read_parquet([*some], hive_partitioning=False)
        relation = connection.read_parquet([*some], hive_partitioning=False, union_by_name=True)
        return relation.project(", ".join(map(quoted, columns)))

    return rows


def _spark_parquet(paths: list[str], session: Any) -> Rows:  # noqa: ANN401 - pyspark is optional
    # Left to itself Spark looks at one file, whichever, and reads what others lack as missing.
    schema = session.read.parquet(paths[0]).schema

    def rows(some: Sequence[str], columns: Sequence[str] | None) -> object:
        read = session.read.schema(schema).parquet(*some)
        if columns is None:
            return read
        own = session.read.parquet(some[0]).schema
        fields = [own[name] for name in columns]
        return session.read.schema(type(own)(fields)).parquet(*some)

    return rows


def _polars_ipc(_: list[str], __: object) -> Rows:
    def rows(some: Sequence[str], columns: Sequence[str] | None) -> pl.LazyFrame:
        if columns is None:
            return pl.scan_ipc([*some], glob=False)
        return pl.concat(pl.scan_ipc(file, glob=False).select(columns) for file in some)

    return rows


def _refuse_ipc(paths: list[str], _: object) -> Rows:
    raise SourceError(
        Problem(paths[0], "only Polars reads Arrow IPC files.", "Leave --engine out.")
    )


READERS: dict[tuple[Engine, str], Callable[[list[str], Any], Rows]] = {
    ("polars", "parquet"): _polars_parquet,
    ("polars", "csv"): _polars_csv,
    ("polars", "ipc"): _polars_ipc,
    ("duckdb", "parquet"): _duckdb_parquet,
    ("duckdb", "csv"): _duckdb_csv,
    ("duckdb", "ipc"): _refuse_ipc,
    ("spark", "parquet"): _spark_parquet,
    ("spark", "csv"): _spark_csv,
    ("spark", "ipc"): _refuse_ipc,
}
"""For all files of a log and the engine's connection or session: what reads some of them."""
