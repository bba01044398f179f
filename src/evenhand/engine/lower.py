"""Lowering: from roles as written to columns that every engine sums alike.

Yes/no roles and classes become codes: 0, 1, ..., missing, bad. A term of a measure depends on a
row only through these codes, so rows are first counted by combination of codes, and each term is
then evaluated once per combination, by the same Narwhals expression, instead of once per row
(docs/design/engine.md). Fifty measures cost one scan, and counts cannot differ between engines.
Numbers, such as a squared error, are summed by the same combinations in the same scan.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import narwhals as nw
import polars as pl

from evenhand.engine.table import group_column
from evenhand.logs.backend import Frame
from evenhand.logs.grammar import written
from evenhand.logs.log import ROW, Log
from evenhand.logs.role import NUMBERS, UNCHECKED, Contradiction, Role
from evenhand.logs.unit import BUCKET, Unit, with_unit_columns

PRESENT = 0
MISSING = -1
BAD = -2
"""Codes below 0 say why a row has no class; a role that is a number is just present."""

WEIGHT = "weight"
ROWS, WEIGHTS, SQUARES = "n", "n_weight", "n_square"
WEIGHT_OF, SQUARE_OF = "w:", "w2:"
"""Prefixes of a state's columns for sums of weights and of their squares."""

LARGEST_NUMBER = 1e30
"""Products of four larger numbers and their weights would not be finite."""

Limits = Mapping[str, tuple[float, float, str]]
"""Smallest and largest value of a role, and the measure that asks for it."""


@dataclass(frozen=True)
class Coded:
    """A property of a row with few values.

    Attributes:
        name: The role that measures read; else the place that error messages name.
        column: The column of codes.
        codes: The codes that may occur in rows that are not bad.
        raw: The value behind the code, to show what was bad.
        code: The expression of the code.
        advice: What to do about a bad value; empty when no value can be bad.
        fault: What rows with a bad value are, where the value itself does not say it.
        is_role: Whether measures may read it as 0, 1, ... or null.

    """

    name: str
    column: str
    codes: range
    raw: nw.Expr
    code: nw.Expr
    advice: str = ""
    fault: str = ""
    is_role: bool = False

    @property
    def place(self) -> str:
        """The place that error messages name."""
        return f"role '{self.name}'" if self.is_role else self.name


@dataclass(frozen=True)
class Amount:
    """A number of every row, to be summed.

    Attributes:
        name: Its name, the same for every measure that sums it.
        expression: Float64 over roles; null counts as 0.
        power: The power of the weight it is multiplied with: 1 in sums, 2 in sums of products.

    """

    name: str
    expression: nw.Expr
    power: int

    @property
    def column(self) -> str:
        """The column of the number, before and after it is summed."""
        return f"amount:{self.name}"


@dataclass(frozen=True)
class Lowered:
    """A log as the engines see it.

    Attributes:
        frame: One row per row in scope: ``bucket``, groups, codes, amounts, roles that are
            numbers, and where they exist the units, their hashes and the weight.
        origin: The same rows with their own columns, to show what was bad.
        coded: The codes that rows are counted by.
        groups: Names of the groups.
        unit: What is independent.
        weight: Whether rows have weights.
        amounts: The numbers to sum.

    """

    frame: Frame
    origin: Frame
    coded: tuple[Coded, ...]
    groups: tuple[str, ...]
    unit: Unit
    weight: bool
    amounts: tuple[Amount, ...] = ()

    @property
    def code_columns(self) -> list[str]:
        """Columns of codes, in the order of ``coded``."""
        return [coded.column for coded in self.coded]


def code_column(name: str) -> str:
    """Return the column that holds the code of a role."""
    return f"code:{name}"


