"""Consistency: are people who are alike decided alike?"""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import OneClass, RoleColumns, Sums, TermSums, measure


@measure(
    needs=("prediction", "neighbours"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Zemel et al. 2013",
    limits={"neighbours": (0.0, 1.0)},
)
class Consistency(OneClass, Sums):
    """1 - mean distance of a decision from those of the nearest neighbours; in [0, 1].

    1 when everybody is decided as those who are like them. The mean decision of the neighbours is
    the role ``neighbours``: `evenhand.neighbour_means` finds it. The interval takes it as given;
    rows that are each other's neighbours vary together, so read it as the least width.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"approved": [1, 0, 1, 1], "like": [1.0, 0.5, 0.5, 1.0]})
    >>> log = eh.log(rows, kind="decisions", prediction="approved", neighbours="like")
    >>> eh.estimate("consistency", log).value
    0.75
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"agreement": 1 - (log.prediction - log.neighbours).abs()}

    def finalise(self, s: TermSums) -> Figure:
        empty = "no rows with a prediction and neighbours"
        figure = s.mean("agreement", among="rows", empty=empty, within=(0.0, 1.0))
        least = "taken as given; rows that share them vary together, so the interval is too narrow"
        return replace(figure, about={"neighbours": least})
