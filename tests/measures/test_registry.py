"""What every measure promises, shown for all that the registry finds."""

from __future__ import annotations

import doctest
import importlib
import inspect
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evenhand as eh
from evenhand.engine import Request, State, plan_scan, scan
from evenhand.measures.registry import measure_named, measures
from evenhand.notation import parse
from naive import REFERENCE, Row

ALL = [*measures()]
KEPT = "label"
GROUPS = ["a", "b", None]
WHERE = "year >= 2025"  # missing for some rows


def random_rows(rng: np.random.Generator, size: int, *, missing: bool = False) -> pl.DataFrame:
    """Rows with repeated units, a missing group, weights and, if asked, missing values."""
    rows = pl.DataFrame(
        {
            "unit": rng.integers(0, max(1, size // 3), size),
            "name": [f"person-{i}" for i in rng.integers(0, max(1, size // 3), size)],
            "group": [GROUPS[i] for i in rng.integers(0, 3, size)],
            "other": rng.choice(["x", "y"], size),
            "year": [None if y == 2024 else int(y) for y in rng.integers(2023, 2027, size)],
            "label": rng.integers(0, 2, size),
            "prediction": rng.integers(0, 2, size),
            "weight": rng.integers(0, 4, size) / 2,
        },
        schema_overrides={"group": pl.String, "name": pl.String, "year": pl.Int64},
    )
    if not missing:
        return rows
    hidden = rng.random((2, size)) < 0.2
    return rows.with_columns(
        pl.when(pl.lit(~hidden[0])).then(pl.col("label")),
        pl.when(pl.lit(~hidden[1])).then(pl.col("prediction")),
    )


def open_log(rows, unit="unit", *, weight=True, engine=None, where=None):
    roles = {"label": "label", "prediction": "prediction"} | (
        {"weight": "weight"} if weight else {}
    )
    how = {"unit": unit, "engine": engine, "where": where, "groups": ["group"]}
    return eh.log(rows, kind="decisions", **how, **roles)


def state_of(log) -> State:
    """The state of all measures by both groups and by one of them."""
    instances = [measure_named(parse(name)) for name in ALL]
    requests = [Request(m, by) for m in instances for by in [(), ("group",), ("group", "other")]]
    return scan(plan_scan(requests, log), log)


def tables(state: State) -> list[dict]:
    """The mergeable part of a state in a canonical order, as plain Python."""
    parts = [*state.sums.items(), *state.units.items()]
    return [
        {"by": by, "rows": table.frame.sort(table.keys).rows(named=True)} for by, table in parts
    ]


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
    assert "; in [" in summary, "the summary ends with the range"


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
    finding = eh.estimate(f"difference({name}, by=group)", open_log(rows, weight=weight))
    assert len(finding.groups) == 3
    for found in finding.groups:
        wanted = found.group["group"]
        members = rows.filter(pl.col("group").fill_null("unknown") == wanted)
        plain = [
            Row(row["label"], row["prediction"], row["weight"] if weight else 1.0)
            for row in members.iter_rows(named=True)
        ]
        value, trials = REFERENCE[name](plain)
        assert math.isclose(found.outcome.value, value, rel_tol=1e-12)
        assert found.rows == trials


@pytest.mark.parametrize("name", ALL)
def test_measure_of_a_group_without_trials_is_undefined_with_a_reason(name):
    # No row of group b can be a trial: its rows have weight 0.
    rows = pl.DataFrame(
        {
            "group": ["a", "a", "b"],
            "label": [0, 1, 1],
            "prediction": [1, 0, 1],
            "weight": [1.0, 1.0, 0.0],
        }
    )
    log = eh.log(rows, kind="decisions", label="label", prediction="prediction", weight="weight")
    finding = eh.estimate(f"difference({name}, by=group)", log)
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
    parts=st.integers(2, 5),
    unit=st.sampled_from(["row", "unit", "name"]),
)
def test_states_of_any_partition_merge_to_the_state_of_the_whole(seed, size, parts, unit):
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, size, missing=True)
    whole = state_of(open_log(rows, unit))
    labels = rng.integers(0, parts, size)
    pieces = [rows.filter(pl.lit(labels == part)) for part in range(parts)]
    states = [state_of(open_log(piece, unit)) for piece in pieces if len(piece)]
    order = rng.permutation(len(states))
    merged = states[order[0]]
    for index in order[1:]:
        merged = merged.merge(states[index])
    # Weights are multiples of 1/2, so even their sums are exact.
    assert tables(merged) == tables(whole)


@pytest.mark.parametrize("unit", ["row", "unit", "name"])
def test_states_on_duckdb_equal_those_on_polars(unit):
    pytest.importorskip("duckdb")
    rows = random_rows(np.random.default_rng(5), 3_000, missing=True)
    reference = state_of(open_log(rows, unit, where=WHERE))
    assert tables(state_of(open_log(rows, unit, engine="duckdb", where=WHERE))) == tables(reference)


@pytest.mark.parametrize("unit", ["row", "unit", "name"])
def test_states_of_the_general_path_equal_those_of_the_dense_path(unit, monkeypatch):
    rows = random_rows(np.random.default_rng(6), 3_000, missing=True)
    reference = state_of(open_log(rows, unit, where=WHERE))
    monkeypatch.setattr(importlib.import_module("evenhand.engine.scan"), "MOST_CELLS", 0)
    assert tables(state_of(open_log(rows, unit, where=WHERE))) == tables(reference)


@pytest.mark.slow
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("unit", ["row", "unit", "name"])
def test_states_on_spark_equal_those_on_polars(unit):
    rows = random_rows(np.random.default_rng(7), 3_000, missing=True)
    reference = state_of(open_log(rows, unit, where=WHERE))
    assert tables(state_of(open_log(rows, unit, engine="spark", where=WHERE))) == tables(reference)


def test_reference_covers_the_whole_registry():
    assert sorted(REFERENCE) == sorted(ALL)
