"""Side tables: which row of them a row of the log gets, and what is refused before any is read."""

from __future__ import annotations

import datetime as dt
import random

import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import RoleError, SourceError
from evenhand.logs.lookup import as_time
from evenhand.logs.source import open_source
from evenhand.logs.table import open_tables
from evenhand.logs.table_spec import spec_of

LOG = pl.DataFrame(
    {
        "creator_id": ["a", "a", "b", "c", None],
        "ok": [1, 0, 1, 1, 0],
        "row": [0, 1, 2, 3, 4],
    }
)
CREATORS = pl.DataFrame(
    {
        "creator_id": ["b", "a", "x"],
        "tier": ["new", "gold", "old"],
        "region": ["us", None, "eu"],
    }
)


def day(number: int) -> dt.date:
    """A day of January 2026."""
    return dt.date(2026, 1, number)


def noon(number: int, hour: int = 12, **more) -> dt.datetime:
    """A time on a day of January 2026."""
    return dt.datetime(2026, 1, number, hour, **more)  # noqa: DTZ001 - some have a zone


def joined(log, *tables, engine=None, columns=None):
    """The columns that tables add to the rows of a log, in the log's order, as plain values."""
    source = open_source(log, engine)
    sides = open_tables(tables, source)
    assert sides.problems == ()
    frame = source.beside(sides.tables).frame
    rows = frame.collect("polars").to_native().sort("row")
    assert rows["row"].to_list() == [*range(rows.height)], "every row is there once"
    added = [name for side in sides.tables for name in side.columns]
    return rows.select(columns or added).rows()


def by_creator(table=CREATORS, **more):
    return {"source": table, "key": "creator_id", **more}


# --- One row for each key. ---


def test_every_row_stays_once_and_a_miss_is_missing(engine):
    assert joined(LOG, by_creator(), engine=engine) == [
        ("gold", None),
        ("gold", None),
        ("new", "us"),
        (None, None),
        (None, None),
    ]


def test_only_the_columns_that_are_wanted_are_added(engine):
    found = joined(LOG, by_creator(columns=["region"]), engine=engine)
    assert found == [(None,), (None,), ("us",), (None,), (None,)]


def test_the_key_may_have_another_name_in_the_table(engine):
    table = CREATORS.rename({"creator_id": "id"})
    spec = {"source": table, "key": {"creator_id": "id"}, "columns": ["tier"]}
    assert joined(LOG, spec, engine=engine)[:3] == [("gold",), ("gold",), ("new",)]


def test_a_column_of_lists_passes_as_it_is(engine):
    table = pl.DataFrame(
        {"creator_id": ["a", "b", "c"], "topics": [["news", "sport"], [], [None, "art"]]}
    )
    assert joined(LOG, by_creator(table), engine=engine) == [
        (["news", "sport"],),
        (["news", "sport"],),
        ([],),
        ([None, "art"],),
        (None,),
    ]


def test_a_table_may_be_joined_on_a_column_of_the_one_before(engine):
    items = pl.DataFrame({"row": [0, 1, 2, 3, 4], "shop": ["s", "t", "s", None, "u"]})
    shops = pl.DataFrame({"shop": ["s", "t"], "size": [10, 20]})
    tables = ({"source": items, "key": "row"}, {"source": shops, "key": "shop"})
    found = joined(LOG, *tables, engine=engine)
    assert found == [("s", 10), ("t", 20), ("s", 10), (None, None), ("u", None)]


@pytest.mark.parametrize("ours", [pl.Int16, pl.Int64, pl.UInt32])
@pytest.mark.parametrize("theirs", [pl.Int8, pl.Int64, pl.UInt64])
def test_whole_numbers_match_whatever_their_width(engine, tmp_path, ours, theirs):
    # Spark takes no unsigned numbers from memory, but reads them from files.
    log = pl.DataFrame({"row": [0, 1, 2], "k": pl.Series([1, 2, None], dtype=ours)})
    log.write_parquet(tmp_path / "log.parquet")
    table = pl.DataFrame({"k": pl.Series([2, 3], dtype=theirs), "v": ["two", "three"]})
    path = str(tmp_path / "log.parquet")
    assert joined(path, {"source": table, "key": "k"}, engine=engine) == [
        (None,),
        ("two",),
        (None,),
    ]


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_keys_beyond_signed_numbers_match_and_no_others_do(engine):
    log = pl.DataFrame({"row": [0, 1], "k": pl.Series([2**64 - 1, 1], dtype=pl.UInt64)})
    table = {"k": pl.Series([2**64 - 1, 2**63], dtype=pl.UInt64), "v": ["most", "half"]}
    found = joined(log, {"source": pl.DataFrame(table), "key": "k"}, engine=engine)
    assert found == [("most",), (None,)]
    narrow = log.with_columns(k=pl.Series([-1, 1], dtype=pl.Int8))
    found = joined(narrow, {"source": pl.DataFrame(table), "key": "k"}, engine=engine)
    assert found == [(None,), (None,)], "no such key fits"


