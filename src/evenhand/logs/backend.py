"""The engines that rows can be scanned on: which are installed, and how to reach them."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

import narwhals as nw

from evenhand.errors import EngineError, MissingExtraError, Problem, first_line
from evenhand.logs.unit import register_duckdb

Engine = Literal["polars", "duckdb", "spark"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
Frame: TypeAlias = "nw.LazyFrame[Any]"

_MODULES: dict[Engine, tuple[str, ...]] = {
    "polars": ("polars",),
    "duckdb": ("duckdb", "pyarrow"),
    "spark": ("pyspark", "pyarrow"),
}


@dataclass(frozen=True, slots=True)
class Spark:
    """Apache Spark as an engine: a session that runs already, or the master of a new one.

    Attributes:
        session: A `SparkSession`, of this process or of Spark Connect; None to find or make one.
        master: ``local[4]``, ``spark://host:7077``, ``yarn``, ``k8s://...``, or Spark Connect's
            ``sc://host:15002``; None for the running session, or this machine's cores.

    """

    session: Any = None
    master: str | None = None


def installed(engine: Engine) -> bool:
    """Return whether the packages of this engine are installed."""
    return all(importlib.util.find_spec(module) is not None for module in _MODULES[engine])


def duckdb_connection() -> Any:  # noqa: ANN401 - duckdb is optional
    """Return a new in-memory DuckDB that knows the hash of text units."""
    import duckdb

    connection = duckdb.connect()
    # So that it knows how far it is, without showing it.
    connection.execute("set enable_progress_bar = true; set enable_progress_bar_print = false")
    register_duckdb(connection)
    return connection


def spark_session(spark: Spark | None = None) -> Any:  # noqa: ANN401 - pyspark is optional
    """Return the session that was given, the running one, or a new one.

    Raises:
        EngineError: The master cannot be reached, or another session is running.
        MissingExtraError: The packages of Spark Connect are not installed.

    """
    wanted = spark or Spark()
    if wanted.session is not None:
        return wanted.session
    from pyspark.sql import SparkSession

    master = wanted.master
    try:
        running = SparkSession.getActiveSession()
    except Exception:  # noqa: BLE001 - of Spark Connect, without its packages
        running = None
    if running is not None:
        return _checked(running, master)
    if master is not None:
        _check_reachable(master)
    try:
        with _own_interrupt():
            if master is not None and master.startswith(_CONNECT):
                return SparkSession.builder.remote(master).getOrCreate()
            return _new_session(SparkSession.builder, master)
    except ImportError as error:
        raise MissingExtraError("connect", where=f"master '{master}'") from error
    except Exception as error:
        hint = "Check the address, and that Java 17 or newer and this PySpark fit the cluster."
        what = f"no Spark session could be started: {first_line(error)}"
        raise EngineError(Problem(f"master '{master or 'local'}'", what, hint)) from error


def spark_table(arrow: Any, session: Any) -> Any:  # noqa: ANN401 - pyspark is optional
    """Return an Arrow table as a Spark DataFrame, whose times have a zone only where they have one.

    Left to itself Spark would read a time without a zone as one of the session's zone.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    return session.createDataFrame(
        arrow, from_arrow_schema(arrow.schema, prefer_timestamp_ntz=True)
    )


_CONNECT = "sc://"
_PATIENCE = 5.0
"""Seconds that a master may take to answer."""


def _new_session(builder: Any, master: str | None) -> Any:  # noqa: ANN401 - pyspark is optional
    builder = builder.appName("evenhand").config("spark.ui.showConsoleProgress", "false")
    if master is None or master.startswith("local"):
        # On one machine the defaults, made for clusters, cost more than the work.
        cores = os.cpu_count() or 1
        builder = (
            builder.master(master or f"local[{cores}]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", str(2 * cores))
        )
    else:
        builder = builder.master(master)
    session = builder.getOrCreate()
    # What goes wrong comes back as an exception, and is told in words.
    session.sparkContext.setLogLevel("OFF")
    return session


def _checked(running: Any, master: str | None) -> Any:  # noqa: ANN401 - pyspark is optional
    """Return the running session if it is the one that is wanted."""
    if master is None or master.startswith(_CONNECT):
        return running
    found = running.sparkContext.master
    if found == master:
        return running
    what = f"a Spark session on '{found}' is running in this process."
    raise EngineError(
        Problem(f"master '{master}'", what, "Leave the master out, or stop that session first.")
    )


def _check_reachable(master: str) -> None:
    """Raise EngineError where nobody answers at a master's address.

    Spark itself would try for a minute, and then end without a word about the address.
    """
    if not master.startswith(("spark://", _CONNECT)):
        return
    said = []
    for address in master.partition("://")[2].partition("/")[0].split(","):
        try:
            # One master may be of several: each may be the one that leads.
            parts = urlsplit(f"//{address}")
            port = parts.port or (15002 if master.startswith(_CONNECT) else 7077)
            socket.create_connection((parts.hostname or "", port), _PATIENCE).close()
        except (OSError, ValueError) as error:
            said.append(f"{address}: {first_line(error)}")
        else:
            return
    hint = "Check the address and that the master runs; leave it out for this machine's cores."
    what = f"nobody answers there ({'; '.join(said)})."
    raise EngineError(Problem(f"master '{master}'", what, hint))


@contextmanager
def _own_interrupt() -> Iterator[None]:
    """Keep what Ctrl-C does: a new Spark context would take it over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, own)


def share_done(engine: Engine, at: Any) -> float | None:  # noqa: ANN401 - any engine
    """Return which share of its present work an engine has done; None where it does not tell."""
    try:
        if engine == "duckdb":
            percent = float(at.query_progress())
            return percent / 100 if percent >= 0 else None
        tracker = at.sparkContext.statusTracker()
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        tasks = sum(stage.numTasks for stage in stages if stage is not None)
        done = sum(stage.numCompletedTasks for stage in stages if stage is not None)
    except Exception:  # noqa: BLE001 - Spark Connect has no tracker, and a bar is worth no error
        return None
    return done / tasks if tasks else None
