"""The same plan on every engine, however its files are parted: evidence differs in engine and time.

What is compared is what ``evenhand diff`` compares: counts exactly, the rest to 1e-9.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.evidence.comparison import diff
from evenhand.engine import partition
from evenhand.errors import PlanError

OTHERS = ["duckdb", pytest.param("spark", marks=pytest.mark.slow)]


@pytest.fixture(params=OTHERS)
def other(request):
    """An engine beside Polars."""
    if request.param == "spark":
        request.getfixturevalue("spark")
    else:
        pytest.importorskip("duckdb")
    return request.param


def assert_same_evidence(plan, *others):
    """The bundles of Polars and of other engines are equal but for the engine and the time."""
    one = eh.audit(plan)
    for other in others:
        two = eh.audit(plan, engine=other)
        found = diff(one, two)
        assert found.same, [change.name for change in found.changes if not change.same][:5]
        assert one.verdict == two.verdict
        assert (one.units, one.inputs) == (two.units, two.inputs)
        made, again = one.environment, two.environment
        differ = {key for key in made if made[key] != again.get(key)}
        assert differ <= {"engine", "packages", "seconds"}


def test_acs_income_is_the_same_on_every_engine(data, other):
    plan = {
        "evenhand": 1,
        "log": {"source": str(data / "acs_income_test.parquet")},
        "roles": {"label": "label_income_gt_50k", "prediction": "WKHP >= 35"},
        "groups": {"sex": "SEX", "race": "RAC1P", "age": {"column": "AGEP", "bins": [30, 50]}},
        "measures": [
            {"measure": "difference(selection_rate, by=[sex, race])", "slices": ["AGEP > 40"]},
            "pairs(true_positive_rate, by=age)",
        ],
        "gate": [{"id": "gap", "rule": "difference(selection_rate, by=[sex, race]) <= 0.5"}],
    }
    assert_same_evidence(plan, other)


def _large(folder, rows, parts):
    """A log of users with text ids, continuous scores, missing labels, one unit of a tenth."""
    for part in range(parts):
        rng = np.random.default_rng(part)
        size = rows // parts
        users = rng.integers(0, rows // 10, size)
        users[rng.random(size) < 0.1] = 7
        score = rng.random(size)
        pl.DataFrame(
            {
                "user": pl.Series(users).cast(pl.String),
                "country": rng.integers(0, 10, size),
                "age": rng.integers(18, 80, size),
                "score": score,
                "label": pl.Series(rng.random(size) < score, dtype=pl.Int8),
            }
        ).with_columns(
            label=pl.when(pl.col("age") < 79).then(pl.col("label")).otherwise(None),
            country=pl.lit("c") + pl.col("country").cast(pl.String),
        ).write_parquet(folder / f"part-{part}.parquet")
    return {
        "evenhand": 1,
        "log": {"source": str(folder / "*.parquet")},
        "roles": {"label": "label", "prediction": "score >= 0.5", "score": "score"},
        "unit": "user",
        "groups": {"country": "country", "age": {"column": "age", "bins": [30, 50, 70]}},
        "measures": [
            "difference(selection_rate, by=[country, age])",
            "difference(auc, by=country)",
            "difference(bounds(true_positive_rate, missing=odds(2)), by=age)",
            "worst(brier_score, by=country)",
            "calibration_in_the_large",
        ],
        "gate": [{"id": "gap", "rule": "difference(selection_rate, by=[country, age]) <= 0.05"}],
    }


def test_a_log_of_text_units_is_the_same_on_every_engine(tmp_path, other):
    assert_same_evidence(_large(tmp_path, 60_000, 3), other)


@pytest.mark.slow
@pytest.mark.usefixtures("spark")
def test_a_million_rows_are_the_same_on_every_engine(tmp_path):
    pytest.importorskip("duckdb")
    # As many as somebody has time for: of ten million it takes two minutes.
    plan = _large(tmp_path, int(os.environ.get("EVENHAND_ROWS", "1_000_000")), 4)
    assert_same_evidence(plan, "duckdb", "spark")


@pytest.mark.parametrize("parts", [2, 7])
def test_partitions_do_not_change_evidence(tmp_path, monkeypatch, parts):
    (tmp_path / "log").mkdir()
    plan = _large(tmp_path / "log", 30_000, parts)
    whole = eh.audit(plan)
    monkeypatch.setitem(partition.PART_BYTES, "polars", 1)
    parted = eh.audit(plan, out=tmp_path / "x.evidence.zip")
    assert diff(whole, parted).same
    assert [one.units for one in whole.findings] == [one.units for one in parted.findings]


def test_a_unit_of_a_tenth_of_the_rows_is_named_on_every_engine(tmp_path, engine, monkeypatch):
    import importlib

    plan = _large(tmp_path, 60_000, 3)
    # As in logs too large to count units one by one.
    monkeypatch.setattr(importlib.import_module("evenhand.engine.scan"), "COUNTED_EXACTLY", 10)
    monkeypatch.setattr(partition, "COUNTED_EXACTLY", 10)
    found = eh.audit(plan, engine=engine).findings[0]
    assert "hold about 10% of the rows" in found.conventions["large unit"]


def test_a_table_that_would_explode_is_refused_before_any_row_is_read(tmp_path, monkeypatch):
    plan = _large(tmp_path, 600, 1)
    plan["groups"] = {name: {"column": "age", "bins": [*range(20, 79)]} for name in "abc"}
    plan |= {"gate": [], "measures": ["accuracy", "difference(accuracy, by=[a, b, c])"]}
    monkeypatch.setattr("evenhand.engine.partition.scan", None)
    with pytest.raises(PlanError) as caught:
        eh.audit(plan)
    (problem,) = caught.value.problems
    assert problem.where.endswith("measures[1]")
    # 59 edges make 60 bins, and unknown.
    assert f"{61**3:,} groups (61 of a x 61 of b x 61 of c)" in problem.what
    assert f"{61**3 * 128:,} rows of sums" in problem.what


def test_a_measure_that_an_engine_cannot_compute_is_named_before_reading(tmp_path, monkeypatch):
    pytest.importorskip("duckdb")
    from evenhand.measures.registry import measures

    plan = _large(tmp_path, 600, 1)
    plan |= {"measures": ["accuracy", "brier_score"], "gate": []}

    def ranked(_self, log):
        return {"squared_error": (log.score - log.label).map_batches(lambda all_of_it: all_of_it)}

    monkeypatch.setattr(measures()["brier_score"], "amounts", ranked)
    monkeypatch.setattr("evenhand.engine.partition.scan", None)
    with pytest.raises(PlanError) as caught:
        eh.audit(plan, engine="duckdb")
    (problem,) = caught.value.problems
    assert problem.where.endswith("measures[1]")
    assert "duckdb cannot compute brier_score" in problem.what


_CONNECTED = """
import json, sys
from pyspark.sql import SparkSession
import evenhand as eh

session = SparkSession.builder.remote("local[2]").getOrCreate()
eh.audit(json.loads(sys.argv[1]), engine=eh.spark(session), out=sys.argv[2])
session.stop()
"""


@pytest.mark.slow
def test_spark_connect_gives_the_same_evidence(tmp_path):
    pytest.importorskip("grpc")
    pytest.importorskip("pyspark")
    (tmp_path / "log").mkdir()
    plan = _large(tmp_path / "log", 20_000, 2)
    out = tmp_path / "x.evidence.zip"
    # In a process of its own: Spark's two kinds of session do not share one.
    words = [sys.executable, "-W", "ignore", "-c", _CONNECTED, json.dumps(plan), str(out)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr[-3000:]
    assert diff(eh.audit(plan), eh.read_bundle(out)).same
