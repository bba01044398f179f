"""Errors of predicted numbers: how far off, which way, and how much is explained."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals as nw
import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.measure import RoleColumns, Sums, TermSums, measure
from evenhand.stats.interval import Floats

_NEEDS = ("label", "prediction")
_EMPTY = "no rows with a prediction"
_POSITIVE = (0.0, np.inf)


class _OfEveryRow(Sums):
    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - every row
        return {"rows": 1}


def _error(log: RoleColumns) -> nw.Expr:
    return log.prediction - log.label


@measure(
    needs=_NEEDS, better=None, tags=("fairness",), cites="Agarwal et al. 2019", reads="numbers"
)
class MeanError(_OfEveryRow):
    """Mean of prediction minus label, E[Yhat - Y], in the label's unit; in (-inf, inf).

    0 when the model is right on average; above 0 it predicts too much.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1.0, 2.0], "guess": [2.0, 2.5]})
    >>> log = eh.log(rows, kind="regression", label="y", prediction="guess")
    >>> eh.estimate("mean_error", log).value
    0.75
    """

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"error": _error(log)}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("error", among="rows", empty=_EMPTY)


@measure(
    needs=_NEEDS,
    better="lower",
    tags=("fairness", "robustness"),
    cites="Agarwal et al. 2019",
    name="mae",
    reads="numbers",
)
class MeanAbsoluteError(_OfEveryRow):
    """Mean absolute difference of prediction and label, E|Yhat - Y|; in [0, inf).

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1.0, 2.0], "guess": [2.0, 1.5]})
    >>> log = eh.log(rows, kind="regression", label="y", prediction="guess")
    >>> eh.estimate("mae", log).value
    0.75
    """

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"absolute error": _error(log).abs()}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("absolute error", among="rows", empty=_EMPTY, within=_POSITIVE)


@measure(
    needs=_NEEDS,
    better="lower",
    tags=("fairness", "robustness"),
    cites="Agarwal et al. 2019",
    name="mse",
    reads="numbers",
)
class MeanSquaredError(_OfEveryRow):
    """Mean squared difference of prediction and label, E[(Yhat - Y)^2]; in [0, inf).

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1.0, 2.0], "guess": [2.0, 1.5]})
    >>> log = eh.log(rows, kind="regression", label="y", prediction="guess")
    >>> eh.estimate("mse", log).value
    0.625
    """

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"squared error": _error(log) * _error(log)}

    def finalise(self, s: TermSums) -> Figure:
        return s.mean("squared error", among="rows", empty=_EMPTY, within=_POSITIVE)


@measure(
    needs=_NEEDS,
    better="lower",
    tags=("fairness", "robustness"),
    cites="Agarwal et al. 2019",
    name="rmse",
    reads="numbers",
)
class RootMeanSquaredError(_OfEveryRow):
    """Square root of the mean squared error, in the label's unit; in [0, inf).

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [0.0, 0.0], "guess": [1.0, 7.0]})
    >>> log = eh.log(rows, kind="regression", label="y", prediction="guess")
    >>> eh.estimate("rmse", log).value
    5.0
    """

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {"squared error": _error(log) * _error(log)}

    def finalise(self, s: TermSums) -> Figure:
        return s.function(
            lambda t: np.sqrt(t["squared error"] / t["rows"]),
            among="rows",
            empty=_EMPTY,
            within=_POSITIVE,
        )


@measure(
    needs=_NEEDS,
    better="higher",
    tags=("fairness", "robustness"),
    cites="Draper and Smith 1998",
    name="r2",
    reads="numbers",
)
class CoefficientOfDetermination(_OfEveryRow):
    """Share of the label's variation that is explained, 1 - SSE / SST; in (-inf, 1].

    0 for a model that always predicts the group's mean label; below 0 it is worse than that. A
    group whose labels vary less has a lower one at the same error.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [0.0, 2.0, 4.0], "guess": [0.5, 2.0, 4.0]})
    >>> log = eh.log(rows, kind="regression", label="y", prediction="guess")
    >>> eh.estimate("r2", log).value                       # 1 - 0.25 / 8
    0.96875
    """

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:
        return {
            "squared error": _error(log) * _error(log),
            "label": log.label,
            "squared label": log.label * log.label,
        }

    def finalise(self, s: TermSums) -> Figure:
        return s.function(
            _explained,
            among="rows",
            empty=_EMPTY,
            within=(-np.inf, 1.0),
            otherwise="the labels do not vary, or too little beside their size",
        )


_ROUNDING = 1e-9
"""A variation this far below the squares it is the difference of is lost in rounding."""


def _explained(s: Mapping[str, Floats]) -> Floats:
    variation = s["squared label"] - s["label"] ** 2 / s["rows"]
    lost = np.real(variation) <= _ROUNDING * np.real(s["squared label"])
    value: Floats = 1 - s["squared error"] / np.where(lost, np.nan, variation)
    return value
