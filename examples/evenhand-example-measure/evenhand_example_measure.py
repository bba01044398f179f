"""Cohen's kappa: agreement of decision and truth beyond what chance would give."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from evenhand.measures import Figure, RoleColumns, Sums, TermSums, measure
from evenhand.measures.measure import OneClass

Floats = NDArray[np.float64]


@measure(
    needs=("label", "prediction"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Cohen 1960",
)
class CohensKappa(OneClass, Sums):
    """Agreement of prediction and label beyond chance, (a - c) / (1 - c); in [-1, 1].

    a is the share of rows on which they agree, c the share on which they would if each were drawn
    anew at its own rate. 1 when they always agree, 0 when no more than by chance. Undefined where
    all labels and all predictions are of one class, so that chance agrees always.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 1, 0, 0], "decided": [1, 0, 0, 0]})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("cohens_kappa", log).value                      # (3/4 - 1/2) / (1 - 1/2)
    0.5
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        """Return what is counted; terms of equal name and condition are counted once for all."""
        return {
            "rows": 1,
            "correct": log.label == log.prediction,
            "positives": log.label == 1,
            "selected": log.prediction == 1,
        }

    def finalise(self, s: TermSums) -> Figure:
        """Return the figure; its interval follows from the derivative of the function."""
        return s.function(
            _kappa,
            among="rows",
            empty="no rows with a prediction",
            within=(-1.0, 1.0),
            otherwise="all labels and all predictions are of one class",
        )


def _kappa(s: Mapping[str, Floats]) -> Floats:
    rows, positives, selected = s["rows"], s["positives"], s["selected"]
    agreed = s["correct"] / rows
    chance = (positives * selected + (rows - positives) * (rows - selected)) / rows**2
    kappa: Floats = (agreed - chance) / (1 - chance)
    return kappa
