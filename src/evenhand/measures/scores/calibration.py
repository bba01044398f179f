"""Calibration over the whole range of scores: does a score of 0.3 happen three times in ten?"""

from __future__ import annotations

from collections.abc import Mapping

import narwhals as nw
import numpy as np

from evenhand.measures.figure import REAL, Figure
from evenhand.measures.histogram import ByTerm, Effect, Histogram
from evenhand.measures.measure import Keyed, OneClass, RoleColumns, measure
from evenhand.measures.path import PathRange
from evenhand.stats.calibration import (
    calibration_line,
    squared_calibration_error,
    squared_error_by_chance,
)
from evenhand.stats.interval import Floats

_NEEDS = ("label", "score")
_UNIT = {"score": (0.0, 1.0)}


class _Calibration(OneClass, Keyed):
    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:
        return {"rows": 1, "positives": log.label == 1, "negatives": log.label == 0}


@measure(
    needs=_NEEDS,
    better=None,
    tags=("fairness",),
    cites="Cox 1958; Van Calster et al. 2019",
    limits=_UNIT,
)
class CalibrationSlope(_Calibration):
    """Coefficient of logit(score) in a logistic regression of the label; in (-inf, inf).

    1 when the scores are as extreme as they should be; below 1 they are too extreme, as those of
    an over-fitted model. Undefined where a score is exactly 0 or 1, which has no logit.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [0, 0, 0, 1] + [1, 1, 1, 0], "risk": [0.25] * 4 + [0.75] * 4})
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> round(eh.estimate("calibration_slope", log).value, 6)
    1.0
    """

    def finalise(self, h: Histogram) -> Figure:
        return h.figure(
            _slope,
            among="rows",
            empty="no rows with a score",
            within=REAL,
            otherwise="the regression has no answer: labels of one class, fewer than two scores, "
            "a score of 0 or 1, or scores that part the labels",
        )


def _slope(scores: Floats, own: ByTerm, rest: ByTerm) -> Effect:  # noqa: ARG001 - inside the group
    slope = calibration_line(scores, own["positives"], own["negatives"]).slope
    return Effect(slope.value, _known(slope.positives, slope.negatives), {})


@measure(
    needs=_NEEDS, better="lower", tags=("fairness",), cites="Kumar, Liang and Ma 2019", limits=_UNIT
)
class SquaredCalibrationError(_Calibration):
    """Mean squared gap between label rate and mean score over bins, less chance; in [-1, 1].

    15 bins of equal numbers of rows. 0 when calibrated: what chance alone adds is taken off, so
    it may come out below 0, and it does not grow as groups get smaller, as the usual expected
    calibration error does.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [0, 0, 0, 1] * 30, "risk": [0.75] * 120})
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> round(eh.estimate("squared_calibration_error", log).value, 4)     # 0.5^2, less chance
    0.2484
    """

    def finalise(self, h: Histogram) -> Figure:
        return h.figure(
            _squared_error,
            among="rows",
            empty="no rows with a score",
            within=(-1.0, 1.0),
            otherwise="some bin has one row or less, which tells nothing of chance",
        )


def _squared_error(scores: Floats, own: ByTerm, rest: ByTerm) -> Effect:  # noqa: ARG001 - inside the group
    found = squared_calibration_error(scores, own["positives"], own["negatives"])
    chance = squared_error_by_chance(own["positives"], own["negatives"])
    return Effect(found.value, _known(found.positives, found.negatives), {}, chance)


def _known(positives: Floats, negatives: Floats) -> Mapping[str, Floats]:
    return {"positives": np.nan_to_num(positives), "negatives": np.nan_to_num(negatives)}


@measure(
    needs=_NEEDS,
    better="lower",
    tags=("fairness",),
    cites="Arrieta-Ibarra et al. 2022",
    name="ecce",
    limits=_UNIT,
)
class CumulativeCalibrationError(_Calibration):
    """Estimated cumulative calibration error, the range of C_k; in [0, 1].

    C_k is the sum of label minus score over the rows with the k smallest scores, over the number
    of rows, and C_0 is 0. It is the largest miscalibration of any interval of scores. As an
    estimate it is biased upwards; the p-value says how often calibrated scores would show as
    much. With few distinct scores the p-value is conservative.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"y": [1, 0, 1, 0], "risk": [0.25, 0.25, 0.75, 0.75]})
    >>> log = eh.log(rows, kind="decisions", label="y", score="risk")
    >>> eh.estimate("ecce", log).value                     # C: 0, .125, 0
    0.125
    """

    def finalise(self, h: Histogram) -> Figure:
        return PathRange("rows", "no rows with a score", h)
