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
BUCKET = "bucket"
REGISTER = "register"

_PRIME = 2**31 - 1
_SEED = 42


def integer_hash(unit: Any) -> Any:  # noqa: ANN401 - a Narwhals expression or a Python int
    """Return the hash of a whole-number unit: a permutation polynomial modulo 2**31 - 1."""
    a = unit % _PRIME
    b = a * a % _PRIME
    b = b * b % _PRIME
    return ((b * a % _PRIME) * 69069 + 12345) % _PRIME


def with_unit_columns(frame: Frame, engine: Engine) -> Frame:
    """Return the frame with its unit's hash, bucket and register, null where the unit is null.

    Whole numbers are hashed in plain arithmetic. On the SQL engines it is spelled in SQL, because
    Narwhals must there guard every remainder against negative numbers, at twice the cost.
    """
    dtype = frame.collect_schema()[UNIT]
    if not dtype.is_integer():
        return _TEXT[engine](frame)
    # Only a 64-bit unsigned number may not fit; narrower ones would overflow before the cast.
    unit = nw.col(UNIT)
    whole = (unit % _PRIME).cast(nw.Int64) if dtype == nw.UInt64 else unit.cast(nw.Int64)
    if engine == "polars":
        hashed = frame.with_columns(integer_hash(whole).alias(HASH))
        low_bits = [(nw.col(HASH) % bits).alias(name) for name, bits in _LOW_BITS.items()]
        return hashed.with_columns(*low_bits)
    prime = f"cast({_PRIME} as bigint)"
    return _project(
        frame.with_columns(whole.alias(_STEP)),
        engine,
        f"(({_STEP} % {prime}) + {prime}) % {prime} as {_STEP}_a",
        f"{_STEP}_a * {_STEP}_a % {prime} as {_STEP}_b",
        f"{_STEP}_b * {_STEP}_b % {prime} as {_STEP}_c",
        f"(({_STEP}_c * {_STEP}_a % {prime}) * 69069 + 12345) % {prime} as {HASH}",
        *_LOW_BITS_SQL,
    )


_STEP = "unit_step"
_LOW_BITS = {BUCKET: BUCKETS, REGISTER: REGISTERS}
_LOW_BITS_SQL = [f"{HASH} & {bits - 1} as {name}" for name, bits in _LOW_BITS.items()]


def _project(frame: Frame, engine: Engine, *steps: str) -> Frame:
    """Return the frame with one more column for each step in SQL, each seeing those before it."""
    native = frame.to_native()
    for step in steps:
        native = native.selectExpr("*", step) if engine == "spark" else native.project(f"*, {step}")
    projected: Frame = nw.from_native(native)
    return projected


def _polars_text(frame: Frame) -> Frame:
    native: pl.LazyFrame = frame.to_native()
    hashed = native.with_columns(_xxhash64(UNIT).cast(pl.Int64).alias(HASH))
    return nw.from_native(
        hashed.with_columns((pl.col(HASH) % bits).alias(name) for name, bits in _LOW_BITS.items())
    )


def _xxhash64(column: str) -> pl.Expr:
    import polars_hash

    # xxhash64 is unsigned; its lowest 31 bits are what every engine can agree on.
    return polars_hash.col(column).nchash.xxhash64(seed=_SEED) % 2**31


def _spark_text(frame: Frame) -> Frame:
    # Spark's xxhash64 has seed 42 built in and is signed; hashing a null gives the seed.
    hashed = f"pmod(xxhash64({UNIT}), cast({2**31} as bigint))"
    guarded = f"case when {UNIT} is not null then {hashed} end as {HASH}"
    return _project(frame, "spark", guarded, *_LOW_BITS_SQL)


def _duckdb_text(frame: Frame) -> Frame:
    import duckdb

    try:
        return _project(frame, "duckdb", f"{_FUNCTION}({UNIT}) as {HASH}", *_LOW_BITS_SQL)
    except duckdb.Error as error:
        raise EngineError(
            Problem(
                "unit",
                "this DuckDB connection does not know the hash of text units.",
                "Call evenhand.logs.unit.register_duckdb(connection) once, or pass the file.",
            )
        ) from error


def register_duckdb(connection: Any) -> None:  # noqa: ANN401 - duckdb is optional
    """Teach a DuckDB connection the hash of text units; needed once for relations of your own."""
    import duckdb

    # DuckDB evaluates annotations: they must resolve in this module.
    def hashed(units: Any) -> Any:  # noqa: ANN401 - Arrow in, Arrow out
        frame = pl.DataFrame({UNIT: pl.Series(pl.from_arrow(units), dtype=pl.String)})
        return frame.select(_xxhash64(UNIT).cast(pl.Int64))[UNIT].to_arrow()

    connection.create_function(
        _FUNCTION,
        hashed,
        [duckdb.sqltype("VARCHAR")],
        duckdb.sqltype("BIGINT"),
        type="arrow",
    )


_FUNCTION = "evenhand_unit_hash"
_TEXT = {"polars": _polars_text, "duckdb": _duckdb_text, "spark": _spark_text}
