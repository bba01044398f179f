"""What every measure of ranked lists promises, shown for all that the registry finds."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from evenhand.audits import estimates
from evenhand.audits.estimate import asked_of
from evenhand.audits.question import ask
from evenhand.conformance import declared
from evenhand.conformance.state import unlike
from evenhand.engine import Request, State, plan_scan, scan
from evenhand.measures.ranking import Ranking
from evenhand.measures.registry import measure_named, measures
from evenhand.notation import parse
from made_lists import catalogue, every_measure, log_of_lists, random_lists

EVERY = every_measure()
UNITS = [None, "request", ["user", "item"], ["user", "provider"]]
CLASSES = [cls for cls in measures().values() if issubclass(cls, Ranking)]


def state_of(log):
    requests = [Request(measure, by) for measure in EVERY for by in ((), ("age",))]
    requests += [
        Request(measure, (of,))
        for measure in EVERY
        if measure.view == "rows"
        for of in ("item tier", "item genres")
    ]
    return scan(plan_scan(requests, log), log)


def assert_alike(one: State, other: State):
    assert one.requests == other.requests
    assert one.rows == other.rows
    assert (
        {*one.views}
        == {*other.views}
        == {
            "requests",
            "queries",
            "rows",
            "rows by item genres",
            "items",
        }
    )
    for name, view in one.views.items():
        assert not unlike(view, other.views[name]), name
        if view.items is not None:
            assert_frame_equal(view.items.frame, other.views[name].items.frame)
            assert view.size == other.views[name].size == len(catalogue())


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
def test_measure_says_what_it_is(cls):
    found = [*declared.fact_problems(cls), *declared.example_problems(cls)]
    found += declared.name_problems(cls)
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("measure", EVERY, ids=str)
def test_measure_is_the_value_that_its_notation_writes(measure):
    assert measure_named(parse(str(measure))) == measure
    assert not [*declared.notation_problems(measure)]


@pytest.mark.parametrize("measure", EVERY, ids=str)
def test_figures_are_in_range_and_inside_their_intervals(measure):
    log = log_of_lists(random_lists(np.random.default_rng(1), 240))
    low, high = declared.range_of(type(measure)) or (-math.inf, math.inf)
    alone = measure.view == "items"
    for notation in [str(measure), *([] if alone else [f"difference({measure}, by=age)"])]:
        (found,) = estimates([notation], log)
        assert found.undefined is None, found.undefined
        assert found.low <= found.value <= found.high
        if found.contrast is None:
            assert low - 1e-12 <= found.value <= high + 1e-12


@pytest.mark.parametrize("measure", EVERY, ids=str)
def test_a_log_without_rows_in_scope_has_no_figure_and_says_why(measure):
    log = log_of_lists(random_lists(np.random.default_rng(2), 30), where="user == 'nobody'")
    (asked,) = asked_of(ask([str(measure)], log), log, level=0.95, seed=1, scope="nobody")
    (outcome,) = asked.grouped().outcomes(0.95)
    assert outcome.reason.strip()


@pytest.mark.parametrize("judged", ["all", "partly"])
def test_a_figure_is_the_same_alone_and_in_company_of_all_others(judged):
    rows = random_lists(np.random.default_rng(9), 120)
    # Some requests have nothing of worth, and some have relevance that is not known.
    worthless = pl.col("query") % 5 != 0
    graded = rows.with_columns(pl.when(worthless).then("grade").otherwise(0).alias("grade"))
    unjudged = rows.with_columns(pl.when(pl.col("item") != 7).then("grade").alias("grade"))
    log = log_of_lists(unjudged if judged == "partly" else graded)
    notations = [str(measure) for measure in EVERY]
    notations += [f"difference({one}, by=age)" for one in EVERY if one.view != "items"]
    together = estimates(notations, log)
    for notation, found in zip(notations, together, strict=True):
        (alone,) = estimates([notation], log)
        assert alone.excluded == found.excluded
        assert alone.conventions == found.conventions
        assert (alone.rows, alone.units) == (found.rows, found.units)
        assert alone.undefined == found.undefined
        for end in () if found.undefined else ("value", "low", "high"):
            assert getattr(alone, end) == pytest.approx(getattr(found, end), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_states_of_parts_of_requests_merge_to_that_of_the_whole(unit):
    rng = np.random.default_rng(3)
    rows = random_lists(rng, 90)
    part = rng.integers(0, 4, 90)[rows["query"].to_numpy()]
    pieces = [state_of(log_of_lists(rows.filter(pl.lit(part == n)), unit=unit)) for n in range(4)]
    merged = pieces[0]
    for piece in pieces[1:]:
        merged = merged.merge(piece)
    assert_alike(merged, state_of(log_of_lists(rows, unit=unit)))


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_the_order_of_rows_changes_nothing(unit):
    rows = random_lists(np.random.default_rng(4), 90)
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=5)
    assert_alike(
        state_of(log_of_lists(shuffled, unit=unit)), state_of(log_of_lists(rows, unit=unit))
    )


def test_states_on_duckdb_equal_those_on_polars():
    pytest.importorskip("duckdb")
    rows = random_lists(np.random.default_rng(6), 90)
    wanted = state_of(log_of_lists(rows, where="grade >= 0"))
    assert_alike(state_of(log_of_lists(rows, engine="duckdb", where="grade >= 0")), wanted)


@pytest.mark.slow
@pytest.mark.usefixtures("spark")
def test_states_on_spark_equal_those_on_polars():
    rows = random_lists(np.random.default_rng(7), 60)
    assert_alike(state_of(log_of_lists(rows, engine="spark")), state_of(log_of_lists(rows)))


def test_a_state_comes_back_from_its_file():
    state = state_of(log_of_lists(random_lists(np.random.default_rng(8), 40)))
    file = io.BytesIO()
    state.write(file)
    file.seek(0)
    read = State.read(file)
    assert_alike(read, state)
    assert read.identity == state.identity


def test_every_class_is_among_the_values_that_are_checked():
    assert {type(one) for one in EVERY} == {*CLASSES}
    assert all(dataclasses.is_dataclass(one) for one in EVERY)
