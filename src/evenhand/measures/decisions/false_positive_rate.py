"""False positive rate: how many of the true negatives are wrongly flagged."""

import narwhals as nw

from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure
from evenhand.stats.proportion import Proportion


@measure(
    needs=("label", "prediction"), better="lower", tags=("fairness",), cites="Hardt et al. 2016"
)
class FalsePositiveRate(Sums):
    """Share of the negatives that are predicted positive, P(Yhat = 1 | Y = 0); in [0, 1].

    Also called fall-out; 1 - specificity. Together with the true positive rate it makes
    equalised odds: both differences are 0.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 0, 0], "decided": [1, 1, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> round(eh.estimate("false_positive_rate", log).value, 4)
    0.3333
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        negative = log.label == 0
        return {"false_positives": negative & (log.prediction == 1), "negatives": negative}

    def finalise(self, s: TermSums) -> Proportion:
        return s.proportion("false_positives", "negatives", empty="no negative labels")
