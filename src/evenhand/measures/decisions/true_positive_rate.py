"""True positive rate: how many of the true positives are found."""

import narwhals as nw

from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure
from evenhand.stats.proportion import Proportion


@measure(
    needs=("label", "prediction"), better="higher", tags=("fairness",), cites="Hardt et al. 2016"
)
class TruePositiveRate(Sums):
    """Share of the positives that are predicted positive, P(Yhat = 1 | Y = 1); in [0, 1].

    Also called recall or sensitivity. Its difference over groups is the equal opportunity
    difference: 0 when the deserving of every group are found alike.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 0, 0], "decided": [1, 0, 1, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("true_positive_rate", log).value
    0.5
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        positive = log.label == 1
        return {"true_positives": positive & (log.prediction == 1), "positives": positive}

    def finalise(self, s: TermSums) -> Proportion:
        return s.proportion("true_positives", "positives", empty="no positive labels")
