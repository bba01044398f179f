"""What is independent, and its bucket: the same on Polars, DuckDB, Spark and in plain Python.

A unit's hash is a whole number in [0, 2**31). Its lowest 7 bits are the bucket, its lowest 9 bits
the register and the other 22 bits the mark of `evenhand.engine.sketch`, which counts units. Where
a row has two units, the lowest 5 bits of both make its bucket, one of 32 x 32.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw
import polars as pl

from evenhand.errors import EngineError, Problem, did_you_mean
from evenhand.logs.grammar import Schema, is_text

if TYPE_CHECKING:
    from evenhand.logs.backend import Engine, Frame

UnitKind = Literal["row", "column", "two_way", "dyadic"]

BUCKETS = 128
CROSSED = 32
"""Buckets of each of a row's two units."""

REGISTERS = 4 * BUCKETS
MARKS = 2**31 // REGISTERS

UNIT = "unit"
HASH = "unit_hash"
PART = "register_part"
BUCKET = "bucket"
REGISTER = "register"


@dataclass(frozen=True, slots=True)
class Unit:
    """What is independent, which says which rows belong together.

    Attributes:
        kind: ``row``: every row stands alone. ``column``: rows of one value belong together.
            ``two_way``: rows that share a value of either column do, such as user or item.
            ``dyadic``: a row is a pair of units of one population, such as two faces, and rows
            that share one do, on whichever side.
        columns: The columns of ids: none, one or two.

    """

    kind: UnitKind = "row"
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, written: str | Iterable[str] | Unit | None, schema: Schema) -> Unit:
        """Return the unit as it is written in Python, in a plan or on the command line.

        A column of this very name comes first, then ``[a, b]`` and ``pair(a, b)``.

        >>> print(Unit.of("[user, item]", {}), Unit.of(["user", "item"], {}), Unit.of(None, {}))
        [user, item] [user, item] row
        >>> Unit.of("pair(subject_a, subject_b)", {})
        Unit(kind='dyadic', columns=('subject_a', 'subject_b'))
        """
        if written is None or isinstance(written, Unit):
            return written or ROW
        if not isinstance(written, str):
            return cls("two_way", tuple(written))
        form = _FORM.fullmatch(written.strip())
        if written == "row":
            return ROW
        if written in schema or form is None:
            return cls("column", (written,))
        names = [name.strip().strip("'\"") for name in form["names"].split(",")]
        return cls("dyadic" if form["pair"] else "two_way", tuple(filter(None, names)))

    def problems(self, schema: Schema) -> list[Problem]:
        """Return why the columns of this schema cannot be such a unit."""
        if self.kind == "row":
            return []
        found = [problem for name in self.columns for problem in _problems(name, schema)]
        if self.kind == "column":
            return found
        if len(self.columns) != 2 or len({*self.columns}) < 2:  # noqa: PLR2004 - a pair
            what = f"'{self}' must name two different columns."
            return [Problem("unit", what, _INSTEAD[self.kind]), *dict.fromkeys(found)]
        types = [is_text(schema[name]) for name in self.columns if name in schema]
        if not found and self.kind == "dyadic" and len({*types}) > 1:
            one, other = self.columns
            what = f"'{one}' is {schema[one]} and '{other}' is {schema[other]}."
            hint = "Both sides of a pair name units of one population: write them alike. For two "
            found.append(Problem("unit", what, f"{hint}populations write [{one}, {other}]."))
        return found

    @property
    def buckets(self) -> int:
        """The number of buckets of rows: of units, or of pairs of units."""
        return {"row": 1, "column": BUCKETS}.get(self.kind, CROSSED * CROSSED)

    @property
    def populations(self) -> int:
        """How many kinds of unit there are to count."""
        return {"row": 0, "two_way": 2}.get(self.kind, 1)

    @property
    def sides(self) -> tuple[Side, ...]:
        """The columns of ids as the engine names them."""
        own = BUCKETS if self.kind == "column" else CROSSED
        return tuple(
            Side(place, own, REGISTERS * (place if self.kind == "two_way" else 0))
            for place in range(len(self.columns))
        )

    def bucket_of(self, side: Side) -> pl.Expr:
        """Return the bucket of a row's unit on this side, from the bucket of the row."""
        bucket = pl.col(BUCKET)
        if len(self.columns) == 1:
            return bucket
        return bucket % CROSSED if side.place else bucket // CROSSED

    def __str__(self) -> str:
        names = ", ".join(map(str, self.columns))
        forms = {"row": "row", "two_way": f"[{names}]", "dyadic": f"pair({names})"}
        return forms.get(self.kind, names)


ROW = Unit()
"""The unit of a log whose rows are independent."""

_FORM = re.compile(r"(?P<pair>pair)?\s*(?(pair)\(|\[)(?P<names>[^\[\]()]*)(?(pair)\)|\])")
_INSTEAD = {
    "two_way": "Write [user, item]; for one column just its name.",
    "dyadic": "Write pair(subject_a, subject_b), the columns of the two sides.",
}


