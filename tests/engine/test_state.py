"""States: merging, marginals, and the file."""

from __future__ import annotations

import itertools

import polars as pl
import pytest

import evenhand as eh
from evenhand.engine import Request, State, plan_scan, scan
from evenhand.errors import StateMergeError
from evenhand.measures.registry import measure_named
from evenhand.notation import parse

ROWS = pl.DataFrame(
    {
        "who": [1, 1, 2, 3],
        "what": [5, 6, 5, 2],
        "g": ["a", "b", "a", None],
        "h": ["x", "x", "y", "y"],
        "p": [1, 0, 1, 1],
    }
)


def state(rows=ROWS, by=("g", "h"), measure="selection_rate", unit="who") -> State:
    log = eh.log(rows, kind="decisions", prediction="p", label="p", unit=unit)
    return scan(plan_scan([Request(measure_named(parse(measure)), by)], log), log)


def test_marginal_of_a_state_is_the_state_of_fewer_groups():
    marginal = state().sums_by(["g"]).frame
    assert marginal.equals(state(by=("g",)).sums_by(["g"]).frame)


def test_marginal_of_marks_is_their_maximum():
    assert state().units_by(["g"]).frame.equals(state(by=("g",)).units_by(["g"]).frame)


@pytest.mark.parametrize("unit", ["who", "row", "[who, what]", "pair(who, what)"])
def test_state_survives_the_file(tmp_path, unit):
    path = tmp_path / "day.states"
    written = state(unit=unit)
    written.write(path)
    read = State.read(path)
    assert read.distinct is None
    for part in ("sums", "units"):
        before, after = getattr(written, part), getattr(read, part)
        assert [*before] == [*after]
        assert all(before[by].frame.equals(after[by].frame) for by in before)


def test_read_states_merge():
    twice = state().merge(state())
    frame = twice.sums_by([]).frame
    assert frame["selected [prediction]"].sum() == 6
    assert twice.units_by([]).frame.equals(state().units_by([]).frame), "the same units again"


def test_states_of_different_groups_do_not_merge():
    with pytest.raises(StateMergeError, match="different plans"):
        state().merge(state(by=("g",)))


def test_states_of_different_measures_do_not_merge():
    with pytest.raises(StateMergeError, match="different plans"):
        state().merge(state(measure="base_rate"))


def test_states_of_different_units_do_not_merge():
    states = [state(unit=unit) for unit in ("who", "row", "[who, what]", "pair(who, what)")]
    for one, other in itertools.combinations(states, 2):
        with pytest.raises(StateMergeError, match="different plans"):
            one.merge(other)


def test_other_parquet_is_not_a_state(tmp_path):
    path = tmp_path / "rows.parquet"
    ROWS.write_parquet(path)
    with pytest.raises(StateMergeError, match="no state"):
        State.read(path)


@pytest.mark.parametrize("unit", ["who", "[who, what]", "pair(who, what)"])
def test_state_holds_no_unit_id(unit):
    found = state(unit=unit)
    tables = [*found.sums.values(), *found.units.values()]
    columns = {name for table in tables for name in table.frame.columns}
    assert columns.isdisjoint({"who", "what", "unit", "unit_2"})
