"""The small expression language of plans: ``score >= 0.5 and region in ['EU', 'UK']``.

``== != < <= > >= in and or not + - * /``, names, literals, and ``col('odd name')`` for a column
whose name is not an identifier. Text is read with `ast` and turned into Narwhals, never evaluated.

Logic is three-valued on every engine: a comparison with a missing value is missing, NaN is
missing, and division by zero is missing. ``x == None`` and ``x != None`` ask for missingness.
Numbers are computed as 64-bit numbers, however narrow their column: ``u - 3`` does not wrap.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
import re
from dataclasses import dataclass

import narwhals as nw

from evenhand.errors import Problem, did_you_mean
from evenhand.logs import grammar
from evenhand.logs.grammar import DType, Schema


@dataclass(frozen=True, slots=True)
class Expression:
    """A column or a formula over columns, as its author wrote it.

    >>> Expression("score >= 0.5").columns({"score": nw.Float64()})
    ['score']
    """

    text: str

    def columns(self, schema: Schema) -> list[str]:
        """Return the columns that the expression names, known or not, in order, once each."""
        if self.text in schema:
            return [self.text]
        return list(dict.fromkeys(grammar.names(self._tree())))

    def problems(self, schema: Schema, where: str) -> list[Problem]:
        """Return everything that stops this expression on a table with this schema."""
        if self.text in schema:
            return []
        try:
            tree = self._tree()
            found = grammar.grammar_problems(tree, where)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else "it is malformed or too deep"
            near = did_you_mean(self.text, list(schema))
            hint = near if near.startswith("Did") else grammar.ALLOWED
            if re.search(r"[^=<>!]=[^=]", self.text):
                hint = "Compare with ==, such as region == 'EU'."
            return [Problem(where, f"'{self.text}' does not parse: {reason}.", hint)]
        named = self.columns(schema)
        if not found and not named:
            # A constant has no rows: it would stand for one row, however many there are.
            found.append(Problem(where, f"'{self.text}' names no column.", grammar.ALLOWED))
        found += [
            Problem(where, f"there is no column '{name}'.", did_you_mean(name, list(schema)))
            for name in named
            if name not in schema
        ]
        return found or grammar.type_problems(tree, schema, where)

    def lower(self, schema: Schema) -> nw.Expr:
        """Return the expression in Narwhals; call `problems` first.

        Float columns have NaN replaced by null, because engines disagree about NaN, and so are
        floats of less than 64 bits by wider ones, because engines disagree about 0.7.
        """
        if self.text in schema:
            return _column(self.text, schema)
        return _lower(self._tree(), schema)

    def dtype(self, schema: Schema) -> DType:
        """Return the type that the expression has: the column's own, Boolean, or a number."""
        if self.text in schema:
            return schema[self.text]
        return grammar.dtype_of(self._tree(), schema)

    def _tree(self) -> ast.expr:
        return ast.parse(self.text.strip(), mode="eval").body


def _column(name: str, schema: Schema) -> nw.Expr:
    raw = nw.col(name)
    if schema[name].is_float():
        return _number(nw.when(~raw.is_nan()).then(raw), schema[name], nw.Float64())
    return _number(raw, schema[name], nw.Float64()) if schema[name].is_decimal() else raw


def _number(value: nw.Expr, dtype: DType, wide: DType) -> nw.Expr:
    return value if dtype == wide else value.cast(wide)


def _operand(node: ast.expr, schema: Schema) -> nw.Expr:
    """Return what stands under an arithmetic operator, as a float: whole numbers would overflow."""
    return _number(_lower(node, schema), grammar.dtype_of(node, schema), nw.Float64())


def _lower(node: ast.expr, schema: Schema) -> nw.Expr:
    name = grammar.column_name(node)
    if name is not None:
        return _column(name, schema)
    constant = grammar.literal(node)
    if constant is not None:
        return nw.lit(constant[0])
    match node:
        case ast.BoolOp(op=op, values=values):
            join = operator.and_ if isinstance(op, ast.And) else operator.or_
            return functools.reduce(join, [_lower(value, schema) for value in values])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_lower(operand, schema)
        case ast.UnaryOp(operand=operand):
            return -_operand(operand, schema)
        case ast.BinOp() if not any(grammar.names(node)):
            # Polars' streaming engine gives a guarded constant one row for each of its threads.
            return nw.lit(_constant(node), dtype=nw.Float64())
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            dividend, divisor = _operand(left, schema), _operand(right, schema)
            if not any(grammar.names(right)):
                # Polars multiplies by the inverse of a constant: 3 / 5 would exceed 0.6.
                divisor = nw.when(~dividend.is_null()).then(divisor)
            ratio = nw.when(divisor != 0).then(dividend / divisor)
            return nw.when(~ratio.is_nan()).then(ratio)
        case ast.BinOp(left=left, op=op, right=right):
            sides = _operand(left, schema), _operand(right, schema)
            result: nw.Expr = grammar.ARITHMETIC[type(op)](*sides)
            return nw.when(~result.is_nan()).then(result)
        case ast.Compare():
            steps = [_compare(*step, schema) for step in grammar.comparisons(node)]
            return functools.reduce(operator.and_, steps)
    raise TypeError(ast.dump(node))


def _constant(node: ast.expr) -> float | None:
    """Return the value of arithmetic without columns; None where it divides by 0."""
    literal = grammar.literal(node)
    if literal is not None:
        return float(literal[0])  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp):
        inner = _constant(node.operand)
        return None if inner is None else -inner
    if not isinstance(node, ast.BinOp):
        raise TypeError(ast.dump(node))
    left, right = _constant(node.left), _constant(node.right)
    if left is None or right is None or (right == 0 and isinstance(node.op, ast.Div)):
        return None
    value = float(grammar.ARITHMETIC[type(node.op)](left, right))
    return None if math.isnan(value) else value


def _compare(left: ast.expr, op: ast.cmpop, right: ast.expr, schema: Schema) -> nw.Expr:
    if isinstance(op, ast.In | ast.NotIn):
        inside = _is_in(left, grammar.literals(right), schema)
        return ~inside if isinstance(op, ast.NotIn) else inside
    if grammar.asks_for_missing(left, op, right):
        missing = _lower(right if grammar.is_none(left) else left, schema).is_null()
        return ~missing if isinstance(op, ast.NotEq) else missing
    # Spark compares a boolean with a boolean only.
    flags = [grammar.dtype_of(side, schema) == nw.Boolean for side in (left, right)]
    sides = [
        _lower(side, schema).cast(nw.Int64) if flag and not all(flags) else _lower(side, schema)
        for side, flag in zip((left, right), flags, strict=True)
    ]
    result: nw.Expr = grammar.COMPARE[type(op)](*sides)
    return result


def _is_in(node: ast.expr, values: list[grammar.Literal], schema: Schema) -> nw.Expr:
    dtype, left = grammar.dtype_of(node, schema), _lower(node, schema)
    if dtype.is_integer() and all(type(value) is int for value in values):
        return left.is_in(values)
    flags = dtype == nw.Boolean and all(type(value) is bool for value in values)
    if flags or grammar.is_text(dtype):
        return left.is_in(values)
    # Engines disagree about lists of another type than the column's: compare as floats.
    numbers = [float(value) for value in values if isinstance(value, bool | int | float)]
    return left.cast(nw.Float64).is_in(numbers)
