"""Logs that are no local files: addresses, tables, and credentials that are none of ours."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.evidence.archive import read_bundle, write_bundle
from evenhand.errors import MissingExtraError, SourceError
from evenhand.logs import remote
from evenhand.logs.remote import within
from store import served

ROWS = pl.DataFrame({"g": ["a", "a", "b", "b"], "p": [1, 0, 1, 1]})


def _selected(source, engine=None):
    log = eh.log(source, kind="decisions", prediction="p", groups=["g"], engine=engine)
    return eh.estimate("difference(selection_rate, by=g)", log)


def _refused(source, engine=None):
    with pytest.raises(SourceError) as caught:
        _selected(source, engine)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("name", ["day=1/part.parquet", "day=*/*.parquet"])
def test_objects_of_a_store_are_read_with_the_environments_credentials(tmp_path, monkeypatch, name):
    for day in (1, 2):
        (tmp_path / f"day={day}").mkdir()
        ROWS.write_parquet(tmp_path / f"day={day}" / "part.parquet")
    with served(tmp_path, monkeypatch) as seen:
        found = _selected(f"s3://bucket/{name}")
    assert found.rows == (8 if "*" in name else 4)
    assert all("who" in request["authorization"] for request in seen)


def test_evidence_of_an_address_holds_no_credentials(tmp_path, monkeypatch):
    ROWS.write_parquet(tmp_path / "rows.parquet")
    plan = {
        "evenhand": 1,
        "log": {"source": "s3://bucket/rows.parquet"},
        "roles": {"prediction": "p"},
        "measures": ["selection_rate"],
    }
    with served(tmp_path, monkeypatch):
        write_bundle(eh.audit(plan), tmp_path / "x.evidence.zip")
    assert b"psst" not in (tmp_path / "x.evidence.zip").read_bytes()
    (one,) = read_bundle(tmp_path / "x.evidence.zip").inputs
    assert (one.name, one.sha256) == ("rows.parquet", None)


@pytest.mark.parametrize(
    "address",
    [
        "s3://key:secret@bucket/x.parquet",
        "s3://key@bucket/x.parquet",
        "https://example.org/x.parquet?X-Amz-Signature=ab&X-Amz-Expires=9",
        "az://store/x.parquet?sig=ab",
        "delta:abfss://user:secret@store/events",
    ],
)
def test_an_address_with_credentials_is_refused_without_repeating_them(address):
    problem = _refused(address)
    assert "holds credentials" in problem.what
    assert not any(word in str(problem) for word in ("secret", "key:", "=ab"))


def test_an_engine_that_does_not_read_a_scheme_names_the_one_that_does():
    problem = _refused("hdfs://namenode/x.parquet")
    assert problem.what == "polars does not read hdfs://."
    assert problem.hint == "Use --engine spark."


def test_an_address_without_a_known_ending_lists_those_known():
    assert "delta:..." in _refused("s3://bucket/rows.xlsx").hint


def test_a_store_that_does_not_answer_is_a_source_error(monkeypatch, tmp_path):
    with served(tmp_path, monkeypatch):
        problem = _refused("s3://bucket/missing.parquet")
    assert problem.where == "s3://bucket/missing.parquet"


@pytest.mark.parametrize("form", ["{}", "delta:{}"])
def test_a_delta_table_is_read(tmp_path, form):
    pytest.importorskip("deltalake")
    ROWS.write_delta(tmp_path / "events")
    ROWS.write_delta(tmp_path / "events", mode="append")
    assert _selected(form.format(tmp_path / "events")).rows == 8


@pytest.mark.filterwarnings("ignore")  # of the library that writes the table
def test_an_iceberg_table_is_read(tmp_path):
    sql = pytest.importorskip("pyiceberg.catalog.sql")
    pytest.importorskip("pyarrow")
    place = f"sqlite:///{tmp_path}/catalogue.db"
    catalogue = sql.SqlCatalog("c", uri=place, warehouse=f"file://{tmp_path}")
    catalogue.create_namespace("n")
    table = catalogue.create_table("n.events", schema=ROWS.to_arrow().schema)
    table.append(ROWS.to_arrow())
    catalogue.close()
    folder = table.location().removeprefix("file://")
    assert _selected(folder).rows == 4
    assert _selected(f"iceberg:{folder}").rows == 4


def test_a_package_that_reads_a_table_is_named_where_it_is_missing(monkeypatch, tmp_path):
    def missing(_place, _at):
        raise ModuleNotFoundError("No module named 'deltalake'", name="deltalake")

    monkeypatch.setitem(remote.READERS, ("polars", "delta"), missing)
    with pytest.raises(MissingExtraError) as caught:
        _selected(f"delta:{tmp_path}")
    assert caught.value.problems[0].hint == "pip install 'evenhand[delta]'"


@pytest.mark.slow
def test_a_table_of_sparks_catalogue_is_read_by_its_name(spark):
    spark.createDataFrame(ROWS.to_arrow()).createOrReplaceTempView("events")
    assert _selected("events", eh.spark(spark)).rows == 4


@pytest.mark.slow
def test_a_table_that_spark_does_not_know_is_named(spark):
    problem = _refused("no.such_table", eh.spark(spark))
    assert problem.where == "no.such_table"
    assert "catalogue" in problem.what


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("logs/*.parquet", "plans/logs/*.parquet"),
        ("s3://bucket/x", "s3://bucket/x"),
        ("delta:events", "delta:plans/events"),
        ("delta:s3://bucket/events", "delta:s3://bucket/events"),
        ("/data/x.parquet", "/data/x.parquet"),
        ("prod.events", "prod.events"),
    ],
)
def test_a_source_is_found_from_the_plans_folder(written, found):
    assert within(Path("plans"), written, catalogue=True) == found


def test_without_a_catalogue_a_name_is_a_file():
    assert within(Path("plans"), "prod.events", catalogue=False) == "plans/prod.events"
