"""The small expression language of plans: ``score >= 0.5 and region in ['EU', 'UK']``.

``== != < <= > >= in and or not + - * /``, names, literals, and ``col('odd name')`` for a column
whose name is not an identifier. Text is read with `ast` and turned into Narwhals, never evaluated.

Logic is three-valued on every engine: a comparison with a missing value is missing, NaN is
missing, and division by zero is missing. ``x == None`` and ``x != None`` ask for missingness.
"""

from __future__ import annotations

import ast
import functools
import operator
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
            return [Problem(where, f"'{self.text}' does not parse: {reason}.", hint)]
        found += [
            Problem(where, f"there is no column '{name}'.", did_you_mean(name, list(schema)))
            for name in self.columns(schema)
            if name not in schema
        ]
        return found or grammar.type_problems(tree, schema, where)

    def lower(self, schema: Schema) -> nw.Expr:
        """Return the expression in Narwhals; call `problems` first.

        Float columns have NaN replaced by null, because engines disagree about NaN.
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
        return nw.when(~raw.is_nan()).then(raw)
    return raw


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
            return -_lower(operand, schema)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            divisor = _lower(right, schema)
            return nw.when(divisor != 0).then(_lower(left, schema) / divisor)
        case ast.BinOp(left=left, op=op, right=right):
            sides = _lower(left, schema), _lower(right, schema)
            result: nw.Expr = grammar.ARITHMETIC[type(op)](*sides)
            return result
        case ast.Compare():
            steps = [_compare(*step, schema) for step in grammar.comparisons(node)]
            return functools.reduce(operator.and_, steps)
    raise TypeError(ast.dump(node))


def _compare(left: ast.expr, op: ast.cmpop, right: ast.expr, schema: Schema) -> nw.Expr:
    if isinstance(op, ast.In | ast.NotIn):
        inside = _lower(left, schema).is_in(grammar.literals(right))
        return ~inside if isinstance(op, ast.NotIn) else inside
    if grammar.is_none(left) or grammar.is_none(right):
        missing = _lower(right if grammar.is_none(left) else left, schema).is_null()
        return ~missing if isinstance(op, ast.NotEq) else missing
    result: nw.Expr = grammar.COMPARE[type(op)](_lower(left, schema), _lower(right, schema))
    return result
