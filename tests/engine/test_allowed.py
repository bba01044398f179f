"""Values that no role of ranked lists allows are counted over the whole log, on every engine."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.engine import requests
from evenhand.errors import ValueInLogError

VALUE = "policy_value(policy=ips(new))"
ROWS = 5_000


def rows(**columns):
    """Return requests of one item each, of which some columns are given."""
    number = np.arange(ROWS)
    given = {"request": number, "slot": 1, "by": 0.5, "new": 0.25, "click": number % 2}
    return pl.DataFrame({**given, **columns})


def log_of(table, tmp_path, engine="polars", **more):
    path = tmp_path / "log.parquet"
    table.write_parquet(path)
    roles = {"request": "request", "rank": "slot", "relevance": "click", "propensity": "by"}
    return eh.log(path, kind="recommendation", engine=engine, **{**roles, **more})


def refused(table, tmp_path, engine="polars", notation=VALUE, **more):
    with pytest.raises(ValueInLogError) as error:
        eh.estimate(notation, log_of(table, tmp_path, engine, **more))
    return {one.where: one for one in error.value.problems}


def every(step, value, otherwise):
    """Return a column with a value in every so many-th row."""
    return np.where(np.arange(ROWS) % step == 0, value, otherwise)


def test_every_role_and_chance_is_named_with_its_rows_of_the_whole_log(
    engine, tmp_path, monkeypatch
):
    # Blocks of a tenth of the log: no block knows of more than its own.
    monkeypatch.setattr(requests, "BLOCK", ROWS // 10)
    found = refused(
        rows(
            by=every(10, 0.0, 0.5),
            new=every(25, 1.5, 0.25),
            click=every(50, -1.0, 0.0),
            slot=every(100, 0, 1),
        ),
        tmp_path,
        engine,
    )
    assert {where: one.what for where, one in found.items()} == {
        "role 'rank'": "50 rows hold 0.",
        "role 'relevance'": "100 rows hold -1.",
        "role 'propensity'": "500 rows hold 0.",
        "column 'new'": "200 rows hold 1.5.",
    }
    assert all(one.hint for one in found.values())


def test_several_values_are_shown_and_one_row_is_one(engine, tmp_path):
    by = np.where(np.arange(ROWS) < 7, np.arange(ROWS) + 2.0, 0.5)
    (found,) = refused(rows(by=by), tmp_path, engine).values()
    assert found.what == "7 rows hold 2, 3, 4, 5, 6, and others."
    by = np.where(np.arange(ROWS) == 7, math.inf, 0.5)
    (found,) = refused(rows(by=by), tmp_path, engine).values()
    assert found.what == "1 row holds inf."


def test_a_chance_that_is_no_number_is_missing(engine, tmp_path):
    table = rows(by=every(1000, math.nan, 0.5), new=every(500, math.nan, 0.5))
    (found,) = eh.estimates([VALUE], log_of(table, tmp_path, engine))
    assert "propensity or 'new' of a shown item is missing for 10 of 5,000" in found.undefined


def test_what_was_not_shown_may_have_no_chance_and_no_more_than_one(engine, tmp_path):
    hidden = pl.Series([None if place % 2 else 1 for place in range(ROWS)], dtype=pl.Int64)
    table = rows(slot=hidden, by=every(2, 0.5, 0.0), click=every(4, 1.0, 0.0))
    # Half of what was shown was clicked, at half a weight.
    assert eh.estimate(VALUE, log_of(table, tmp_path, engine)).value == pytest.approx(0.25)
    (found,) = refused(rows(slot=hidden, by=every(2, 0.5, 1.01)), tmp_path, engine).values()
    assert found.what == "2,500 rows hold 1.01."


def test_rows_out_of_scope_are_not_counted(engine, tmp_path):
    table = rows(by=every(10, 0.0, 0.5), kept=np.arange(ROWS) < 1_000)
    (found,) = refused(table, tmp_path, engine, where="kept == True").values()
    assert found.what == "100 rows hold 0."
    assert eh.estimate(VALUE, log_of(table, tmp_path, engine, where="by > 0")).value > 0


def test_the_ways_out_that_are_named_lead_to_a_figure(engine, tmp_path):
    percent = rows(by=50.0)
    (found,) = refused(percent, tmp_path, engine).values()
    assert "percent / 100" in found.hint
    right = eh.estimate(VALUE, log_of(rows(), tmp_path, engine)).value
    log = log_of(percent, tmp_path, engine, propensity="by / 100")
    assert eh.estimate(VALUE, log).value == pytest.approx(right)


def test_figures_that_read_no_propensity_do_not_mind(tmp_path):
    log = log_of(rows(by=7.0), tmp_path)
    assert eh.estimate("policy_value(policy=logged)", log).value == pytest.approx(0.5)


@pytest.mark.parametrize(
    "notation",
    [
        "policy_gain(policy=snips(new))",
        "mean_weight(policy=ips(new))",
        "effective_sample_share(policy=ips(new))",
        "unsupported_mass(policy=ips(new))",
        "exposure_share(of=tier, group=a, policy=ips(new))",
    ],
)
def test_every_figure_of_another_policy_checks_both_chances(notation, tmp_path):
    table = rows(by=every(2, 1.5, 0.5), new=every(5, -0.5, 0.5), tier="a")
    found = refused(table, tmp_path, notation=notation, item_groups=["tier"])
    assert found["role 'propensity'"].what == "2,500 rows hold 1.5."
    assert found["column 'new'"].what == "1,000 rows hold -0.5."


def test_rows_of_requests_that_stand_apart_are_counted_once(engine, tmp_path):
    table = rows(request=np.arange(ROWS) // 5, slot=np.arange(ROWS) % 5 + 1, by=every(10, 0.0, 0.5))
    apart = table.sample(fraction=1, shuffle=True, seed=1)
    (found,) = refused(apart, tmp_path, engine).values()
    assert found.what == "500 rows hold 0."
