"""What every measure promises, shown for all that the registry finds."""

from __future__ import annotations

import doctest
import importlib
import inspect
import math
import re

import numpy as np
import polars as pl
import polars.testing
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evenhand as eh
from evenhand.engine import Request, State, plan_scan, scan
from evenhand.measures.registry import measure_named, measures
from evenhand.notation import parse
from naive import REFERENCE, Row

ALL = [*measures()]
KINDS = {"classes": "decisions", "numbers": "regression"}
GROUPS = ["a", "b", None]
UNITS = ["row", "unit", "name", "[unit, name]", "pair(unit, item)"]
WHERE = "year >= 2025"  # missing for some rows


def random_rows(rng: np.random.Generator, size: int, *, missing: bool = False) -> pl.DataFrame:
    """Rows with repeated units, a missing group, weights and, if asked, missing values."""
    rows = pl.DataFrame(
        {
            "unit": rng.integers(0, max(1, size // 3), size),
            "item": rng.integers(0, max(1, size // 5), size),
            "name": [f"person-{i}" for i in rng.integers(0, max(1, size // 3), size)],
            "group": [GROUPS[i] for i in rng.integers(0, 3, size)],
            "other": rng.choice(["x", "y"], size),
            "year": [None if y == 2024 else int(y) for y in rng.integers(2023, 2027, size)],
            "label": rng.integers(0, 2, size),
            "prediction": rng.integers(0, 2, size),
            "weight": rng.integers(0, 4, size) / 2,
            # Exact in binary, none of them 0 or 1, which has no logit, and so few that each is a
            # bin of its own.
            "score": (2 * rng.integers(0, 4, size) + 1) / 8,
            "neighbours": rng.integers(0, 5, size) / 4,
            "target": rng.integers(-8, 8, size) / 4,
            "guess": rng.integers(-8, 8, size) / 4,
        },
        schema_overrides={"group": pl.String, "name": pl.String, "year": pl.Int64},
    )
    if not missing:
        return rows
    names = ["label", "prediction", "score", "neighbours", "target", "guess"]
    hidden = rng.random((len(names), size)) < 0.2
    return rows.with_columns(
        pl.when(pl.lit(~gone)).then(pl.col(name)) for name, gone in zip(names, hidden, strict=True)
    )


def open_log(rows, unit="unit", *, kind="decisions", weight=True, engine=None, where=None):
    roles = (
        {name: name for name in ("label", "prediction", "score", "neighbours")}
        if kind == "decisions"
        else {"label": "target", "prediction": "guess"}
    ) | ({"weight": "weight"} if weight else {})
    how = {"unit": unit, "engine": engine, "where": where, "groups": ["group"]}
    return eh.log(rows, kind=kind, **how, **roles)


def kind_of(name: str) -> str:
    return KINDS[measures()[name].reads]


def states_of(rows, unit="unit", **how) -> list[State]:
    """The states of all measures of each kind."""
    return [state_of(open_log(rows, unit, kind=kind, **how)) for kind in KINDS.values()]


def state_of(log) -> State:
    """The state of all measures of a log's kind by both groups and by one of them."""
    instances = [measure_named(parse(name)) for name in ALL if kind_of(name) == log.kind.name]
    requests = [Request(m, by) for m in instances for by in [(), ("group",), ("group", "other")]]
    return scan(plan_scan(requests, log), log)


def assert_equal(found: State, wanted: State) -> None:
    """Counts are equal to the last unit, sums of numbers to 1e-9."""
    for one, other in zip(parts(found), parts(wanted), strict=True):
        assert one[0] == other[0]
        pl.testing.assert_frame_equal(one[1], other[1], rel_tol=1e-9, abs_tol=1e-9)


def parts(state: State) -> list[tuple]:
    """The mergeable part of a state in a canonical order."""
    found = [(by, table) for by, table in [*state.sums.items(), *state.units.items()]]
    for by, tables in state.scores.items():
        for role, table in tables.items():
            found.append(((by, role, table.width), table.fine))
            if table.coarse is not None:
                found.append(((by, role, table.coarse_width), table.coarse))
    return [(about, table.frame.sort(table.keys)) for about, table in found]


@pytest.mark.parametrize("name", ALL)
def test_notation_parses_back_to_the_measure(name):
    measure = measure_named(parse(name))
    assert measure_named(parse(str(measure))) == measure
    assert hash(measure) == hash(measure_named(parse(name)))


@pytest.mark.parametrize("name", ALL)
def test_measure_says_what_it_is_and_where_it_comes_from(name):
    cls = measures()[name]
    assert cls.cites
    assert cls.tags
    assert cls.needs
    assert cls.better in {"higher", "lower", None}
    summary = inspect.getdoc(cls).partition("\n")[0]
    assert re.search(r"; in [\[(].*[\])]\.$", summary), "the summary ends with the range"


@pytest.mark.parametrize("name", ALL)
def test_measure_has_a_doctest_that_passes(name):
    cls = measures()[name]
    examples = doctest.DocTestFinder().find(cls, name, globs={})
    assert sum(len(test.examples) for test in examples) >= 2
    runner = doctest.DocTestRunner()
    for test in examples:
        assert runner.run(test).failed == 0


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("weight", [False, True])
def test_measure_equals_the_naive_reference_in_every_group(name, weight):
    rows = random_rows(np.random.default_rng(11), 400)
    log = open_log(rows, kind=kind_of(name), weight=weight)
    finding = eh.estimate(f"difference({name}, by=group)", log)
    plain = {
        group: [
            Row(
                row["label"],
                row["prediction"],
                row["weight"] if weight else 1.0,
                row["score"],
                row["target"],
                row["guess"],
                row["neighbours"],
            )
            for row in rows.filter(pl.col("group").fill_null("unknown") == group).iter_rows(
                named=True
            )
        ]
        for group in ("a", "b", "unknown")
    }
    assert len(finding.groups) == 3
    for found in finding.groups:
        inside = found.group["group"]
        outside = [row for group, members in plain.items() if group != inside for row in members]
        value, trials = REFERENCE[name](plain[inside], outside)
        assert math.isclose(found.outcome.value, value, rel_tol=1e-9)
        assert found.rows == trials


@pytest.mark.parametrize("name", ALL)
def test_measure_of_a_group_without_trials_is_undefined_with_a_reason(name):
    # No row of group b can be a trial: its rows have weight 0.
    size = 40
    rows = random_rows(np.random.default_rng(3), size).with_columns(
        group=pl.Series(["a", "b"] * (size // 2)),
        weight=pl.Series([1.0, 0.0] * (size // 2)),
    )
    finding = eh.estimate(
        f"difference({name}, by=group)", open_log(rows, "row", kind=kind_of(name))
    )
    (empty,) = [group for group in finding.groups if group.group["group"] == "b"]
    assert empty.to_dict()["value"] is None
    assert empty.to_dict()["undefined"]
    assert finding.to_dict()["value"] is None
    assert "b" in finding.undefined


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 120),
    pieces=st.integers(2, 5),
    unit=st.sampled_from(UNITS),
    kind=st.sampled_from([*KINDS.values()]),
)
def test_states_of_any_partition_merge_to_the_state_of_the_whole(seed, size, pieces, unit, kind):
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, size, missing=True)
    whole = state_of(open_log(rows, unit, kind=kind))
    labels = rng.integers(0, pieces, size)
    split = [rows.filter(pl.lit(labels == piece)) for piece in range(pieces)]
    states = [state_of(open_log(piece, unit, kind=kind)) for piece in split if len(piece)]
    order = rng.permutation(len(states))
    merged = states[order[0]]
    for index in order[1:]:
        merged = merged.merge(states[index])
    assert_equal(merged, whole)


@pytest.mark.parametrize("unit", UNITS)
def test_states_on_duckdb_equal_those_on_polars(unit):
    pytest.importorskip("duckdb")
    rows = random_rows(np.random.default_rng(5), 3_000, missing=True)
    wanted = states_of(rows, unit, where=WHERE)
    for found, state in zip(
        states_of(rows, unit, engine="duckdb", where=WHERE), wanted, strict=True
    ):
        assert_equal(found, state)


@pytest.mark.parametrize("unit", UNITS)
def test_states_of_the_general_path_equal_those_of_the_dense_path(unit, monkeypatch):
    rows = random_rows(np.random.default_rng(6), 3_000, missing=True)
    wanted = states_of(rows, unit, where=WHERE)
    monkeypatch.setattr(importlib.import_module("evenhand.engine.scan"), "MOST_CELLS", 0)
    for found, state in zip(states_of(rows, unit, where=WHERE), wanted, strict=True):
        assert_equal(found, state)


@pytest.mark.slow
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("unit", UNITS)
def test_states_on_spark_equal_those_on_polars(unit):
    rows = random_rows(np.random.default_rng(7), 3_000, missing=True)
    wanted = states_of(rows, unit, where=WHERE)
    found = states_of(rows, unit, engine="spark", where=WHERE)
    for one, other in zip(found, wanted, strict=True):
        assert_equal(one, other)


def test_reference_covers_the_whole_registry():
    assert sorted(REFERENCE) == sorted(ALL)