def lower(
    log: Log,
    roles: Iterable[str],
    groups: Iterable[str],
    amounts: Iterable[Amount] = (),
    limits: Limits | None = None,
) -> Lowered:
    """Return the log with these roles and groups as the engines see it.

    Args:
        log: The log.
        roles: The roles that measures read.
        groups: The groups to count by.
        amounts: The numbers to sum.
        limits: The values that roles may have, where measures restrict them.

    """
    schema = log.schema
    names, amounts = tuple(groups), tuple(amounts)
    unit, weight = log.unit, WEIGHT in log.roles
    used = [role for role in log.kind.roles if role.name in {*roles, WEIGHT} & {*log.roles}]
    coded = [_coded_role(one, log, limits or {}) for one in used if one.values not in UNCHECKED]
    coded += _contradictions(log.kind.contradictions, coded)
    columns = {group_column(name): log.group(name).lower(schema) for name in names}
    for name in names:
        misfit = log.group(name).misfit(schema)
        if misfit is not None:
            coded.append(_misfit(name, log, misfit))
    frame = log.source.frame
    if log.where is not None:
        scope = log.where.lower(schema)
        # A row for which the filter is missing is neither in nor out: kept, and counted as such.
        frame = frame.filter(scope | scope.is_null())
        column = code_column("where")
        code = _when(scope, PRESENT, MISSING)
        coded.append(Coded("where", column, range(MISSING, 1), scope, code))
    for side, name in zip(unit.sides, unit.columns, strict=True):
        raw = nw.col(name)
        columns[side.unit] = raw if schema[name].is_integer() else raw.cast(nw.String)
        place = "unit" if unit.kind == "column" else f"unit '{name}'"
        coded.append(
            Coded(
                place,
                code_column(place),
                range(PRESENT, 1),
                raw,
                _when(raw.is_null(), BAD, PRESENT),
                "Every row needs its unit: filter such rows with where, or give them an id.",
            )
        )
    if weight:
        columns[WEIGHT] = log.roles[WEIGHT].lower(schema).cast(nw.Float64).fill_null(0.0)
    numbers = [role for role in used if role.values in NUMBERS and role.name != WEIGHT]
    # Adding 0 makes -0.0 the 0.0 that it equals, also as a key.
    columns |= {r.name: log.roles[r.name].lower(schema).cast(nw.Float64) + 0.0 for r in numbers}
    origin = frame
    frame = frame.select(
        *(expression.alias(name) for name, expression in columns.items()),
        *(entry.code.alias(entry.column) for entry in coded),
    )
    if unit == ROW:
        frame = frame.with_columns(nw.lit(0).alias(BUCKET))
    else:
        frame = with_unit_columns(frame, log.source.engine, unit)
    lowered = Lowered(frame, origin, tuple(coded), names, unit, weight, amounts)
    if not amounts:
        return lowered
    summed = [
        amount.expression.cast(nw.Float64).fill_null(0.0).alias(amount.column) for amount in amounts
    ]
    plain = frame.collect_schema().names()
    frame = with_roles(frame, lowered).with_columns(*summed)
    return replace(lowered, frame=frame.select(*plain, *(a.column for a in amounts)))


def _when(condition: nw.Expr, code: int, otherwise: nw.Expr | int) -> nw.Expr:
    rest = nw.lit(otherwise) if isinstance(otherwise, int) else otherwise
    return nw.when(condition).then(nw.lit(code)).otherwise(rest)


_WEIGHTS = (1e-30, 1e30)
"""Products of four sums of weights outside would be lost or infinite."""


def _coded_role(role: Role, log: Log, limits: Limits) -> Coded:
    expression = log.roles[role.name]
    raw = expression.lower(log.schema)
    column = code_column(role.name)
    present = range(MISSING, 1)
    if role.values == "weight":
        low, high = _WEIGHTS
        fine = (raw == 0) | ((raw >= low) & (raw <= high))
        code = _when(raw.is_null(), MISSING, _when(fine, PRESENT, BAD))
        advice = f"A weight is 0 or a number from {low:g} to {high:g}."
        return Coded(f"role '{role.name}'", column, present, raw, code, advice)
    if role.values == "number":
        widest = (-LARGEST_NUMBER, LARGEST_NUMBER, f"a {role.name}")
        low, high, asks = limits.get(role.name, widest)
        fine = (raw >= low) & (raw <= high)
        code = _when(raw.is_null(), MISSING, _when(fine, PRESENT, BAD))
        advice = f"{asks[0].upper()}{asks[1:]} is between {low:g} and {high:g}."
        if role.name in limits:
            advice = f"{asks} needs a {role.name} between {low:g} and {high:g}"
            advice += ", a probability." if (low, high) == (0, 1) else "."
        return Coded(f"role '{role.name}'", column, present, raw, code, advice)
    codes = range(MISSING, max(len(log.classes), 2))
    if log.classes:
        code = _when(raw.is_null(), MISSING, BAD)
        for number, value in enumerate(log.classes):
            code = _when(raw == value, number, code)
        declared = ", ".join(map(str, log.classes))
        advice = f"The declared classes are {declared}."
        return Coded(role.name, column, codes, raw, code, advice, is_role=True)
    if expression.dtype(log.schema) == nw.Boolean:
        code = _when(raw, 1, _when(~raw, 0, MISSING))
        return Coded(role.name, column, codes, raw, code, is_role=True)
    code = _when(raw == 1, 1, _when(raw == 0, 0, _when(raw.is_null(), MISSING, BAD)))
    advice = (
        f"A {role.name} is 0 or 1. Say which values count as 1, for example "
        f'--{role.name} "{written(expression.text, log.schema)} >= 0.5"; or declare the classes.'
    )
    return Coded(role.name, column, codes, raw, code, advice, is_role=True)


