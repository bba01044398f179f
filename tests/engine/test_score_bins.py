"""Bins of scores: every row is in one, also where later rows need wider bins than the first did."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

import evenhand as eh
from evenhand.engine.score import SCORE, ScoreTable
from evenhand.engine.table import Table


def test_bins_that_fall_together_are_one_row():
    fine = pl.DataFrame({SCORE: np.arange(2**17) / 2**17, "n": np.ones(2**17, dtype=np.int64)})
    found = ScoreTable.canonical(Table((SCORE,), "sum", fine), 2.0**-17)
    assert found.width == 2.0**-16
    assert found.fine.frame[SCORE].is_unique().all()
    assert found.fine.frame["n"].to_list() == [2] * 2**16


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_area_counts_all_rows_where_the_first_fit_narrower_bins(tmp_path, engine):
    rng = np.random.default_rng(1)
    size = 150_000
    label = rng.integers(0, 2, size)
    # The first 100,000 rows have some 70,000 distinct scores, all rows some 105,000.
    score = np.where(rng.random(size) < 0.3, 0.5, rng.random(size))
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"label": label, "score": score}).write_parquet(path)
    log = eh.log(path, kind="decisions", label="label", score="score", engine=engine)
    found = eh.estimate("auc", log)
    binned = np.floor(score * 2**16)
    assert found.value == pytest.approx(roc_auc_score(label, binned), abs=1e-12)
    assert found.rows == size


def test_number_beyond_all_others_is_a_bin_of_its_own():
    numbers = np.append(np.arange(2**17) / 2**17, np.inf)
    fine = pl.DataFrame({SCORE: numbers, "n": np.ones(2**17 + 1, dtype=np.int64)})
    found = ScoreTable.canonical(Table((SCORE,), "sum", fine), 0.0)
    # Of 65,536 places one is taken.
    assert found.width == 2.0**-15
    assert found.fine.frame[SCORE][-1] == np.inf
    assert found.fine.frame["n"].to_list() == [4] * 2**15 + [1]