def _problems(name: str, schema: Schema) -> list[Problem]:
    if name not in schema:
        known = [*schema, "row"]
        return [Problem("unit", f"there is no column '{name}'.", did_you_mean(str(name), known))]
    dtype = schema[name]
    if dtype.is_integer() or is_text(dtype):
        return []
    return [
        Problem(
            "unit",
            f"'{name}' is {dtype}; the unit must be a whole number or text.",
            "A float id usually comes from missing values: a missing unit cannot be counted.",
        )
    ]


@dataclass(frozen=True, slots=True)
class Side:
    """One of a row's units: its only one, or the first or second of two.

    Attributes:
        place: 0 or 1.
        buckets: The number of buckets of such units.
        offset: What is added to the registers of this side, so that populations stay apart.

    """

    place: int
    buckets: int
    offset: int

    @property
    def unit(self) -> str:
        """The column of the id."""
        return f"{UNIT}{self._suffix}"

    @property
    def hash(self) -> str:
        """The column of its hash."""
        return f"{HASH}{self._suffix}"

    @property
    def part(self) -> str:
        """The column of what makes a register of a unit's own bucket, when added to it."""
        return f"{PART}{self._suffix}"

    @property
    def _suffix(self) -> str:
        return "_2" if self.place else ""


_PRIME = 2**31 - 1
_SEED = 42


def integer_hash(unit: Any) -> Any:  # noqa: ANN401 - a Narwhals expression or a Python int
    """Return the hash of a whole-number unit: a permutation polynomial modulo 2**31 - 1."""
    a = unit % _PRIME
    b = a * a % _PRIME
    b = b * b % _PRIME
    return ((b * a % _PRIME) * 69069 + 12345) % _PRIME


def with_unit_columns(frame: Frame, engine: Engine, unit: Unit) -> Frame:
    """Return the frame with the hash of every unit, its part of the register, and the bucket.

    All are null where the unit is null.
    """
    for side in unit.sides:
        frame = _hashed(frame, engine, side)
    first, *others = unit.sides
    if engine == "polars":
        bucket = nw.col(first.hash) % first.buckets
        for side in others:
            bucket = bucket * side.buckets + nw.col(side.hash) % side.buckets
        parts = [
            (nw.col(side.hash) % REGISTERS - nw.col(side.hash) % side.buckets).alias(side.part)
            for side in unit.sides
        ]
        return frame.with_columns(bucket.alias(BUCKET), *parts)
    text = f"({first.hash} & {first.buckets - 1})"
    for side in others:
        text = f"({text} * {side.buckets} + ({side.hash} & {side.buckets - 1}))"
    steps = [f"{side.hash} & {REGISTERS - side.buckets} as {side.part}" for side in unit.sides]
    return _project(frame, engine, f"{text} as {BUCKET}", *steps)


def _hashed(frame: Frame, engine: Engine, side: Side) -> Frame:
    """Return the frame with the hash of a unit.

    Whole numbers are hashed in plain arithmetic. On the SQL engines it is spelled in SQL, because
    Narwhals must there guard every remainder against negative numbers, at twice the cost.
    """
    dtype = frame.collect_schema()[side.unit]
    if not dtype.is_integer():
        return _TEXT[engine](frame, side)
    # Only a 64-bit unsigned number may not fit; narrower ones would overflow before the cast.
    unit = nw.col(side.unit)
    whole = (unit % _PRIME).cast(nw.Int64) if dtype == nw.UInt64 else unit.cast(nw.Int64)
    if engine == "polars":
        return frame.with_columns(integer_hash(whole).alias(side.hash))
    prime = f"cast({_PRIME} as bigint)"
    step = f"{side.hash}_step"
    return _project(
        frame.with_columns(whole.alias(step)),
        engine,
        f"(({step} % {prime}) + {prime}) % {prime} as {step}_a",
        f"{step}_a * {step}_a % {prime} as {step}_b",
        f"{step}_b * {step}_b % {prime} as {step}_c",
        f"(({step}_c * {step}_a % {prime}) * 69069 + 12345) % {prime} as {side.hash}",
    )


def _project(frame: Frame, engine: Engine, *steps: str) -> Frame:
    """Return the frame with one more column for each step in SQL, each seeing those before it."""
    native = frame.to_native()
    for step in steps:
        native = native.selectExpr("*", step) if engine == "spark" else native.project(f"*, {step}")
    projected: Frame = nw.from_native(native)
    return projected


def _polars_text(frame: Frame, side: Side) -> Frame:
    native: pl.LazyFrame = frame.to_native()
    hashed = _xxhash64(side.unit).cast(pl.Int64).alias(side.hash)
    return nw.from_native(native.with_columns(hashed))


def _xxhash64(column: str) -> pl.Expr:
    import polars_hash

    # xxhash64 is unsigned; its lowest 31 bits are what every engine can agree on.
    return polars_hash.col(column).nchash.xxhash64(seed=_SEED) % 2**31


def _spark_text(frame: Frame, side: Side) -> Frame:
    # Spark's xxhash64 has seed 42 built in and is signed; hashing a null gives the seed.
    hashed = f"pmod(xxhash64({side.unit}), cast({2**31} as bigint))"
    return _project(
        frame, "spark", f"case when {side.unit} is not null then {hashed} end as {side.hash}"
    )


def _duckdb_text(frame: Frame, side: Side) -> Frame:
    import duckdb

    try:
        return _project(frame, "duckdb", f"{_FUNCTION}({side.unit}) as {side.hash}")
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
