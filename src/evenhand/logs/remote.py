"""Logs that are no local files: object stores, HDFS, tables of a catalogue, Delta and Iceberg.

Engines read them with what they have, and find credentials in their own ways: environment,
profile, instance role, `core-site.xml`. None are taken from a plan, since a plan becomes evidence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import narwhals as nw
import polars as pl

from evenhand.errors import EvenhandError, MissingExtraError, Problem, SourceError, listed
from evenhand.logs.backend import Engine, Frame
from evenhand.logs.reader import FORMATS, format_of, unreadable

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_TABLE = re.compile(r"(?P<kind>delta|iceberg):(?P<place>.+)")
_NAME = re.compile(r"[A-Za-z_][\w$-]*(\.[A-Za-z_][\w$-]*){0,3}")

_READ: Mapping[Engine, tuple[str, ...]] = {
    "polars": ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "http", "https", "hf"),
    "duckdb": ("s3", "s3a", "gs", "gcs", "az", "abfss", "http", "https", "hf"),
    "spark": (),
}
"""Schemes that an engine reads; Spark reads what its Hadoop file systems read."""

_SECRET = re.compile(r"sig|signature|token|secret|credential|password|key|sas", re.IGNORECASE)


def is_remote(path: str) -> bool:
    """Return whether a source names no local file: a URI, or a table by its format."""
    kind, place = format_and_place(path)
    return kind is not None or _SCHEME.match(place) is not None


def format_and_place(path: str) -> tuple[str | None, str]:
    """Return the format of the table that a source names, None where it is none, and where it is.

    >>> format_and_place("delta:s3://bucket/events")
    ('delta', 's3://bucket/events')
    """
    named = _TABLE.fullmatch(path)
    return (named["kind"], named["place"]) if named else (_table_format(path), path)


def is_table_name(path: str) -> bool:
    """Return whether a source may be the name of a table in a catalogue."""
    return bool(_NAME.fullmatch(path)) and format_of(path) is None and not Path(path).exists()


def within(folder: Path, path: str, *, catalogue: bool) -> str:
    """Return a source that is written relative to a folder, as it is found from here.

    Args:
        folder: The folder, such as a plan's.
        path: The source as it is written.
        catalogue: Whether the engine has a catalogue, so that it may be a table's name.

    """
    table = _TABLE.fullmatch(path)
    if table:
        return f"{table['kind']}:{within(folder, table['place'], catalogue=False)}"
    if _SCHEME.match(path) or Path(path).is_absolute():
        return path
    local = folder / path
    if catalogue and _NAME.fullmatch(path) and format_of(path) is None and not local.exists():
        return path
    return str(local)


def open_remote(path: str, engine: Engine, at: Any) -> Frame:  # noqa: ANN401 - any engine
    """Return the rows of a URI or table, lazily.

    Args:
        path: ``s3://bucket/day=1/*.parquet``, ``delta:s3://bucket/events``, ``iceberg:...``, or a
            folder that holds a Delta or Iceberg table.
        engine: The engine.
        at: Its connection or session; None for Polars.

    Raises:
        SourceError: The engine cannot read it, or it holds credentials.
        MissingExtraError: A package that reads it is not installed.

    """
    _refuse_secrets(path)
    kind, place = format_and_place(path)
    scheme = place.partition("://")[0].casefold() if _SCHEME.match(place) else ""
    if scheme and engine != "spark" and scheme not in {*_READ[engine], "file"}:
        others = [one for one in _READ if one == "spark" or scheme in _READ[one]]
        what = f"{engine} does not read {scheme}://."
        raise SourceError(Problem(path, what, f"Use --engine {' or '.join(others)}."))
    if kind is None:
        kind = format_of(place) or ("parquet" if place.endswith(("/", "*")) else None)
    reader = None if kind is None else READERS.get((engine, kind))
    if reader is None:
        known = listed([*FORMATS, "delta:...", "iceberg:..."])
        what = f"{engine} does not read {kind} there." if kind else "no known format."
        raise SourceError(Problem(path, what, f"Known: {known}; a folder of Parquet ends in /."))
    try:
        native: Any = reader(place, at)
        frame: Frame = nw.from_native(native)
        frame.collect_schema()
    except EvenhandError:
        raise
    except ImportError as error:
        raise MissingExtraError(str(kind), where=path) from error
    except Exception as error:
        raise _failed(path, engine, error) from error
    return frame


def open_table(name: str, session: Any) -> object:  # noqa: ANN401 - pyspark is optional
    """Return a table of Spark's catalogue.

    Raises:
        SourceError: There is none of this name.

    """
    try:
        return session.table(name)
    except Exception as error:
        what = "no such file, and no such table in Spark's catalogue."
        hint = "Name a file, a glob, or a table such as catalogue.schema.table."
        raise SourceError(Problem(name, what, hint)) from error


def _table_format(path: str) -> str | None:
    """Return the format of a table that a local folder holds."""
    folder = Path(path)
    if (folder / "_delta_log").is_dir():
        return "delta"
    return "iceberg" if any(folder.glob("metadata/*.metadata.json")) else None


def _refuse_secrets(path: str) -> None:
    """Raise SourceError where a URI holds what would let others read the log."""
    parts = urlsplit(format_and_place(path)[1])
    named = [name for name, _ in parse_qsl(parts.query) if _SECRET.search(name)]
    if parts.password or named or (parts.username and parts.scheme.startswith("s3")):
        shown = f"{parts.scheme}://...{parts.path}"
        what = "the address holds credentials, which would be kept in the evidence."
        hint = "Give them to the engine in its own way, such as AWS_PROFILE or a role."
        raise SourceError(Problem(shown, what, hint))


_NOT_THERE = ("no filesystem for scheme", "classnotfound", "extension", "data source not found")


def _failed(path: str, engine: Engine, error: Exception) -> SourceError:
    said = str(error).casefold().replace(" ", "")
    if any(word.replace(" ", "") in said for word in _NOT_THERE):
        hint = {
            "duckdb": "Install the extension where the network allows: duckdb -c 'INSTALL httpfs'.",
            "spark": "Start Spark with what reads it: spark.jars.packages in its configuration.",
        }.get(engine, "")
        problem = unreadable(path, error).problems[0]
        return SourceError(Problem(path, problem.what, hint or problem.hint))
    return unreadable(path, error)


def _metadata(place: str) -> str:
    """Return the newest metadata of an Iceberg table in a local folder, or the place itself."""
    if _SCHEME.match(place) or place.endswith(".json"):
        return place
    files = Path(place).glob("metadata/*.metadata.json")
    newest = max(files, key=lambda file: (file.stat().st_mtime_ns, file.name), default=None)
    if newest is None:
        raise SourceError(Problem(place, "this folder holds no Iceberg table."))
    return str(newest)


def _spark_read(kind: str) -> Callable[[str, Any], object]:
    return lambda place, session: session.read.format(kind).load(place)


READERS: dict[tuple[Engine, str], Callable[[str, Any], object]] = {
    ("polars", "parquet"): lambda place, _: pl.scan_parquet(place, hive_partitioning=False),
    ("polars", "csv"): lambda place, _: pl.scan_csv(place),
    ("polars", "ipc"): lambda place, _: pl.scan_ipc(place),
    ("polars", "delta"): lambda place, _: pl.scan_delta(place),
    ("polars", "iceberg"): lambda place, _: pl.scan_iceberg(_metadata(place)),
    ("duckdb", "parquet"): lambda place, at: at.read_parquet(place, hive_partitioning=False),
    ("duckdb", "csv"): lambda place, at: at.read_csv(place),
    ("duckdb", "delta"): lambda place, at: at.sql("from delta_scan($1)", params=[place]),
    ("duckdb", "iceberg"): lambda place, at: at.sql(
        "from iceberg_scan($1)", params=[_metadata(place)]
    ),
    ("spark", "parquet"): _spark_read("parquet"),
    ("spark", "csv"): lambda place, session: session.read.csv(place, header=True, inferSchema=True),
    ("spark", "delta"): _spark_read("delta"),
    ("spark", "iceberg"): _spark_read("iceberg"),
}
