"""Means of scores: of all rows, of the positives, of the negatives."""

from __future__ import annotations

import narwhals as nw

from evenhand.measures.figure import Figure
from evenhand.measures.measure import OneClass, RoleColumns, Sums, TermSums, measure

UNIT = (0.0, 1.0)


@measure(needs=("score",), better=None, tags=("fairness",), cites="Kleinberg et al. 2017")
class MeanScore(Sums):
    """Mean of the score, E[S], in the unit of the score; in (-inf, inf).

    Its difference over groups is 0 when the groups are scored alike on average.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"risk": [0.25, 0.5, 0.75, 1.0]})
    >>> eh.estimate("mean_score", eh.log(rows, kind="decisions", score="risk")).value
    0.625
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - reads no class
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"score": log.score}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("score", among="rows", empty="no rows with a score")


@measure(
    needs=("label", "score"),
    better="lower",
    tags=("fairness",),
    cites="Pleiss et al. 2017",
    limits={"score": UNIT},
)
class GeneralizedFalsePositiveRate(OneClass, Sums):
    """Mean score of the negatives, E[S | Y = 0], for scores that are probabilities; in [0, 1].

    The false positive rate of a model that decides at random with the score as probability.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [0, 0, 1], "risk": [0.25, 0.5, 1.0]})
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> eh.estimate("generalized_false_positive_rate", log).value
    0.375
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"negatives": log.label == 0}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"score of negatives": nw.when(log.label == 0).then(log.score)}

    def finalise(self, s: TermSums) -> Figure:
        empty = "no negative labels"
        return s.mean("score of negatives", among="negatives", empty=empty, within=UNIT)


@measure(
    needs=("label", "score"),
    better="lower",
    tags=("fairness",),
    cites="Pleiss et al. 2017",
    limits={"score": UNIT},
)
class GeneralizedFalseNegativeRate(OneClass, Sums):
    """Mean of 1 - score of the positives, E[1 - S | Y = 1]; in [0, 1].

    The false negative rate of a model that decides at random with the score as probability.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 0], "risk": [0.75, 0.5, 1.0]})
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> eh.estimate("generalized_false_negative_rate", log).value
    0.375
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"positives": log.label == 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"missing score of positives": nw.when(log.label == 1).then(1 - log.score)}

    def finalise(self, s: TermSums) -> Figure:
        empty = "no positive labels"
        return s.mean("missing score of positives", among="positives", empty=empty, within=UNIT)