def test_text_matches_text_of_few_values(engine):
    log = LOG.with_columns(pl.col("creator_id").cast(pl.Categorical))
    table = CREATORS.with_columns(
        pl.col("creator_id").cast(pl.Categorical),
        pl.col("tier").cast(pl.Enum(["new", "gold", "old"])),
    )
    for one, other in ((log, CREATORS), (LOG, table), (log, table)):
        found = joined(one, by_creator(other, columns=["tier"]), engine=engine)
        assert found[:3] == [("gold",), ("gold",), ("new",)]


def test_dates_are_keys(engine):
    log = pl.DataFrame({"row": [0, 1], "day": [day(1), day(2)]})
    table = pl.DataFrame({"day": [day(1)], "holiday": ["new year"]})
    assert joined(log, {"source": table, "key": "day"}, engine=engine) == [("new year",), (None,)]


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_files_are_read_whatever_the_engine(engine, tmp_path, ending):
    write = {"csv": "write_csv", "parquet": "write_parquet", "arrow": "write_ipc"}[ending]
    getattr(CREATORS, write)(tmp_path / f"creators.{ending}")
    LOG.write_parquet(tmp_path / "log.parquet")
    spec = by_creator(str(tmp_path / f"creators.{ending}"), columns=["tier"])
    found = joined(str(tmp_path / "log.parquet"), spec, engine=engine)
    assert found[:3] == [("gold",), ("gold",), ("new",)]


def test_tables_of_other_libraries_are_read(engine):
    pytest.importorskip("pandas")
    for table in (CREATORS.to_pandas(), CREATORS.to_arrow(), CREATORS.lazy()):
        found = joined(LOG, by_creator(table, columns=["tier"]), engine=engine)
        assert found[:3] == [("gold",), ("gold",), ("new",)]


def test_a_log_of_a_connection_is_joined_in_it():
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        log = connection.from_arrow(LOG.to_arrow())
        creators = connection.from_arrow(CREATORS.to_arrow())
        for table in (CREATORS, creators):
            found = joined(log, by_creator(table, columns=["tier"]))
            assert found[:3] == [("gold",), ("gold",), ("new",)]
        assert connection.sql("show tables").fetchall() == [], "nothing is left behind"


@pytest.mark.slow
def test_a_log_of_a_session_is_joined_in_it(spark):
    log = spark.createDataFrame(LOG.to_arrow())
    creators = spark.createDataFrame(CREATORS.to_arrow())
    for table in (CREATORS, creators):
        found = joined(log, by_creator(table, columns=["tier"]))
        assert found[:3] == [("gold",), ("gold",), ("new",)]


# --- As of a time. ---

HISTORY = pl.DataFrame(
    {
        "creator_id": ["a", "b", "a"],
        "tier": ["gold", "new", "new"],
        "day": [day(20), day(5), day(10)],
    }
)


def as_of(table=HISTORY, name="day", **more):
    return {"source": table, "key": "creator_id", "as_of": name, **more}


def log_at(*moments, name="day", creator="a"):
    return pl.DataFrame(
        {"row": [*range(len(moments))], "creator_id": [creator] * len(moments), name: [*moments]}
    )


def test_the_row_in_force_is_the_latest_that_is_not_later(engine):
    log = log_at(day(9), day(10), day(15), day(20), day(31), None)
    found = joined(log, as_of(), engine=engine)
    # Before the first, exactly at it, between, exactly at the second, after it, at no time.
    assert found == [(None,), ("new",), ("new",), ("gold",), ("gold",), (None,)]


