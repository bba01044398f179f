"""Groups: names of values and bins, the same on every engine, and what is refused."""

from __future__ import annotations

import datetime as dt

import narwhals as nw
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import RoleError, ValueInLogError
from evenhand.logs import UNKNOWN, Expression, Group
from evenhand.logs.group import group_from

ENGINES = ["polars", "duckdb"]


def _named(group, values, engine, dtype=None):
    """The group's name of each value."""
    table = pl.DataFrame({"x": pl.Series(values, dtype=dtype, strict=False)})
    native = table.lazy()
    if engine == "duckdb":
        native = pytest.importorskip("duckdb").connect().from_arrow(table.to_arrow())
    frame = nw.from_native(native)
    schema = dict(frame.collect_schema())
    assert group.problems(schema) == []
    named = frame.select(group.lower(schema).alias("name")).collect(backend="polars")
    return named.to_native()["name"].to_list()


def _column(values, engine, dtype=None):
    return _named(Group("x", Expression("x")), values, engine, dtype)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_bin_includes_its_upper_edge(engine):
    group = Group("x", Expression("x"), (25, 45))
    values = [-1, 24, 25, 26, 45, 46]
    assert _named(group, values, engine) == ["<=25", "<=25", "<=25", "(25, 45]", "(25, 45]", ">45"]


@pytest.mark.parametrize("engine", ENGINES)
def test_bins_of_floats_cut_at_the_edge_and_name_missing_unknown(engine):
    group = Group("x", Expression("x"), (0.5,))
    values = [0.5, 0.5000001, float("inf"), float("-inf"), float("nan"), None]
    assert _named(group, values, engine) == ["<=0.5", ">0.5", ">0.5", "<=0.5", UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("engine", ENGINES)
def test_bins_may_cut_a_formula(engine):
    group = Group("x", Expression("x * 2"), (10,))
    assert _named(group, [5, 6, None], engine) == ["<=10", ">10", UNKNOWN]


@pytest.mark.parametrize(
    ("edges", "labels"),
    [
        ((25, 45), ["<=25", "(25, 45]", ">45"]),
        ((25.0,), ["<=25", ">25"]),
        ((0.1, 0.25), ["<=0.1", "(0.1, 0.25]", ">0.25"]),
        ((-1, 0), ["<=-1", "(-1, 0]", ">0"]),
        ((1234567, 1234569), ["<=1234567", "(1234567, 1234569]", ">1234569"]),
        ((1000000.0,), ["<=1000000", ">1000000"]),
    ],
)
def test_labels_show_the_edges_as_written(edges, labels):
    assert Group("x", Expression("x"), edges).labels() == labels


@pytest.mark.parametrize("engine", ENGINES)
def test_text_is_its_own_name(engine):
    assert _column(["a", "", "A b", None], engine) == ["a", "", "A b", UNKNOWN]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [pl.Int64, pl.Int8, pl.UInt32])
def test_whole_numbers_are_named_in_digits(engine, dtype):
    assert _column([0, 7, 100, None], engine, dtype) == ["0", "7", "100", UNKNOWN]


@pytest.mark.parametrize("engine", ENGINES)
def test_negative_numbers_keep_their_sign(engine):
    assert _column([-3, 3], engine) == ["-3", "3"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32])
def test_whole_floats_are_named_as_whole_numbers(engine, dtype):
    values = [1.0, -2.0, 0.0, float("nan"), None]
    assert _column(values, engine, dtype) == ["1", "-2", "0", UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("engine", ENGINES)
def test_booleans_are_spelled_alike_on_every_engine(engine):
    assert _column([True, False, None], engine) == ["true", "false", UNKNOWN]


@pytest.mark.parametrize("engine", ENGINES)
def test_dates_are_named_in_iso_form(engine):
    values = [dt.date(2025, 1, 31), dt.date(1999, 12, 1), None]
    assert _column(values, engine) == ["2025-01-31", "1999-12-01", UNKNOWN]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["b", "a"])])
def test_categories_are_named_by_their_text(engine, dtype):
    assert _column(["a", "b", None], engine, dtype) == ["a", "b", UNKNOWN]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_formula_can_be_a_group(engine):
    group = Group("old", Expression("x >= 65"))
    assert _named(group, [64, 65, None], engine) == ["false", "true", UNKNOWN]


# --- Specifications. ---

_SCHEMA = {"race": nw.String(), "age": nw.Int64(), "when: utc": nw.String()}
_AGE = Group("age", Expression("age"), (25.0, 45.0))


