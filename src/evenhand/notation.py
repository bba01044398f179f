"""The notation of measures and contrasts: ``difference(nDCG@10, by=[sex, age])``.

One string is the Python argument, the YAML entry, the key in the evidence and the table header.
It is read with `ast` alone, never evaluated, and ``parse(str(term)) == term`` for every term.
"""

from __future__ import annotations

import ast
import keyword
import math
import unicodedata
from dataclasses import dataclass
from typing import TypeAlias

from evenhand.errors import NotationError, Problem

Value: TypeAlias = "bool | int | float | str | Term | tuple[Value, ...]"


@dataclass(frozen=True, slots=True)
class Term:
    """A named term with arguments, parameters and a cutoff: ``name(args, key=value)@cutoff``.

    A bare name is a term as an argument (``difference(selection_rate)``) and a string as a
    parameter's value (``by=race``).

    >>> term = parse("difference(selection_rate, by=[sex, age])")
    >>> term.name, term.params
    ('difference', (('by', ('sex', 'age')),))
    >>> str(term)
    'difference(selection_rate, by=[sex, age])'
    """

    name: str
    args: tuple[Value, ...] = ()
    params: tuple[tuple[str, Value], ...] = ()
    cutoff: int | None = None

    def __str__(self) -> str:
        # As an argument a bare name is a term, so text is quoted there.
        inside = [repr(arg) if isinstance(arg, str) else _print(arg) for arg in self.args]
        inside += [f"{key}={_print(value)}" for key, value in self.params]
        call = f"{self.name}({', '.join(inside)})" if inside else self.name
        return call if self.cutoff is None else f"{call}@{self.cutoff}"


def parse(text: str) -> Term:
    """Return the term that ``text`` writes.

    Raises:
        NotationError: The text is not of the form ``name(args, key=value)@cutoff``.

    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        term = _term(tree, text)
        if term is None:
            raise _unreadable(tree, text)
        str(term)
    except NotationError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = (
            f"{error.msg} at character {error.offset}"
            if isinstance(error, SyntaxError)
            else "it is malformed or too deep"
        )
        raise NotationError(
            Problem(
                where=f"'{text}'",
                what=f"this does not parse: {reason}.",
                hint="Write difference(selection_rate, by=group); quote names with spaces: "
                "by='Age group'.",
            )
        ) from error
    return term


def _term(node: ast.expr, text: str) -> Term | None:
    if isinstance(node, ast.Name):
        return Term(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        inner = _term(node.left, text)
        cutoff = _literal(node.right)
        if inner is None or inner.cutoff is not None or type(cutoff) is not int or cutoff < 1:
            return None
        return Term(inner.name, inner.args, inner.params, cutoff)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        args = tuple(_value(arg, text, bare_name_is_term=True) for arg in node.args)
        params: dict[str, Value] = {}
        for pair in node.keywords:
            if pair.arg is None or pair.arg in params:
                raise _unreadable(pair.value if pair.arg is None else node, text)
            params[pair.arg] = _value(pair.value, text, bare_name_is_term=False)
        return Term(node.func.id, args, tuple(params.items()))
    return None


def _value(node: ast.expr, text: str, *, bare_name_is_term: bool) -> Value:
    if isinstance(node, ast.Name) and not bare_name_is_term:
        return node.id
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(_value(item, text, bare_name_is_term=False) for item in node.elts)
    literal = _literal(node)
    if literal is not None:
        return literal
    term = _term(node, text)
    if term is None:
        raise _unreadable(node, text)
    return term


def _literal(node: ast.expr) -> bool | int | float | str | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _literal(node.operand)
        if isinstance(number, int | float) and not isinstance(number, bool):
            return -number
        return None
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
        return node.value
    return None


def _print(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_print(item) for item in value)}]"
    if isinstance(value, str):
        # Python reads names in their NFKC form; text in another form keeps its quotes.
        normal = unicodedata.is_normalized("NFKC", value)
        bare = normal and value.isidentifier() and not keyword.iskeyword(value)
        return value if bare else repr(value)
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return str(value)


def _unreadable(node: ast.expr, text: str) -> NotationError:
    return NotationError(
        Problem(
            where=f"'{text}'",
            what=f"'{ast.unparse(node)}' is not part of the notation.",
            hint="Allowed: name, name(key=value), name@k, contrasts such as "
            "difference(name, by=group), with numbers, strings, names and lists as values.",
        )
    )