def test_a_key_that_the_history_has_not_is_missing_at_any_time(engine):
    for creator in ("c", None):
        log = log_at(day(15), None, creator=creator)
        log = log.with_columns(pl.col("creator_id").cast(pl.String))
        assert joined(log, as_of(), engine=engine) == [(None,), (None,)]


def test_equal_rows_of_a_log_each_get_their_row(engine):
    log = log_at(day(15), day(15), day(15))
    assert joined(log, as_of(), engine=engine) == [("new",)] * 3


def test_a_missing_value_in_force_stays_missing(engine):
    table = HISTORY.with_columns(tier=pl.Series(["gold", "new", None]))
    log = log_at(day(15), day(25))
    assert joined(log, as_of(table), engine=engine) == [(None,), ("gold",)]


ZONES = ("UTC", "Asia/Tokyo")


def _typed(moments, dtype):
    return pl.Series("t", moments).cast(dtype)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (pl.Datetime("us"), pl.Datetime("ms")),
        (pl.Datetime("us"), pl.Datetime("ns")),
        (pl.Datetime("ms"), pl.Datetime("us")),
        (pl.Datetime("us"), pl.Date),
        (pl.Date, pl.Datetime("us")),
        (pl.Int32, pl.Int64),
        (pl.Int64, pl.Float64),
        (pl.Float64, pl.Int16),
    ],
)
def test_times_of_one_form_are_compared_whatever_their_type(engine, tmp_path, ours, theirs):
    if ours == pl.Datetime("ms"):
        # Spark has microseconds only, and reads the others as these.
        moments, since = [noon(9), noon(10, 0), noon(30)], [noon(10, 0), noon(20, 0)]
    elif pl.Date in {ours, theirs}:
        moments, since = [day(9), day(10), day(30)], [day(10), day(20)]
    elif ours in {pl.Int32, pl.Int64, pl.Float64}:
        moments, since = [9, 10, 30], [10, 20]
    else:
        moments, since = [noon(9), noon(10), noon(30)], [noon(10), noon(20)]
    log = log_at(*moments, name="t").with_columns(_typed(moments, ours))
    log.write_parquet(tmp_path / "log.parquet")
    table = pl.DataFrame(
        {"creator_id": ["a", "a"], "tier": ["new", "gold"], "t": _typed(since, theirs)}
    )
    found = joined(str(tmp_path / "log.parquet"), as_of(table, "t"), engine=engine)
    assert found == [(None,), ("new",), ("gold",)]


def test_instants_are_compared_whatever_their_zone(engine, tmp_path):
    # 12:00 in Tokyo is 03:00 in UTC.
    log = log_at(*(noon(10, hour) for hour in (2, 3, 12)), name="t")
    log = log.with_columns(pl.col("t").dt.replace_time_zone("UTC"))
    log.write_parquet(tmp_path / "log.parquet")
    table = pl.DataFrame({"creator_id": ["a"], "tier": ["new"], "t": [noon(10)]})
    table = table.with_columns(pl.col("t").dt.replace_time_zone("Asia/Tokyo"))
    found = joined(str(tmp_path / "log.parquet"), as_of(table, "t"), engine=engine)
    assert found == [(None,), ("new",), ("new",)]


@pytest.mark.parametrize("shift", [0, 1])
def test_a_date_is_its_midnight(engine, shift):
    # A row that holds from noon does not hold on the morning of its day, which is all a date says.
    table = pl.DataFrame({"creator_id": ["a"], "tier": ["new"], "day": [noon(10, 12 * shift)]})
    found = joined(log_at(day(10), day(11)), as_of(table), engine=engine)
    assert found == [("new",) if not shift else (None,), ("new",)]


def test_times_finer_than_the_logs_are_not_rounded_down(engine):
    log = log_at(noon(10), noon(10) + dt.timedelta(microseconds=1), name="t")
    table = pl.DataFrame({"creator_id": ["a"], "tier": ["new"], "t": [noon(10)]}).with_columns(
        pl.col("t").cast(pl.Datetime("ns")) + pl.duration(nanoseconds=1)
    )
    assert joined(log, as_of(table, "t"), engine=engine) == [(None,), ("new",)]


