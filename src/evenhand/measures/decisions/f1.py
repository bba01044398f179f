"""F1: precision and recall in one number."""

from __future__ import annotations

import narwhals as nw

from evenhand.measures.measure import RoleColumns, Share, Sums, TermSums, measure
from evenhand.stats.proportion import Curve

FROM_JACCARD = Curve(value=lambda share: 2 * share / (1 + share), slope=lambda s: 2 / (1 + s) ** 2)
"""F1 as a function of the Jaccard index."""


@measure(
    needs=("label", "prediction"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="van Rijsbergen 1979",
)
class F1(Sums):
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); in [0, 1].

    It is 2 J / (1 + J) with J = TP / (TP + FP + FN), the share of hits among all rows that are
    positive or predicted so. J is a proportion, so F1 has its interval, mapped. True negatives do
    not enter; with different base rates a difference over groups mixes base rate and skill.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 0, 0], "decided": [1, 0, 1, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("f1", log).value
    0.5
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        positive, selected = log.label == 1, log.prediction == 1
        return {"true_positives": positive & selected, "relevant": positive | selected}

    def finalise(self, s: TermSums) -> Share:
        empty = "no positive labels and no positive predictions"
        return s.share("true_positives", among="relevant", empty=empty, curve=FROM_JACCARD)
