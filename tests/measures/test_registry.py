"""What every measure promises, shown for all that the registry finds, by the kit for plug-ins."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenhand.conformance import violations
from evenhand.conformance.row import UNITS, kind_of, log_of, random_rows
from evenhand.conformance.state import WHERE, merged_of, state_of, unlike
from evenhand.engine import State
from evenhand.measures.ranking import Ranking
from evenhand.measures.registry import measures
from evenhand.probes.explain.gap import WHOLE
from naive import REFERENCE, Row

ALL = [name for name, cls in measures().items() if not issubclass(cls, Ranking)]
KINDS = ["attributions", "decisions", "perturbed", "regression"]
NEEDED = {
    "accuracy_within": {"eps": 0.25},
    "certified_accuracy": {"r": 0.25},
    "completeness": {"within": 0.25},
    "mCE": {"baseline": "AlexNet"},
    "recourse_within": {"cost": 0.25},
    "relative_mCE": {"baseline": "AlexNet"},
}
"""Parameters of measures that have no default for them."""


def value_of(cls):
    return cls(**NEEDED.get(cls.name, {}))


def of_kind(kind):
    return [value_of(cls) for cls in measures().values() if kind_of(cls) == kind]


def plain(rows):
    """Rows of the kit as those of the oracle."""
    return [
        Row(
            *(r.label, r.prediction, r.weight, r.score, r.label, r.prediction, r.neighbours),
            *(r.correct, r.robust, r.minimal_norm, r.certified_radius),
            *(r.corrupted_correct, r.baseline_error, r.baseline_relative_error),
            card=r.card,
        )
        for r in rows
    ]


@pytest.mark.parametrize("name", ALL)
def test_measure_keeps_what_every_measure_promises(name):
    def answer(rows):
        return REFERENCE[name](plain(rows), plain(rows.outside))

    found = violations(
        value_of(measures()[name]),
        reference=lambda rows: answer(rows)[0],
        trials=lambda rows: answer(rows)[1],
        # States are compared for all measures at once, below.
        states=(),
    )
    assert not found, "\n".join(map(str, found))


def test_reference_covers_the_whole_registry():
    assert sorted(REFERENCE) == sorted(ALL)


def test_what_parts_add_up_to_is_a_measure_that_is_the_same_of_every_variant():
    whole = {cls.adds_up_to for cls in measures().values() if cls.adds_up_to}
    assert {measures()[name].variants for name in whole} == {"same"}
    assert whole == {WHOLE}  # What explain.gap asks for beside its parts.


def test_every_measure_is_of_a_kind_whose_states_are_compared():
    assert {kind_of(measures()[name]) for name in ALL} == {*KINDS}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 120),
    pieces=st.integers(2, 5),
    unit=st.sampled_from(UNITS),
    kind=st.sampled_from(KINDS),
)
def test_states_of_any_partition_merge_to_the_state_of_the_whole(seed, size, pieces, unit, kind):
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, size, missing=True)
    piece_of = rng.permutation(pieces)[rng.integers(0, pieces, size)]
    every = of_kind(kind)
    merged = merged_of(every, rows, piece_of, kind, unit)
    assert not unlike(merged, state_of(every, log_of(rows, kind, unit)))


def dealt(unit, turn=0):
    """Return the one kind of log whose units these are where every unit and every kind is used."""
    return [KINDS[(UNITS.index(unit) + turn) % len(KINDS)]]


def assert_states_equal(unit, seed, *, engine=None, dense=True, kinds=KINDS):
    """Every kind's measures have the state that the fast path has, in 3,000 rows."""
    rows = random_rows(np.random.default_rng(seed), 3_000, missing=True)
    for kind in kinds:
        wanted = state_of(of_kind(kind), log_of(rows, kind, unit, where=WHERE))
        log = log_of(rows, kind, unit, where=WHERE, engine=engine)
        assert not unlike(state_of(of_kind(kind), log, dense=dense), wanted)


@pytest.mark.parametrize("unit", UNITS)
def test_states_on_duckdb_equal_those_on_polars(unit):
    pytest.importorskip("duckdb")
    assert_states_equal(unit, 5, engine="duckdb")


def assert_parts_are_the_whole(folder, unit, seed, engine):
    """Files of random rows, each counted by itself on an engine, merge to the state of Polars.

    States merge alike wherever they come from, and whole logs have the same states on all engines
    in the other tests: beside Polars each unit is that of one kind here.
    """
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, 2_000, missing=True)
    labels = rng.integers(0, 2 if engine == "spark" else 4, len(rows))
    for part in np.unique(labels):
        rows.filter(pl.lit(labels == part)).write_parquet(folder / f"part-{part}.parquet")
    for kind in KINDS if engine == "polars" else dealt(unit):
        wanted = state_of(of_kind(kind), log_of(rows, kind, unit, where=WHERE))
        source = folder / "*.parquet"
        log = log_of(source, kind, unit, where=WHERE, engine=engine)
        pieces = [
            state_of(of_kind(kind), replace(log, source=log.source.only([file])))
            for file in log.source.files
        ]
        assert not unlike(functools.reduce(State.merge, pieces), wanted)


@pytest.mark.parametrize("unit", UNITS)
def test_parts_on_every_engine_merge_to_the_whole(tmp_path, unit, engine):
    assert_parts_are_the_whole(tmp_path, unit, 8, engine)


@pytest.mark.parametrize("unit", UNITS)
def test_states_of_the_general_path_equal_those_of_the_dense_path(unit):
    assert_states_equal(unit, 6, dense=False)


@pytest.mark.slow
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("unit", UNITS)
def test_states_on_spark_equal_those_on_polars(unit):
    # Spark takes seconds a state: all kinds with the richest unit, one kind with each other.
    kinds = KINDS if unit == "[unit, name]" else dealt(unit, 1)
    assert_states_equal(unit, 7, engine="spark", kinds=kinds)
