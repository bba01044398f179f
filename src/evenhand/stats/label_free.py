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

_FEW = 10
"""Expected errors below which sums of them are not near enough to normal."""

_FEW_UNITS = 50
"""The same of units of several rows, whose variance must be learnt from those with an error."""

_MANY = 300
"""Events up to which the distribution of their number is added up."""

_ROUNDING = 1e-12
"""Standard errors up to this are those of equal numbers, added up in rounded ones."""

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
        level: Coverage of the interval, whose variance is the larger of that over units and that
            of independent labels of these chances, sum of p (1 - p).

    """
    right = np.where(score == 0.5, 0.5, (score > 0.5) == label)  # noqa: PLR2004 - the likelier
    error = _chance_of_error(score)
    # Without an error rows hardly vary, and an interval of what they did would be far too narrow.
    least = float((error * (1 - error)).sum())
    beyond = right - np.maximum(score, 1 - score)
    return _mean(beyond, unit, level, within=(-1.0, 1.0), least=least)


def accuracy(score: Floats, label: Flags, unit: NDArray[np.intp], level: float) -> Outcome:
    """Return the share of rows whose more likely label is the true one; a tie is half right."""
    right = np.where(score == 0.5, 0.5, (score > 0.5) == label)  # noqa: PLR2004 - the likelier
    return _mean(right, unit, level, within=(0.0, 1.0))


def _chance_of_error(score: Floats) -> Floats:
    """Return min(p, 1 - p) of each row; 0 for a tie, which is half right whatever its label."""
    error: Floats = np.where(score == 0.5, 0.0, np.minimum(score, 1 - score))  # noqa: PLR2004
    return error


def _units_with_an_error(score: Floats, unit: NDArray[np.intp]) -> Floats:
    """Return the least chance of an error by unit, that of its row of the largest, shape (units,).

    It is the chance of any where the rows of a unit are all alike.
    """
    least = np.zeros(int(unit.max()) + 1)
    np.maximum.at(least, unit, _chance_of_error(score))
    return least


def _needed(unit: NDArray[np.intp]) -> int:
    """Return how many units with an error are needed for normal approximations."""
    return _FEW if np.unique(unit).size == len(unit) else _FEW_UNITS


def few_errors_p_value(score: Floats, label: Flags, unit: NDArray[np.intp]) -> float | None:
    """Return the exact chance under calibration of so many errors, or so few, where few are due.

    Counted are units with an error. However labels of a unit hang together, the chance of one is
    between the largest of its rows' chances and their sum: the former is taken where errors are
    few, the latter where they are many, so that the p-value, twice the smaller, is never too small.
    With independent rows both are the same.

    Args:
        score: Chances of label 1, shape (rows,), in [0, 1].
        label: The labels, shape (rows,).
        unit: The unit of each row, as a code from 0.

    Returns:
        The p-value; None where 10 units or more are expected to have an error, for which the
        normal approximation of `accuracy_beyond` is good enough.

    Source: Poisson's binomial distribution, by convolution.

    >>> score, rows = np.full(5, 0.99), np.arange(5)
    >>> round(few_errors_p_value(score, np.array([True] * 4 + [False]), rows), 4)  # 2 (1 - .99^5)
    0.098
    """
    at_least = _units_with_an_error(score, unit)
    if at_least.sum() >= _needed(unit):
        return None
    at_most = np.minimum(np.bincount(unit, _chance_of_error(score)), 1.0)
    wrong = ((score > 0.5) != label) & (score != 0.5)  # noqa: PLR2004 - the likelier
    erring = int(np.unique(unit[wrong]).size)
    few = 1.0 if erring >= at_least.sum() else _chance_of_at_most(erring, at_least)
    many = 1.0 if erring <= at_most.sum() else _chance_of_at_least(erring, at_most)
    return min(1.0, 2 * min(few, many))


def _chance_of_at_least(count: int, chances: Floats) -> float:
    """Return P(K >= count), of more than a few hundred Chernoff's bound, which is never too small.

    Source: Chernoff 1952.
    """
    if count > _MANY:
        mean = float(chances.sum())
        return float(np.exp(count - mean + special.xlogy(count, mean / count)))
    return max(1 - _chance_of_at_most(count - 1, chances), 0.0)


def _chance_of_at_most(count: int, chances: Floats) -> float:
    """Return P(K <= count), K the number of independent events of these chances that happen."""
    found = np.zeros(count + 1)
    found[0] = 1.0
    for chance in chances[chances > 0]:
        found[1:] += chance * (found[:-1] - found[1:])
        found[0] *= 1 - chance
    return min(float(found.sum()), 1.0)


def _mean(
    value: Floats,
    unit: NDArray[np.intp],
    level: float,
    *,
    within: tuple[float, float],
    least: float = 0.0,
) -> Outcome:
    """Return a mean of rows with Student's interval over the sums of its residuals by unit.

    Args:
        value: Of each row, shape (rows,).
        unit: The unit of each row, as a code.
        level: Coverage.
        within: What the mean cannot be beyond.
        least: The smallest variance of the sum of all rows that is believed.

    """
    if len(value) == 0:
        return Undefined("no rows")
    units = int(np.unique(unit).size)
    if units == 1:
        return Undefined("one unit alone tells nothing of how it varies")
    mean = float(value.mean())
    sums = np.bincount(unit, value - mean)
    variance = max(float(np.square(sums).sum()) * units / (units - 1), least)
    error = float(np.sqrt(variance) / len(value))
    reach = critical(level, units - 1.0) * error
    if error <= _ROUNDING:
        # Nothing varied: what as many units may miss is not known.
        reach = (1 - (1 - level) ** (1 / units)) * (within[1] - within[0])
    low, high = max(mean - reach, within[0]), min(mean + reach, within[1])
    return Estimate(mean, low, high, level, "Student's t over units")


def calibration_test(
    score: Floats, label: Flags, unit: NDArray[np.intp]
) -> CalibrationTest | Undefined:
    """Return a test that the line of labels on logit(score) has intercept 0 and slope 1.

    Rao's: both sums of (label - score) (1, logit(score)) have mean 0 when calibrated. Their
    variance is that of independent labels of these chances, or that of sums by unit (Hotelling's
    F): the larger p-value is the test's. It is a test of sums of errors and needs some: where fewer
    than 10 are expected, or fewer than 50 units of several rows with one, it is undefined.

    Args:
        score: Chances of label 1, shape (rows,), in [0, 1].
        label: The labels, shape (rows,).
        unit: The unit of each row, as a code from 0.

    Source: Cox 1958; Rao 1948 (score test); Hotelling 1931; Liang and Zeger 1986 (units).

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
    expected, needed = float(_units_with_an_error(score, unit).sum()), _needed(unit)
    if expected < needed:
        of = "units with an error" if needed == _FEW_UNITS else "errors"
        return Undefined(f"about {expected:.1f} {of} are expected, and a line needs {needed}")
    regressors = np.stack((np.ones_like(score), special.logit(score)))
    by_unit = np.stack([np.bincount(unit, part * (label - score)) for part in regressors])
    total = by_unit.sum(axis=1)
    independent = (regressors * score * (1 - score)) @ regressors.T
    clustered = np.cov(by_unit) * units
    if not min(np.linalg.det(independent), np.linalg.det(clustered)) > 0:
        return Undefined("too few units")
    squared, t = (float(total @ np.linalg.solve(v, total)) for v in (independent, clustered))
    p = max(
        float(special.chdtrc(2, squared)),
        float(special.fdtrc(2, units - 2, t * (units - 2) / (2 * (units - 1)))),
    )
    return CalibrationTest(float(line.intercept.value), float(line.slope.value), p)


def refutes(
    score: Floats,
    label: Flags,
    unit: NDArray[np.intp],
    line: CalibrationTest | Undefined | None,
    alpha: float,
) -> bool:
    """Return whether labels refute that a score is calibrated, by its gap or its line.

    Args:
        score: Chances of label 1, shape (rows,), in [0, 1].
        label: The labels, shape (rows,).
        unit: The unit of each row, as a code from 0.
        line: What `calibration_test` says of them.
        alpha: Chance of a calibrated score to be refuted, half of it by `accuracy_beyond` (where
            few errors are due `few_errors_p_value` must agree), half by the line.

    Source: Bonferroni's inequality.

    """
    gap = accuracy_beyond(score, label, unit, 1 - alpha / 2)
    if isinstance(gap, Estimate) and not gap.low <= 0 <= gap.high:
        exact = few_errors_p_value(score, label, unit)
        if exact is None or exact <= alpha / 2:
            return True
    return isinstance(line, CalibrationTest) and line.p_value <= alpha / 2
