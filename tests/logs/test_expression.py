"""The expression language, against three-valued logic written in plain Python."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from evenhand.errors import Problem
from evenhand.logs import Expression

_INF, _NAN = float("inf"), float("nan")

ROWS: dict[str, list[Any]] = {
    "i": [1, -2, None, 3, 0, 2, 1, None],
    "u": [200, 0, 3, None, 1, 255, 2, None],
    "f": [0.5, _NAN, None, -1.5, _INF, 0.0, 2.0, None],
    "g": [0.7, 0.1, _NAN, None, 0.0, 2.5, -3.0, None],
    "b": [True, False, None, True, False, None, False, None],
    "c": [None, False, True, True, False, False, None, None],
    "s": ["a", "b", None, "", "c", "a", "a b", None],
    "t": ["b", "b", "a", None, "c", "", "a b", None],
    "Risk Level (0-10)": [7, 6, None, 8, 7, 0, 10, None],
}
TABLE = pl.DataFrame(
    ROWS,
    schema={
        "i": pl.Int64,
        "u": pl.UInt8,
        "f": pl.Float64,
        "g": pl.Float32,
        "b": pl.Boolean,
        "c": pl.Boolean,
        "s": pl.String,
        "t": pl.String,
        "Risk Level (0-10)": pl.Int16,
    },
)
SCHEMA = dict(nw.from_native(TABLE).schema)


def _frames():
    duckdb = pytest.importorskip("duckdb")
    return {
        "polars": nw.from_native(TABLE.lazy()),
        "duckdb": nw.from_native(duckdb.connect().from_arrow(TABLE.to_arrow())),
    }


@pytest.fixture(scope="module")
def frames():
    return _frames()


def _answers(text, frame):
    """What an engine says for every row; NaN is not hidden."""
    schema = dict(frame.collect_schema())
    expression = Expression(text)
    assert expression.problems(schema, "where") == []
    answer = frame.select(expression.lower(schema).alias("answer")).collect(backend="polars")
    return answer.to_native()["answer"].to_list()


# --- The reference: a formula as text and as a Python function of a row. ---


@dataclass(frozen=True)
class Formula:
    text: str
    of: Any

    def __str__(self):
        return self.text


def _row(index):
    row = {name: TABLE[name][index] for name in ROWS}
    return {name: None if value != value else value for name, value in row.items()}  # noqa: PLR0124


_ROWS = [_row(index) for index in range(len(TABLE))]


def _known(function):
    """Lift a function: missing where an argument is, and where the result is not a number."""

    def lifted(*values):
        if any(value is None for value in values):
            return None
        result = function(*values)
        return None if isinstance(result, float) and math.isnan(result) else result

    return lifted


def _divide(left, right):
    return None if right == 0 else left / right


def _and(left, right):
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left, right):
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


_not = _known(operator.not_)

_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divide}
_COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _column(name):
    return Formula(name, lambda row: row[name])


def _literal(value):
    return Formula(repr(value), lambda _: value)


def _two(left, sign, right, function):
    return Formula(f"({left} {sign} {right})", lambda row: function(left.of(row), right.of(row)))


_SMALL = st.integers(-4, 4)
_NUMBERS = st.one_of(
    st.sampled_from(["i", "u", "f", "g"]).map(_column),
    _SMALL.map(_literal),
    st.sampled_from([0.0, 0.5, -1.5, 0.7, 0.1]).map(_literal),
)


def _sums(inner):
    binary = st.builds(
        lambda left, sign, right: _two(left, sign, right, _known(_ARITHMETIC[sign])),
        inner,
        st.sampled_from([*_ARITHMETIC]),
        inner,
    )
    return binary | inner.map(
        lambda one: Formula(f"(-{one})", lambda row: _known(operator.neg)(one.of(row)))
    )


_NUMERIC = st.recursive(_NUMBERS, _sums, max_leaves=4)
_TEXTS = st.sampled_from(["s", "t"]).map(_column) | st.sampled_from(["a", "b", ""]).map(_literal)
_FLAGS = st.sampled_from(["b", "c"]).map(_column) | st.booleans().map(_literal)


def _compared(sides, signs=tuple(_COMPARE)):
    return st.builds(
        lambda left, sign, right: _two(left, sign, right, _known(_COMPARE[sign])),
        sides,
        st.sampled_from([*signs]),
        sides,
    )


def _chain(first, one, second, two, third):
    return Formula(
        f"({first} {one} {second} {two} {third})",
        lambda row: _and(
            _known(_COMPARE[one])(first.of(row), second.of(row)),
            _known(_COMPARE[two])(second.of(row), third.of(row)),
        ),
    )


def _within(left, values, *, negated):
    inside = _known(lambda value: value in values)
    return Formula(
        f"({left} {'not in' if negated else 'in'} {values!r})",
        lambda row: _not(inside(left.of(row))) if negated else inside(left.of(row)),
    )


def _missing(one, *, negated):
    return Formula(
        f"({one} {'!=' if negated else '=='} None)", lambda row: (one.of(row) is None) != negated
    )


_SIGNS = st.sampled_from([*_COMPARE])
_CONDITIONS = st.one_of(
    _FLAGS,
    _compared(_NUMERIC),
    _compared(_TEXTS),
    _compared(_FLAGS, ("==", "!=")),
    st.builds(_chain, _NUMERIC, _SIGNS, _NUMERIC, _SIGNS, _NUMERIC),
    st.builds(
        _within,
        _NUMERIC,
        st.lists(st.sampled_from([0, 1, 2, -2, 0.5, 200, True]), min_size=1, max_size=3),
        negated=st.booleans(),
    ),
    st.builds(
        _within,
        _TEXTS,
        st.lists(st.sampled_from(["a", "b", "", "x"]), min_size=1, max_size=3),
        negated=st.booleans(),
    ),
    st.builds(_missing, _NUMERIC | _TEXTS | _FLAGS, negated=st.booleans()),
)


def _logic(inner):
    joined = st.builds(
        lambda word, parts: Formula(
            f"({f' {word} '.join(map(str, parts))})",
            lambda row: reduce(_and if word == "and" else _or, [part.of(row) for part in parts]),
        ),
        st.sampled_from(["and", "or"]),
        st.lists(inner, min_size=2, max_size=3),
    )
    return joined | inner.map(lambda one: Formula(f"(not {one})", lambda row: _not(one.of(row))))


_FORMULAS = st.recursive(_CONDITIONS, _logic, max_leaves=4)
_FRAMES: dict[str, Any] = {}


@settings(max_examples=150, deadline=None)
@given(_FORMULAS)
def test_conditions_follow_three_valued_logic_on_every_engine(formula):
    assume(Expression(formula.text).columns(SCHEMA))
    if not _FRAMES:
        _FRAMES.update(_frames())
    expected = [formula.of(row) for row in _ROWS]
    for engine, frame in _FRAMES.items():
        assert _answers(formula.text, frame) == expected, engine


@settings(max_examples=80, deadline=None)
@given(_NUMERIC)
def test_arithmetic_is_exact_and_missing_where_undefined_on_every_engine(formula):
    assume(Expression(formula.text).columns(SCHEMA))
    if not _FRAMES:
        _FRAMES.update(_frames())
    expected = [formula.of(row) for row in _ROWS]
    for engine, frame in _FRAMES.items():
        assert _answers(formula.text, frame) == expected, engine


_T, _F, _N = True, False, None
CASES = [
    ("i == 1", [_T, _F, _N, _F, _F, _F, _T, _N]),
    ("i != 1", [_F, _T, _N, _T, _T, _T, _F, _N]),
    ("i < 1", [_F, _T, _N, _F, _T, _F, _F, _N]),
    ("i <= 1", [_T, _T, _N, _F, _T, _F, _T, _N]),
    ("i > 1", [_F, _F, _N, _T, _F, _T, _F, _N]),
    ("i >= 1", [_T, _F, _N, _T, _F, _T, _T, _N]),
    ("f >= 0.5", [_T, _N, _N, _F, _T, _F, _T, _N]),
    ("f != f", [_F, _N, _N, _F, _F, _F, _F, _N]),
    ("g == 0.7", [_F, _F, _N, _N, _F, _F, _F, _N]),
    ("i == f", [_F, _N, _N, _F, _F, _F, _F, _N]),
    ("i in [1, 3]", [_T, _F, _N, _T, _F, _F, _T, _N]),
    ("i not in [1, 3]", [_F, _T, _N, _F, _T, _T, _F, _N]),
    ("i in [0.5, 1]", [_T, _F, _N, _F, _F, _F, _T, _N]),
    ("f in [2, 0]", [_F, _N, _N, _F, _F, _T, _T, _N]),
    ("b in [1]", [_T, _F, _N, _T, _F, _N, _F, _N]),
    ("i in [True]", [_T, _F, _N, _F, _F, _F, _T, _N]),
    ("s in ['a', '']", [_T, _F, _N, _T, _F, _T, _F, _N]),
    ("s not in ['a', '']", [_F, _T, _N, _F, _T, _F, _T, _N]),
    ("s < t", [_T, _F, _N, _N, _F, _F, _F, _N]),
    ("0 < i <= 2", [_T, _F, _N, _F, _F, _T, _T, _N]),
    ("0 < i < 3 != u", [_T, _F, _F, _F, _F, _T, _T, _N]),
    ("i == None", [_F, _F, _T, _F, _F, _F, _F, _T]),
    ("None != i", [_T, _T, _F, _T, _T, _T, _T, _F]),
    ("f == None", [_F, _T, _T, _F, _F, _F, _F, _T]),
    ("s != None", [_T, _T, _F, _T, _T, _T, _T, _F]),
    ("b and c", [_N, _F, _N, _T, _F, _F, _F, _N]),
    ("b or c", [_T, _F, _T, _T, _F, _N, _N, _N]),
    ("not b", [_F, _T, _N, _F, _T, _N, _T, _N]),
    ("b == c", [_N, _T, _N, _T, _T, _N, _N, _N]),
    ("b == 1", [_T, _F, _N, _T, _F, _N, _F, _N]),
    ("i > b", [_F, _F, _N, _T, _F, _N, _T, _N]),
    ("1 / i > 0", [_T, _F, _N, _T, _N, _T, _T, _N]),
    ("i / 0 == 1", [_N] * 8),
    ("i / 2 == 0.5", [_T, _F, _N, _F, _F, _F, _T, _N]),
    ("i / 5 <= 0.6", [_T, _T, _N, _T, _T, _T, _T, _N]),
    ("u - 3 < 0", [_F, _T, _F, _N, _T, _F, _T, _N]),
    ("-u < 0", [_T, _F, _T, _N, _T, _T, _T, _N]),
    ("u + u > 255", [_T, _F, _F, _N, _F, _T, _F, _N]),
    ("f - f == 0", [_T, _N, _N, _T, _N, _T, _T, _N]),
    ("Risk Level (0-10)", [7, 6, _N, 8, 7, 0, 10, _N]),
    ("col('Risk Level (0-10)') >= 7", [_T, _F, _N, _T, _T, _F, _T, _N]),
]


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_each_operator_on_missing_and_odd_values(text, expected, engine, frames):
    assert _answers(text, frames[engine]) == expected


@pytest.mark.slow
def test_each_operator_on_spark(spark):
    # Spark has no unsigned columns.
    numbered = TABLE.with_row_index("row").cast({"row": pl.Int64, "u": pl.Int16})
    frame = nw.from_native(spark.createDataFrame(numbered.to_arrow()))
    schema = dict(frame.collect_schema())
    answers = (
        frame.select(
            "row",
            *(
                Expression(text).lower(schema).alias(f"answer {index}")
                for index, (text, _) in enumerate(CASES)
            ),
        )
        .collect(backend="polars")
        .to_native()
        .sort("row")
    )
    found = {text: answers[f"answer {i}"].to_list() for i, (text, _) in enumerate(CASES)}
    assert found == dict(CASES)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_decimal_is_compared_as_a_number(engine):
    duckdb = pytest.importorskip("duckdb")
    table = pl.DataFrame({"d": pl.Series(["0.70", "0.69", None]).cast(pl.Decimal(10, 2))})
    native = table.lazy() if engine == "polars" else duckdb.connect().from_arrow(table.to_arrow())
    frame = nw.from_native(native)
    assert _answers("d >= 0.7", frame) == [True, False, None]
    assert _answers("d in [0.7]", frame) == [True, False, None]


def test_a_column_with_an_operator_in_its_name_is_that_column_and_not_a_formula():
    table = pl.DataFrame({"a-b": [5], "a": [1], "b": [2]})
    frame = nw.from_native(table.lazy())
    assert _answers("a-b", frame) == [5]
    assert _answers("a - b", frame) == [-1]


def test_columns_are_named_in_order_and_once():
    text = "u > 1 and (i < 2 or u == col('Risk Level (0-10)'))"
    assert Expression(text).columns(SCHEMA) == ["u", "i", "Risk Level (0-10)"]


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("i", nw.Int64),
        ("i + u", nw.Float64),
        ("i / u", nw.Float64),
        ("i + 0.5", nw.Float64),
        ("-f", nw.Float64),
        ("s", nw.String),
        ("i > 1", nw.Boolean),
        ("not b", nw.Boolean),
        ("i in [1]", nw.Boolean),
    ],
)
def test_the_type_is_known_before_any_row_is_read(text, dtype):
    assert Expression(text).dtype(SCHEMA) == dtype


# --- What is refused. ---


def _whats(text):
    found = Expression(text).problems(SCHEMA, "where")
    assert all(problem.where == "where" for problem in found)
    return [problem.what for problem in found]


def test_an_unknown_column_is_named_with_its_neighbours():
    table = {"age": nw.Int64(), "race": nw.String()}
    (problem,) = Expression("Agee > 30").problems(table, "role 'label'")
    assert problem == Problem("role 'label'", "there is no column 'Agee'.", "Did you mean 'age'?")


def test_a_column_with_an_odd_name_is_suggested_where_its_text_does_not_parse():
    (problem,) = Expression("Risk level (0-10").problems(SCHEMA, "where")
    assert "does not parse" in problem.what
    assert problem.hint == "Did you mean 'Risk Level (0-10)'?"


def test_all_unknown_columns_are_reported_at_once():
    assert _whats("x > 1 and y == 'a' or not z") == [
        f"there is no column '{name}'." for name in "xyz"
    ]


def test_foreign_syntax_and_unknown_columns_are_reported_at_once():
    whats = _whats("x > 1 and f(i) and i.real == 1")
    assert len(whats) >= 3
    assert any("'x'" in what for what in whats)
    assert any("'f(i)'" in what for what in whats)
    assert any("'i.real'" in what for what in whats)


@pytest.mark.parametrize(
    "text",
    [
        "s < 1",
        "i == 'a'",
        "b == 'a'",
        "s in [1, 2]",
        "i in [1, 'a']",
        "s + t",
        "s + 1",
        "b + 1",
        "-s",
        "-b",
        "not i",
        "not s",
        "i and b",
        "b or s",
        "i > 1 and i",
        "1 < i < 'a'",
    ],
)
def test_mixtures_of_types_are_refused(text):
    assert _whats(text)


def test_all_mixtures_of_types_are_reported_at_once():
    whats = _whats("s < 1 and i == 'a' and -t == 't'")
    assert len(whats) == 3
    assert "'s' is text" in " ".join(whats)
    assert "'i' is number" in " ".join(whats)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')",
        "__import__('os').system('x') == 0",
        "i.real",
        "i.__class__ == 1",
        "open('x')",
        "col(i)",
        "col('i', 'u')",
        "col('i').x",
        "s[0] == 'a'",
        "i ** 2 > 1",
        "i % 2 == 0",
        "i // 2 == 0",
        "i & u",
        "~b",
        "+i > 0",
        "i is None",
        "i is not None",
        "i in s",
        "i in []",
        "i in [None]",
        "i in [u]",
        "i in 1",
        "i == [1]",
        "(i, u)",
        "[i]",
        "{i}",
        "lambda: i",
        "(i := 1)",
        "i if b else u",
        "[x for x in i]",
        "f'{i}' == 'a'",
        "b'a' == s",
        "i == 1j",
        "i == ...",
        "i < None",
        "i + None == 1",
        "i == None == None",
        "not None",
        "None",
        "i == 99999999999999999999",
        "i in [99999999999999999999]",
        "i = 1",
        "i == 1; u == 2",
        "import os",
        "i >",
        "",
        "\x00",
        "s == '\ud800",
    ],
)
def test_what_is_outside_the_language_is_a_problem(text):
    assert _whats(text)


@pytest.mark.parametrize("text", ["1", "True", "1 == 1", "'a' in ['a']", "not True", "1 / 2"])
def test_a_constant_is_refused_because_it_has_no_rows(text):
    assert _whats(text) == [f"'{text}' names no column."]


@pytest.mark.parametrize(
    "text",
    ["(" * 500 + "i" + ")" * 500, "not " * 5_000 + "b", "-" * 5_000 + "i", "i == 0x" + "f" * 5_000],
    ids=["brackets", "not", "minus", "digits"],
)
def test_an_expression_too_deep_or_too_long_is_a_problem(text):
    assert _whats(text)


_PIECES = st.sampled_from(
    [
        *"()[]{}+-*/<>=!,.;:'\"\\ \n#",
        *("i", "u", "f", "b", "s", "x", "1", "0.5", "'a'", "None", "True", "==", "<=", "**"),
        *(" and ", " or ", " not ", " in ", " is ", " if ", " for ", "lambda ", "col(", "in ["),
    ]
)


@settings(max_examples=400)
@given(st.text(st.characters(), max_size=30) | st.lists(_PIECES, max_size=12).map("".join))
@example("b not in ([])")
def test_any_text_gives_problems_or_an_expression_that_lowers(text):
    expression = Expression(text)
    problems = expression.problems(SCHEMA, "where")
    assert all(isinstance(problem, Problem) for problem in problems)
    if not problems:
        expression.dtype(SCHEMA)
        answers = nw.from_native(TABLE.lazy()).select(expression.lower(SCHEMA).alias("answer"))
        assert len(answers.collect()) == len(TABLE)
