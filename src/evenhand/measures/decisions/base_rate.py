"""Base rate: the share of rows whose label is positive."""

import narwhals as nw

from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure
from evenhand.stats.proportion import Proportion


@measure(
    needs=("label",), better=None, tags=("fairness",), cites="Barocas, Hardt and Narayanan 2023"
)
class BaseRate(Sums):
    """Share of rows whose label is positive, P(Y = 1); in [0, 1].

    A property of the world in the log, not of the model: where it differs between groups, parity
    of selection and parity of errors cannot all hold (Kleinberg et al. 2017).

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"repaid": [1, 0, 0, 0]})
    >>> eh.estimate("base_rate", eh.log(rows, kind="decisions", label="repaid")).value
    0.25
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"positives": log.label == 1, "rows": 1}

    def finalise(self, s: TermSums) -> Proportion:
        return s.proportion("positives", "rows", empty="no rows")
