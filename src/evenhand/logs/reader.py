"""Reading files: every format on every engine, strictly, so that no broken row is passed over."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

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


SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""What separates the fields of a CSV file; the first where a header decides nothing."""

NOT_UTF8 = ("it is not UTF-8.", "Save it as UTF-8 (in Excel: CSV UTF-8).")


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


def separator_of(path: str) -> str:
    """Return what separates the fields of a CSV file: what its header has most of."""
    unquoted = re.sub('"[^"]*"', "", header_of(path))
    return max(SEPARATORS, key=unquoted.count)


def check_text(paths: list[str]) -> None:
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


def check_field_counts(paths: list[str]) -> None:
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


def _polars_csv(paths: list[str]) -> pl.LazyFrame:
    # Polars counts the fields of a row only when all are read: nothing may be left out before.
    scanned, _, _ = _scanned(paths)
    whole = scanned.map_batches(lambda rows: rows, projection_pushdown=False, streamable=True)
    # Polars reads a blank line as a row without values; the other engines skip it.
    return whole.filter(pl.any_horizontal(pl.all().is_not_null()))


def _duckdb_csv(paths: list[str]) -> object:
    scanned, separator, comma = _scanned(paths)
    types = _csv_types(scanned, "VARCHAR")
    how = {**_DUCKDB_CSV, "delimiter": separator, "decimal": "," if comma else "."}
    # Left to guess, DuckDB answers a row of the wrong length with another delimiter.
    relation = duckdb_connection().read_csv(paths, dtype=types, **how)
    # DuckDB reads a number that is cast to text as the text it was, 01 and not 1: add nothing.
    names = {name: '"' + name.replace('"', '""') + '"' for name in types}
    columns = [
        f"{quoted} + 0 as {quoted}" if types[name] == "BIGINT" else quoted
        for name, quoted in names.items()
    ]
    return relation.project(", ".join(columns))


def _spark_csv(paths: list[str]) -> object:
    scanned, separator, comma = _scanned(paths)
    if comma:
        hint = "Leave --engine out, use --engine duckdb, or write decimals with a point."
        raise SourceError(Problem(paths[0], "Spark reads no decimal commas (1,5).", hint))
    types = ", ".join(f"`{name}` {sql}" for name, sql in _csv_types(scanned, "STRING").items())
    # As in Polars, the fields of a row are counted only when all are read.
    reader = spark_session().read.option("columnPruning", value=False)
    return reader.csv(
        paths, schema=types, header=True, mode="FAILFAST", enforceSchema=False, sep=separator
    )


def _refuse_ipc(paths: list[str]) -> object:
    raise SourceError(
        Problem(paths[0], "only Polars reads Arrow IPC files.", "Leave --engine out.")
    )


READERS: dict[tuple[Engine, str], Callable[[list[str]], object]] = {
    ("polars", "parquet"): lambda paths: pl.scan_parquet(paths, glob=False),
    ("polars", "csv"): _polars_csv,
    ("polars", "ipc"): lambda paths: pl.scan_ipc(paths, glob=False),
    ("duckdb", "parquet"): lambda paths: duckdb_connection().read_parquet(paths),
    ("duckdb", "csv"): _duckdb_csv,
    ("duckdb", "ipc"): _refuse_ipc,
    ("spark", "parquet"): lambda paths: spark_session().read.parquet(*paths),
    ("spark", "csv"): _spark_csv,
    ("spark", "ipc"): _refuse_ipc,
}
