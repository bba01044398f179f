"""Matthews' correlation: the correlation of prediction and label."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals as nw
import numpy as np

from evenhand.measures.decisions.confusion import of_class
from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure
from evenhand.stats.interval import Floats


@measure(
    needs=("label", "prediction"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Matthews 1975; Gorodkin 2004",
)
class MatthewsCorrelation(Sums):
    """Correlation of prediction and label over the confusion matrix; in [-1, 1].

    (TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)), and Gorodkin's form of it for
    more than two classes. 0 when they are unrelated. Undefined, not 0, where labels or
    predictions are of one class only.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 1, 0, 0], "decided": [1, 1, 0, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("matthews_correlation", log).value, 4)
    0.6667
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        names = [*enumerate(log.names)]
        labelled = {of_class("labelled", name): log.label == number for number, name in names}
        predicted = {of_class("predicted", name): log.prediction == n for n, name in names}
        return {"rows": 1, "correct": log.label == log.prediction, **labelled, **predicted}

    def finalise(self, s: TermSums) -> Figure:
        return s.function(
            _correlation,
            among="rows",
            empty="no rows with a prediction",
            within=(-1.0, 1.0),
            otherwise="all labels or all predictions are of one class",
        )


def _correlation(s: Mapping[str, Floats]) -> Floats:
    rows, correct = s["rows"], s["correct"]
    labelled, predicted = (
        [total for name, total in s.items() if name.startswith(kind)]
        for kind in ("labelled", "predicted")
    )
    chance = sum(t * p for t, p in zip(labelled, predicted, strict=True))
    spread = [rows * rows - sum(t * t for t in totals) for totals in (labelled, predicted)]
    value: Floats = (correct * rows - chance) / np.sqrt(spread[0] * spread[1])
    return value
