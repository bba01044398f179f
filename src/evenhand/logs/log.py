"""A prediction log: rows, the roles their columns play, the unit, and who is compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw

from evenhand.errors import EvenhandError, Problem, RoleError, did_you_mean
from evenhand.logs.expression import Expression
from evenhand.logs.grammar import DType, Schema, is_text
from evenhand.logs.group import Group, group_from
from evenhand.logs.kinds import kind_named
from evenhand.logs.role import Class, Kind
from evenhand.logs.side_table import SideTable
from evenhand.logs.source import EngineLike, OnBadFile, Source, open_source
from evenhand.logs.table import open_tables
from evenhand.logs.unit import ROW, Unit

__all__ = ["ROW", "Log", "open_log"]


ITEM = "item "
"""Prefix that tells an attribute of items from one of who is served, where both are groups."""

PROVIDER = "provider"
"""The role that is an attribute of items too: ``of=provider``."""

UNITS = ("user", "query", "request")
"""What is independent in ranked lists, where nothing else is said: the first that there is."""

MAX_BAD_REQUESTS = 0.001
"""More requests than this share with tied slots or repeated items say that roles are wrong."""


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
        item_groups: Attributes of the items of ranked lists, by name; a column of lists holds
            several groups for one item.
        catalogue: What could have been shown, where a table of it was named.
        max_bad_requests: The largest share of requests that may be left out as inconsistent.

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
    item_groups: Mapping[str, Group] = field(default_factory=dict)
    catalogue: Source | None = None
    max_bad_requests: float = MAX_BAD_REQUESTS

    def group(self, name: str) -> Group:
        """Return the group of this name, or the column of this name as a group.

        Raises:
            RoleError: Neither exists, or the column cannot be a group.

        """
        if name in self.groups:
            return self._kept(self.groups[name])
        if self.kind.ranked and name.startswith(ITEM):
            return self.item_group(name.removeprefix(ITEM))
        if name in self.item_groups:
            what = f"'{name}' is an attribute of items, and by= compares who is served."
            hint = f"Write of={name} to compare items."
            raise RoleError(Problem(f"by={name}", what, hint))
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

    def item_group(self, name: str) -> Group:
        """Return the attribute of items of this name, or the column of this name as one.

        Raises:
            RoleError: Neither exists, or the column cannot be a group.

        """
        if name in self.item_groups:
            return self.item_groups[name]
        if name == PROVIDER and PROVIDER in self.roles:
            return Group(PROVIDER, self.roles[PROVIDER])
        if name in self.groups:
            what = f"'{name}' is a group of who is served, and of= compares items."
            hint = f"Write by={name}, or declare it among the item groups too."
            raise RoleError(Problem(f"of={name}", what, hint))
        known = [*self.item_groups, *self.schema]
        if name not in self.schema:
            what = f"there is no item group or column '{name}'."
            raise RoleError(Problem(f"of={name}", what, did_you_mean(name, known)))
        group = Group(name, Expression(name))
        found = item_group_problems(group, self.schema)
        if found:
            raise RoleError(found)
        return group

    def _kept(self, group: Group) -> Group:
        """Return a group with the log's rule of which values it keeps, where it has none."""
        own = group.by_size or group.limited or self.top is None
        return group if own else replace(group, top=self.top)


