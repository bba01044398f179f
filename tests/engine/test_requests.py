"""Whole requests are read together, whatever their order, their size and their ids."""

from __future__ import annotations

import math
import sys

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import evenhand as eh
from evenhand.conformance.state import unlike
from evenhand.engine import Request, plan_scan, scan
from evenhand.engine import requests as reading
from evenhand.engine.requests import REQUEST, RUN, ScatteredError, read_requests
from evenhand.errors import SourceError, ValueInLogError
from evenhand.logs.source import open_source
from made_lists import every_measure, log_of_lists, random_lists
from naive_lists import frame_of, random_requests

SOME = every_measure()[::8]
"""A few measures of every view; all are in tests/measures/rankings/test_registry.py."""


@pytest.fixture(scope="module")
def rows():
    return random_lists(np.random.default_rng(1), 120)


def state_of(log):
    asked = [Request(measure, by) for measure in SOME for by in ((), ("age",))]
    return scan(plan_scan(asked, log), log)


def assert_alike(one, other):
    assert one.requests == other.requests
    assert one.rows == other.rows
    assert {*one.views} == {*other.views}
    for name, view in one.views.items():
        assert not unlike(view, other.views[name]), name
        if view.items is not None:
            assert_frame_equal(view.items.frame, other.views[name].items.frame)


@pytest.fixture(scope="module")
def whole(rows):
    return state_of(log_of_lists(rows))


@pytest.fixture
def small(monkeypatch):
    """Blocks, parts and views of so few rows that a small log has many."""
    monkeypatch.setattr(reading, "BLOCK", 13)
    monkeypatch.setattr(reading, "PART_ROWS", 100)


def blocks_of(rows, *, scattered=False, key="q", engine="polars", watch=lambda _: None):
    frame = open_source(rows, engine).frame
    if key is not None:
        frame = frame.with_columns(nw.col(key).alias(REQUEST))
    return [*read_requests(frame, engine, watch, scattered=scattered)]


def assert_whole(blocks, rows, key="q"):
    """Every request is in one block with all of its rows together, numbered from 0."""
    seen = []
    for block in blocks:
        runs = block[RUN].to_numpy()
        assert (np.diff(runs) >= 0).all()
        assert runs[0] == 0
        assert runs[-1] + 1 == block[REQUEST].n_unique() == block[RUN].n_unique()
        seen += block[REQUEST].unique().to_list()
    assert len(seen) == len({*seen}) == rows[key].n_unique()
    together = pl.concat([block.select(rows.columns) for block in blocks])
    assert together.sort(rows.columns).equals(rows.sort(rows.columns))


def made(sizes, ids=None):
    names = range(len(sizes)) if ids is None else ids
    return pl.DataFrame(
        {
            "q": [name for name, size in zip(names, sizes, strict=True) for _ in range(size)],
            "slot": [slot for size in sizes for slot in range(1, size + 1)],
        }
    )


SIZES = [3, 1, 1, 5, 40, 2, 12, 13, 14, 1, 26, 3]
"""Some end where a block of 13 rows does, some are larger than one or two."""


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize(
    "ids", [None, [*"abcdefghijkl"], [2**62 - i for i in range(12)]], ids=["few", "text", "large"]
)
def test_blocks_are_of_whole_requests(ids, engine, scattered):
    pytest.importorskip(engine)
    rows = made(SIZES, ids)
    blocks = blocks_of(rows, scattered=scattered, engine=engine)
    assert len(blocks) > 3
    assert_whole(blocks, rows)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_scattered_rows_come_together(engine):
    pytest.importorskip(engine)
    rows = made(SIZES).sample(fraction=1.0, shuffle=True, seed=1)
    assert_whole(blocks_of(rows, scattered=True, engine=engine), rows)


def test_rows_of_a_request_keep_their_order():
    rows = made([4, 3]).sample(fraction=1.0, shuffle=True, seed=2)
    (block,) = blocks_of(rows, scattered=True)
    for (q,), part in block.group_by("q"):
        assert part["slot"].to_list() == rows.filter(pl.col("q") == q)["slot"].to_list()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("again", [1, 60, 121])
def test_a_request_that_turns_up_again_is_found_however_late(again):
    # Blocks are read before it is found: the whole is read anew, and nothing is counted twice.
    rows = made(SIZES)
    late = pl.concat([rows[:again], pl.DataFrame({"q": [0], "slot": [99]}), rows[again:]])
    if again == 1:
        assert_whole(blocks_of(late), late)
        return
    with pytest.raises(ScatteredError):
        blocks_of(late)
    assert_whole(blocks_of(late, scattered=True), late)


def test_without_requests_every_row_is_one(monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 4)
    blocks = blocks_of(made([10]), key=None)
    assert [block[RUN].to_list() for block in blocks] == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1]]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_missing_request_is_an_error_and_not_lost(engine, scattered):
    pytest.importorskip(engine)
    rows = made(SIZES).with_columns(q=pl.when(pl.col("q") != 5).then(pl.col("q")))
    with pytest.raises(ValueInLogError, match="the request is missing for 2 rows"):
        blocks_of(rows, engine=engine, scattered=scattered)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("scattered", [False, True])
def test_whoever_watches_is_told_all_rows_in_the_end(scattered):
    told = []
    blocks_of(made(SIZES), scattered=scattered, watch=told.append)
    assert told == sorted(told)
    assert told[-1] == sum(SIZES)
    assert len(told) > 1


