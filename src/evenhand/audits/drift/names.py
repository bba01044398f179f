"""Units, groups and categories of both samples by name: what is alike is named alike in both.

The same value can be written in two ways, 1 as a whole number and 1.0 as a float where the column
has gaps. Names as text would then differ, and no unit would be the same in both files.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_EXACT = 2**53
"""Whole numbers below this are themselves as floats."""


def names_of(one: pl.Series, other: pl.Series) -> pl.Series | None:
    """Return the values of both samples as text, the first's before the other's.

    Args:
        one: A column of the first sample; NaN is missing.
        other: The same of the other, of a type that is compared with its.

    Returns:
        Text, null where missing; None where values that are alike could be named differently, or
        others alike, since the types do not fit each other.

    >>> names_of(pl.Series([1, 2]), pl.Series([2.0, None])).to_list()
    ['1', '2', '2', None]
    """
    parts = [_without_nan(part) for part in (one, other)]
    types = [part.dtype for part in parts if part.dtype != pl.Null]
    if len(types) < len(parts) or types[0] == types[1]:
        return _text(parts)
    if all(dtype.is_integer() for dtype in types):
        return _text(parts)
    if all(dtype.is_numeric() for dtype in types):
        return _numbers(parts)
    if all(dtype.is_temporal() for dtype in types):
        return _times(parts)
    if pl.Boolean in types:
        return _yes_or_no(parts)
    return _text(parts)


def _text(parts: Sequence[pl.Series]) -> pl.Series:
    return pl.concat([part.cast(pl.String) for part in parts])


def _without_nan(part: pl.Series) -> pl.Series:
    return part.fill_nan(None) if part.dtype.is_float() else part


def _numbers(parts: Sequence[pl.Series]) -> pl.Series | None:
    """Return numbers of several types: whole as such, else as floats."""
    floats = pl.concat([part.cast(pl.Float64) for part in parts])
    if not (floats.is_finite() & (floats.abs() < _EXACT)).all():
        return None
    if (floats == floats.round()).all():
        return floats.cast(pl.Int64).cast(pl.String)
    # A tenth of 32 bits is not that of 64, nor is a decimal one.
    exact = all(part.dtype.is_integer() or part.dtype == pl.Float64 for part in parts)
    return floats.cast(pl.String) if exact else None


def _times(parts: Sequence[pl.Series]) -> pl.Series | None:
    """Return times of several types, in UTC to the microsecond."""
    if any(part.dtype not in (pl.Date, pl.Datetime) for part in parts):
        return None
    found = []
    for part in parts:
        zone = getattr(part.dtype, "time_zone", None)
        naive = (
            part if zone is None else part.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        )
        found.append(naive.cast(pl.Datetime("us")))
        if found[-1].n_unique() < part.n_unique():
            return None
    return _text(found)


def _yes_or_no(parts: Sequence[pl.Series]) -> pl.Series | None:
    """Return truth values beside text, which says true and false in any case."""
    names = _text(parts).str.to_lowercase()
    return names if names.drop_nulls().is_in(["true", "false"]).all() else None
