"""Files of one log: their columns are compared before rows are read, and broken ones are named."""

from __future__ import annotations

import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import SourceError

ROWS = pl.DataFrame({"g": ["a", "a", "b", "b"], "p": [1, 0, 1, 1], "age": [20, 30, 40, 50]})


@pytest.fixture
def days(tmp_path):
    """Five days of a log."""
    for day in range(5):
        ROWS.write_parquet(tmp_path / f"day-{day}.parquet")
    return tmp_path


def _log(folder, engine=None, **how):
    source = folder / "day-*.parquet"
    return eh.log(source, kind="decisions", prediction="p", groups=["g"], engine=engine, **how)


def _rows(log):
    return eh.estimate("difference(selection_rate, by=g)", log).rows


def _problems(action):
    with pytest.raises(SourceError) as caught:
        action()
    return caught.value.problems


ODD = {
    "another type": (lambda rows: rows.with_columns(pl.col("p").cast(pl.String)), "'p' is String"),
    "a column less": (lambda rows: rows.drop("g"), "the column 'g' of other files is missing"),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("day", [0, 2])
def test_a_file_of_another_schema_is_named(days, engine, odd, day):
    change, what = ODD[odd]
    change(ROWS).write_parquet(days / f"day-{day}.parquet")
    (problem,) = _problems(lambda: _log(days, engine))
    assert problem.where == str(days / f"day-{day}.parquet")
    assert what in problem.what
    assert "--on-bad-file skip" in problem.hint


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("day", [0, 2])
def test_a_file_of_another_schema_may_be_left_out(days, engine, odd, day):
    change, what = ODD[odd]
    change(ROWS).write_parquet(days / f"day-{day}.parquet")
    log = _log(days, engine, on_bad_file="skip")
    assert _rows(log) == 16
    (left,) = log.source.skipped
    assert left.file == f"{days.name}/day-{day}.parquet"
    assert what in left.reason
    assert (left.rows, left.bytes) == (4, (days / f"day-{day}.parquet").stat().st_size)


@pytest.mark.parametrize("day", [0, 4])
def test_files_may_differ_in_what_is_not_read(days, engine, day):
    other = ROWS.with_columns(more=1).drop("age")
    other.write_parquet(days / f"day-{day}.parquet")
    assert _rows(_log(days, engine)) == 20


def test_files_may_differ_in_the_type_of_what_is_not_read(days, engine):
    ROWS.with_columns(pl.col("age").cast(pl.String)).write_parquet(days / "day-1.parquet")
    assert _rows(_log(days, engine)) == 20


def test_files_may_have_their_columns_in_another_order(days, engine):
    ROWS.select("age", "p", "g").write_parquet(days / "day-1.parquet")
    assert _rows(_log(days, engine)) == 20


def test_what_the_filter_reads_must_be_in_every_file(days):
    ROWS.drop("age").write_parquet(days / "day-3.parquet")
    (problem,) = _problems(lambda: _log(days, where="age >= 30"))
    assert "'age'" in problem.what


def test_a_file_that_is_cut_may_be_left_out(days, engine):
    whole = (days / "day-1.parquet").read_bytes()
    (days / "day-1.parquet").write_bytes(whole[: len(whole) // 2])
    (days / "day-2.parquet").write_bytes(b"")
    assert {problem.where for problem in _problems(lambda: _log(days, engine))} == {
        str(days / "day-1.parquet"),
        str(days / "day-2.parquet"),
    }
    log = _log(days, engine, on_bad_file="skip")
    assert _rows(log) == 12
    assert [one.rows for one in log.source.skipped] == [None, None]


def test_a_log_of_broken_files_alone_is_refused(days):
    for day in range(5):
        (days / f"day-{day}.parquet").write_bytes(b"PAR1")
    assert len(_problems(lambda: _log(days, on_bad_file="skip"))) == 5


def test_a_csv_file_of_another_header_may_be_left_out(tmp_path, engine):
    for day in range(3):
        ROWS.write_csv(tmp_path / f"day-{day}.csv")
    ROWS.select("p", "g", "age").write_csv(tmp_path / "day-1.csv")
    how = {"kind": "decisions", "prediction": "p", "groups": ["g"], "engine": engine}
    (problem,) = _problems(lambda: eh.log(tmp_path / "*.csv", **how))
    assert "header differs" in problem.what
    assert _rows(eh.log(tmp_path / "*.csv", on_bad_file="skip", **how)) == 8


def test_columns_of_folder_names_are_not_read(tmp_path, engine):
    (tmp_path / "day=1").mkdir()
    ROWS.write_parquet(tmp_path / "day=1" / "x.parquet")
    log = eh.log(tmp_path / "day=1" / "*.parquet", kind="decisions", prediction="p", engine=engine)
    assert "day" not in log.schema


def test_an_unknown_way_with_bad_files_is_refused(days):
    (problem,) = _problems(lambda: _log(days, on_bad_file="ignore"))
    assert problem.where == "on_bad_file"
