"""Areas under the ROC curve: how well a score ranks, inside a group and across groups."""

from __future__ import annotations

from typing import ClassVar, Literal

import narwhals as nw
import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.histogram import ByTerm, Effect, Histogram
from evenhand.measures.measure import Keyed, OneClass, RoleColumns, measure
from evenhand.stats.interval import Floats
from evenhand.stats.roc import auc

_NEEDS = ("label", "score")


Side = Literal["inside", "outside"]


class _Area(OneClass, Keyed):
    """The AUC of positives against negatives, each from inside the group or from outside."""

    positives: ClassVar[Side] = "inside"
    negatives: ClassVar[Side] = "inside"
    otherwise: ClassVar[str]

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"rows": 1, "positives": log.label == 1, "negatives": log.label == 0}

    def finalise(self, h: Histogram) -> Figure:
        return h.figure(
            self._effect,
            among="rows",
            empty="no rows with a score",
            within=(0.0, 1.0),
            otherwise=self.otherwise,
            looks_outside="outside" in {self.positives, self.negatives},
            about={"ties": f"areas are off by at most {self._tied(h):.2g}"} if h.width else None,
        )

    def _tied(self, h: Histogram) -> float:
        """Return half the largest share of pairs of a positive and a negative in one bin.

        That is how far ties in bins can move the area of a group; rounded up to two digits.
        """
        inside = h.weights
        sides = {
            "inside": inside,
            "outside": {term: counts.sum(axis=0) - counts for term, counts in inside.items()},
        }
        positives, negatives = (
            sides[self.positives]["positives"],
            sides[self.negatives]["negatives"],
        )
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        tied = (positives * negatives).sum(axis=1)
        share = np.divide(tied, pairs, out=np.zeros_like(tied), where=pairs > 0)
        half = float(share.max(initial=0.0)) / 2
        digit = 10.0 ** (np.floor(np.log10(half)) - 1) if half > 0 else 1.0
        return float(np.ceil(half / digit) * digit)

    def _effect(self, scores: Floats, own: ByTerm, rest: ByTerm) -> Effect:  # noqa: ARG002 - their order is enough
        sides = {"inside": own, "outside": rest}
        positives = sides[self.positives]["positives"]
        negatives = sides[self.negatives]["negatives"]
        found = auc(positives, negatives)
        # Where all scores are equal nothing is ranked, and 0.5 would be no finding.
        occupied = ((positives > 0) | (negatives > 0)).sum(axis=-1)
        influence: dict[Side, dict[str, Floats]] = {"inside": {}, "outside": {}}
        influence[self.positives]["positives"] = found.positives
        influence[self.negatives]["negatives"] = found.negatives
        value = np.where(occupied > 1, found.value, np.nan)
        return Effect(value, influence["inside"], influence["outside"])


@measure(
    needs=_NEEDS,
    better="higher",
    tags=("fairness", "robustness"),
    cites="Hanley and McNeil 1982",
)
class Auc(_Area):
    """Probability that a positive scores above a negative, ties counting one half; in [0, 1].

    Both are of the same group, so it says nothing about how groups rank against each other: see
    `bpsn_auc` and `bnsp_auc`. 0.5 for a score without information.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [0, 0, 1, 1], "risk": [0.1, 0.4, 0.35, 0.8]})
    >>> eh.estimate("auc", eh.log(rows, kind="decisions", label="y", score="risk")).value
    0.75
    """

    otherwise = "labels of one class only, or all scores are equal: nothing is ranked"


@measure(
    needs=_NEEDS, better="higher", tags=("fairness",), cites="Borkan et al. 2019", name="bpsn_auc"
)
class BackgroundPositiveSubgroupNegative(_Area):
    """AUC of the positives outside the group against the negatives inside it; in [0, 1].

    Low where the group's negatives score too high: comments that mention an identity are taken
    for toxic. Undefined for a log as a whole, which has no outside.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame(
    ...     {"g": list("aabb"), "y": [0, 1, 0, 1], "risk": [0.6, 0.9, 0.1, 0.5]}
    ... )
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> [group.outcome.value for group in eh.estimate("worst(bpsn_auc, by=g)", log).groups]
    [0.0, 1.0]
    """

    positives = "outside"
    otherwise = "no negatives in the group, no positives outside it, or all scores are equal"


@measure(
    needs=_NEEDS, better="higher", tags=("fairness",), cites="Borkan et al. 2019", name="bnsp_auc"
)
class BackgroundNegativeSubgroupPositive(_Area):
    """AUC of the positives inside the group against the negatives outside it; in [0, 1].

    Low where the group's positives score too low. Undefined for a log as a whole, which has no
    outside.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame(
    ...     {"g": list("aabb"), "y": [0, 1, 0, 1], "risk": [0.6, 0.9, 0.1, 0.5]}
    ... )
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> [group.outcome.value for group in eh.estimate("worst(bnsp_auc, by=g)", log).groups]
    [1.0, 0.0]
    """

    negatives = "outside"
    otherwise = "no positives in the group, no negatives outside it, or all scores are equal"