@pytest.mark.parametrize(
    ("spec", "group"),
    [
        ("race", Group("race", Expression("race"))),
        ("age: [25, 45]", _AGE),
        ({"age": [25, 45]}, _AGE),
        ({"age": {"column": "age", "bins": [25, 45]}}, _AGE),
        ("age: {column: age, bins: [25, 45]}", _AGE),
        ({"band": {"column": "age", "bins": [25]}}, Group("band", Expression("age"), (25.0,))),
        ({"ethnicity": "race"}, Group("ethnicity", Expression("race"))),
        ({"ethnicity": {"column": "race"}}, Group("ethnicity", Expression("race"))),
        ("ethnicity: race", Group("ethnicity", Expression("race"))),
        ("when: utc", Group("when: utc", Expression("when: utc"))),
        (_AGE, _AGE),
    ],
    ids=str,
)
def test_each_form_of_a_specification_is_read(spec, group):
    assert group_from(spec, _SCHEMA) == [group]


def test_a_mapping_gives_its_groups_in_order():
    groups = group_from({"race": "race", "age": {"column": "age", "bins": [25, 45]}}, _SCHEMA)
    assert groups == [Group("race", Expression("race")), _AGE]


@pytest.mark.parametrize(
    "spec",
    [
        "age: 25",
        "age: []",
        "age: [young, old]",
        "age: [true, 3]",
        "age: [25, [45]]",
        "age: {bins: [25]}",
        "age: {column: age, bins: 25}",
        "age: {column: age, edges: [25]}",
        "age: {column: 3}",
        "age: [25",
        "a: b: c",
        ": [",
        "age:",
        "[1]: x",
        {"age": None},
        {"age": 25},
        7,
        None,
    ],
    ids=str,
)
def test_a_specification_that_cannot_be_read_says_how_to_write_one(spec):
    with pytest.raises(RoleError, match=r"Write race, or age: \[25, 45\]"):
        group_from(spec, _SCHEMA)


@pytest.mark.parametrize(
    ("bins", "what"),
    [
        ((45, 25), "bins must increase: [45, 25]."),
        ((25, 25), "bins must increase: [25, 25]."),
        ((float("nan"), 1), "bins must be finite: [nan, 1]."),
        ((1, float("inf")), "bins must be finite: [1, inf]."),
    ],
)
def test_bins_must_be_finite_and_increase(bins, what):
    (problem,) = Group("age", Expression("age"), bins).problems(_SCHEMA)
    assert (problem.where, problem.what) == ("group 'age'", what)


def test_bins_need_a_number():
    (problem,) = Group("race", Expression("race"), (1,)).problems(_SCHEMA)
    assert problem.what == "bins need a number, 'race' is String."


@pytest.mark.parametrize("dtype", [nw.Datetime(), nw.List(nw.String()), nw.Binary()], ids=str)
def test_a_column_whose_values_have_no_names_is_refused(dtype):
    (problem,) = Group("x", Expression("x")).problems({"x": dtype})
    assert "no names to show" in problem.what
    assert "bins" in problem.hint


def test_a_group_of_an_unknown_column_suggests_one():
    (problem,) = Group("rage", Expression("rage")).problems(_SCHEMA)
    assert problem.where == "group 'rage'"
    assert "'race'" in problem.hint


# --- In a log. ---


def _log(values, engine="polars", **more):
    rows = pl.DataFrame({"x": values, "p": [0, 1] * (len(values) // 2)})
    return eh.log(rows, kind="decisions", prediction="p", engine=engine, **more)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("odd", [1.5, float("inf"), 1e300])
def test_a_number_that_is_not_whole_needs_bins(engine, odd):
    pytest.importorskip("duckdb")
    log = _log([1.0, 2.0, odd, None], engine)
    with pytest.raises(ValueInLogError, match="group 'x': 1 row holds") as caught:
        eh.estimate("difference(selection_rate, by=x)", log)
    assert 'needs bins: --group "x: [25, 45]"' in str(caught.value)


@pytest.mark.parametrize("engine", ENGINES)
def test_bins_take_numbers_that_are_not_whole(engine):
    pytest.importorskip("duckdb")
    log = _log([1.5, 1.5, 2.5, 2.5], engine, groups=["x: [2]"])
    found = eh.estimate("difference(selection_rate, by=x)", log)
    assert {group.group["x"]: group.rows for group in found.groups} == {"<=2": 2, ">2": 2}


def test_rows_without_a_value_are_shown_apart_and_not_compared():
    rows = pl.DataFrame({"x": ["a", "a", "b", "b", None, None], "p": [1, 0, 1, 0, 1, 1]})
    log = eh.log(rows, kind="decisions", prediction="p")
    found = eh.estimate("difference(selection_rate, by=x)", log)
    assert found.value == 0.0
    assert {group.group["x"]: group.compared for group in found.groups} == {
        "a": True,
        "b": True,
        UNKNOWN: False,
    }
