"""The notation: what it reads, what it prints, and what it refuses."""

from __future__ import annotations

import keyword
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evenhand.errors import NotationError
from evenhand.notation import Term, parse

_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
_CUTOFFS = st.none() | st.integers(1, 10_000)
_LITERALS = st.one_of(
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    _NAMES,
)


def _values(depth):
    """What may stand as a parameter: text, numbers, lists, and terms that do not look like text."""
    if depth == 0:
        return _LITERALS
    inner = _LITERALS | _terms(depth - 1).filter(
        lambda term: term.args or term.params or term.cutoff
    )
    return inner | st.lists(inner, max_size=2).map(tuple)


def _terms(depth):
    return st.builds(
        lambda name, args, params, cutoff: Term(name, tuple(args), tuple(params.items()), cutoff),
        _NAMES,
        st.lists(_values(depth) | st.builds(Term, _NAMES), max_size=2),
        st.dictionaries(_NAMES, _values(depth), max_size=2),
        _CUTOFFS,
    )


_TERMS = _terms(2)


@given(_TERMS)
@example(Term("f", ("selection_rate",)))
@example(Term("f", params=(("at", math.inf), ("below", -math.inf))))
@example(Term("f", params=(("by", "\N{LATIN SMALL LIGATURE FI}rst"),)))
@example(Term("f", params=(("by", "None"), ("of", "a b"))))
def test_what_is_printed_reads_back_as_the_same_term(term):
    assert parse(str(term)) == term


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("selection_rate", Term("selection_rate")),
        ("nDCG@10", Term("nDCG", cutoff=10)),
        ("recall(rel=2)@5", Term("recall", params=(("rel", 2),), cutoff=5)),
        ("difference(ece, by=race)", Term("difference", (Term("ece"),), (("by", "race"),))),
        (
            "difference(nDCG@10, by=[sex, age])",
            Term("difference", (Term("nDCG", cutoff=10),), (("by", ("sex", "age")),)),
        ),
        (
            "bounds(tpr, missing=odds(2))",
            Term("bounds", (Term("tpr"),), (("missing", Term("odds", (2,))),)),
        ),
        (
            "f(x=-0.5, y='two words', z=True)",
            Term("f", (), (("x", -0.5), ("y", "two words"), ("z", True))),
        ),
        ("  f( by = ( a , b ) )  ", Term("f", (), (("by", ("a", "b")),))),
    ],
)
def test_notation_is_read_as_documented(text, term):
    assert parse(text) == term


def test_terms_are_printed_with_canonical_spacing():
    assert (
        str(parse("difference( nDCG@10,by=( sex,age ) )")) == "difference(nDCG@10, by=[sex, age])"
    )


def test_quotes_that_a_name_does_not_need_are_dropped():
    assert str(parse("difference(ece, by='race')")) == "difference(ece, by=race)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "difference(",
        "a b",
        "a@0",
        "a@-1",
        "a@1.5",
        "a@k",
        "a@True",
        "a@1@2",
        "f(**x)",
        "f(*x)",
        "f(x for x in y)",
        "f([x for x in y])",
        "lambda: 1",
        "f(lambda x: x)",
        "f(x=1, x=2)",
        "f(a)(b)",
        "f.g",
        "f[0]",
        "f(x[0])",
        "f(x=None)",
        "f(x=b'bytes')",
        "f(x=1j)",
        "f(x=...)",
        "f(x={1: 2})",
        "f(x=f'{a}')",
        "f(x=1 + 2)",
        "f(x=not a)",
        "f(x := 1)",
        "a if b else c",
        "a < b",
        "a; b",
        "1",
        "'text'",
        "[a]",
        "await a",
        "f(\x00)",
        "f('\ud800')",
        "__import__('os').system('x')",
    ],
)
def test_what_is_not_notation_is_refused(text):
    with pytest.raises(NotationError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "f(" * 150 + ")" * 150,
        "f(" * 1_000 + ")" * 1_000,
        "f(x=" + "-" * 20_000 + "1)",
        "f(x=0x" + "f" * 5_000 + ")",
    ],
    ids=["150 deep", "1000 deep", "20000 signs", "20000 bits"],
)
def test_a_monster_is_a_term_or_a_notation_error(text):
    try:
        found = parse(text)
    except NotationError:
        return
    assert parse(str(found)) == found


def test_the_error_says_what_is_not_notation_and_what_is():
    with pytest.raises(NotationError) as caught:
        parse("difference(a + b, by=race)")
    (problem,) = caught.value.problems
    assert problem.where == "'difference(a + b, by=race)'"
    assert "'a + b'" in problem.what
    assert "difference(name, by=group)" in problem.hint


def test_the_error_of_broken_text_names_the_character():
    with pytest.raises(NotationError, match="at character 5"):
        parse("f(x=)")


_PIECES = st.sampled_from(
    [
        *"()[]{}@=,.*-+<>:;'\"\\ \n\t#",
        "f",
        "by",
        "nDCG",
        "10",
        "0",
        "1.5",
        "None",
        "lambda",
        "for",
        "in",
    ]
)


@settings(max_examples=300)
@given(st.text(st.characters(), max_size=40) | st.lists(_PIECES, max_size=15).map("".join))
def test_any_text_is_a_term_that_reads_back_or_a_notation_error(text):
    try:
        found = parse(text)
    except NotationError:
        return
    assert parse(str(found)) == found
