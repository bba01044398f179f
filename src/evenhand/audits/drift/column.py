"""The rows of both files beside each other, and each feature as codes of its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import narwhals as nw
import numpy as np
import polars as pl

from evenhand.audits.drift.names import names_of
from evenhand.errors import Problem, RoleError, SourceError, did_you_mean
from evenhand.logs.source import failure, open_source
from evenhand.stats.interval import Floats
from evenhand.stats.multiplicity import Flags
from evenhand.stats.two_sample import Codes

MISSING = "(missing)"

_IDS = ("id", "uuid", "guid", "key", "index")
_OWN = 0.5
"""Share of distinct values above which text is taken for an id."""


@dataclass(frozen=True)
class Column:
    """A feature of both samples, the reference first.

    Attributes:
        name: Its name.
        kind: Whether its values are ordered numbers (times too) or categories.
        code: The place of each row's value, -1 where a number is missing, shape (rows,).
        values: Distinct numbers in ascending order, or the numbers of the categories.
        categories: Names of the categories, ``(missing)`` among them; empty for numbers.

    """

    name: str
    kind: Literal["number", "category"]
    code: Codes
    values: Floats
    categories: tuple[str, ...] = ()


def read(source: object, where: str) -> pl.DataFrame:
    """Return the rows of a file or table.

    Raises:
        EvenhandError: They cannot be read, or there are none.

    """
    opened = open_source(source)
    opened.verify()
    try:
        lazy = nw.from_native(opened.frame).lazy()
        rows = lazy.collect(backend="polars").to_native()
    except Exception as error:
        raise failure(opened.name, error) from error
    if not isinstance(rows, pl.DataFrame):
        raise TypeError(type(rows))
    if rows.is_empty():
        name = str(source) if isinstance(source, str | Path) else where
        raise SourceError(Problem(name, f"the {where} has no rows."))
    return rows


def is_number(dtype: pl.DataType) -> bool:
    """Return whether values of a type are in order and far from each other."""
    return dtype.is_numeric() or (dtype.is_temporal() and dtype != pl.Time)


def is_category(dtype: pl.DataType) -> bool:
    """Return whether values of a type are names."""
    return any(dtype == name for name in (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null))


def choose(
    reference: pl.DataFrame, current: pl.DataFrame, roles: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the features where none is named, and what is said of the columns left out.

    Args:
        reference: The rows of the reference.
        current: The current rows.
        roles: Columns that are no features: units, groups, labels.

    """
    chosen: list[str] = []
    ids: list[str] = []
    odd: list[str] = []
    for name in reference.columns:
        if name in roles:
            continue
        if name not in current.columns or not _fit(reference[name], current[name]):
            odd.append(name)
        elif _is_id(name, reference[name], current[name]):
            ids.append(name)
        else:
            chosen.append(name)
    odd += [name for name in current.columns if name not in reference.columns]
    notes = []
    if ids:
        notes.append(f"taken for ids and left out: {', '.join(ids)}; name them to compare them")
    if odd:
        notes.append(f"in one file alone, or of other types, and left out: {', '.join(odd)}")
    return chosen, notes


def _is_id(name: str, one: pl.Series, other: pl.Series) -> bool:
    words = name.casefold().replace("-", "_").split("_")
    if words[-1] in _IDS and not one.dtype.is_float():
        return True
    if one.dtype != pl.String:
        return False
    least = min(len(one), len(other))
    distinct = max(one.n_unique() / len(one), other.n_unique() / len(other))
    return least > len(_IDS) and distinct > _OWN


def comparable(one: pl.DataType, other: pl.DataType) -> bool:
    """Return whether columns of two types are compared as the same kind of feature."""
    if pl.Null in {one, other}:
        return all(is_number(dtype) or is_category(dtype) for dtype in (one, other))
    if one.is_temporal() or other.is_temporal():
        return one.is_temporal() and other.is_temporal() and is_number(one) and is_number(other)
    return (is_number(one) and is_number(other)) or (is_category(one) and is_category(other))


def _fit(one: pl.Series, other: pl.Series) -> bool:
    """Return whether columns are compared as features: by their numbers, or by their names."""
    if not comparable(one.dtype, other.dtype):
        return False
    if is_number(one.dtype) and is_number(other.dtype):
        return True
    return names_of(one, other) is not None


