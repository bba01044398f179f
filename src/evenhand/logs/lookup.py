"""Looking up: what a log and a side table are compared by, so that every engine finds the same.

Keys are compared as text, whole numbers or dates. Times are compared without rounding, whatever
their units: those of the table are written in the type of the log's, each as the first moment of
that type that is no earlier.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import polars as pl

from evenhand.logs.grammar import DType, is_text

KEY, FROM, TO = "evenhand:key", "evenhand:from", "evenhand:to"
"""Columns that exist only while tables are joined."""

_WIDE = (nw.Int128, nw.UInt128)


def key_form(dtype: DType) -> str | None:
    """Return what a column is as a key: only of the same form do values match."""
    if is_text(dtype):
        return "text"
    if dtype.is_integer() and dtype not in _WIDE:
        return "whole number"
    if dtype == nw.Date:
        return "date"
    return "true or false" if dtype == nw.Boolean else None


def time_form(dtype: DType) -> str | None:
    """Return what a column is as a time: only times of the same form can be compared."""
    if dtype == nw.Date:
        return "time"
    if isinstance(dtype, nw.Datetime):
        return "time" if dtype.time_zone is None else "time with a zone"
    if dtype.is_float() or (dtype.is_integer() and dtype not in _WIDE):
        return "number"
    return "text" if is_text(dtype) else None


_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?Z?)?$"


def not_iso(times: pl.Series) -> str | None:
    """Return a text that is no time, or not written as the first is; None where all are alike."""
    if times.is_empty():
        return None
    first = times[0]
    like = times.str.contains(_ISO) & (times.str.len_chars() == len(first))
    like &= times.str.slice(10, 1) == first[10:11]
    odd = times.filter(~like)
    return None if odd.is_empty() else str(odd[0])


def as_key(values: pl.Series, dtype: DType) -> pl.Series:
    """Return keys of a table in the type in which they are compared with the log's."""
    if is_text(dtype):
        return values.cast(pl.String)
    if dtype.is_integer():
        return values.cast(pl.UInt64 if dtype == nw.UInt64 else pl.Int64, strict=False)
    return values


_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_LONG = 2**63 - 1


def as_time(times: pl.Series, dtype: DType) -> pl.Series:
    """Return times of a table as the first moments of the log's type that are no earlier.

    What no moment of the log can reach becomes the last one, what is before all of them the first.
    """
    if is_text(dtype):
        return times.cast(pl.String)
    if dtype.is_float():
        return times.cast(pl.Float64)
    if dtype.is_integer():
        wide = times.ceil().clip(-1e36, 1e36) if times.dtype.is_float() else times
        low, high = (0, 2 * _LONG + 1) if dtype == nw.UInt64 else (-_LONG, _LONG)
        kept = wide.cast(pl.Int128).clip(low, high)
        return kept.cast(pl.UInt64 if dtype == nw.UInt64 else pl.Int64)
    if dtype == nw.Date:
        day = times.cast(pl.Date)
        if times.dtype == pl.Date:
            return day
        return pl.select(
            pl.when(day.cast(times.dtype) < times).then(day.dt.offset_by("1d")).otherwise(day)
        ).to_series()
    if times.dtype == pl.Date:
        times = times.cast(pl.Datetime("us"))
    unit: Any = dtype.time_unit  # type: ignore[attr-defined]
    ours, theirs = _PER_SECOND[unit], _PER_SECOND[times.dtype.time_unit]  # type: ignore[attr-defined]
    moments = times.to_physical()
    if ours > theirs:
        finer = ours // theirs
        moments = moments.clip(-(_LONG // finer), _LONG // finer) * finer
    else:
        moments = -(-moments // (theirs // ours))
    return moments.cast(pl.Datetime(unit, dtype.time_zone))  # type: ignore[attr-defined]


def plain(values: pl.Series) -> pl.Series:
    """Return a column in a type that every engine has; lists stay as they are."""
    if values.dtype in {pl.Categorical, pl.Enum}:
        return values.cast(pl.String)
    if values.dtype.is_unsigned_integer() and (values.max() or 0) <= _LONG:  # type: ignore[operator]
        return values.cast(pl.Int64)
    return values


def spells(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the time at which each ends, and before each key's first one without values.

    The rows of a key then share no moment, and leave none out. Rows that come to the same moment
    are in the order of their own times: only the last of them is ever in force.
    """
    known = rows.sort(KEY, FROM, maintain_order=True).with_columns(
        pl.col(FROM).shift(-1).over(KEY).alias(TO)
    )
    before = known.group_by(KEY, maintain_order=True).agg(pl.col(FROM).first().alias(TO))
    whole = pl.concat([before, known], how="diagonal")
    columns = [name for name in known.columns if name not in {KEY, FROM, TO}]
    return whole.select(KEY, FROM, TO, *columns).sort(
        KEY, FROM, nulls_last=False, maintain_order=True
    )


def time_of(name: str, dtype: DType) -> nw.Expr:
    """Return the time of a row of the log; NaN, on which engines disagree, is none."""
    time = nw.col(name)
    if dtype.is_float():
        return nw.when(~time.is_nan()).then(time.cast(nw.Float64))
    return time.cast(nw.String) if is_text(dtype) and dtype != nw.String else time


def in_force(time: nw.Expr) -> nw.Expr:
    """Return which of the table's rows beside a row of the log is in force at its time.

    Every key has a row that is in force before its first, without values: a row of the log without
    a time is there too. Beside a row whose key the table has not, both ends are missing.
    """
    start, end = nw.col(FROM), nw.col(TO)
    ahead = end.is_null() | (time < end)
    return (start.is_null() & (time.is_null() | ahead)) | ((start <= time) & ahead)
