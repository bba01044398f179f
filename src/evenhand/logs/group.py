"""Groups: who is compared. A column, or a numeric column cut into bins."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import yaml

from evenhand.errors import Problem, RoleError
from evenhand.logs.expression import Expression
from evenhand.logs.grammar import Schema, is_text
from evenhand.logs.proxy import Proxy, proxy_from

UNKNOWN = "unknown"
"""The group of rows whose value is missing, or says so in this word: shown apart, not compared."""

_EXACT = 2.0**53
"""A float beyond this, infinity included, no longer tells whole numbers apart."""

OTHER = "other values"
"""The values beyond the most frequent ones that were asked for: shown apart as well."""


@dataclass(frozen=True, slots=True)
class Group:
    """An attribute by which rows are compared.

    Attributes:
        name: The name used in ``by=``.
        expression: The column, or an expression over columns.
        bins: Increasing edges; each bin includes its upper edge. Empty for a column as it is.
        proxy: The probability of each group for every value of the expression, where the group
            itself is not in the log.
        values: The values that stand for themselves; empty for all. The others are
            ``other values``.
        top: How many of the most frequent values stand for themselves; None for all.
        tail: Values of fewer rows in scope than this are one group together; 0 for no such group.
        labelled: Whether the expression gives the names as `lower` would.

    """

    name: str
    expression: Expression
    bins: tuple[float, ...] = ()
    proxy: Proxy | None = None
    values: tuple[str, ...] = ()
    top: int | None = None
    tail: int = 0
    labelled: bool = False

    @property
    def where(self) -> str:
        """The place that error messages name."""
        return f"group '{self.name}'"

    @property
    def by_size(self) -> bool:
        """Whether what a value becomes depends on how frequent it is in the whole log."""
        return self.top is not None or self.tail > 0

    @property
    def limited(self) -> bool:
        """Whether there are values that stand in ``other values``."""
        return self.top is not None or bool(self.values)

    @property
    def tail_label(self) -> str:
        """The group of the rare values.

        >>> Group("creator", Expression("creator_id"), top=20, tail=100).tail_label
        'fewer than 100 rows'
        """
        return f"fewer than {self.tail} rows"

    def most_values(self, schema: Schema) -> int | None:
        """Return how many values there may be, ``unknown`` among them; None where rows tell."""
        others = 1 + self.limited + (self.tail > 0)
        if self.bins:
            return len(self.bins) + 1 + others
        if self.values:
            return len(self.values) + others
        if self.top is not None:
            return self.top + others
        if self.proxy is None and self.expression.dtype(schema) == nw.Boolean:
            return 2 + others
        return None

    def labels(self) -> list[str]:
        """Return the names of the bins, lowest first.

        >>> Group("age", Expression("age"), (25, 45)).labels()
        ['<=25', '(25, 45]', '>45']
        """
        edges = [repr(edge).removesuffix(".0") for edge in self.bins]
        between = [f"({low}, {high}]" for low, high in itertools.pairwise(edges)]
        return [f"<={edges[0]}", *between, f">{edges[-1]}"]

    def rank(self, name: str) -> tuple[int, float, str]:
        """Return the place of a value among the group's: bins and numbers by size, then text.

        >>> sorted(["(20, 40]", "<=20", ">40"], key=Group("a", Expression("a"), (20, 40)).rank)
        ['<=20', '(20, 40]', '>40']
        """
        if name in {UNKNOWN, OTHER}:
            return 2, 0.0, name
        if self.tail and name == self.tail_label:
            return 2, 0.0, ""
        if self.bins:
            return 0, float(self.labels().index(name)), name
        whole = re.fullmatch(r"-?[0-9]{1,18}", name)
        return (0, float(name), name) if whole else (1, 0.0, name)

    def written(self) -> str | dict[str, Any]:
        """Return the group as a plan writes it."""
        column = self.expression.text
        sizes = {"top": self.top, "tail": self.tail, "values": [*self.values]}
        more = {key: value for key, value in {"bins": [*self.bins], **sizes}.items() if value}
        return {"column": column, **more} if more else column

    def problems(self, schema: Schema) -> list[Problem]:
        """Return everything that stops this group on a table with this schema."""
        found = self.expression.problems(schema, self.where)
        if found:
            return found
        dtype = self.expression.dtype(schema)
        if self.bins:
            if not dtype.is_numeric():
                found.append(
                    Problem(self.where, f"bins need a number, '{self.expression.text}' is {dtype}.")
                )
            if not all(map(math.isfinite, self.bins)):
                found.append(Problem(self.where, f"bins must be finite: {list(self.bins)}."))
            elif any(low >= high for low, high in itertools.pairwise(self.bins)):
                found.append(Problem(self.where, f"bins must increase: {list(self.bins)}."))
            return found
        if dtype.is_integer() or dtype.is_float() or is_text(dtype):
            return []
        if dtype == nw.Boolean or dtype == nw.Date:
            return []
        return [
            Problem(
                self.where,
                f"'{self.expression.text}' is {dtype}, which has no names to show.",
                "Group by text, a whole number, a date, or bins of a number.",
            )
        ]

    def lower(self, schema: Schema) -> nw.Expr:
        """Return the group's name per row as String, missing values as ``unknown``."""
        values = self.expression.lower(schema)
        if self.labelled:
            return values
        dtype = self.expression.dtype(schema)
        if self.bins:
            binned: nw.Expr = nw.when(values > self.bins[-1]).then(nw.lit(self.labels()[-1]))
            for edge, label in zip(reversed(self.bins), reversed(self.labels()[:-1]), strict=True):
                binned = nw.when(values <= edge).then(nw.lit(label)).otherwise(binned)
            text = binned
        elif dtype == nw.Boolean:
            # Spelled out: engines print booleans differently.
            text = (
                nw.when(values)
                .then(nw.lit("true"))
                .otherwise(nw.when(~values).then(nw.lit("false")))
            )
        elif dtype.is_float():
            whole = nw.when(values.abs() <= _EXACT).then(values.floor())
            text = whole.cast(nw.Int64).cast(nw.String)
        else:
            text = values.cast(nw.String)
        names = nw.when(~text.is_null()).then(text).otherwise(nw.lit(UNKNOWN))
        if not self.values:
            return names
        named = nw.when(names.is_in([*self.values, UNKNOWN])).then(names)
        return named.otherwise(nw.lit(OTHER))

    def misfit(self, schema: Schema) -> nw.Expr | None:
        """Return which rows have a value that `lower` would misname, or None when none can."""
        if self.labelled or self.bins or not self.expression.dtype(schema).is_float():
            return None
        values = self.expression.lower(schema)
        return (values != values.floor()) | (values.abs() > _EXACT)