def problems_of(
    name: str, reference: pl.DataFrame, current: pl.DataFrame, as_: str
) -> list[Problem]:
    """Return what stops a named column from being compared, as a feature or by its names."""
    found = []
    for which, rows in (("reference", reference), ("current data", current)):
        if name not in rows.columns:
            what = f"the {which} has no column '{name}'."
            found.append(Problem(as_, what, did_you_mean(name, rows.columns)))
    if found:
        return found
    one, other = reference.schema[name], current.schema[name]
    if not comparable(one, other):
        what = f"'{name}' is {one} in the reference and {other} in the current data."
        hint = "Features are numbers, times, text, or yes and no: of one kind in both files."
        found.append(Problem(as_, what, hint))
        return found
    if as_ == "--feature":
        fits = _fit(reference[name], current[name])
    else:
        fits = names_of(reference[name], current[name]) is not None
    if not fits:
        what = (
            f"'{name}' is {one} in the reference and {other} in the current data, and which values "
            "are the same cannot be told."
        )
        found.append(Problem(as_, what, "Write them alike in both files, such as all as text."))
    return found


def named(name: str, reference: pl.DataFrame, current: pl.DataFrame) -> pl.Series:
    """Return values of both samples as text; of a column that `problems_of` lets through."""
    names = names_of(reference[name], current[name])
    if names is None:
        raise TypeError(name)
    return names


def column_of(name: str, reference: pl.DataFrame, current: pl.DataFrame) -> Column:
    """Return a feature of both samples; of columns that fit each other."""
    parts = [rows[name] for rows in (reference, current)]
    known = [part.dtype for part in parts if part.dtype != pl.Null]
    if known and all(is_number(dtype) for dtype in known):
        return _number(name, parts)
    text = named(name, reference, current).fill_null(MISSING)
    categories = sorted(text.unique().to_list())
    place = {value: code for code, value in enumerate(categories)}
    code = text.replace_strict(place, return_dtype=pl.Int64).to_numpy().astype(np.intp)
    return Column(
        name, "category", code, np.arange(len(categories), dtype=np.float64), tuple(categories)
    )


def _number(name: str, parts: Sequence[pl.Series]) -> Column:
    numbers = np.concatenate([_floats(part) for part in parts])
    known = ~np.isnan(numbers)
    code = np.full(len(numbers), -1, dtype=np.intp)
    values, code[known] = np.unique(numbers[known], return_inverse=True)
    return Column(name, "number", code, values)


def _floats(part: pl.Series) -> Floats:
    """Return numbers, times as microseconds; NaN where missing."""
    if part.dtype.is_temporal():
        unit = pl.Duration("us") if part.dtype == pl.Duration else pl.Datetime("us")
        if isinstance(part.dtype, pl.Datetime) and part.dtype.time_zone is not None:
            part = part.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        part = part.cast(unit).cast(pl.Int64)
    floats: Floats = part.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return floats


def unit_codes(name: str | None, reference: pl.DataFrame, current: pl.DataFrame) -> Codes:
    """Return the unit of each row of both samples as a code; each row its own without a column.

    Raises:
        RoleError: A row has no unit.

    """
    if name is None:
        return np.arange(len(reference) + len(current), dtype=np.intp)
    ids = named(name, reference, current)
    if ids.null_count():
        what = f"{ids.null_count()} rows have no '{name}': of whom they are is not known."
        raise RoleError(Problem("--unit", what, "Leave these rows out, or give each its own."))
    return ids.rank("dense").to_numpy().astype(np.intp) - 1


def matrix(columns: Sequence[Column], rows: Flags) -> Floats:
    """Return features as numbers for a classifier, shape (rows, m), the same for both samples.

    Missing numbers are the median, beside a column that says so; of categories the 20 most
    frequent have a column each. Which rows are reference is not looked at.
    """
    found = []
    for column in columns:
        code = column.code[rows]
        if column.kind == "category":
            counts = np.bincount(code, minlength=len(column.categories))
            often = np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]
            found += [(code == one) * 1.0 for one in often if 0 < counts[one] < len(code)]
            continue
        gone = code < 0
        if gone.all():
            continue
        # Their order is all that a tree sees: places do as well as values, and are finite.
        place = np.where(gone, np.median(code[~gone]), code).astype(float)
        found.append(place)
        if gone.any():
            found.append(gone * 1.0)
    return np.stack(found, axis=1) if found else np.zeros((int(rows.sum()), 0))


_MOST_CATEGORIES = 20
