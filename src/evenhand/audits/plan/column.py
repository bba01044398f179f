"""Columns as the first rows show them: which form their values have, and how many differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import narwhals as nw
import polars as pl

from evenhand.audits.plan.names import NO, YES
from evenhand.logs.grammar import Schema, written
from evenhand.logs.source import Source, failure

ROWS = 100_000
"""Rows that are looked at."""

MOST_VALUES = 100
"""A column of more different values is not kept value by value."""

Form = Literal["flag", "whole", "number", "text", "other"]
Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Column:
    """A column in the first rows of a log.

    Attributes:
        name: Its name.
        form: What its values are.
        rows: Rows looked at.
        missing: Rows without a value.
        distinct: Different values.
        values: Rows by value, the most frequent first; empty where too many differ.
        low: Smallest number; NaN for what is no number.
        high: Largest number.

    """

    name: str
    form: Form
    rows: int
    missing: int
    distinct: int
    values: Mapping[Value, int]
    low: float
    high: float

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, those of yes and no apart."""
        return self.form in {"whole", "number"}

    @property
    def is_share(self) -> bool:
        """Whether it is a number in [0, 1] of many values."""
        return self.form == "number" and self.distinct > 10 and 0 <= self.low <= self.high <= 1  # noqa: PLR2004

    @property
    def spellings(self) -> dict[str, list[Value]]:
        """Its values by their spelling without case and outer spaces."""
        found: dict[str, list[Value]] = {}
        for value in self.values:
            found.setdefault(str(value).strip().casefold(), []).append(value)
        found.pop("", None)
        return found

    @property
    def is_binary(self) -> bool:
        """Whether it has two values, spelt alike or not."""
        return len(self.spellings) == 2 and not self._is_fraction  # noqa: PLR2004

    @property
    def _is_fraction(self) -> bool:
        return self.form == "number" and any(float(value) % 1 for value in self.values)

    def yes(self) -> tuple[str, bool]:
        """Return which of the two spellings says yes, and whether that is clear.

        >>> Column("a", "text", 3, 0, 2, {"Ja": 2, "Nein": 1}, 0, 0).yes()
        ('ja', True)
        """
        both = sorted(self.spellings)
        if self.form != "text":
            # Codes of 1 and 2 say yes first in questionnaires; -1, 0 and False are no.
            numbers = sorted(self.values, key=float)
            first = float(numbers[0]) > 0
            clear = [float(number) for number in numbers] in ([0, 1], [-1, 1])
            return str(numbers[0] if first else numbers[1]).casefold(), clear
        for value, other in (both, both[::-1]):
            greater = value.startswith(">") and other.startswith("<")
            if greater or (NO.found_in(other) and not NO.found_in(value)):
                return value, True
        for value, other in (both, both[::-1]):
            if YES.found_in(value) and not YES.found_in(other):
                return value, True
        return both[1], False


def equal_to(column: Column, spelling: str, schema: Schema) -> str:
    """Return the expression that a column has a value, in any of its spellings.

    >>> column = Column("my class", "text", 3, 0, 2, {"Yes": 2, "no": 1}, 0, 0)
    >>> equal_to(column, "yes", {"my class": nw.String()})
    "col('my class') == 'Yes'"
    """
    values = column.spellings[spelling]
    if [*column.spellings] and column.form != "text" and float(values[0]) == 1 and column.low == 0:
        return column.name
    name = written(column.name, schema)
    if len(values) == 1:
        return f"{name} == {_literal(values[0])}"
    return f"{name} in [{', '.join(map(_literal, values))}]"


def _literal(value: Value) -> str:
    whole = isinstance(value, float) and value == int(value)
    return repr(int(value)) if whole else repr(value)


@dataclass(frozen=True)
class Sample:
    """The first rows of a log.

    Attributes:
        name: Where they come from.
        schema: Column names and types.
        columns: What the columns look like, by name.
        rows: The rows.
        is_whole: Whether there are no more.

    """

    name: str
    schema: Schema = field(repr=False)
    columns: Mapping[str, Column]
    rows: pl.DataFrame = field(repr=False)
    is_whole: bool

    @classmethod
    def of(cls, source: Source) -> Sample:
        """Return the first rows of a source.

        Raises:
            SourceError: They cannot be read.

        """
        schema = dict(source.frame.collect_schema())
        try:
            lazy = source.frame.head(ROWS + 1)
            native = lazy.to_native()
            rows = (
                native.collect(engine="streaming")
                if isinstance(native, pl.LazyFrame)
                else lazy.collect("polars").to_native()
            )
        except Exception as error:
            raise failure(source.name, error) from error
        whole = rows.height <= ROWS
        rows = rows.head(ROWS)
        columns = {name: _column(rows[name], schema[name]) for name in rows.columns}
        return cls(source.name, schema, columns, rows, whole)


def _column(series: pl.Series, dtype: nw.dtypes.DType) -> Column:
    form = _form(dtype)
    if form == "number":
        series = series.cast(pl.Float64).fill_nan(None)
    elif form == "text":
        series = series.cast(pl.String)
    missing = series.null_count()
    if form == "other":
        return Column(series.name, form, len(series), missing, 0, {}, float("nan"), float("nan"))
    present = series.drop_nulls()
    distinct = present.n_unique()
    values: dict[Value, int] = {}
    if distinct <= MOST_VALUES:
        counts = present.value_counts(sort=True, name="rows by value")
        values = dict(counts.sort("rows by value", series.name, descending=[True, False]).rows())
    numbers = form in {"whole", "number", "flag"} and len(present) > 0
    low, high = (present.min(), present.max()) if numbers else (float("nan"), float("nan"))
    return Column(
        series.name,
        form,
        len(series),
        missing,
        distinct,
        values,
        float(low),  # type: ignore[arg-type]
        float(high),  # type: ignore[arg-type]
    )


def _form(dtype: nw.dtypes.DType) -> Form:
    if dtype == nw.Boolean:
        return "flag"
    if dtype.is_integer():
        return "whole"
    if dtype.is_numeric():
        return "number"
    is_text = dtype == nw.String or dtype == nw.Categorical or dtype == nw.Enum
    return "text" if is_text else "other"
