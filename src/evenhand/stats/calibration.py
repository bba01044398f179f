"""Calibration of a score that claims to be a probability: how far labels are from it, and where.

All take histograms: ``scores`` of shape (m,) in ascending order, and ``positives`` and
``negatives`` of shape (..., m), the numbers (or sums of weights) of rows with label 1 and 0 at
each score.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evenhand.stats.influence import Influence, quotient
from evenhand.stats.interval import Floats

_MOST_STEPS = 100
_MOST_HALVINGS = 30
_CLOSE = 1e-10
"""Relative size of a Newton step after which the next one is below rounding."""

_CELLS_AT_ONCE = 2**21
"""Cells of several groups that are fitted together; more would only take memory."""


class Obstacle(IntEnum):
    """Why a logistic regression of the label on the score has no answer; 0 where it has one."""

    NONE = 0
    NO_POSITIVES = 1
    NO_NEGATIVES = 2
    EDGE_SCORES = 3
    """A row's score is 0 or 1, or beyond: its logit is not finite."""
    ONE_SCORE = 4
    SEPARATED = 5
    """Some score parts the labels, so that the likelihood rises without end."""
    NOT_CONVERGED = 6


@dataclass(frozen=True)
class CalibrationLine:
    """Logistic regression of the label on the logit of the score.

    Attributes:
        intercept: The intercept, 0 when calibrated.
        slope: The slope, 1 when calibrated; below 1 where scores are too extreme.
        obstacle: `Obstacle` of each histogram, shape (...); where it is not 0 the others are nan.

    """

    intercept: Influence
    slope: Influence
    obstacle: NDArray[np.int8]


