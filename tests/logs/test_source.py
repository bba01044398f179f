"""Sources: what can be opened, on which engine, and what broken sources say."""

from __future__ import annotations

import errno
import gzip
import importlib.util
from pathlib import Path

import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import EngineError, MissingExtraError, RoleError, SourceError
from evenhand.logs.source import open_source
from evenhand.logs.unit import register_duckdb

ENGINES = ["polars", "duckdb"]
ROWS = pl.DataFrame({"g": ["a", "a", "b", "b"], "p": [1, 0, 1, 1], "u": ["x", "x", "y", "z"]})
HINT = "Check that the file is whole and that every row has the header's columns and types."


@pytest.fixture(params=ENGINES)
def engine(request):
    pytest.importorskip(request.param)
    return request.param


def _selected(source, engine=None, **words):
    log = eh.log(source, kind="decisions", prediction="p", engine=engine, **words)
    return eh.estimate("selection_rate", log)


def _problem(error, action):
    with pytest.raises(error) as caught:
        action()
    (problem,) = caught.value.problems
    return problem


# --- Files. ---


def test_a_parquet_file_is_read(tmp_path, engine):
    ROWS.write_parquet(tmp_path / "rows.parquet")
    assert _selected(tmp_path / "rows.parquet", engine).value == 0.75
    assert _selected(str(tmp_path / "rows.parquet"), engine).rows == 4


def test_a_csv_file_is_read(tmp_path, engine):
    ROWS.write_csv(tmp_path / "rows.csv")
    assert _selected(tmp_path / "rows.csv", engine).value == 0.75


def test_an_arrow_file_is_read_by_polars(tmp_path):
    ROWS.write_ipc(tmp_path / "rows.arrow")
    assert _selected(tmp_path / "rows.arrow").value == 0.75


def test_an_arrow_file_is_refused_on_duckdb(tmp_path):
    pytest.importorskip("duckdb")
    ROWS.write_ipc(tmp_path / "rows.arrow")
    problem = _problem(SourceError, lambda: _selected(tmp_path / "rows.arrow", "duckdb"))
    assert problem.what == "only Polars reads Arrow IPC files."


@pytest.mark.parametrize("pattern", ["*.parquet", "part-?.parquet", "part-[12].parquet"])
def test_a_glob_reads_all_its_files(tmp_path, engine, pattern):
    for part in (1, 2):
        ROWS.write_parquet(tmp_path / f"part-{part}.parquet")
    assert _selected(f"{tmp_path}/{pattern}", engine).rows == 8


def test_a_relative_glob_is_read_from_the_working_folder(tmp_path, engine, monkeypatch):
    (tmp_path / "logs").mkdir()
    ROWS.write_parquet(tmp_path / "logs" / "rows.parquet")
    monkeypatch.chdir(tmp_path)
    assert _selected("logs/*.parquet", engine).rows == 4


def test_a_file_with_a_bracket_in_its_name_is_itself(tmp_path):
    ROWS.write_parquet(tmp_path / "rows[1].parquet")
    assert _selected(tmp_path / "rows[1].parquet").rows == 4


def test_a_folder_reads_its_parquet_files_at_any_depth(tmp_path, engine):
    (tmp_path / "day=1").mkdir()
    ROWS.write_parquet(tmp_path / "day=1" / "rows.parquet")
    ROWS.write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "_SUCCESS").touch()
    assert _selected(tmp_path, engine).rows == 8


def test_a_folder_without_parquet_files_says_how_to_name_others(tmp_path):
    ROWS.write_csv(tmp_path / "rows.csv")
    problem = _problem(SourceError, lambda: open_source(tmp_path))
    assert problem.what == "the folder holds no Parquet files."
    assert "*.csv" in problem.hint


def test_a_missing_file_suggests_a_neighbour(tmp_path, engine):
    ROWS.write_parquet(tmp_path / "decisions.parquet")
    problem = _problem(SourceError, lambda: open_source(tmp_path / "decision.parquet", engine))
    assert problem.where == str(tmp_path / "decision.parquet")
    assert problem.what == "no such file."
    assert problem.hint == "Did you mean 'decisions.parquet'?"


