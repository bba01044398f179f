"""Candidates of a log: every row finds its cell, and new slots find their rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import EvenhandError
from evenhand.mitigations.candidates import UNKNOWN
from evenhand.mitigations.listed import listed

ROWS = pl.DataFrame(
    {
        "query": ["b", "a", "a", "b", "a", "c"],
        "doc": [1, 2, 3, 4, 5, 6],
        "rank": [1, 1, 2, 2, 3, 1],
        "value": [0.2, 0.9, 0.5, 0.4, 0.5, 0.1],
        "sex": ["f", "m", "f", None, "m", "f"],
        "tags": [["x"]] * 6,
    }
)


def log_of(rows=ROWS, engine=None, **how):
    roles = {"request": "query", "item": "doc", "rank": "rank", "score": "value"}
    return eh.log(rows, kind="search", engine=engine, **{**roles, **how})


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_rows_stand_side_by_side_in_the_order_of_the_log(engine, tmp_path):
    path = tmp_path / "rows.parquet"
    ROWS.write_parquet(path)
    found = listed(log_of(str(path), engine), "sex")
    assert found.candidates.names == ("f", "m")
    assert found.requests == ("a", "b", "c")
    for request, name in enumerate("abc"):
        places = found.rows[request][found.rows[request] >= 0]
        assert found.frame["query"].gather(places).to_list() == [name] * len(places)
        assert found.candidates.scores[request, : len(places)].tolist() == (
            found.frame["value"].gather(places).to_list()
        )
    assert found.candidates.groups[1].tolist()[:2] == [0, UNKNOWN]


def test_new_slots_are_written_and_the_old_ones_kept():
    found = listed(log_of(), "sex")
    order = found.candidates.best(2)
    rows = found.written(order)
    assert rows["rank_before"].to_list() == ROWS["rank"].to_list()
    slots = {row["doc"]: row["rank"] for row in rows.iter_rows(named=True)}
    # Of ties the first in the log comes first.
    assert slots == {2: 1, 3: 2, 5: None, 4: 1, 1: 2, 6: 1}
    assert eh.estimate("exposure@2", log_of(rows)).value > 0


def test_rows_out_of_scope_are_left_out():
    found = listed(log_of(where="value > 0.3"), "sex")
    assert found.frame["doc"].to_list() == [2, 3, 4, 5]
    assert found.candidates.requests == 2


def test_score_may_be_an_expression():
    found = listed(log_of(score="-rank"), "sex")
    assert np.nanmax(found.candidates.scores) == -1


@pytest.mark.parametrize(
    ("how", "of", "said"),
    [
        ({"score": "rank"}, "tags", "several groups at once"),
        ({}, "nothing", "no item group or column"),
    ],
)
def test_what_cannot_be_reranked_is_refused(how, of, said):
    with pytest.raises(EvenhandError, match=said):
        listed(log_of(**how), of)


def test_lists_without_a_score_are_refused():
    log = eh.log(ROWS, kind="search", request="query", item="doc", rank="rank")
    with pytest.raises(EvenhandError, match="--score=-rank"):
        listed(log, "sex")


def test_candidate_without_a_score_is_refused():
    rows = ROWS.with_columns(value=pl.lit(None, pl.Float64))
    with pytest.raises(EvenhandError, match="6 of 6 candidates have none"):
        listed(log_of(rows), "sex")
