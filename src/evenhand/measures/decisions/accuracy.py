"""Accuracy: how many decisions agree with the label."""

import narwhals as nw

from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure
from evenhand.stats.proportion import Proportion


@measure(
    needs=("label", "prediction"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Buolamwini and Gebru 2018",
)
class Accuracy(Sums):
    """Share of rows whose prediction equals the label, P(Yhat = Y); in [0, 1].

    Its difference over groups is 0 when the model errs alike for all; it says nothing about
    which way it errs, so read it beside the true and false positive rates.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 0, 0], "decided": [1, 0, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("accuracy", log).value
    0.75
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"correct": log.label == log.prediction, "rows": 1}

    def finalise(self, s: TermSums) -> Proportion:
        return s.proportion("correct", "rows", empty="no rows with a prediction")