def test_a_missing_folder_is_named(tmp_path):
    problem = _problem(SourceError, lambda: open_source(tmp_path / "no" / "rows.parquet"))
    assert problem.hint == f"The folder {tmp_path / 'no'} does not exist either."


def test_a_glob_that_matches_nothing_lists_what_is_there(tmp_path):
    ROWS.write_csv(tmp_path / "rows.csv")
    problem = _problem(SourceError, lambda: open_source(f"{tmp_path}/*.parquet"))
    assert problem.what == "no such file."
    assert "rows.csv" in problem.hint


def test_a_malformed_glob_is_a_source_error(tmp_path):
    # Newer versions of Python read it as *.parquet.
    problem = _problem(SourceError, lambda: open_source(f"{tmp_path}/**x.parquet"))
    assert problem.where == f"{tmp_path}/**x.parquet"


def test_an_unknown_ending_lists_the_known_ones(tmp_path):
    (tmp_path / "rows.xlsx").write_text("not really")
    problem = _problem(SourceError, lambda: open_source(tmp_path / "rows.xlsx"))
    assert problem.what == "no known format: rows.xlsx."
    assert ".parquet" in problem.hint
    assert ".csv" in problem.hint


def test_files_of_two_formats_are_not_one_log(tmp_path):
    ROWS.write_parquet(tmp_path / "rows.parquet")
    ROWS.write_csv(tmp_path / "rows.csv")
    problem = _problem(SourceError, lambda: open_source(f"{tmp_path}/rows.*"))
    assert "one kind at a time" in problem.hint


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_file_of_0_bytes_is_empty(tmp_path, engine, ending):
    (tmp_path / f"rows.{ending}").touch()
    problem = _problem(SourceError, lambda: open_source(tmp_path / f"rows.{ending}", engine))
    assert problem.what == "the file is empty (0 bytes)."


def test_an_empty_part_of_a_glob_is_named(tmp_path, engine):
    ROWS.write_parquet(tmp_path / "part-1.parquet")
    (tmp_path / "part-2.parquet").touch()
    problem = _problem(SourceError, lambda: open_source(f"{tmp_path}/*.parquet", engine))
    assert problem.where == str(tmp_path / "part-2.parquet")


