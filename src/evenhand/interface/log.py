"""Logs: rows, the roles that their columns play, and the engine that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from evenhand.logs import Group, Log
    from evenhand.logs.backend import Spark
    from evenhand.logs.source import EngineLike, OnBadFile


def log(
    source: object,
    *,
    kind: str,
    groups: Iterable[str | Mapping[str, Any] | Group] | Mapping[str, Any] = (),
    unit: str | Iterable[str] | None = None,
    where: str | None = None,
    engine: EngineLike = None,
    top: int | None = None,
    classes: Iterable[int | float | str] = (),
    on_bad_file: OnBadFile = "fail",
    tables: Iterable[Mapping[str, Any] | str] = (),
    item_groups: Iterable[str | Mapping[str, Any] | Group] | Mapping[str, Any] = (),
    catalogue: object = None,
    max_bad_requests: float = 0.001,
    **roles: str,
) -> Log:
    """Return a log: rows and the roles that their columns play.

    Args:
        source: A path or glob (Parquet, CSV, Arrow IPC), an address (``s3://...``), a Delta or
            Iceberg table (``delta:...``), a table of Spark's catalogue, a pandas, Polars or PyArrow
            table, a DuckDB relation or a Spark DataFrame.
        kind: The product kind: ``decisions``, ``regression``, ``recommendation``, ``search`` or
            ``perturbed``.
        groups: Who is compared: columns (``"race"``), bins (``"age: [25, 45]"``) or a mapping as
            in a plan.
        unit: What is independent: ``row``, or the column whose equal values belong together.
            ``["user", "item"]`` where rows that share either are dependent, and
            ``"pair(subject_a, subject_b)"`` where a row is a pair of units of one population. None
            for what the kind has: the row, of ranked lists the user or else the request, of
            perturbed examples the source example.
        where: Rows in scope, such as ``"year >= 2025 and region in ['EU', 'UK']"``.
        engine: ``polars``, ``duckdb``, ``spark`` or `evenhand.spark`; by default the source's own,
            else Polars.
        top: Keep only this many of the most frequent values of each group.
        classes: The classes of label and prediction, where they are not yes or no:
            ``["low", "mid", "high"]``.
        on_bad_file: ``fail``, or ``skip`` to leave out files that are broken, or that lack a column
            that is read or have it of another type.
        tables: Side tables whose columns are joined to the rows, as in a plan: ``{"source":
            "creators.parquet", "key": "creator_id"}``, also with ``columns`` and ``as_of``, or
            ``"creators.parquet:creator_id"``. The source may be a table in memory.
        item_groups: Attributes of the items of ranked lists, written as ``groups``; a column of
            lists holds several groups for one item.
        catalogue: The table of what could have been shown, one row per item.
        max_bad_requests: The largest share of requests that may be left out as inconsistent.
        **roles: The column or expression of each role, such as ``prediction="score >= 0.5"``.

    Raises:
        RoleError: With every problem found in roles, groups, unit and filter.
        SourceError: The source or a side table cannot be opened.
        EngineError: Spark's master cannot be reached.
        MissingExtraError: The engine is not installed.

    """
    from evenhand.logs import open_log

    return open_log(
        source,
        kind=kind,
        roles=roles,
        groups=groups,
        unit=unit,
        where=where,
        engine=engine,
        top=top,
        classes=classes,
        on_bad_file=on_bad_file,
        tables=tables,
        item_groups=item_groups,
        catalogue=catalogue,
        max_bad_requests=max_bad_requests,
    )


def spark(session: object = None, *, master: str | None = None) -> Spark:
    """Return Apache Spark as an engine: ``evenhand.audit(plan, engine=evenhand.spark(session))``.

    Args:
        session: A `SparkSession` that runs, of this process or of Spark Connect, as there is one on
            Databricks or EMR; None to find it, or to start one.
        master: Where a new session runs: ``local[4]``, ``spark://host:7077``, ``yarn``, or Spark
            Connect's ``sc://host:15002``; None for this machine's cores.

    """
    from evenhand.logs.backend import Spark

    return Spark(session, master)


def neighbour_means(
    rows: pl.DataFrame, prediction: str, features: Iterable[str], *, k: int = 5
) -> pl.Series:
    """Return the mean decision of the k rows that are most like each row, for `consistency`.

    Args:
        rows: A Polars table that fits into memory.
        prediction: The column of decisions, 0 or 1.
        features: Columns of numbers by which rows are alike, each scaled to unit variance.
        k: Number of neighbours.

    Returns:
        Float64 in [0, 1], one for each row, named ``neighbours``.

    Raises:
        RoleError: A column is missing or no number, or there are fewer than k other rows.

    """
    from evenhand.logs.neighbour import neighbour_means as means

    return means(rows, prediction, features, k=k)
