"""Local effects: how the score moves as a feature passes the bin of an example."""

from __future__ import annotations

import narwhals as nw

from evenhand.measures.attributions.effect import amounts, mean_effect
from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure


@measure(
    needs=("local_effect",),
    better=None,
    tags=("explainability", "fairness"),
    cites="Apley and Zhu 2020",
)
class MeanLocalEffect(Sums):
    """Mean change of the score from the lower to the upper end of an example's bin; in (-inf, inf).

    In a slice of one bin, ``variant == 'age' and ale_bin == 3``, it is the step of the feature's
    curve there; over all bins, whether the score mostly rises or falls along it. Within one bin its
    difference over groups is 0 where the feature moves the score alike for all; over all bins it is
    not, where groups lie in different ones. In units of the score.

    Where all rows are alike, those of all groups together and 100 at least, it is known, with an
    interval of no width; a group that is alike beside others has none. Other intervals have room
    for three rows more that move as far as those that move far: there may be some that were not
    seen.

    >>> import evenhand as eh, polars as pl
    >>> effects = [0.5, -0.25] * 10
    >>> rows = pl.DataFrame({"source": range(20), "variant": "age", "local_effect": effects})
    >>> eh.estimate("mean_local_effect", eh.log(rows, kind="attributions")).value
    0.125
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return amounts(log.local_effect)

    def finalise(self, s: TermSums) -> Figure:
        return mean_effect(s)
