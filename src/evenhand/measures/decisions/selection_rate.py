"""Selection rate: the share of rows that receive the decision."""

import narwhals as nw

from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure
from evenhand.stats.proportion import Proportion


@measure(needs=("prediction",), better=None, tags=("fairness",), cites="Dwork et al. 2012")
class SelectionRate(Sums):
    """Share of rows that receive the positive decision, P(Yhat = 1); in [0, 1].

    Its difference over groups is the demographic parity difference: 0 when every group is
    selected alike. Neither direction is good in itself: a loan is wanted, a removal is not.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"approved": [1, 1, 1, 0]})
    >>> eh.estimate("selection_rate", eh.log(rows, kind="decisions", prediction="approved")).value
    0.75
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"selected": log.prediction == 1, "rows": 1}

    def finalise(self, s: TermSums) -> Proportion:
        return s.proportion("selected", "rows", empty="no rows with a prediction")