def calibration_line(scores: Floats, positives: Floats, negatives: Floats) -> CalibrationLine:
    """Return slope and intercept of a logistic regression of the label on logit(score).

    The influence is that of an estimating equation, so its sum of squares is the sandwich
    variance, which holds whether or not the logistic curve is the right one. Scores of exactly 0
    or 1 are neither clipped nor left out: where a row has one there is no slope.

    Args:
        scores: Distinct scores in ascending order, shape (m,).
        positives: Numbers, or sums of weights, of label 1 at each score, shape (..., m).
        negatives: The same of label 0.

    Source: Cox 1958; Huber 1967 (sandwich); Albert and Anderson 1984 (separation).

    """
    positives, negatives = np.broadcast_arrays(positives, negatives)
    shape = positives.shape
    label_1, label_0 = (part.reshape(-1, shape[-1]) for part in (positives, negatives))
    inside = (scores > 0) & (scores < 1)
    logits = special.logit(np.where(inside, scores, 0.5))
    obstacle = _obstacles(inside, label_1, label_0)
    coefficients = np.full((len(label_1), 2), np.nan)
    influence = np.full((4, *label_1.shape), np.nan)
    fitted = np.flatnonzero(obstacle == Obstacle.NONE)
    step = max(1, _CELLS_AT_ONCE // shape[-1])
    for start in range(0, len(fitted), step):
        rows = fitted[start : start + step]
        values, parts, converged = _fit_line(logits, label_1[rows], label_0[rows])
        coefficients[rows[converged]] = values[converged]
        influence[:, rows[converged]] = parts[:, converged]
        obstacle[rows[~converged]] = Obstacle.NOT_CONVERGED
    leading = shape[:-1]
    parts = influence.reshape(4, *shape)
    return CalibrationLine(
        intercept=Influence(coefficients[:, 0].reshape(leading), parts[0], parts[1]),
        slope=Influence(coefficients[:, 1].reshape(leading), parts[2], parts[3]),
        obstacle=obstacle.reshape(leading),
    )


def _obstacles(inside: NDArray[np.bool_], positives: Floats, negatives: Floats) -> NDArray[np.int8]:
    """Return the `Obstacle` of each histogram of shape (groups, m), all but non-convergence."""
    cells = positives.shape[-1]
    has = [part > 0 for part in (positives, negatives)]
    low_1, low_0 = (part.argmax(axis=-1) for part in has)
    high_1, high_0 = (cells - 1 - part[:, ::-1].argmax(axis=-1) for part in has)
    either = has[0] | has[1]
    # Labels overlap when each has a row strictly beyond some row of the other, both ways.
    apart = (high_0 <= low_1) | (high_1 <= low_0)
    conditions = [
        (~has[0].any(axis=-1), Obstacle.NO_POSITIVES),
        (~has[1].any(axis=-1), Obstacle.NO_NEGATIVES),
        ((either & ~inside).any(axis=-1), Obstacle.EDGE_SCORES),
        (either.sum(axis=-1) == 1, Obstacle.ONE_SCORE),
        (apart, Obstacle.SEPARATED),
    ]
    codes = np.select(
        [condition for condition, _ in conditions], [code for _, code in conditions], Obstacle.NONE
    )
    return codes.astype(np.int8)


def _fit_line(
    logits: Floats, positives: Floats, negatives: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Fit histograms of shape (groups, m) whose labels overlap.

    Newton's method with halved steps: the likelihood is concave and has a maximum.

    Returns:
        Coefficients (groups, 2); influences (4, groups, m): on the intercept of positives and of
        negatives, then on the slope; whether each histogram's fit converged (groups,).

    """
    size = positives + negatives

    def likelihood(intercept: Floats, slope: Floats) -> Floats:
        line = intercept + slope * logits
        value: Floats = (positives * line - size * np.logaddexp(0, line)).sum(-1, keepdims=True)
        return value

    intercept = special.logit(positives.sum(-1, keepdims=True) / size.sum(-1, keepdims=True))
    slope = np.zeros_like(intercept)
    reached = likelihood(intercept, slope)
    converged = np.zeros(len(size), dtype=bool)
    for _ in range(_MOST_STEPS):
        chance, total, centred, spread = _information(logits, size, intercept, slope)
        score = positives - size * chance
        turn = quotient((score * centred).sum(-1, keepdims=True), spread)
        # The line turns about its centre, where it moves by the mean of the scores alone.
        centre = logits[:1] - centred[:, :1]
        rise = quotient(score.sum(-1, keepdims=True), total) - centre * turn
        small = _CLOSE * (1 + np.abs(intercept) + np.abs(slope))
        converged = (np.abs(rise) + np.abs(turn) <= small)[:, 0]
        for _ in range(_MOST_HALVINGS):
            gained = likelihood(intercept + rise, slope + turn)
            worse = ~(gained >= reached - 1e-12 * np.abs(reached))
            if not worse.any():
                break
            rise, turn = (np.where(worse, part / 2, part) for part in (rise, turn))
        intercept, slope, reached = intercept + rise, slope + turn, gained
        if converged.all():
            break
    chance, total, centred, spread = _information(logits, size, intercept, slope)
    centre = logits[:1] - centred[:, :1]
    on_slope = quotient(centred, spread)
    on_intercept = quotient(np.ones_like(total), total) - centre * on_slope
    parts = [on * error for on in (on_intercept, on_slope) for error in (1 - chance, -chance)]
    return np.concatenate((intercept, slope), axis=-1), np.stack(parts), converged


def _information(
    logits: Floats, size: Floats, intercept: Floats, slope: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return chances, their summed variance, logits about their centre, and their spread."""
    chance = special.expit(intercept + slope * logits)
    weight = size * chance * (1 - chance)
    total = weight.sum(-1, keepdims=True)
    centred = logits - quotient((weight * logits).sum(-1, keepdims=True), total)
    return chance, total, centred, (weight * centred**2).sum(-1, keepdims=True)


def squared_calibration_error(
    scores: Floats,
    positives: Floats,
    negatives: Floats,
    *,
    bins: int | NDArray[np.intp] = 15,
    least: int = 2,
) -> Influence:
    """Return the mean over bins of (label rate - mean score)^2, less what chance alone adds.

    ``sum_b p_b [(ybar_b - sbar_b)^2 - ybar_b (1 - ybar_b) / (n_b - 1)]``. 0 is calibrated; being
    free of the upward bias of a binned calibration error it may be negative. The correction is
    exact where a bin holds one score and too large by its variance of scores over n_b elsewhere,
    some thousandths of itself with 15 bins. Weights are taken for counts, so weighted rows are
    corrected too little.

    The influence is that of the uncorrected mean. At perfect calibration, where that has no
    first-order error, its variance is about twice the true one.

    Args:
        scores: Distinct scores in ascending order, shape (m,), or mean scores of bins.
        positives: Numbers of rows of label 1 at each score, shape (..., m).
        negatives: The same of label 0.
        bins: Number of bins of equal mass, or the bin of each score, shape (m,) or (..., m).
        least: Fewest rows of a bin of equal mass, >= 2.

    Returns:
        The value is nan where some bin has one row or less, which tells nothing of chance.

    Source: Kumar, Liang and Ma 2019.

    """
    positives, negatives = np.broadcast_arrays(positives, negatives)
    size = positives + negatives
    index = equal_mass_bins(size, bins=bins, least=least) if isinstance(bins, int) else bins
    flat, count = _flat_bins(index, size.shape)

    def per_bin(cells: Floats) -> Floats:
        slots = int(np.prod(size.shape[:-1], dtype=int)) * count
        sums: Floats = np.bincount(flat, cells.ravel(), slots).astype(float)
        return sums.reshape(*size.shape[:-1], count)

    n = per_bin(size)
    total = n.sum(axis=-1, keepdims=True)
    rate = quotient(per_bin(positives), n)
    gap = np.where(n > 0, rate - quotient(per_bin(size * scores), n), 0.0)
    chance = np.where(n > 0, quotient(rate * (1 - rate), n - 1), 0.0)
    share = quotient(n, total)
    uncorrected = (share * gap**2).sum(axis=-1, keepdims=True)
    value = uncorrected[..., 0] - (share * chance).sum(axis=-1)
    of_cell = gap.ravel()[flat].reshape(size.shape)
    parts = [
        quotient(2 * of_cell * (label - scores) - of_cell**2 - uncorrected, total)
        for label in (1, 0)
    ]
    return Influence(value, parts[0], parts[1])


def squared_error_by_chance(
    positives: Floats, negatives: Floats, *, bins: int = 15, least: int = 2
) -> Floats:
    """Return the variance of the squared calibration error that chance alone gives, shape (...).

    The error is quadratic in the bins' gaps, so where these are 0 it has no influence of the first
    order, and still varies: a squared gap of variance v has variance 2 v^2.
    """
    positives, negatives = np.broadcast_arrays(positives, negatives)
    size = positives + negatives
    index = equal_mass_bins(size, bins=bins, least=least)
    flat, count = _flat_bins(index, size.shape)
    slots = int(np.prod(size.shape[:-1], dtype=int)) * count

    def per_bin(cells: Floats) -> Floats:
        sums: Floats = np.bincount(flat, cells.ravel(), slots).astype(float)
        return sums.reshape(*size.shape[:-1], count)

    n, ones = per_bin(size), per_bin(positives)
    rate = quotient(ones, n)
    noise = np.where(n > 1, quotient(rate * (1 - rate), np.maximum(n - 1, 1.0)), 0.0)
    share = quotient(n, n.sum(axis=-1, keepdims=True))
    more: Floats = np.nansum(2 * np.square(share * noise), axis=-1)
    return more


def equal_mass_bins(counts: Floats, *, bins: int = 15, least: int = 2) -> NDArray[np.intp]:
    """Return the bin of each cell, so that bins hold equal numbers of rows as nearly as ties let.

    Each bin takes the next cells up to its share of the rows that are left. There are fewer bins
    where rows of one score fill several, or where a bin would have fewer than ``least`` rows.

    Args:
        counts: Numbers of rows at each score, shape (..., m).
        bins: Most bins, >= 1.
        least: Fewest rows of a bin.

    Returns:
        Bin indices from 0, ascending along the cells, shape (..., m).

    >>> equal_mass_bins(np.array([1.0, 1, 1, 1, 8, 1, 2]), bins=3)
    array([0, 0, 0, 0, 0, 1, 1])
    >>> equal_mass_bins(np.ones(7), bins=3)
    array([0, 0, 0, 1, 1, 2, 2])
    """
    out = np.zeros(counts.shape, dtype=np.intp)
    for group in np.ndindex(counts.shape[:-1]):
        below = np.cumsum(counts[group])
        starts: list[int] = []
        done = 0.0
        for left in range(bins, 1, -1):
            share = max(float(least), (below[-1] - done) / left)
            end = int(np.searchsorted(below, (done + share) * (1 - 1e-12))) + 1
            if end >= len(below) or below[-1] - below[end - 1] < least:
                break
            starts.append(end)
            done = float(below[end - 1])
        out[group][starts] = 1
    bin_of: NDArray[np.intp] = np.cumsum(out, axis=-1, dtype=np.intp)
    return bin_of


def _flat_bins(index: NDArray[np.intp], shape: tuple[int, ...]) -> tuple[NDArray[np.intp], int]:
    """Return each cell's bin counted over all histograms, and the number of bins of one."""
    count = int(index.max()) + 1
    groups = int(np.prod(shape[:-1], dtype=int))
    offset = count * np.arange(groups).reshape(*shape[:-1], 1)
    return (np.broadcast_to(index, shape) + offset).ravel(), count
