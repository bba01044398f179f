"""Figures of every request are those of ir_measures, on real logs.

What ir_measures makes 0 for want of a relevant document is left out here, and counted.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from naive_lists import Item, finding_of, of_each

ir_measures = pytest.importorskip("ir_measures", reason="ir_measures is not installed")

CLOSE = 1e-9

NAMES = [
    *(f"{name}@{k}" for name in ("P", "Success", "RR", "nDCG") for k in (1, 3, 5, 10)),
    *(f"{name}(ideal=shown)@{k}" for name in ("R", "AP") for k in (1, 3, 5, 10)),
    *("AP(ideal=shown)", "RR", "nDCG", "RBP", "RBP(p=0.5)"),
]
GRADED = [
    *("P(rel=2)@5", "Success(rel=2)@5", "RR(rel=2)@5", "RBP(rel=2, p=0.5)", "RR(rel=3)"),
    *("R(rel=2, ideal=shown)@5", "AP(rel=2, ideal=shown)@5", "AP(rel=3, ideal=shown)"),
    "nDCG(gain=exp2)@5",
]


def theirs(notation: str, frame: pl.DataFrame) -> dict[str, float]:
    """Return the figure of each request by ir_measures."""
    written = notation.replace(", ideal=shown", "").replace("(ideal=shown)", "")
    if written.startswith("nDCG(gain=exp2)"):
        gains = {grade: 2**grade - 1 for grade in range(5)}
        measure = ir_measures.nDCG(gains=gains) @ int(written.partition("@")[2])
    else:
        measure = ir_measures.parse_measure(written)
    if measure.NAME == "RBP":
        pytest.importorskip("cwl", reason="cwl-eval is not installed")
        measure = measure(rel=1) if "rel" not in measure.params else measure
    qrels = [ir_measures.Qrel(*row) for row in frame.select("q", "doc", "worth").iter_rows()]
    run = [
        ir_measures.ScoredDoc(q, doc, -float(slot))
        for q, doc, slot in frame.select("q", "doc", "slot").drop_nulls().iter_rows()
    ]
    return {
        found.query_id: float(found.value) for found in ir_measures.iter_calc([measure], qrels, run)
    }


def requests_of(frame: pl.DataFrame) -> tuple[list[str], list[list[Item]]]:
    """Return requests' names and items."""
    names, requests = [], []
    for (name,), rows in frame.group_by("q", maintain_order=True):
        names.append(name)
        requests.append([Item(*row) for row in rows.select("slot", "worth").iter_rows()])
    return names, requests


def assert_same(notation: str, frame: pl.DataFrame, *, without: int) -> None:
    names, requests = requests_of(frame)
    ours, other = of_each(notation, requests), theirs(notation, frame)
    empty = [name for name, value in zip(names, ours, strict=True) if value is None]
    assert len(empty) == without
    assert all(other[name] == 0 for name in empty)
    kept = {n: value for n, value in zip(names, ours, strict=True) if value is not None}
    assert max(abs(value - other[name]) for name, value in kept.items()) < CLOSE
    finding = finding_of(notation, requests)
    assert math.isclose(finding.value, np.mean([other[n] for n in kept]), abs_tol=CLOSE)
    assert sum(part.rows for part in finding.excluded) == without


@pytest.fixture(scope="module")
def scholarly(data) -> pl.DataFrame:
    """635 queries of scholarly search, clicked or not, in the order of the source."""
    return pl.read_parquet(data / "trec_fair2020_eval.parquet").select(
        pl.col("qid").cast(pl.String).alias("q"),
        pl.col("doc_id").alias("doc"),
        pl.col("relevance").cast(pl.Int64).alias("worth"),
        pl.col("position").cast(pl.Int64).alias("slot"),
    )


@pytest.fixture(scope="module")
def graded(data) -> pl.DataFrame:
    """251 queries with grades 0 to 4; ranked by feature f30, ties in the order of the file."""
    rows = pl.read_parquet(
        data / "lightgbm_lambdarank.parquet", columns=["split", "query_id", "label", "f30"]
    ).with_row_index("place")
    q = pl.concat_str("split", pl.lit("-"), "query_id")
    return rows.select(
        q.alias("q"),
        pl.col("place").cast(pl.String).alias("doc"),
        pl.col("label").cast(pl.Int64).alias("worth"),
        pl.struct(-pl.col("f30"), "place").rank("ordinal").over(q).cast(pl.Int64).alias("slot"),
    )


@pytest.mark.parametrize("notation", NAMES)
def test_scholarly_search_has_the_figures_of_ir_measures(scholarly, notation):
    assert scholarly["q"].n_unique() == 635
    assert_same(notation, scholarly, without=0)


@pytest.mark.parametrize("notation", NAMES)
def test_graded_search_has_the_figures_of_ir_measures(graded, notation):
    assert graded["q"].n_unique() == 251
    assert_same(notation, graded, without=3)


@pytest.mark.parametrize("notation", GRADED)
def test_levels_and_gains_are_those_of_ir_measures(graded, notation):
    level = 2 if "rel=2" in notation else 3 if "rel=3" in notation else 1
    best = graded.group_by("q").agg(pl.col("worth").max())
    assert_same(notation, graded, without=int((best["worth"] < level).sum()))


@pytest.mark.parametrize("notation", ["R@5", "R@10", "AP", "AP@5", "nDCG@5", "P@5", "RR", "RBP"])
def test_items_that_were_not_shown_are_judged_documents_that_were_not_retrieved(graded, notation):
    cut = graded.with_columns(slot=pl.when(pl.col("slot") <= 7).then("slot"))
    assert cut["slot"].null_count() > 0
    assert_same(notation, cut, without=3)


@pytest.mark.parametrize("k", [1, 5])
def test_rbp_with_a_cutoff_is_that_of_a_list_that_ends_there(graded, k):
    names, requests = requests_of(graded)
    ours = of_each(f"RBP@{k}", requests)
    cut = graded.with_columns(slot=pl.when(pl.col("slot") <= k).then("slot"))
    other = theirs("RBP", cut)
    pairs = [(x, other[n]) for n, x in zip(names, ours, strict=True) if x is not None]
    assert len(pairs) == 248
    assert max(abs(one - two) for one, two in pairs) < CLOSE
