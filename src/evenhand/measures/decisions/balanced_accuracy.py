"""Balanced accuracy: every class counts alike, however rare."""

from __future__ import annotations

import narwhals as nw

from evenhand.measures.decisions.confusion import classes_among, of_class
from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure


@measure(
    needs=("label", "prediction"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Brodersen et al. 2010",
)
class BalancedAccuracy(Sums):
    """Mean over the classes of the share of each that is predicted right; in [0, 1].

    With yes and no it is (true positive rate + true negative rate) / 2: 0.5 for a model that
    ignores its input, however unequal the classes. With more classes it is the macro recall.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 0, 0], "decided": [1, 0, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("balanced_accuracy", log).value
    0.75
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        found = {
            of_class("found", name): (log.label == number) & (log.prediction == number)
            for number, name in enumerate(log.names)
        }
        members = {
            of_class("members", name): log.label == number for number, name in enumerate(log.names)
        }
        return {"rows": 1, **found, **members}

    def finalise(self, s: TermSums) -> Figure:
        parts = tuple(
            s.share(
                of_class("found", name),
                among=of_class("members", name),
                empty=f"no labels of class {name}",
            )
            for name in classes_among(s, "members")
        )
        return s.average(parts, among="rows", empty="no rows with a prediction")