def test_a_truncated_parquet_file_is_not_whole(tmp_path, engine):
    ROWS.write_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "half.parquet").write_bytes(whole[: len(whole) // 2])
    problem = _problem(SourceError, lambda: _selected(tmp_path / "half.parquet", engine))
    assert problem.where == str(tmp_path / "half.parquet")
    assert problem.what.startswith("cannot be read: ")
    assert problem.hint == HINT


def test_a_parquet_file_damaged_in_the_middle_is_a_source_error(tmp_path, engine):
    rows = pl.DataFrame({"p": [0, 1] * 5_000, "noise": [str(i) for i in range(10_000)]})
    rows.write_parquet(tmp_path / "rows.parquet", compression="zstd")
    raw = bytearray((tmp_path / "rows.parquet").read_bytes())
    raw[4:40] = b"\xff" * 36
    (tmp_path / "rows.parquet").write_bytes(raw)
    problem = _problem(SourceError, lambda: _selected(tmp_path / "rows.parquet", engine))
    assert problem.where == str(tmp_path / "rows.parquet")


# --- CSV files with a bad row. ---

_GOOD = [f"{'ab'[i % 2]},{i % 2}" for i in range(60_000)]


def _csv(path, bad, at, rows=60_000):
    lines = _GOOD[:rows]
    lines[at] = bad
    path.write_text("\n".join(["g,p", *lines, ""]))
    return path


@pytest.mark.parametrize("at", [2, 50_000])
def test_a_csv_row_with_a_field_too_many_is_a_source_error(tmp_path, engine, at):
    # An unquoted comma shifts what follows: the figure would be read off the wrong column.
    path = _csv(tmp_path / "rows.csv", "a,1,9", at)
    problem = _problem(SourceError, lambda: _selected(path, engine))
    assert problem.where == str(path)
    assert problem.hint


@pytest.mark.parametrize("question", ["selection_rate", "difference(selection_rate, by=g)"])
def test_a_field_too_many_is_seen_whatever_columns_are_used(tmp_path, engine, question):
    path = _csv(tmp_path / "rows.csv", "a,1,9", 2, rows=100)
    with pytest.raises(SourceError):
        eh.estimate(
            question, eh.log(path, kind="decisions", prediction="p", where="p < 2", engine=engine)
        )


@pytest.mark.parametrize("at", [2, 50_000])
def test_a_csv_row_with_a_field_too_few_is_a_source_error(tmp_path, engine, at):
    path = _csv(tmp_path / "rows.csv", "a", at)
    problem = _problem(SourceError, lambda: _selected(path, engine))
    assert problem.where == str(path)


def test_a_csv_row_with_a_field_too_few_is_named_by_its_line_on_polars(tmp_path):
    path = _csv(tmp_path / "rows.csv", "a", 2, rows=100)
    problem = _problem(SourceError, lambda: _selected(path, "polars"))
    assert problem.what == "line 4 has 1 field where the header has 2."


def test_commas_in_quotes_are_no_fields(tmp_path, engine):
    path = tmp_path / "rows.csv"
    path.write_text('g,p\n"a, b",1\nc,0\n')
    assert _selected(path, engine).rows == 2


def test_a_short_row_is_seen_beside_quoted_ones_and_through_any_glob(tmp_path):
    (tmp_path / "rows.csv").write_text('g,p\n"a",1\nb\nc,0\n')
    for source in (tmp_path / "rows.csv", tmp_path / "*"):
        problem = _problem(SourceError, lambda source=source: _selected(source, "polars"))
        assert "line 3" in problem.what


def test_blank_lines_are_no_rows(tmp_path, engine):
    (tmp_path / "rows.csv").write_text("g,p\na,1\n\nb,0\n\n")
    found = _selected(tmp_path / "rows.csv", engine)
    assert found.rows == 2
    assert not found.excluded


def test_a_quoted_line_break_is_one_row(tmp_path, engine):
    (tmp_path / "rows.csv").write_text('g,p\n"a\nb",1\nc,0\n')
    assert _selected(tmp_path / "rows.csv", engine).rows == 2


def test_csv_files_with_columns_in_another_order_are_refused(tmp_path, engine):
    (tmp_path / "1.csv").write_text("g,p\n1,1\n0,0\n")
    (tmp_path / "2.csv").write_text("p,g\n1,0\n1,0\n")
    problem = _problem(SourceError, lambda: _selected(tmp_path / "*.csv", engine))
    assert "its header differs" in problem.what


def test_a_csv_with_only_a_header_has_no_rows(tmp_path, engine):
    (tmp_path / "rows.csv").write_text("g,p\n")
    problem = _problem(SourceError, lambda: _selected(tmp_path / "rows.csv", engine))
    assert "no rows" in problem.what


def test_types_of_a_csv_are_guessed_alike_on_every_engine(tmp_path, engine):
    path = tmp_path / "rows.csv"
    path.write_text("g,p\n01,1\n1,0\n2,1\n")
    log = eh.log(path, kind="decisions", prediction="p", engine=engine)
    found = eh.estimate("difference(selection_rate, by=g)", log)
    assert [group.group["g"] for group in found.groups] == ["1", "2"]


def test_a_value_of_another_type_among_the_first_rows_makes_the_column_text(tmp_path, engine):
    path = _csv(tmp_path / "rows.csv", "a,maybe", 2, rows=100)
    problem = _problem(RoleError, lambda: _selected(path, engine))
    assert problem.what.startswith("'p' is String")


def test_a_value_of_another_type_far_down_is_named(tmp_path, engine):
    path = _csv(tmp_path / "rows.csv", "a,maybe", 50_000)
    problem = _problem(SourceError, lambda: _selected(path, engine))
    assert problem.where == str(path)
    assert problem.hint == HINT


def test_a_csv_file_with_quoted_commas_is_read(tmp_path, engine):
    (tmp_path / "rows.csv").write_text('g,p\n"a, b",1\n"say ""c""",0\n')
    log = eh.log(tmp_path / "rows.csv", kind="decisions", prediction="p", engine=engine)
    found = eh.estimate("difference(selection_rate, by=g)", log)
    assert [group.group["g"] for group in found.groups] == ["a, b", 'say "c"']


# --- CSV files as spreadsheets of other countries write them. ---


def _separated(path, separator, rows=ROWS):
    rows.write_csv(path, separator=separator)
    return path


@pytest.mark.parametrize(
    "engine", ["polars", "duckdb", pytest.param("spark", marks=pytest.mark.slow)]
)
def test_commas_semicolons_and_tabs_give_equal_findings(request, tmp_path, engine):
    if engine == "spark":
        request.getfixturevalue("spark")
    pytest.importorskip("pyspark" if engine == "spark" else engine)
    found = []
    for name, separator in {"comma": ",", "semicolon": ";", "tab": "\t"}.items():
        path = _separated(tmp_path / f"{name}.csv", separator)
        log = eh.log(path, kind="decisions", prediction="p", groups=["g"], engine=engine)
        found.append(eh.estimate("difference(selection_rate, by=g)", log).to_dict())
    assert found[0]["value"] == 0.5
    assert found == [found[0]] * 3


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read(tmp_path, engine, separator):
    rows = ["g_s", "a_0,25", "b_0,75", "b_1", ""]
    (tmp_path / "rows.csv").write_text("\n".join(rows).replace("_", separator))
    log = eh.log(tmp_path / "rows.csv", kind="decisions", prediction="s >= 0.5", engine=engine)
    found = eh.estimate("selection_rate", log)
    assert (found.value, found.rows) == (pytest.approx(2 / 3), 3)


@pytest.mark.slow
def test_decimal_commas_are_refused_on_spark(tmp_path, spark):
    del spark
    (tmp_path / "rows.csv").write_text("g;s\na;0,25\nb;0,75\n")
    problem = _problem(SourceError, lambda: open_source(tmp_path / "rows.csv", "spark"))
    assert "Spark reads no decimal commas" in problem.what


def test_a_point_beside_decimal_commas_makes_text_not_another_number(tmp_path, engine):
    (tmp_path / "rows.csv").write_text("amount;share\n1.234;0,5\n2.345;0,25\n")
    schema = open_source(tmp_path / "rows.csv", engine).frame.collect_schema()
    assert [f"{dtype}" for dtype in schema.values()] == ["String", "Float64"]


def test_the_separator_is_what_the_header_has_most_of_outside_quotes(tmp_path, engine):
    (tmp_path / "rows.csv").write_text('"a,b,c";p;q\nx;1;2\ny;0;2\n')
    assert _selected(tmp_path / "rows.csv", engine).rows == 2


def test_a_short_row_is_named_whatever_the_separator(tmp_path):
    (tmp_path / "rows.csv").write_text("g;p\na;1\nb\n")
    problem = _problem(SourceError, lambda: _selected(tmp_path / "rows.csv", "polars"))
    assert problem.what == "line 3 has 1 field where the header has 2."


def test_files_with_different_separators_are_not_one_log(tmp_path, engine):
    _separated(tmp_path / "1.csv", ",")
    _separated(tmp_path / "2.csv", ";")
    problem = _problem(SourceError, lambda: open_source(tmp_path / "*.csv", engine))
    assert problem.where == str(tmp_path / "2.csv")
    assert "separated by semicolons" in problem.what


@pytest.mark.parametrize("text", ["g,p\nä,1\nb,0\n", "größe,p\na,1\nb,0\n"])
@pytest.mark.parametrize(
    "engine", ["polars", "duckdb", pytest.param("spark", marks=pytest.mark.slow)]
)
def test_latin_1_text_says_how_to_save_it(request, tmp_path, engine, text):
    if engine == "spark":
        request.getfixturevalue("spark")
    pytest.importorskip("pyspark" if engine == "spark" else engine)
    (tmp_path / "rows.csv").write_bytes(text.encode("latin-1"))
    problem = _problem(SourceError, lambda: _selected(tmp_path / "rows.csv", engine))
    assert problem.what == "it is not UTF-8."
    assert problem.hint == "Save it as UTF-8 (in Excel: CSV UTF-8)."


def test_a_packed_csv_file_is_read_by_its_own_separator(tmp_path, engine):
    with gzip.open(tmp_path / "rows.csv.gz", "wt") as file:
        file.write("g;p\na;1\nb;0\n")
    assert _selected(tmp_path / "rows.csv.gz", engine).rows == 2


def test_half_a_packed_csv_file_is_a_source_error(tmp_path, engine):
    whole = gzip.compress(b"g,p\n" + b"a,1\n" * 1000)
    (tmp_path / "rows.csv.gz").write_bytes(whole[:20])
    problem = _problem(SourceError, lambda: _selected(tmp_path / "rows.csv.gz", engine))
    assert problem.where == str(tmp_path / "rows.csv.gz")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_without_permission_is_a_source_error(tmp_path, monkeypatch, engine, ending):
    path = tmp_path / f"rows.{ending}"
    getattr(ROWS, f"write_{ending}")(path)

    def refuse(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    problem = _problem(SourceError, lambda: open_source(path, engine))
    assert problem.where == str(path)
    assert problem.what == "cannot be read: you have no permission."


# --- Tables in memory. ---


def _pandas(rows):
    return pytest.importorskip("pandas").DataFrame(rows)


@pytest.mark.parametrize("moved", [None, "duckdb"])
@pytest.mark.parametrize("form", ["eager", "lazy", "arrow", "batch", "pandas"])
def test_tables_in_memory_are_read(form, moved):
    pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    pytest.importorskip("duckdb")
    table = {
        "eager": lambda: ROWS,
        "lazy": ROWS.lazy,
        "arrow": ROWS.to_arrow,
        "batch": lambda: ROWS.to_arrow().to_batches()[0],
        "pandas": ROWS.to_pandas,
    }[form]()
    found = _selected(table, moved)
    assert (found.value, found.rows) == (0.75, 4)


@pytest.mark.parametrize("moved", [None, "duckdb"])
@pytest.mark.parametrize("column", ["float", "nullable", "flag"])
def test_missing_values_of_pandas_are_missing(column, moved):
    pandas = pytest.importorskip("pandas")
    table = _pandas(
        {
            "float": [1.0, float("nan"), 0.0, 1.0],
            "nullable": pandas.array([1, None, 0, 1], dtype="Int64"),
            "flag": pandas.array([True, None, False, True], dtype="boolean"),
        }
    )
    log = eh.log(table, kind="decisions", prediction=column, engine=moved)
    found = eh.estimate("selection_rate", log)
    assert found.rows == 3
    assert found.value == pytest.approx(2 / 3, rel=1e-15)
    assert [(part.reason, part.rows) for part in found.excluded] == [("prediction is missing", 1)]


@pytest.mark.parametrize("dtype", ["str", "object", "string", "category"])
def test_text_of_pandas_is_a_group_in_each_of_its_types(dtype):
    pandas = pytest.importorskip("pandas")
    table = _pandas({"g": pandas.Series(["a", "b", None, "b"], dtype=dtype), "p": [1, 0, 1, 1]})
    log = eh.log(table, kind="decisions", prediction="p")
    found = eh.estimate("difference(selection_rate, by=g)", log)
    assert {group.group["g"]: group.rows for group in found.groups} == {
        "a": 1,
        "b": 2,
        "unknown": 1,
    }


def test_an_index_of_pandas_is_not_a_column():
    table = _pandas({"p": [1, 0]}).set_index(_pandas({"key": ["x", "y"]})["key"])
    assert [*eh.log(table, kind="decisions", prediction="p").schema] == ["p"]


def test_a_pandas_table_that_mixes_types_is_a_source_error():
    table = _pandas({"p": [1, 0], "mixed": [1, "x"]})
    assert _problem(SourceError, lambda: open_source(table)).where == "pandas table"


def test_a_pandas_table_with_two_columns_of_one_name_is_a_source_error():
    table = pytest.importorskip("pandas").DataFrame([[1, 2]], columns=["p", "p"])
    assert _problem(SourceError, lambda: open_source(table)).where == "pandas table"


def test_a_lazy_table_that_cannot_be_resolved_is_a_source_error():
    assert _problem(SourceError, lambda: open_source(ROWS.lazy().select("q"))).where == (
        "polars table"
    )


def test_a_duckdb_relation_stays_on_its_engine():
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.connect().from_arrow(ROWS.to_arrow())
    assert open_source(relation).engine == "duckdb"
    assert _selected(relation).value == 0.75


def test_a_query_of_duckdb_is_a_source():
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.connect().sql("SELECT 1 AS p FROM range(7) UNION ALL SELECT 0")
    assert _selected(relation).rows == 8


def test_a_table_of_one_engine_cannot_be_asked_for_on_another():
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.connect().from_arrow(ROWS.to_arrow())
    problem = _problem(SourceError, lambda: open_source(relation, "polars"))
    assert problem.where == "engine"
    assert "'polars' was asked for" in problem.what
    assert "Leave the engine out" in problem.hint


def test_a_text_unit_on_a_connection_of_ones_own_says_what_to_call_once():
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    relation = connection.from_arrow(ROWS.to_arrow())
    problem = _problem(EngineError, lambda: _selected(relation, unit="u"))
    assert problem.where == "unit"
    assert "evenhand.logs.unit.register_duckdb(connection)" in problem.hint


def test_the_call_that_the_hint_names_makes_a_text_unit_work():
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    register_duckdb(connection)
    found = _selected(connection.from_arrow(ROWS.to_arrow()), unit="u")
    assert (found.value, found.units, found.rows) == (0.75, 3, 4)


@pytest.mark.parametrize(
    "thing", [{"p": [1]}, [1], 7, None, ROWS["p"], b"rows.parquet"], ids=lambda x: type(x).__name__
)
def test_what_is_not_a_source_says_what_is(thing):
    problem = _problem(SourceError, lambda: open_source(thing))
    assert problem.what.endswith(f"{type(thing).__name__} is not a source of rows.")
    assert "DuckDB relation" in problem.hint


def test_a_column_of_another_library_is_not_a_source():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    duckdb = pytest.importorskip("duckdb")
    for thing in (pandas.Series([1]), pyarrow.array([1]), duckdb.connect()):
        assert (
            "is not a source of rows"
            in _problem(SourceError, lambda thing=thing: open_source(thing)).what
        )


# --- Engines. ---


def test_an_unknown_engine_is_suggested():
    problem = _problem(SourceError, lambda: open_source(ROWS, "duckbd"))
    assert problem.what == "there is no engine 'duckbd'."
    assert problem.hint == "Did you mean 'duckdb'?"


@pytest.mark.parametrize(
    ("engine", "package"),
    [("duckdb", "duckdb"), ("duckdb", "pyarrow"), ("spark", "pyspark"), ("spark", "pyarrow")],
)
def test_an_engine_that_is_not_installed_names_the_exact_line(monkeypatch, engine, package):
    _hide(monkeypatch, package)
    problem = _problem(MissingExtraError, lambda: open_source(ROWS, engine))
    assert problem.where == f"engine '{engine}'"
    assert problem.hint == f"pip install 'evenhand[{engine}]'"


def test_a_pandas_table_without_pyarrow_names_the_exact_line(monkeypatch):
    table = _pandas({"p": [1, 0]})
    _hide(monkeypatch, "pyarrow")
    problem = _problem(MissingExtraError, lambda: open_source(table))
    assert problem.hint == "pip install 'evenhand[pandas]'"


def _hide(monkeypatch, package):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == package else found(name, *rest),
    )


@pytest.mark.slow
def test_files_and_tables_are_read_on_spark(tmp_path, spark):
    ROWS.write_parquet(tmp_path / "rows.parquet")
    ROWS.write_csv(tmp_path / "rows.csv")
    table = spark.createDataFrame(ROWS.to_arrow())
    assert open_source(table).engine == "spark"
    for source in (tmp_path / "rows.parquet", tmp_path / "rows.csv", ROWS, table):
        found = _selected(source, "spark")
        assert (found.value, found.rows) == (0.75, 4)


@pytest.mark.slow
@pytest.mark.parametrize("bad", ["a", "a,1,9", "a,maybe"])
def test_a_bad_csv_row_is_an_error_on_spark(tmp_path, spark, bad):
    del spark
    path = _csv(tmp_path / "rows.csv", bad, 2, rows=100)
    with pytest.raises((SourceError, RoleError)):
        _selected(path, "spark")