def group_from(spec: str | Mapping[str, Any] | Group, schema: Schema) -> list[Group]:
    """Return the groups that a specification writes.

    Args:
        spec: A column (``"race"``), a column with bins (``"age: [25, 45]"``), or a mapping from
            names to columns, lists of edges, or ``{column: ..., bins: [...]}``; instead of bins
            there may be ``values: [...]``, or ``top: 20`` and ``tail: 100``.
        schema: The columns of the log; a column whose name looks like YAML is taken as a column.

    Raises:
        RoleError: The specification is none of these.

    """
    if isinstance(spec, Group):
        return [spec]
    if isinstance(spec, str):
        if spec in schema or ":" not in spec:
            return [Group(spec, Expression(spec))]
        try:
            spec = yaml.safe_load(spec)
        except yaml.YAMLError:
            spec = str(spec)
    if not isinstance(spec, Mapping):
        raise _unreadable("groups", spec)
    return [_group(str(name), value) for name, value in spec.items()]


def _group(name: str, value: object) -> Group:
    match value:
        case str(column):
            return Group(name, Expression(column))
        case list(edges) if _are_numbers(edges):
            return Group(name, Expression(name), tuple(float(edge) for edge in edges))
        case {"column": str(column), "bins": list(edges), **rest} if (
            _are_numbers(edges) and not rest
        ):
            return Group(name, Expression(column), tuple(float(edge) for edge in edges))
        case {"given": str(given), "probabilities": table, **rest} if not rest:
            return Group(name, Expression(given), proxy=proxy_from(table, given, f"group '{name}'"))
        case {"column": str(column), "values": list(values), **rest} if values and not rest:
            return Group(name, Expression(column), values=tuple(map(_spelled, values)))
        case {"column": str(column), **rest} if {*rest} <= {"top", "tail"}:
            top, tail = rest.get("top"), rest.get("tail")
            if all(map(_is_size, rest.values())):
                return Group(name, Expression(column), top=top, tail=tail or 0)  # type: ignore[arg-type]
    raise _unreadable(f"group '{name}'", value)


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 1


def _spelled(value: object) -> str:
    """Return a value as groups are named: YAML reads yes and 1 as no text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _are_numbers(values: list[Any]) -> bool:
    numbers = (isinstance(edge, int | float) and not isinstance(edge, bool) for edge in values)
    return bool(values) and all(numbers)


def _unreadable(where: str, value: object) -> RoleError:
    return RoleError(
        Problem(
            where,
            f"{value!r} is not a group.",
            "Write race, or age: [25, 45], or age: {column: age, bins: [25, 45]}, or "
            "creator: {column: creator_id, top: 20, tail: 100}.",
        )
    )
