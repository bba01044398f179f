"""A condition in words: the expression of a role as a sentence says it."""

from __future__ import annotations

import ast

_WORDS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("is", "is not"),
    ast.NotEq: ("is not", "is"),
    ast.GtE: ("is at least", "is below"),
}
"""How a comparison is said where it holds, and where it does not."""


def condition(text: str, *, holds: bool = True) -> str:
    """Return what an expression of yes and no says of a row; one that is not simple as it is.

    >>> condition("repaid"), condition("col('Kredit bewilligt?') == 'Ja'", holds=False)
    ('repaid is 1', "Kredit bewilligt? is not 'Ja'")
    >>> condition("score >= 0.5"), condition("score > 0.5", holds=False)
    ('score is at least 0.5', 'not (score > 0.5)')
    """
    return _said(text, holds=holds) or (text if holds else f"not ({text})")


def _said(text: str, *, holds: bool) -> str:
    """Return a simple expression in words; empty for any other."""
    try:
        body = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    name = _column(body)
    if name:
        return f"{name} is {int(holds)}"
    match body:
        case ast.Compare(left=left, ops=[op], comparators=[ast.Constant(value=value)]):
            name, words = _column(left), _WORDS.get(type(op))
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if name and words and (number or not isinstance(op, ast.GtE)):
                return f"{name} {words[not holds]} {value!r}"
    return ""


def _column(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str(name))], keywords=[]):
            return name
    return ""
