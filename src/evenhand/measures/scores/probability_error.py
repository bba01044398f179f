"""Errors of probabilities row by row: Brier score, log loss, calibration in the large."""

from __future__ import annotations

import narwhals as nw
import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.measure import OneClass, RoleColumns, Sums, TermSums, measure

_NEEDS = ("label", "score")
_UNIT = {"score": (0.0, 1.0)}
_EMPTY = "no rows with a score"


@measure(
    needs=_NEEDS,
    better="lower",
    tags=("fairness", "robustness"),
    cites="Brier 1950",
    limits=_UNIT,
)
class BrierScore(OneClass, Sums):
    """Mean squared difference of score and label, E[(S - Y)^2]; in [0, 1].

    0 for a score that is always sure and right; 0.25 for one that always says 0.5. It mixes
    calibration and ranking, so read a gap beside both.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0], "risk": [0.5, 0.0]})
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> eh.estimate("brier_score", log).value
    0.125
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"squared error": (log.label - log.score) * (log.label - log.score)}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("squared error", among="rows", empty=_EMPTY, within=(0.0, 1.0))


@measure(
    needs=_NEEDS,
    better="lower",
    tags=("fairness", "robustness"),
    cites="Good 1952",
    limits=_UNIT,
)
class LogLoss(OneClass, Sums):
    """Mean of -ln of the probability given to what happened; in [0, inf).

    0 for a score that is always sure and right; ln 2 = 0.693 for one that always says 0.5.
    Undefined, not clipped, where a score of 0 or 1 was wrong: the loss is then infinite.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0], "risk": [0.5, 0.25]})
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> round(eh.estimate("log_loss", log).value, 4)          # (ln 2 + ln 4/3) / 2
    0.4904
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        given = nw.when(log.label == 1).then(log.score).otherwise(1 - log.score)
        known = ~log.label.is_null()
        # Engines differ on the logarithm of 0, so it is never taken.
        possible = nw.when(known & (given > 0)).then(given)
        return {
            "surprise": -possible.log(),
            "impossible": nw.when(known & (given <= 0)).then(nw.lit(1.0)),
        }

    def finalise(self, s: TermSums) -> Figure:
        return s.function(
            lambda t: t["surprise"] / t["rows"] + 0 / (t["impossible"] == 0),
            among="rows",
            empty=_EMPTY,
            within=(0.0, np.inf),
            otherwise="a score of 0 or 1 was wrong, so the loss is infinite",
        )


@measure(
    needs=_NEEDS,
    better=None,
    tags=("fairness",),
    cites="Cox 1958; Van Calster et al. 2019",
    limits=_UNIT,
)
class CalibrationInTheLarge(OneClass, Sums):
    """Mean of label minus score, E[Y - S]; in [-1, 1].

    0 when the score is right on average; above 0 it promises less than happens.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0], "risk": [0.5, 0.25]})
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> eh.estimate("calibration_in_the_large", log).value
    0.125
    """

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - every row
        return {"rows": 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"label minus score": log.label - log.score}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("label minus score", among="rows", empty=_EMPTY, within=(-1.0, 1.0))
