"""Accuracy of the current rows without labels, and what the reference's labels say of its score."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import polars as pl

from evenhand.audits.drift.found import Performance
from evenhand.errors import Problem, did_you_mean
from evenhand.stats.interval import Floats
from evenhand.stats.label_free import (
    accuracy,
    accuracy_beyond,
    calibration_test,
    expected_accuracy,
    refutes,
)
from evenhand.stats.multiplicity import Flags
from evenhand.stats.two_sample import Codes

_Truth: TypeAlias = tuple[Floats, Flags, Codes]
"""Scores, labels and units of labelled rows."""


def score_problems(
    one: pl.DataFrame, other: pl.DataFrame, score: str | None, label: str | None
) -> list[Problem]:
    """Return what stops the score and the label from being used."""
    found = []
    if label is not None and score is None:
        what = "a label is there to test a score, and none is named."
        found.append(Problem("--label", what, "Add --score."))
    if score is not None:
        for which, rows in (("reference", one), ("current data", other)):
            found += _score_problems(rows, which, score)
    if label is not None:
        if label not in one.columns:
            what = f"the reference has no column '{label}'."
            found.append(Problem("--label", what, did_you_mean(label, one.columns)))
        elif _labels(one[label]) is None:
            what = f"'{label}' is not of 0 and 1, or of yes and no."
            found.append(Problem("--label", what, "Name a column of the labels 0 and 1."))
    return found


def _score_problems(rows: pl.DataFrame, which: str, score: str) -> list[Problem]:
    if score not in rows.columns:
        what = f"the {which} has no column '{score}'."
        return [Problem("--score", what, did_you_mean(score, rows.columns))]
    if not rows.schema[score].is_numeric():
        what = f"'{score}' is {rows.schema[score]} in the {which}."
        return [Problem("--score", what, "A score is the chance that the label is 1.")]
    scores = _scores(rows[score])
    beyond = int(((scores < 0) | (scores > 1)).sum())
    if beyond:
        what = f"{beyond} rows of the {which} have a '{score}' outside [0, 1]."
        return [Problem("--score", what, "A score is the chance that the label is 1.")]
    return []


def performance_of(
    one: pl.DataFrame,
    other: pl.DataFrame,
    within: Flags,
    units: Codes,
    *,
    group: str | None,
    score: str,
    label: str | None,
    level: float,
) -> Performance:
    """Return accuracy without labels of some rows.

    Args:
        one: The reference.
        other: The current data.
        within: Which rows of both are meant, the reference's first, shape (rows,).
        units: The unit of each row, as a code.
        group: The group that the rows are of.
        score: The column of chances that the label is 1.
        label: The column of the reference's labels.
        level: Coverage of the intervals.

    """
    count = len(one)
    before, now = _scores(one[score]), _scores(other[score])
    in_before = within[:count] & ~np.isnan(before)
    in_now = within[count:] & ~np.isnan(now)
    own, others = units[:count], units[count:]
    labels = None if label is None else _labels(one[label])
    labelled = in_before & ~np.isnan(labels) if labels is not None else np.zeros(count, dtype=bool)
    truth: _Truth | None = None
    if labels is not None and labelled.any():
        truth = before[labelled], labels[labelled] == 1, _dense(own[labelled])
    beyond = None if truth is None else accuracy_beyond(*truth, level)
    calibration = None if truth is None else calibration_test(*truth)
    return Performance(
        group=group,
        reference=expected_accuracy(before[in_before], _dense(own[in_before]), level),
        current=expected_accuracy(now[in_now], _dense(others[in_now]), level),
        labelled=int(labelled.sum()),
        true_reference=None if truth is None else accuracy(*truth, level),
        beyond=beyond,
        calibration=calibration,
        refuted=None if truth is None else refutes(*truth, calibration, 1 - level),
        left_out=int((within[count:] & np.isnan(now)).sum()),
    )


def _dense(units: Codes) -> Codes:
    codes: Codes = np.unique(units, return_inverse=True)[1]
    return codes


def _scores(column: pl.Series) -> Floats:
    floats: Floats = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return floats


def _labels(column: pl.Series) -> Floats | None:
    """Return labels as 0 and 1, NaN where there is none; None where they are something else."""
    if column.dtype != pl.Boolean and not column.dtype.is_numeric() and column.dtype != pl.Null:
        return None
    labels = _scores(column)
    return labels if np.isin(labels[~np.isnan(labels)], (0, 1)).all() else None