def test_an_empty_table_has_no_blocks():
    for scattered in (False, True):
        assert blocks_of(made([]).cast(pl.Int64), scattered=scattered) == []


# The same state, however the log is read.


SMALL = {"BLOCK": 19, "PART_ROWS": 150, "VIEW_ROWS": 120}


def read_small(monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", SMALL["BLOCK"])
    monkeypatch.setattr(reading, "PART_ROWS", SMALL["PART_ROWS"])
    monkeypatch.setattr(sys.modules["evenhand.engine.scan"], "VIEW_ROWS", SMALL["VIEW_ROWS"])


def test_many_blocks_and_views_give_the_same_state(rows, whole, monkeypatch):
    read_small(monkeypatch)
    assert_alike(state_of(log_of_lists(rows)), whole)


def test_many_parts_of_a_scattered_log_give_the_same_state(rows, whole, monkeypatch):
    read_small(monkeypatch)
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=3)
    assert_alike(state_of(log_of_lists(shuffled)), whole)


def test_many_parts_on_duckdb_give_the_same_state(rows, whole, monkeypatch):
    pytest.importorskip("duckdb")
    read_small(monkeypatch)
    assert_alike(state_of(log_of_lists(rows, engine="duckdb")), whole)


def test_a_request_that_is_larger_than_a_block_is_one_request(monkeypatch):
    rng = np.random.default_rng(4)
    rows = random_lists(rng, 6, most=25)
    wanted = state_of(log_of_lists(rows))
    read_small(monkeypatch)
    assert max(rows.group_by("request").len()["len"]) > SMALL["BLOCK"]
    assert_alike(state_of(log_of_lists(rows)), wanted)


@pytest.mark.parametrize("scattered", [False, True])
def test_whole_numbers_and_texts_name_requests_alike(rows, scattered):
    numbers = rows.with_columns(request=pl.col("request").str.slice(1).cast(pl.Int64))
    if scattered:
        rows = rows.sample(fraction=1.0, shuffle=True, seed=5)
    names = ["nDCG@5", "exposure", "item_gini", "EE_D", "difference(RBP, by=age)"]
    found, other = (
        [(one.value, one.low, one.high) for one in eh.estimates(names, log_of_lists(table))]
        for table in (rows, numbers)
    )
    assert found == [pytest.approx(one) for one in other]


def search(rows, **more):
    named = {"request": "q", "rank": "slot", "relevance": "worth", "item_groups": ["topic"]}
    return eh.log(rows, kind="search", **{**named, **more})


def test_an_empty_log_is_an_error():
    rows = frame_of(random_requests(np.random.default_rng(6), 3)).head(0)
    with pytest.raises(SourceError, match="there are no rows"):
        eh.estimate("nDCG", search(rows))


def test_one_request_has_a_figure_and_tells_nothing_about_the_next():
    rows = pl.DataFrame({"q": [1, 1], "slot": [1, 2], "worth": [0, 1], "topic": ["a", "b"]})
    found = eh.estimate("nDCG", search(rows))
    assert found.value == pytest.approx(1 / math.log2(3))
    assert (found.low, found.high) == (0, 1)
    assert "a single unit" in found.estimate.method


def test_without_a_request_each_row_is_its_own():
    rows = pl.DataFrame({"user": [1, 1, 2], "slot": [1, 3, 2], "worth": [1, 1, 1]})
    log = eh.log(rows, kind="search", user="user", rank="slot", relevance="worth")
    found = eh.estimates(["RR", "Success@1", "exposure"], log)
    # Slots may repeat: they are of other lists.
    assert [one.value for one in found] == pytest.approx(
        [(1 + 1 / 3 + 1 / 2) / 3, 1 / 3, (1 + 0.5 + 1 / math.log2(3)) / 3]
    )


def test_without_an_item_each_row_is_its_own():
    # As in the XING data: people of a query, without ids.
    rows = pl.DataFrame(
        {"q": [1, 1, 1, 2, 2, 2], "slot": [1, 2, None, 1, 2, 3], "worth": [1, 0, 1, 0, 1, 1]}
    )
    log = eh.log(rows, kind="search", request="q", rank="slot", relevance="worth")
    found = eh.estimates(["nDCG", "item_gini"], log)
    discount = [1, 1 / math.log2(3), 1 / 2]
    assert found[0].value == pytest.approx(
        (1 / sum(discount[:2]) + sum(discount[1:]) / sum(discount[:2])) / 2
    )


def test_six_applicants_of_singh_and_joachims():
    rows = pl.DataFrame(
        {
            "q": np.repeat(np.arange(5), 6),
            "slot": [*range(1, 7)] * 5,
            "worth": [0.82, 0.81, 0.80, 0.79, 0.78, 0.77] * 5,
            "topic": [*"mmmfff"] * 5,
        }
    )
    for table in (rows, rows.sample(fraction=1.0, shuffle=True, seed=7)):
        found = eh.estimate("ratio(exposure, of=topic)", search(table))
        values = {one.group["topic"]: one.outcome.value for one in found.groups}
        assert values["m"] == pytest.approx(0.7103, abs=5e-5)
        assert values["f"] == pytest.approx(0.3912, abs=5e-5)


def test_the_file_is_read_as_the_table(rows, whole, tmp_path, monkeypatch):
    read_small(monkeypatch)
    rows.write_parquet(tmp_path / "log.parquet", row_group_size=50)
    assert_alike(state_of(log_of_lists(str(tmp_path / "log.parquet"))), whole)
