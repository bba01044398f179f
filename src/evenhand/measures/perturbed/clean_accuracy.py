"""Accuracy of the examples as they were, beside which every robust figure is read."""

from __future__ import annotations

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure


@measure(
    needs=("correct",), better="higher", tags=("robustness", "fairness"), cites="Xu et al. 2021"
)
class CleanAccuracy(Sums):
    """Share of source examples that are classified rightly as they are, P(correct); in [0, 1].

    Its difference over groups is 0 when the model errs as often for all. Read it beside
    `robust_accuracy`: groups that are alike here may be far apart there.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2, 3], "correct": [1, 1, 0], "variant": "linf 0.1"})
    >>> round(eh.estimate("clean_accuracy", eh.log(rows, kind="perturbed")).value, 4)
    0.6667
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"right": log.correct == 1, "rows": 1}

    def finalise(self, s: TermSums) -> Figure:
        return s.share("right", among="rows", empty="no rows")
