"""The unit's hash and bucket: the same numbers on Polars, DuckDB, Spark and in plain Python.

A unit's hash is a whole number in [0, 2**31). Its lowest 7 bits are the bucket, its lowest 9 bits
the register and the other 22 bits the mark of `evenhand.engine.sketch`, which counts units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from evenhand.errors import EngineError, Problem

if TYPE_CHECKING:
    from evenhand.logs.backend import Engine, Frame

BUCKETS = 128
REGISTERS = 4 * BUCKETS
MARKS = 2**31 // REGISTERS

UNIT = "unit"
HASH = "unit_hash"

_PRIME = 2**31 - 1
_SEED = 42


def integer_hash(unit: Any) -> Any:  # noqa: ANN401 - a Narwhals expression or a Python int
    """Return the hash of a whole-number unit: a permutation polynomial modulo 2**31 - 1."""
    a = unit % _PRIME
    b = a * a % _PRIME
    b = b * b % _PRIME
    return ((b * a % _PRIME) * 69069 + 12345) % _PRIME


def with_hash(frame: Frame, engine: Engine) -> Frame:
    """Return the frame with the hash of its column ``unit``, null where the unit is null."""
    dtype = frame.collect_schema()[UNIT]
    if dtype.is_integer():
        unit = nw.col(UNIT)
        # Only a 64-bit unsigned number may not fit; narrower ones would overflow before the cast.
        whole = (unit % _PRIME).cast(nw.Int64) if dtype == nw.UInt64 else unit.cast(nw.Int64)
        return frame.with_columns(integer_hash(whole).alias(HASH))
    return _STRING_HASH[engine](frame)


def _polars_hash(frame: Frame) -> Frame:
    hashed: pl.LazyFrame = frame.to_native().with_columns(
        _xxhash64(UNIT).cast(pl.Int64).alias(HASH)
    )
    return nw.from_native(hashed)


def _xxhash64(column: str) -> pl.Expr:
    import polars_hash

    # xxhash64 is unsigned; its lowest 31 bits are what every engine can agree on.
    return polars_hash.col(column).nchash.xxhash64(seed=_SEED) % 2**31


def _spark_hash(frame: Frame) -> Frame:
    from pyspark.sql import functions as spark

    # Spark's xxhash64 has seed 42 built in and is signed; hashing a null gives the seed.
    unit = spark.col(UNIT)
    hashed = spark.when(unit.isNotNull(), spark.pmod(spark.xxhash64(unit), spark.lit(2**31)))
    return _lazy(frame.to_native().withColumn(HASH, hashed))


def register_duckdb(connection: Any) -> None:  # noqa: ANN401 - duckdb is optional
    """Teach a DuckDB connection the hash of text units; needed once for relations of your own."""
    import duckdb

    # DuckDB evaluates annotations: they must resolve in this module.
    def hashed(units: Any) -> Any:  # noqa: ANN401 - Arrow in, Arrow out
        frame = pl.DataFrame({UNIT: pl.Series(pl.from_arrow(units), dtype=pl.String)})
        return frame.select(_xxhash64(UNIT).cast(pl.Int64))[UNIT].to_arrow()

    connection.create_function(
        "evenhand_unit_hash",
        hashed,
        [duckdb.sqltype("VARCHAR")],
        duckdb.sqltype("BIGINT"),
        type="arrow",
    )


def _duckdb_hash(frame: Frame) -> Frame:
    import duckdb

    hashed = duckdb.FunctionExpression("evenhand_unit_hash", duckdb.ColumnExpression(UNIT))
    try:
        relation = frame.to_native().select(duckdb.StarExpression(), hashed.alias(HASH))
    except duckdb.Error as error:
        raise EngineError(
            Problem(
                "unit",
                "this DuckDB connection does not know the hash of text units.",
                "Call evenhand.logs.unit.register_duckdb(connection) once, or pass the file.",
            )
        ) from error
    return _lazy(relation)


def _lazy(native: Any) -> Frame:  # noqa: ANN401 - a DuckDB or Spark table
    frame: Frame = nw.from_native(native)
    return frame


_STRING_HASH = {"polars": _polars_hash, "duckdb": _duckdb_hash, "spark": _spark_hash}
