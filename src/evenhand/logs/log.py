"""A prediction log: rows, the roles their columns play, the unit, and who is compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw

from evenhand.errors import EvenhandError, Problem, RoleError, did_you_mean
from evenhand.logs.expression import Expression
from evenhand.logs.grammar import Schema
from evenhand.logs.group import Group, group_from
from evenhand.logs.kinds import kind_named
from evenhand.logs.role import Class, Kind
from evenhand.logs.source import EngineLike, OnBadFile, Source, open_source
from evenhand.logs.table import open_tables
from evenhand.logs.unit import ROW, Unit

__all__ = ["ROW", "Log", "open_log"]


@dataclass(frozen=True)
class Log:
    """Rows and what their columns mean; never mutated, checked before any row is read.

    Attributes:
        source: Where the rows are and on which engine.
        schema: Column names and types.
        kind: The product kind, which says what roles there are.
        roles: The expression that plays each role.
        groups: Who is compared, by name.
        unit: What is independent: the row, or what one or two columns of ids name.
        where: The filter of rows in scope, or None.
        top: How many of the most frequent values of each group to keep, or None for all.
        classes: The classes of label and prediction, where they are not yes or no.

    """

    source: Source
    schema: Schema = field(repr=False)
    kind: Kind = field(repr=False)
    roles: Mapping[str, Expression]
    groups: Mapping[str, Group]
    unit: Unit = ROW
    where: Expression | None = None
    top: int | None = None
    classes: tuple[Class, ...] = ()

    def group(self, name: str) -> Group:
        """Return the group of this name, or the column of this name as a group.

        Raises:
            RoleError: Neither exists, or the column cannot be a group.

        """
        if name in self.groups:
            return self._kept(self.groups[name])
        if name not in self.schema:
            known = [*self.groups, *(column for column in self.schema if column not in self.groups)]
            raise RoleError(
                Problem(
                    f"by={name}",
                    f"there is no group or column '{name}'.",
                    did_you_mean(name, known),
                )
            )
        group = Group(name, Expression(name))
        found = group.problems(self.schema)
        if found:
            raise RoleError(found)
        return self._kept(group)

    def _kept(self, group: Group) -> Group:
        """Return a group with the log's rule of which values it keeps, where it has none."""
        own = group.by_size or group.limited or self.top is None
        return group if own else replace(group, top=self.top)


def open_log(
    source: object,
    *,
    kind: str,
    roles: Mapping[str, object],
    groups: Iterable[str | Mapping[str, Any] | Group] | Mapping[str, Any] = (),
    unit: str | Iterable[str] | Unit | None = ROW,
    where: str | None = None,
    engine: EngineLike = None,
    top: int | None = None,
    classes: Iterable[Class] = (),
    on_bad_file: OnBadFile = "fail",
    tables: Iterable[Mapping[str, Any] | str] = (),
) -> Log:
    """Return the log, with roles, groups, unit and filter checked against the schema.

    Args:
        source: A path, glob or table; see `evenhand.logs.source.open_source`.
        kind: The product kind, such as ``decisions``.
        roles: Column or expression for each role, such as ``{"prediction": "score >= 0.5"}``.
        groups: Columns, ``"age: [25, 45]"``, or mappings as in a plan.
        unit: ``row``, the column whose equal values belong to one independent unit, two columns
            whose values both differ (``["user", "item"]``), or ``pair(a, b)`` for rows that are
            pairs of units of one population.
        where: Filter in the expression language.
        engine: ``polars``, ``duckdb``, ``spark``, or a `Spark` with a session or a master.
        top: Keep only this many of the most frequent values of each group.
        classes: The classes of label and prediction, where they are not yes or no.
        on_bad_file: Whether files that are broken, or lack a column that is read, fail the whole
            or are left out.
        tables: Side tables; see `evenhand.logs.table.open_tables`.

    Raises:
        RoleError: With every problem found, not the first.
        SourceError: The source or a side table cannot be opened.

    """
    product = kind_named(kind)
    opened = open_source(source, engine, on_bad_file=on_bad_file)
    sides = open_tables(tables, opened)
    opened, schema = opened.beside(sides.tables), sides.schema
    problems = [*sides.problems]
    expressions: dict[str, Expression] = {}
    declared = (classes,) if isinstance(classes, str) else tuple(classes)
    problems += _class_problems(declared, product)
    names = [role.name for role in product.roles]
    for name, text in roles.items():
        if name not in names:
            what = f"kind '{product.name}' has no role '{name}'."
            problems.append(Problem(f"role '{name}'", what, did_you_mean(name, names)))
            continue
        if not isinstance(text, str):
            what = f"{type(text).__module__}.{type(text).__name__} is not a column or expression."
            problems.append(Problem(f"role '{name}'", what, "Write the column's name as text."))
            continue
        expressions[name] = Expression(text)
        problems += product.role(name).problems(expressions[name], schema, declared)

    specs = [groups] if isinstance(groups, Mapping | str) else groups
    named: dict[str, Group] = {}
    for spec in specs:
        try:
            for group in group_from(spec, schema):
                if named.setdefault(group.name, group) != group:
                    hint = "Give one of them another name: {narrow: {column: age, bins: [18]}}."
                    problems.append(Problem(group.where, "two groups have this name.", hint))
                problems += group.problems(schema)
        except EvenhandError as error:
            problems += error.problems

    independent = Unit.of(unit, schema)
    problems += independent.problems(schema)
    condition = None if where is None else Expression(where)
    if condition is not None:
        problems += check_where(condition, schema)
    if top is not None and top < 1:
        problems.append(Problem("top", f"{top} is not a number of values; it must be at least 1."))
    if problems:
        raise RoleError(problems)
    written = [*expressions.values(), *(group.expression for group in named.values())]
    written += [] if condition is None else [condition]
    used = {column for expression in written for column in expression.columns(schema)}
    fitted = opened.fitting({*used, *independent.columns})
    schema = dict(fitted.frame.collect_schema())
    return Log(fitted, schema, product, expressions, named, independent, condition, top, declared)


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]


def _class_problems(classes: tuple[Class, ...], kind: Kind) -> list[Problem]:
    if not classes:
        return []
    where, hint = "classes", "Write classes: [low, mid, high]."
    if not any(role.values == "binary" for role in kind.roles):
        return [Problem(where, f"kind '{kind.name}' has no classes.", "Leave classes out.")]
    texts = [isinstance(value, str) for value in classes]
    if not all(texts) and (any(texts) or not all(map(_is_number, classes))):
        return [Problem(where, "classes are all text or all numbers.", hint)]
    # 1 and 1.0 are one class, and so are 1 and '1' in a table's header.
    if min(len({*classes}), len({*map(str, classes)})) < max(len(classes), 2):
        return [Problem(where, "there must be two or more different classes.", hint)]
    return []


def check_where(condition: Expression, schema: Schema) -> list[Problem]:
    """Return why an expression is no filter of rows with this schema."""
    found = condition.problems(schema, "where")
    if not found and condition.dtype(schema) != nw.Boolean:
        what = f"'{condition.text}' is {condition.dtype(schema)}, not a condition."
        found.append(Problem("where", what, "Write a comparison, such as year >= 2025."))
    return found