def open_log(  # noqa: PLR0915 - one check after another
    source: object,
    *,
    kind: str,
    roles: Mapping[str, object],
    groups: Iterable[str | Mapping[str, Any] | Group] | Mapping[str, Any] = (),
    unit: str | Iterable[str] | Unit | None = None,
    where: str | None = None,
    engine: EngineLike = None,
    top: int | None = None,
    classes: Iterable[Class] = (),
    on_bad_file: OnBadFile = "fail",
    tables: Iterable[Mapping[str, Any] | str] = (),
    item_groups: Iterable[str | Mapping[str, Any] | Group] | Mapping[str, Any] = (),
    catalogue: object = None,
    max_bad_requests: float = MAX_BAD_REQUESTS,
) -> Log:
    """Return the log, with roles, groups, unit and filter checked against the schema.

    Args:
        source: A path, glob or table; see `evenhand.logs.source.open_source`.
        kind: The product kind, such as ``decisions``.
        roles: Column or expression for each role, such as ``{"prediction": "score >= 0.5"}``.
        groups: Columns, ``"age: [25, 45]"``, or mappings as in a plan.
        unit: ``row``, the column whose equal values belong to one independent unit, two columns
            whose values both differ (``["user", "item"]``), or ``pair(a, b)`` for rows that are
            pairs of units of one population. None for what the kind has: mostly the row.
        where: Filter in the expression language.
        engine: ``polars``, ``duckdb``, ``spark``, or a `Spark` with a session or a master.
        top: Keep only this many of the most frequent values of each group.
        classes: The classes of label and prediction, where they are not yes or no.
        on_bad_file: Whether files that are broken, or lack a column that is read, fail the whole
            or are left out.
        tables: Side tables; see `evenhand.logs.table.open_tables`.
        item_groups: Attributes of the items of ranked lists, written as groups are.
        catalogue: The table of what could have been shown, one row per item, with the columns of
            the item groups.
        max_bad_requests: The largest share of requests that may be left out as inconsistent.

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
    own = {name: name for name in product.own if name in schema}
    for name, text in {**own, **roles}.items():
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

    named, wrong = _named_groups(groups, schema, lambda group: group.problems(schema))
    problems += wrong
    of_items, wrong = _named_groups(
        item_groups, schema, lambda group: item_group_problems(group, schema)
    )
    problems += wrong
    if of_items and not product.ranked:
        what = f"kind '{product.name}' has no items."
        problems.append(Problem("item_groups", what, "Write groups instead."))

    independent = Unit.of(unit, schema)
    if product.ranked:
        independent, wrong = _list_unit(independent, expressions)
        problems += wrong
    elif product.unit:
        independent, wrong = _named_unit(independent, product, schema, asked=unit is not None)
        problems += wrong
    if product.variant not in {"", *own, *roles}:
        problems.append(_without_variant(product))
    problems += independent.problems(schema)
    condition = None if where is None else Expression(where)
    if condition is not None:
        problems += check_where(condition, schema)
    if not 0 <= max_bad_requests <= 1:
        what = f"{max_bad_requests} is no share of requests."
        problems.append(Problem("max_bad_requests", what, "Write 0.001 for one in a thousand."))
    if top is not None and top < 1:
        problems.append(Problem("top", f"{top} is not a number of values; it must be at least 1."))
    if problems:
        raise RoleError(problems)
    written = [*expressions.values(), *(group.expression for group in named.values())]
    written += [group.expression for group in of_items.values()]
    written += [] if condition is None else [condition]
    used = {column for expression in written for column in expression.columns(schema)}
    fitted = opened.fitting({*used, *independent.columns})
    schema = dict(fitted.frame.collect_schema())
    could_be_shown = None if catalogue is None else _catalogue(catalogue, sides.tables)
    return Log(
        fitted,
        schema,
        product,
        expressions,
        named,
        independent,
        condition,
        top,
        declared,
        of_items,
        could_be_shown,
        max_bad_requests,
    )


def _catalogue(catalogue: object, tables: Iterable[SideTable]) -> Source:
    """Return what could be shown, with what side tables know of it as it is today."""
    opened = open_source(catalogue, "polars")
    columns = {*opened.frame.collect_schema()}
    known = [
        table
        for table in tables
        if table.key in columns and table.as_of is None and not columns & {*(table.columns or ())}
    ]
    return opened.beside(known)


def _named_groups(
    groups: Iterable[str | Mapping[str, Any] | Group] | Mapping[str, Any],
    schema: Schema,
    check: Callable[[Group], list[Problem]],
) -> tuple[dict[str, Group], list[Problem]]:
    """Return groups by name, and what is wrong with them."""
    named: dict[str, Group] = {}
    problems: list[Problem] = []
    for spec in [groups] if isinstance(groups, Mapping | str) else groups:
        try:
            for group in group_from(spec, schema):
                if named.setdefault(group.name, group) != group:
                    hint = "Give one of them another name: {narrow: {column: age, bins: [18]}}."
                    problems.append(Problem(group.where, "two groups have this name.", hint))
                problems += check(group)
        except EvenhandError as error:
            problems += error.problems
    return named, problems


def item_group_problems(group: Group, schema: Schema) -> list[Problem]:
    """Return what stops this from being an attribute of items, which may have several at once."""
    if group.by_size or group.proxy is not None:
        what = "top, tail and probabilities are for groups of users."
        return [Problem(group.where, what, "Name the values: {column: ..., values: [...]}.")]
    inner = members_type(group, schema)
    if inner is None:
        return group.problems(schema)
    if group.bins or group.values or not (inner.is_integer() or is_text(inner)):
        what = f"'{group.expression.text}' is {schema[group.expression.text]}."
        return [Problem(group.where, what, "A column of lists holds text or whole numbers.")]
    return []


def members_type(group: Group, schema: Schema) -> DType | None:
    """Return the type of what an item's list of groups holds; None where it has one group."""
    dtype = schema.get(group.expression.text)
    return getattr(dtype, "inner", None) if dtype is not None and dtype == nw.List else None


def _list_unit(unit: Unit, roles: Mapping[str, Expression]) -> tuple[Unit, list[Problem]]:
    """Return what is independent in ranked lists: by default the user, or else the request."""
    if "rank" not in roles:
        hint = "Say which column holds the slot: --rank slot."
        return unit, [Problem("role 'rank'", "ranked lists need a rank.", hint)]
    of_items = [roles[role].text for role in ("item", PROVIDER) if role in roles]
    if unit.kind == "column" and unit.columns[0] in of_items and len(roles) > 1:
        what = f"'{unit}' tells items apart, and lists have many of them."
        hint = "Name who was served too, --unit user --unit item, or leave it out."
        return unit, [Problem("unit", what, hint)]
    if unit != ROW:
        return unit, []
    names = [roles[role].text for role in UNITS if role in roles]
    if not names:
        hint = "Say who was served, or what a list answers: --user user, --request request_id."
        return unit, [Problem("unit", "rows of one list are not independent.", hint)]
    return Unit("column", (names[0],)), []


def _named_unit(
    unit: Unit, kind: Kind, schema: Schema, *, asked: bool
) -> tuple[Unit, list[Problem]]:
    """Return what is independent in logs of a kind whose rows are not."""
    if unit != ROW:
        return unit, []
    if asked or kind.unit not in schema:
        hint = f"Leave it out: it is the column '{kind.unit}' then."
        if kind.unit not in schema:
            hint = f"Name the column of the ids: --unit {kind.unit}."
        return unit, [Problem("unit", kind.dependent, hint)]
    return Unit("column", (kind.unit,)), []


def _without_variant(kind: Kind) -> Problem:
    what = f"logs of kind '{kind.name}' need it: {kind.role(kind.variant).about}."
    hint = f"Say which column holds it: --{kind.variant} COLUMN."
    return Problem(f"role '{kind.variant}'", what, hint)


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