def test_of_two_times_within_one_moment_of_the_log_the_later_holds(engine):
    since = pl.Series([noon(10)] * 2).cast(pl.Datetime("ns"))
    since = since.to_frame("t").select(pl.col("t") + pl.duration(nanoseconds=pl.Series([2, 1])))
    table = pl.DataFrame({"creator_id": ["a"] * 2, "tier": ["second", "first"], "t": since["t"]})
    log = log_at(noon(10), noon(11), name="t")
    assert joined(log, as_of(table, "t"), engine=engine) == [(None,), ("second",)]


def test_what_lies_beyond_the_moments_of_the_log_is_before_or_after_all():
    ns = pl.Datetime("ns")
    since = [dt.date(1, 1, 1), dt.date(9999, 12, 31)]
    table = pl.DataFrame({"creator_id": ["a"] * 2, "tier": ["ever", "never"], "t": since})
    log = log_at(noon(10), name="t").with_columns(pl.col("t").cast(ns))
    assert joined(log, as_of(table, "t")) == [("ever",)]


def test_times_before_1970_are_not_rounded_down():
    first = dt.datetime(1969, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - of no zone
    times = pl.Series([first, dt.datetime(1969, 12, 31)])  # noqa: DTZ001 - of no zone
    schema = pl.DataFrame({"day": [day(1)], "ms": pl.Series([noon(1)], dtype=pl.Datetime("ms"))})
    import narwhals as nw

    types = nw.from_native(schema).schema
    assert as_time(times, types["day"]).to_list() == [dt.date(1970, 1, 1), dt.date(1969, 12, 31)]
    assert as_time(times, types["ms"]).to_list()[0] == dt.datetime(1970, 1, 1)  # noqa: DTZ001


def test_text_of_one_form_is_a_time(engine):
    log = log_at("2026-01-09", "2026-01-10", "2026-01-31T08:00", name="t")
    table = HISTORY.with_columns(pl.col("day").cast(pl.String).alias("t")).drop("day")
    found = joined(log, as_of(table, "t"), engine=engine)
    assert found == [(None,), ("new",), ("gold",)]


def test_nan_is_no_time(engine):
    log = log_at(9.0, 10.5, float("nan"), name="t")
    table = pl.DataFrame({"creator_id": ["a"], "tier": ["new"], "t": [10.5]})
    assert joined(log, as_of(table, "t"), engine=engine) == [(None,), ("new",), (None,)]


def test_a_history_is_joined_as_by_hand(engine):
    rng = random.Random(7)  # noqa: S311 - examples, no secrets
    keys, spans = "abcdef", [*range(60)]
    history = {(rng.choice(keys), rng.choice(spans)): rng.choice("uvwxyz") for _ in range(70)}
    table = pl.DataFrame(
        {
            "creator_id": [key for key, _ in history],
            "t": [since for _, since in history],
            "tier": [*history.values()],
        }
    )
    moments = [(rng.choice([*keys, "g", None]), rng.choice([*spans, None])) for _ in range(400)]
    log = pl.DataFrame(
        {
            "row": [*range(len(moments))],
            "creator_id": [key for key, _ in moments],
            "t": [moment for _, moment in moments],
        }
    )

    def by_hand(key, moment):
        held = [t for name, t in history if name == key and moment is not None and t <= moment]
        return (history[key, max(held)] if held else None,)

    assert joined(log, as_of(table, "t"), engine=engine) == [by_hand(*one) for one in moments]


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_name_with_a_point_is_a_column_like_others(engine):
    log = LOG.rename({"ok": "o.k"})
    table = CREATORS.rename({"tier": "ti.er"})
    assert joined(log, by_creator(table, columns=["ti.er"]), engine=engine)[0] == ("gold",)


@pytest.mark.slow
@pytest.mark.usefixtures("spark")
def test_on_spark_a_name_with_a_point_is_no_column():
    # Spark takes it for a part of a column, with side tables or without.
    log = LOG.with_columns(pl.lit(1).alias("o.k"))
    spec = by_creator(columns=["tier"])
    assert joined(log, spec, engine="spark")[0] == ("gold",)
    found = open_tables([by_creator(CREATORS.rename({"tier": "ti.er"}))], open_source(log, "spark"))
    (problem,) = found.problems
    assert problem.where == "tables[0].columns"
    assert "'ti.er' has a point in its name" in problem.what
    with pytest.raises(RoleError, match=r"does not parse|no column"):
        eh.log(log, kind="decisions", prediction="o.k", tables=[spec], engine="spark")


def test_a_table_without_rows_knows_nothing(engine):
    table = CREATORS.clear()
    assert joined(LOG, by_creator(table, columns=["tier"]), engine=engine) == [(None,)] * 5
    log = log_at(day(9), None)
    assert joined(log, as_of(HISTORY.clear()), engine=engine) == [(None,)] * 2


def test_groups_of_items_may_stand_in_a_table(engine):
    lists = range(40)
    log = pl.DataFrame(
        {
            "user": [one // 4 for one in lists for _ in range(3)],
            "list": [one for one in lists for _ in range(3)],
            "item": [1, 2, 3] * len(lists),
            "slot": [1, 2, 3] * len(lists),
        }
    )
    items = pl.DataFrame({"item_id": [1, 2], "genre": [["art", "news"], ["news"]]})
    roles = {"user": "user", "request": "list", "item": "item", "rank": "slot"}
    how = {"kind": "recommendation", "item_groups": ["genre"], "engine": engine, **roles}
    beside = eh.log(log, tables=[{"source": items, "key": {"item": "item_id"}}], **how)
    before = eh.log(log.join(items, left_on="item", right_on="item_id", how="left"), **how)
    found, wanted = (eh.estimate("AWRF(of=genre, target=equal)@3", one) for one in (beside, before))
    assert found.value == pytest.approx(wanted.value, rel=1e-9)
    assert found.rows == wanted.rows


# --- What is done with a miss. ---


def test_misses_are_the_group_unknown_and_are_counted(engine):
    log = eh.log(
        LOG.drop("row"),
        kind="decisions",
        prediction="ok",
        groups=["tier"],
        tables=[by_creator()],
        engine=engine,
    )
    found = eh.estimate("difference(selection_rate, by=tier)", log)
    rows = {row.group["tier"]: row.rows for row in found.groups}
    assert rows == {"gold": 2, "new": 1, "unknown": 2}
    assert [(one.reason, one.rows) for one in found.excluded] == [("tier is unknown", 2)]


def test_columns_of_tables_are_roles_units_and_filters(engine):
    table = CREATORS.with_columns(owner=pl.Series(["p", "q", "r"]), yes=pl.Series([1, 0, 1]))
    log = eh.log(
        LOG,
        kind="decisions",
        prediction="yes",
        unit="owner",
        where="tier != None",
        tables=[by_creator(table)],
        engine=engine,
    )
    found = eh.estimate("selection_rate", log)
    assert (found.value, found.rows, found.units) == (pytest.approx(1 / 3), 3, 2)


def test_a_hint_knows_the_columns_of_tables():
    with pytest.raises(RoleError) as caught:
        eh.log(LOG, kind="decisions", prediction="ok", groups=["teir"], tables=[by_creator()])
    assert "Did you mean 'tier'?" in str(caught.value)


# --- Bad input. ---


def problems(*tables, log=LOG, error=RoleError):
    """Where and what is wrong, with the hints."""
    with pytest.raises(error) as caught:
        eh.log(log, kind="decisions", prediction="ok", tables=tables)
    return [(one.where, one.what, one.hint) for one in caught.value.problems]


def test_a_table_that_is_not_there_is_named(tmp_path):
    CREATORS.write_parquet(tmp_path / "creators.parquet")
    spec = by_creator(str(tmp_path / "creator.parquet"))
    ((where, what, hint),) = problems(spec, error=SourceError)
    assert where == "tables[0].source"
    assert what == f"{tmp_path / 'creator.parquet'}: no such file."
    assert hint == "Did you mean 'creators.parquet'?"


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    CREATORS.write_csv(tmp_path / "creators.csv")
    text = (tmp_path / "creators.csv").read_text()
    (tmp_path / "creators.csv").write_text(text + "only one field\n")
    ((where, what, _),) = problems(by_creator(str(tmp_path / "creators.csv")), error=SourceError)
    assert where == "tables[0].source"
    assert "line 5 has 1 field where the header has 3" in what
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not a table")
    ((_, what, _),) = problems(by_creator(str(tmp_path / "bad.parquet")), error=SourceError)
    assert "bad.parquet: cannot be read" in what


def test_what_is_no_table_is_refused():
    ((where, what, _),) = problems(by_creator(object()), error=SourceError)
    assert where == "tables[0].source"
    assert "object is not a source of rows" in what


@pytest.mark.parametrize(
    ("spec", "where", "what", "hint"),
    [
        (3, "tables[0]", "builtins.int is not a side table.", "Write {source: creators.parquet"),
        ("creators.parquet", "tables", "'creators.parquet' is not a side table.", "creator_id@"),
        ({"key": "k"}, "tables[0]", "the key 'source' is missing.", "Write {source:"),
        ({"source": CREATORS}, "tables[0].key", "the key 'key' is missing.", "key: creator_id"),
        (by_creator(colums=["tier"]), "tables[0]", "there is no key 'colums'", "'columns'"),
        (by_creator(columns=[]), "tables[0].columns", "[] is no list of columns.", "leave it out"),
        (by_creator(columns="tier"), "tables[0].columns", "'tier' is no list", "leave it out"),
        (by_creator(as_of=3), "tables[0].as_of", "3 is not a column.", "event_time"),
        ({"source": CREATORS, "key": {"a": "b", "c": "d"}}, "tables[0].key", "not one", "key:"),
    ],
)
def test_what_is_not_written_as_a_table_is_refused(spec, where, what, hint):
    ((found, said, advice),) = problems(spec)
    assert found == where
    assert what in said
    assert hint in advice


@pytest.mark.parametrize(
    ("spec", "where", "what", "hint"),
    [
        (
            {"source": CREATORS.rename({"creator_id": "creator"}), "key": "creator_id"},
            "tables[0].key",
            "polars table has no column 'creator_id'.",
            "Did you mean 'creator'? Another name than the log's: key: {creator_id: NAME}.",
        ),
        (
            {"source": CREATORS, "key": {"creatr_id": "creator_id"}},
            "tables[0].key",
            "the log has no column 'creatr_id'.",
            "Did you mean 'creator_id'?",
        ),
        (
            by_creator(columns=["teir"]),
            "tables[0].columns",
            "polars table has no column 'teir'.",
            "Did you mean 'tier'?",
        ),
        (
            by_creator(CREATORS.with_columns(creator_id=pl.Series([1, 2, 3]))),
            "tables[0].key",
            "'creator_id' is String in the log and Int64 in polars table: nothing would match.",
            "Write both alike",
        ),
        (
            by_creator(CREATORS.with_columns(creator_id=pl.Series([1.0, 2.0, 3.0]))),
            "tables[0].key",
            "'creator_id' is Float64 in polars table, which is no key.",
            "A key is text, a whole number or a date.",
        ),
        (
            by_creator(CREATORS.rename({"region": "ok"})),
            "tables[0].columns",
            "'ok' is a column of the log already.",
            "Say which columns are wanted: columns: [tier].",
        ),
        (
            by_creator(CREATORS.select("creator_id")),
            "tables[0].columns",
            "polars table has no column to add.",
            "Leave the table out.",
        ),
        (
            by_creator(CREATORS.rename({"region": "OK"})),
            "tables[0].columns",
            "'OK' is a column of the log already, as 'ok'.",
            "Say which columns are wanted: columns: [tier].",
        ),
        (
            by_creator(CREATORS.rename({"region": "ok"}), columns=["ok"]),
            "tables[0].columns",
            "'ok' is a column of the log already.",
            "Give it another name in one of the two.",
        ),
        (
            by_creator(CREATORS.with_columns(creator_id=pl.Series(["b", "b", "x"]))),
            "tables[0].key",
            "1 key repeats in polars table, such as 'b' (2 rows).",
            "as_of: event_time",
        ),
        (
            by_creator(pl.concat([CREATORS, CREATORS, CREATORS[:1]])),
            "tables[0].key",
            "3 keys repeat in polars table, such as 'a' (2 rows).",
            "Keep one row for each",
        ),
        (
            by_creator(CREATORS.with_columns(creator_id=pl.Series(["b", None, None]))),
            "tables[0].key",
            "2 rows have no 'creator_id' in polars table.",
            "leave such rows out",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused(spec, where, what, hint):
    ((found, said, advice),) = problems(spec)
    assert (found, said) == (where, what)
    assert hint in advice


TIMED = LOG.with_columns(day=pl.lit(day(3)))


@pytest.mark.parametrize(
    ("table", "what", "hint"),
    [
        (HISTORY.rename({"day": "date"}), "polars table has no column 'day'.", "There are: "),
        (
            HISTORY.with_columns(pl.col("day").cast(pl.String)),
            "'day' is Date in the log and String in polars table: these times cannot be compared.",
            "Write both as dates or times",
        ),
        (
            HISTORY.with_columns(pl.col("day").cast(pl.Datetime("us", "UTC"))),
            "cannot be compared.",
            "both with a time zone or both without",
        ),
        (
            HISTORY.with_columns(pl.Series("day", [day(20), day(5), None])),
            "1 row has no 'day' in polars table.",
            "Say from when each row holds",
        ),
        (
            pl.concat([HISTORY, HISTORY[:1]]),
            "1 pair of 'creator_id' and 'day' in polars table repeat, such as 'a' from 2026-01-20",
            "which of them holds cannot be told",
        ),
    ],
)
def test_a_history_that_does_not_fit_is_refused(table, what, hint):
    ((where, said, advice),) = problems(as_of(table), log=TIMED)
    assert where == "tables[0].as_of"
    assert what in said
    assert hint in advice


def test_a_log_without_the_time_is_refused():
    ((where, what, _),) = problems(as_of())
    assert (where, what) == ("tables[0].as_of", "the log has no column 'day'.")


@pytest.mark.parametrize("odd", ["2026-1-5", "10/01/2026", "soon", "2026-01-10 08:00", "2026"])
def test_text_that_is_no_time_like_the_others_is_refused(odd):
    table = HISTORY.with_columns(day=pl.Series(["2026-01-20", odd, "2026-01-10"]))
    log = LOG.with_columns(day=pl.lit("2026-01-03"))
    ((where, what, hint),) = problems(as_of(table), log=log)
    assert where == "tables[0].as_of"
    assert repr(odd) in what
    assert "2026-01-31T12:00:00" in hint


def test_problems_of_all_tables_and_roles_come_at_once():
    twice = pl.concat([CREATORS, CREATORS])
    second = {"source": HISTORY, "key": "creator_id", "columns": ["teir"]}
    with pytest.raises(RoleError) as caught:
        eh.log(
            LOG,
            kind="decisions",
            prediction="okay",
            groups=["tier"],
            tables=[by_creator(twice), second],
        )
    places = [problem.where for problem in caught.value.problems]
    assert places == ["tables[0].key", "tables[1].columns", "tables[1].key", "role 'prediction'"]


def test_two_tables_with_a_column_of_one_name_are_refused():
    ((where, what, _),) = problems(by_creator(), by_creator(columns=["tier"]))
    assert (where, what) == ("tables[1].columns", "'tier' is a column of the log already.")


def test_no_row_of_the_log_is_read_to_check_a_table():
    def read(_):
        raise AssertionError

    log = LOG.lazy().map_batches(read, schema=LOG.schema)
    assert problems(by_creator(pl.concat([CREATORS, CREATORS])), log=log)
    eh.log(log, kind="decisions", prediction="ok", tables=[by_creator()])


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("a.csv:k", {"source": "a.csv", "key": "k"}),
        ("a.csv:k@t", {"source": "a.csv", "key": "k", "as_of": "t"}),
        ("s3://x/a.csv:the key", {"source": "s3://x/a.csv", "key": "the key"}),
        ("delta:a/b:k", {"source": "delta:a/b", "key": "k"}),
        ("me@x/a.csv:k", {"source": "me@x/a.csv", "key": "k"}),
    ],
)
def test_a_table_is_written_in_one_word(text, spec):
    assert spec_of(text) == spec


@pytest.mark.parametrize("text", ["a.csv", "a.csv:", ":k", "a.csv:k@", "a.csv:@t", ""])
def test_a_word_without_a_source_and_a_key_is_no_table(text):
    with pytest.raises(RoleError, match="is not a side table"):
        spec_of(text)
