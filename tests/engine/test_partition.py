"""Long logs: read part by part, gone on with, and broken files named."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.conformance.state import unlike
from evenhand.engine import Request, partition, plan_scan, refusal, scan
from evenhand.engine.partition import count, forget
from evenhand.errors import OutputError, SourceError, StateSizeError
from evenhand.measures.registry import measure_named
from evenhand.notation import parse

DAYS = 6


def _rows(day, size=400):
    rng = np.random.default_rng(day)
    return pl.DataFrame(
        {
            "who": rng.integers(0, 90, size),
            "g": rng.choice(["a", "b", "c"], size, p=[0.6, 0.3, 0.1]),
            "p": rng.integers(0, 2, size),
            "s": rng.random(size).round(3),
        }
    )


@pytest.fixture
def days(tmp_path, monkeypatch):
    """A log of six files, each of which is a part of its own."""
    monkeypatch.setattr(partition, "PART_BYTES", dict.fromkeys(("polars", "duckdb", "spark"), 1))
    (tmp_path / "log").mkdir()
    for day in range(DAYS):
        _rows(day).write_parquet(tmp_path / "log" / f"day-{day}.parquet")
    return tmp_path


def _log(days, engine=None, **how):
    how = {"unit": "who", **how}
    source = days / "log" / "*.parquet"
    return eh.log(
        source, kind="decisions", prediction="p", label="p", score="s", engine=engine, **how
    )


def _plan(log, *measures, by=("g",)):
    named = [measure_named(parse(name)) for name in measures or ("selection_rate", "auc")]
    return plan_scan([Request(one, by) for one in named], log)


def _wreck(path):
    """Spoil the data of a Parquet file, and leave its footer."""
    data = bytearray(path.read_bytes())
    for place in range(4, len(data) // 2):
        data[place] = (data[place] * 7 + 13) % 256
    path.write_bytes(data)


def test_parts_give_the_state_of_the_whole(days, engine):
    log = _log(days, engine)
    whole = scan(_plan(log), log)
    parted = count(_plan(log), log, folder=days / "parts")
    assert not unlike(parted.state, whole)
    assert parted.state.rows == whole.rows
    assert parted.state.identity == whole.identity
    for by, counts in whole.distinct.items():
        (one,), (other,) = counts, parted.state.distinct[by]
        keys = [name for name in one.counts.columns if name.startswith(("group", "all"))]
        assert one.counts.sort(keys).equals(other.counts.sort(keys)), "units are counted exactly"


def test_what_is_finished_is_not_read_again(days, engine):
    log, folder = _log(days, engine), days / "parts"
    first = count(_plan(log), log, folder=folder)
    assert len([*folder.glob("*.state")]) == DAYS
    again = count(_plan(log), log, folder=folder)
    assert (first.resumed, again.resumed) == (0, DAYS)
    assert not unlike(again.state, first.state)
    forget(folder)
    assert not folder.exists()


def test_work_that_was_stopped_goes_on(days, monkeypatch):
    log, folder = _log(days), days / "parts"
    counted = []

    def stop(*args, **how):
        if len(counted) == 2:
            raise KeyboardInterrupt
        counted.append(1)
        return scan(*args, **how)

    monkeypatch.setattr(partition, "scan", stop)
    with pytest.raises(KeyboardInterrupt):
        count(_plan(log), log, folder=folder)
    monkeypatch.setattr(partition, "scan", scan)
    found = count(_plan(log), log, folder=folder)
    assert found.resumed == 2
    assert not unlike(found.state, scan(_plan(log), log))


def test_a_part_whose_file_changed_is_read_again(days):
    log, folder = _log(days), days / "parts"
    count(_plan(log), log, folder=folder)
    _rows(99, 450).write_parquet(days / "log" / "day-3.parquet")
    found = count(_plan(_log(days)), _log(days), folder=folder)
    assert found.resumed == DAYS - 1
    assert found.state.rows == 400 * (DAYS - 1) + 450


def test_parts_of_another_plan_are_not_taken(days):
    log, folder = _log(days), days / "parts"
    count(_plan(log), log, folder=folder)
    assert count(_plan(log, "selection_rate"), log, folder=folder).resumed == 0


def test_a_part_that_is_cut_is_read_again(days):
    log, folder = _log(days), days / "parts"
    whole = count(_plan(log), log, folder=folder)
    one = next(folder.glob("*.state"))
    one.write_bytes(one.read_bytes()[:100])
    found = count(_plan(log), log, folder=folder)
    assert found.resumed == DAYS - 1
    assert not unlike(found.state, whole.state)


def test_without_a_folder_nothing_is_kept(days):
    log = _log(days)
    count(_plan(log), log)
    assert [path.name for path in days.iterdir()] == ["log"]


def test_a_log_that_is_small_is_one_part(days, monkeypatch):
    monkeypatch.setitem(partition.PART_BYTES, "polars", 2**20)
    log = _log(days)
    count(_plan(log), log, folder=days / "parts")
    assert not (days / "parts").exists()


def test_a_folder_that_cannot_be_made_is_an_error(days):
    (days / "parts").write_text("a file")
    log = _log(days)
    with pytest.raises(OutputError, match="cannot be kept"):
        count(_plan(log), log, folder=days / "parts")


@pytest.mark.parametrize("parts", [True, False])
def test_a_file_that_is_broken_inside_is_named(days, engine, parts):
    _wreck(days / "log" / "day-2.parquet")
    _wreck(days / "log" / "day-4.parquet")
    log = _log(days, engine)
    with pytest.raises(SourceError) as caught:
        count(_plan(log), log, folder=days / "parts" if parts else None)
    named = {problem.where for problem in caught.value.problems}
    expected = {str(days / "log" / f"day-{day}.parquet") for day in (2, 4)}
    assert named <= expected if parts else named == expected
    assert named


@pytest.mark.parametrize("parts", [True, False])
def test_a_file_that_is_broken_inside_may_be_left_out(days, engine, parts):
    _wreck(days / "log" / "day-2.parquet")
    log = _log(days, engine, on_bad_file="skip")
    found = count(_plan(log), log, folder=days / "parts" if parts else None)
    assert found.state.rows == 400 * (DAYS - 1)
    (left,) = found.log.source.skipped
    assert left.file == "log/day-2.parquet"
    assert left.rows == 400, "its footer tells"
    wanted = pl.concat([_rows(day) for day in range(DAYS) if day != 2])
    whole = eh.log(wanted, kind="decisions", prediction="p", label="p", score="s", unit="who")
    assert not unlike(found.state, scan(_plan(whole), whole))


def test_frequent_values_are_those_of_the_whole_log(days, engine):
    # On the first day x is most frequent, in all days a is.
    odd = _rows(0, 90).with_columns(g=pl.lit("x"))
    odd.write_parquet(days / "log" / "day-0.parquet")
    log = _log(days, engine, groups=[{"g": {"column": "g", "top": 2}}])
    parted = count(_plan(log), log, folder=days / "parts")
    assert parted.state.kept == {"g": ("a", "b")}
    assert not unlike(parted.state, scan(_plan(log), log))


def test_a_log_whose_rare_values_are_one_group_is_one_part(days):
    log = _log(days, groups=[{"g": {"column": "g", "tail": 300}}])
    found = count(_plan(log), log, folder=days / "parts")
    assert not (days / "parts").exists()
    assert found.state.rows == 400 * DAYS


def test_groups_that_are_too_many_in_all_parts_together_are_refused(days, monkeypatch):
    monkeypatch.setattr(refusal, "MOST_GROUPS", 500)
    for day in range(DAYS):
        rows = _rows(day).with_columns(g=pl.int_range(400 * day, 400 * (day + 1)))
        rows.write_parquet(days / "log" / f"day-{day}.parquet")
    log = _log(days)
    with pytest.raises(StateSizeError, match="2,400 groups"):
        count(_plan(log), log, folder=days / "parts")


def test_rows_and_bytes_are_told_as_they_are_read(days, engine):
    log, told = _log(days, engine), []
    count(_plan(log), log, lambda rows, size: told.append((rows, size)), folder=days / "parts")
    assert told == sorted(told), "never back"
    size = sum(file.stat().st_size for file in (days / "log").iterdir())
    assert told[-1] == (400 * DAYS, size)


def test_a_filter_that_holds_for_no_row_says_so_with_parts_too(days):
    log = _log(days, where="s > 2")
    with pytest.raises(SourceError, match="holds for none of 2,400 rows"):
        count(_plan(log), log, folder=days / "parts")


# --- Side tables. ---


def _groups(tier="gold"):
    """Who is in which tier; of the group c nothing is known."""
    return pl.DataFrame({"g": ["a", "b"], "tier": [tier, "new"]})


def _beside(days, engine=None, **how):
    table = {"source": str(days / "groups.parquet"), "key": "g"}
    return _log(days, engine, groups=["tier"], tables=[table], **how)


def test_parts_are_joined_with_side_tables_as_the_whole_is(days, engine):
    _groups().write_parquet(days / "groups.parquet")
    log, folder = _beside(days, engine), days / "parts"
    parted = count(_plan(log, by=("tier",)), log, folder=folder)
    rows = pl.concat([_rows(day) for day in range(DAYS)]).join(_groups(), on="g", how="left")
    whole = eh.log(
        rows,
        kind="decisions",
        prediction="p",
        label="p",
        score="s",
        unit="who",
        groups=["tier"],
    )
    by_hand = scan(_plan(whole, by=("tier",)), whole)
    assert not unlike(parted.state, by_hand)
    assert parted.state.rows == 400 * DAYS
    assert {*parted.state.sums_by(["tier"]).frame["group:tier"]} == {"gold", "new", "unknown"}
    assert count(_plan(log, by=("tier",)), log, folder=folder).resumed == DAYS


def test_parts_joined_with_another_table_are_not_taken(days):
    folder = days / "parts"
    for tier, resumed in (("gold", 0), ("old", 0), ("gold", DAYS)):
        _groups(tier).write_parquet(days / "groups.parquet")
        log = _beside(days)
        assert count(_plan(log, by=("tier",)), log, folder=folder).resumed == resumed


@pytest.mark.parametrize("parts", [True, False])
def test_a_broken_file_beside_a_side_table_may_be_left_out(days, engine, parts):
    _groups().write_parquet(days / "groups.parquet")
    _wreck(days / "log" / "day-2.parquet")
    log = _beside(days, engine, on_bad_file="skip")
    found = count(_plan(log, by=("tier",)), log, folder=days / "parts" if parts else None)
    assert found.state.rows == 400 * (DAYS - 1)
    assert [one.file for one in found.log.source.skipped] == ["log/day-2.parquet"]


def test_a_file_without_the_key_of_a_side_table_is_left_out_or_named(days, engine):
    _groups().write_parquet(days / "groups.parquet")
    odd = _rows(3).rename({"g": "h"})
    odd.write_parquet(days / "log" / "day-3.parquet")
    with pytest.raises(SourceError, match=r"day-3.parquet: it has another schema: the column 'g'"):
        _beside(days, engine)
    log = _beside(days, engine, on_bad_file="skip")
    found = count(_plan(log, by=("tier",)), log)
    assert found.state.rows == 400 * (DAYS - 1)
    assert {*found.state.sums_by(["tier"]).frame["group:tier"]} == {"gold", "new", "unknown"}
