"""The score that is explained: what parts of a gap add up to the difference of."""

from __future__ import annotations

from typing import ClassVar

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, Variants, measure


@measure(
    needs=("explained_score",),
    better=None,
    tags=("explainability", "fairness"),
    cites="Lundberg 2020",
)
class MeanExplainedScore(Sums):
    """Mean of the score that is explained, a logit or a probability of one class; in (-inf, inf).

    Its difference over groups is the disparity that the differences of `mean_attribution` take
    apart, and what they add up to. Every feature's row of an example holds the score, so that one
    figure is of all features together and no slice is needed. No background is in it.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"source": [1, 2], "variant": "age", "explained_score": [0.5, 0.25]})
    >>> eh.estimate("mean_explained_score", eh.log(rows, kind="attributions")).value
    0.375
    """

    variants: ClassVar[Variants] = "same"

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - of every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"score": log.explained_score}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("score", among="rows", empty="no example whose score is known")