def _contradictions(
    contradictions: Iterable[Contradiction], coded: Iterable[Coded]
) -> Iterator[Coded]:
    """Yield codes of rows whose roles cannot have their values together, of roles that are read."""
    of_role = {entry.name: entry for entry in coded if entry.is_role}
    for one in contradictions:
        if not {role for role, _ in one.values} <= {*of_role}:
            continue
        held = [of_role[role].code == value for role, value in one.values]
        yield Coded(
            f"role '{one.role}'",
            code_column(one.about),
            range(PRESENT, 1),
            of_role[one.role].raw,
            _when(functools.reduce(operator.and_, held), BAD, PRESENT),
            one.advice,
            one.about,
        )


def _misfit(name: str, log: Log, misfit: nw.Expr) -> Coded:
    group = log.group(name)
    return Coded(
        group.where,
        code_column(group.where),
        range(PRESENT, 1),
        group.expression.lower(log.schema),
        _when(misfit, BAD, PRESENT),
        f'A number that is not whole needs bins: --group "{name}: [25, 45]".',
    )


@dataclass(frozen=True)
class SumColumn:
    """One column of a state: how many rows meet a condition, among the rows not excluded.

    Attributes:
        key: Its name in the state.
        condition: Expression over roles (0, 1 or null) and their codes, or 1 for every row.
        present: Roles that must not be missing for a row to count.

    """

    key: str
    condition: nw.Expr | int
    present: tuple[str, ...]

    def indicator(self) -> nw.Expr:
        """Return 1 where the condition holds for a row that counts, else 0, as Int64."""
        everything = nw.lit(value=True)
        wanted = everything if isinstance(self.condition, int) else self.condition
        for role in self.present:
            wanted = wanted & (nw.col(code_column(role)) >= PRESENT)
        return _when(wanted.fill_null(value=False), 1, 0).cast(nw.Int64).alias(self.key)


def with_roles(frame: Frame, lowered: Lowered) -> Frame:
    """Return a frame of codes with the roles that measures name: 0, 1, or null when missing."""
    return frame.with_columns(
        nw.when(nw.col(entry.column) >= PRESENT).then(nw.col(entry.column)).alias(entry.name)
        for entry in lowered.coded
        if entry.is_role
    )


@dataclass(frozen=True)
class AmountColumn:
    """One column of a state: the sum of a number over the rows not excluded.

    Attributes:
        key: Its name in the state.
        amount: The number.
        among: The column that counts the rows not excluded.

    """

    key: str
    amount: Amount
    among: str


def tabulate(
    counts: pl.DataFrame,
    lowered: Lowered,
    columns: Iterable[SumColumn],
    keys: list[str],
    amounts: Iterable[AmountColumn] = (),
) -> pl.DataFrame:
    """Return sums by ``keys`` from counts of rows by ``keys`` and codes.

    Args:
        counts: Columns ``keys``, codes, ``n`` and, with weights, ``n_weight`` and ``n_square``.
        lowered: What the codes mean.
        columns: The sums to make; with weights also of weights (``w:key``) and of their squares
            (``w2:key``).
        keys: Key columns of the result.
        amounts: The sums of numbers to make.

    """
    columns = list(columns)
    combinations = counts.select(lowered.code_columns).unique(maintain_order=True)
    joined = join_codes(counts, evaluate(combinations, lowered, columns), lowered)
    measured = {"": ROWS} | ({WEIGHT_OF: WEIGHTS, SQUARE_OF: SQUARES} if lowered.weight else {})
    sums = [
        (pl.col(column.key) * pl.col(count)).sum().alias(f"{prefix}{column.key}")
        for prefix, count in measured.items()
        for column in columns
    ]
    sums += [
        (pl.col(column.among) * pl.col(column.amount.column)).sum().alias(column.key)
        for column in amounts
    ]
    return joined.group_by(keys).agg(sums).sort(keys)


def evaluate(
    combinations: pl.DataFrame, lowered: Lowered, columns: Iterable[SumColumn]
) -> pl.DataFrame:
    """Return, for each combination of codes, which conditions hold: codes, then 0 or 1 by key."""
    frame = with_roles(nw.from_native(combinations.lazy()), lowered)
    indicators = [column.indicator() for column in columns]
    held: pl.LazyFrame = frame.select(*lowered.code_columns, *indicators).to_native()
    return held.collect()


def join_codes(counts: pl.DataFrame, held: pl.DataFrame, lowered: Lowered) -> pl.DataFrame:
    """Return rows by codes beside what `evaluate` found for their codes."""
    codes = lowered.code_columns
    return counts.join(held, on=codes, how="left") if codes else counts.join(held, how="cross")
