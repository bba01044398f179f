"""The grammar and types of the expression language: what may be written, and on which columns."""

from __future__ import annotations

import ast
import keyword
import operator
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import narwhals as nw

from evenhand.errors import Problem

DType: TypeAlias = "nw.dtypes.DType"
Schema: TypeAlias = Mapping[str, DType]
Literal: TypeAlias = bool | int | float | str | None

COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
ALLOWED = (
    "Allowed: == != < <= > >= in, and or not, + - * /, column names, numbers, 'text', "
    "True, False, None, lists, and col('a name with spaces')."
)

_BOOLEAN, _NUMBER, _TEXT = "true or false", "number", "text"


def is_text(dtype: DType) -> bool:
    """Return whether a column of this type holds text."""
    return bool(dtype == nw.String or dtype == nw.Categorical or dtype == nw.Enum)


def column_name(node: ast.expr) -> str | None:
    """Return the column that a node names, ``x`` or ``col('x')``, else None."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str(name))], keywords=[]):
            return name
    return None


def written(text: str, schema: Schema) -> str:
    """Return how a formula names a column or contains an expression: ``col('odd name')``."""
    # `class` is no name in the language, and it reads names in their NFKC form.
    plain = text.isidentifier() and not keyword.iskeyword(text)
    plain = plain and unicodedata.is_normalized("NFKC", text)
    return f"col({text!r})" if text in schema and not plain else text


def names(node: ast.expr) -> Iterator[str]:
    """Yield every column that an expression names."""
    name = column_name(node)
    if name is not None:
        yield name
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield from names(child)


def literal(node: ast.expr) -> tuple[Literal] | None:
    """Return the literal that a node is, in a tuple of one, else None."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return (value,)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return (-number,)
    return None


def literals(node: ast.expr) -> list[Literal]:
    """Return the literals of a list, leaving out what is none."""
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    return [found[0] for found in map(literal, elements) if found is not None]


def is_none(node: ast.expr) -> bool:
    """Return whether a node is the literal None."""
    return literal(node) == (None,)


def asks_for_missing(left: ast.expr, compare: ast.cmpop, right: ast.expr) -> bool:
    """Return whether a comparison is ``x == None`` or ``x != None``."""
    return isinstance(compare, ast.Eq | ast.NotEq) and is_none(left) != is_none(right)


def comparisons(node: ast.Compare) -> Iterator[tuple[ast.expr, ast.cmpop, ast.expr]]:
    """Yield the steps of a chain: ``18 <= age < 30`` is two."""
    yield from zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)


def grammar_problems(node: ast.expr, where: str) -> list[Problem]:
    """Return what in an expression is outside the language."""
    match node:
        case ast.BoolOp(values=children):
            pass
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            children = [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            children = [left, right]
        case ast.Compare():
            return _comparison_problems(node, where)
        case _ if is_none(node):
            hint = "Write x == None for rows where x is missing, x != None for the others."
            return [Problem(where, "None stands only beside == or !=, opposite a value.", hint)]
        case _ if literal(node) is not None:
            return _range_problems(node, where)
        case _ if column_name(node) is not None:
            return []
        case _:
            return [_foreign(node, where)]
    return [problem for child in children for problem in grammar_problems(child, where)]


def _comparison_problems(node: ast.Compare, where: str) -> list[Problem]:
    compared: dict[ast.expr, None] = {}
    for left, compare, right in comparisons(node):
        if isinstance(compare, ast.In | ast.NotIn):
            elements = right.elts if isinstance(right, ast.List | ast.Tuple) else []
            if not elements or None in literals(right) or len(literals(right)) < len(elements):
                what = f"'{ast.unparse(right)}' is not a list of literals."
                return [Problem(where, what, "Write: region in ['EU', 'UK'].")]
            compared |= dict.fromkeys([left, *elements])
        elif type(compare) not in COMPARE:
            return [_foreign(node, where)]
        elif asks_for_missing(left, compare, right):
            compared[right if is_none(left) else left] = None
        else:
            compared |= dict.fromkeys([left, right])
    return [problem for child in compared for problem in grammar_problems(child, where)]


def _range_problems(node: ast.expr, where: str) -> list[Problem]:
    value = literal(node)
    if value is None or not isinstance(value[0], int) or -(2**63) <= value[0] < 2**63:
        return []
    return [Problem(where, "a whole number has more than 64 bits.", "Write it as 1e20.")]


def _foreign(node: ast.expr, where: str) -> Problem:
    return Problem(where, f"'{ast.unparse(node)}' is not in the expression language.", ALLOWED)


def dtype_of(node: ast.expr, schema: Schema) -> DType:
    """Return the type of an expression that has no grammar problems."""
    name = column_name(node)
    if name is not None:
        return schema[name]
    match node:
        case ast.Constant(value=bool()):
            return nw.Boolean()
        case ast.Constant(value=str()):
            return nw.String()
        case ast.Constant(value=int()):
            return nw.Int64()
        case ast.BinOp():
            # Arithmetic is in floats: whole numbers would overflow, differently on each engine.
            return nw.Float64()
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            dtype = dtype_of(operand, schema)
            return dtype if literal(node) is not None or not dtype.is_numeric() else nw.Float64()
        case ast.Constant():
            return nw.Float64()
    return nw.Boolean()


def type_problems(node: ast.expr, schema: Schema, where: str) -> list[Problem]:
    """Return mixtures of types on which engines disagree or fail, such as text < number."""

    def kind(child: ast.expr) -> str:
        dtype = dtype_of(child, schema)
        if dtype == nw.Boolean:
            return _BOOLEAN
        if dtype.is_numeric():
            return _NUMBER
        return _TEXT if is_text(dtype) else str(dtype)

    found = [
        Problem(where, f"'{ast.unparse(child)}' is {kind(child)}; here a {needed} is needed.")
        for child, needed in _operands(node)
        if kind(child) != needed
    ]
    for left, right in _compared(node):
        kinds = {kind(left), kind(right)}
        alike = len(kinds) == 1 or kinds == {_BOOLEAN, _NUMBER} or is_none(left) or is_none(right)
        if not alike:
            what = (
                f"'{ast.unparse(left)}' is {kind(left)} and '{ast.unparse(right)}' is "
                f"{kind(right)}: they cannot be compared."
            )
            hint = "Text stands in quotes, numbers do not; dates can only be groups so far."
            found.append(Problem(where, what, hint))
    return found


def _operands(node: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    """Yield what stands under a logical or arithmetic operator, with the type it must have."""
    for child in ast.walk(node):
        match child:
            case ast.BoolOp(values=values):
                yield from ((value, _BOOLEAN) for value in values)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield operand, _BOOLEAN
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                yield operand, _NUMBER
            case ast.BinOp(left=left, right=right):
                yield left, _NUMBER
                yield right, _NUMBER


def _compared(node: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield every two sides that are compared; a list is compared element by element."""
    for child in ast.walk(node):
        if isinstance(child, ast.Compare):
            for left, _, right in comparisons(child):
                sides = right.elts if isinstance(right, ast.List | ast.Tuple) else [right]
                yield from ((left, side) for side in sides)
