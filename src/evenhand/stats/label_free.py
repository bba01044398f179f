"""Accuracy without labels, from scores that are calibrated: confidence-based estimation (CBPE).

A row whose label is 1 with the chance p is right with the chance max(p, 1 - p) when the more likely
label is decided. Nothing here sees whether the scores still are such chances: where labels follow
another rule than they did (concept drift) the estimate stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evenhand.stats.calibration import Obstacle, calibration_line
from evenhand.stats.estimate import Estimate, Outcome, Undefined
from evenhand.stats.interval import Floats, critical
from evenhand.stats.multiplicity import Flags

_OBSTACLES = {
    Obstacle.NO_POSITIVES: "no positive labels",
    Obstacle.NO_NEGATIVES: "no negative labels",
    Obstacle.EDGE_SCORES: "a score is 0 or 1, whose logit is not finite",
    Obstacle.ONE_SCORE: "all scores are alike",
    Obstacle.SEPARATED: "some score parts the labels",
    Obstacle.NOT_CONVERGED: "the fit does not converge",
}


@dataclass(frozen=True)
class CalibrationTest:
    """Whether labels are as likely as scores say, by the line of labels on logit(score).

    Attributes:
        intercept: Of the line, 0 when calibrated.
        slope: Of the line, 1 when calibrated.
        p_value: Chance under calibration of a line so far from (0, 1).

    Source: Cox 1958.

    """

    intercept: float
    slope: float
    p_value: float


def expected_accuracy(score: Floats, unit: NDArray[np.intp], level: float) -> Outcome:
    """Return E[accuracy], the mean of max(p, 1 - p), with its interval over units.

    Args:
        score: Calibrated chances of label 1, shape (rows,), in [0, 1].
        unit: The unit of each row, as a code from 0; each row its own where rows are independent.
        level: Coverage of the interval, of the mean over the population of units.

    Source: Guo, Pleiss, Sun and Weinberger 2017 (confidence); NannyML's name for it is CBPE.

    >>> found = expected_accuracy(np.array([0.9, 0.2, 0.6]), np.arange(3), 0.95)
    >>> round(found.value, 4)                                    # (.9 + .8 + .6) / 3
    0.7667
    """
    return _mean(np.maximum(score, 1 - score), unit, level, within=(0.5, 1.0))


def accuracy_beyond(score: Floats, label: Flags, unit: NDArray[np.intp], level: float) -> Outcome:
    """Return accuracy minus what the scores say it is; 0 when they say the truth.

    Args:
        score: Chances of label 1, shape (rows,), in [0, 1].
        label: The labels.
        unit: The unit of each row, as a code from 0.
        level: Coverage of the interval.

    """
    right = np.where(score == 0.5, 0.5, (score > 0.5) == label)  # noqa: PLR2004 - the likelier
    return _mean(right - np.maximum(score, 1 - score), unit, level, within=(-1.0, 1.0))


def accuracy(score: Floats, label: Flags, unit: NDArray[np.intp], level: float) -> Outcome:
    """Return the share of rows whose more likely label is the true one; a tie is half right."""
    right = np.where(score == 0.5, 0.5, (score > 0.5) == label)  # noqa: PLR2004 - the likelier
    return _mean(right, unit, level, within=(0.0, 1.0))


def _mean(
    value: Floats, unit: NDArray[np.intp], level: float, *, within: tuple[float, float]
) -> Outcome:
    """Return a mean of rows with Student's interval over the sums of its residuals by unit."""
    if len(value) == 0:
        return Undefined("no rows")
    units = int(np.unique(unit).size)
    if units == 1:
        return Undefined("one unit alone tells nothing of how it varies")
    mean = float(value.mean())
    sums = np.bincount(unit, value - mean)
    error = float(np.sqrt(np.square(sums).sum() * units / (units - 1)) / len(value))
    reach = critical(level, units - 1.0) * error
    if error == 0:
        # Nothing varied: what as many units may miss is not known.
        reach = (1 - (1 - level) ** (1 / units)) * (within[1] - within[0])
    low, high = max(mean - reach, within[0]), min(mean + reach, within[1])
    return Estimate(mean, low, high, level, "Student's t over units")


def calibration_test(
    score: Floats, label: Flags, unit: NDArray[np.intp]
) -> CalibrationTest | Undefined:
    """Return a test that the line of labels on logit(score) has intercept 0 and slope 1.

    Wald's, with the sandwich variance of sums by unit, as Hotelling's F.

    Args:
        score: Chances of label 1, shape (rows,), in [0, 1].
        label: The labels, shape (rows,).
        unit: The unit of each row, as a code from 0.

    Source: Cox 1958; Hotelling 1931; Liang and Zeger 1986 (units).

    """
    if len(score) == 0:
        return Undefined("no rows")
    scores, code = np.unique(score, return_inverse=True)
    positives = np.bincount(code, label, len(scores)).astype(float)
    negatives = np.bincount(code, ~label, len(scores)).astype(float)
    line = calibration_line(scores, positives, negatives)
    obstacle = Obstacle(int(line.obstacle))
    if obstacle != Obstacle.NONE:
        return Undefined(_OBSTACLES[obstacle])
    units = int(np.unique(unit).size)
    if units <= 3:  # noqa: PLR2004 - two coefficients and their variance
        return Undefined("too few units")
    by_unit = np.stack(
        [
            np.bincount(unit, np.where(label, part.positives[code], part.negatives[code]))
            for part in (line.intercept, line.slope)
        ]
    )
    covariance = by_unit @ by_unit.T * units / (units - 1)
    intercept, slope = float(line.intercept.value), float(line.slope.value)
    away = np.array([intercept, slope - 1])
    if not np.linalg.det(covariance) > 0:
        return Undefined("too few units")
    squared = float(away @ np.linalg.solve(covariance, away))
    f = squared * (units - 2) / (2 * (units - 1))
    return CalibrationTest(intercept, slope, float(special.fdtrc(2, units - 2, f)))
