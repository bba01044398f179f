"""Partial effects: the score with a feature set to a value, beside the example's mean over all."""

from __future__ import annotations

import narwhals as nw

from evenhand.measures.attributions.effect import amounts, mean_effect
from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure


@measure(
    needs=("partial_effect",),
    better=None,
    tags=("explainability", "fairness"),
    cites="Friedman 2001; Goldstein et al. 2015",
)
class MeanPartialEffect(Sums):
    """Mean score with a feature set to one value, above each one's mean over all; in (-inf, inf).

    In a slice of one value, ``variant == 'age' and moved_to == 40.0``, it is a point of the
    feature's partial dependence, which looks at people who do not exist where features go together:
    read `mean_local_effect` beside it. Over all values it is 0. At one value its difference over
    groups is 0 where the feature moves the score alike for all. In units of the score. Intervals
    are made as those of `mean_local_effect`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": range(20), "variant": "age", "moved_to": 40.0,
    ...                      "partial_effect": [0.5, -0.25] * 10})
    >>> eh.estimate("mean_partial_effect", eh.log(rows, kind="attributions")).value
    0.125
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return amounts(log.partial_effect)

    def finalise(self, s: TermSums) -> Figure:
        return mean_effect(s)
