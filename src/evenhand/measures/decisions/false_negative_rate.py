"""False negative rate: how many of the true positives are missed."""

import narwhals as nw

from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure
from evenhand.stats.proportion import Proportion


@measure(
    needs=("label", "prediction"), better="lower", tags=("fairness",), cites="Hardt et al. 2016"
)
class FalseNegativeRate(Sums):
    """Share of the positives that are predicted negative, P(Yhat = 0 | Y = 1); in [0, 1].

    Also called miss rate; 1 - true positive rate, so both have the same difference over groups.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 1, 0], "decided": [1, 1, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("false_negative_rate", log).value, 4)
    0.3333
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        positive = log.label == 1
        return {"false_negatives": positive & (log.prediction == 0), "positives": positive}

    def finalise(self, s: TermSums) -> Proportion:
        return s.proportion("false_negatives", "positives", empty="no positive labels")
