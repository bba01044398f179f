"""Distances of groups that are the norm of a difference of curves, with intervals.

Kolmogorov-Smirnov and Wasserstein-1 compare distribution functions, ABROCA compares ROC curves.
Such a distance is never below 0 and is biased upwards, so a percentile interval of it cannot reach
0 and misses the truth where groups are alike. The triangle inequality helps: an estimated norm is
no further from the true one than the norm of the error of the curves,
``| ||G_hat|| - ||G|| | <= ||G_hat - G||``, and a bootstrap knows the law of that error
(``G* - G_hat``) wherever the truth lies. The interval is conservative where groups differ much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.influence import quotient
from evenhand.stats.interval import Floats, Limits, critical
from evenhand.stats.roc import abroca, roc_curve_on
from evenhand.stats.simultaneous import pair_indices, student

REPLICATES = 400

_MOST_CELLS = 1024
"""Most points of a curve that is bootstrapped; the supremum loses about one per cent by it."""

_FEWEST_CELLS = 128
_MOST_DRAWS = 30_000_000
"""Most cells of all replicates and groups together (some seconds)."""

_MOST_WORK = 1_000_000_000
"""Most cells of all replicates and pairs together; beyond it, groups take the place of pairs."""

_CELLS_AT_ONCE = 2**20
"""Cells of bootstrap samples that are held at once."""

_CELLS_IN_CACHE = 2**17

_BUCKETS_FIRST = 3
"""Number of axes of histograms by bucket, group and score."""

Norm = Callable[[Floats], Floats]
"""Norm of curves along their last axis."""


@dataclass(frozen=True)
class PairDistances:
    """Distances of all pairs i < j, with limits that hold together.

    Attributes:
        first: Index i of each pair, shape (pairs,).
        second: Index j of each pair.
        value: The distance, >= 0; nan where a group has no rows that define its curve.
        limits: Simultaneous limits of the distances, nan where the value is.
        method: Name of the interval.

    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    value: Floats
    limits: Limits
    method: str


def kolmogorov_smirnov(counts_a: Floats, counts_b: Floats) -> Floats:
    """Return the largest difference of two distribution functions, sup |F_a - F_b|.

    0 when they are equal, 1 when no scores of one lie beyond any of the other; nan without rows.

    Args:
        counts_a: Numbers of rows, or sums of weights, at each score, shape (..., m).
        counts_b: The same of the other group.

    Source: Kolmogorov 1933; Smirnov 1939.

    >>> float(kolmogorov_smirnov(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0])))
    0.5
    """
    return _supremum(_distribution(counts_a) - _distribution(counts_b))


def wasserstein(scores: Floats, counts_a: Floats, counts_b: Floats) -> Floats:
    """Return the Wasserstein-1 distance, the integral of |F_a - F_b| over scores.

    The least mean change of score that turns one distribution into the other. nan without rows.

    Args:
        scores: Distinct scores in ascending order, shape (m,).
        counts_a: Numbers of rows, or sums of weights, at each score, shape (..., m).
        counts_b: The same of the other group.

    Source: Vallender 1974.

    >>> float(wasserstein(np.array([0.0, 0.2, 0.6]), np.array([1, 0, 0]), np.array([0, 1, 1])))
    0.4
    """
    return _integral(scores)(_distribution(counts_a) - _distribution(counts_b))


def kolmogorov_smirnov_pairs(
    scores: Floats,
    counts: Floats,
    level: float,
    rng: np.random.Generator,
    *,
    replicates: int = REPLICATES,
) -> PairDistances:
    """Return the Kolmogorov-Smirnov distance of all pairs, with simultaneous limits.

    Args:
        scores: Distinct scores in ascending order, shape (m,).
        counts: Numbers of rows at each score: whole numbers of shape (groups, m) when rows are
            independent; of shape (buckets, groups, m), weighted or not, when rows belong to units.
        level: Simultaneous coverage in (0, 1).
        rng: Source of the bootstrap; the same seed gives the same limits.
        replicates: Number of bootstrap samples.

    """
    whole = _all_buckets(counts)
    value = _pair_norms(_distribution(whole), _supremum)
    _, coarse = _coarsen(scores, counts, _cells(len(whole), replicates))
    return norm_intervals(
        value,
        _distribution(_all_buckets(coarse)),
        (_distribution(sample) for sample in resample(coarse, replicates, rng)),
        norm=_supremum,
        trials=_trials(counts),
        level=level,
        most=1.0,
    )


def wasserstein_pairs(
    scores: Floats,
    counts: Floats,
    level: float,
    rng: np.random.Generator,
    *,
    span: float | None = None,
    replicates: int = REPLICATES,
) -> PairDistances:
    """Return the Wasserstein-1 distance of all pairs, with simultaneous limits.

    Args:
        scores: Distinct scores in ascending order, shape (m,).
        counts: As for `kolmogorov_smirnov_pairs`.
        level: Simultaneous coverage in (0, 1).
        rng: Source of the bootstrap.
        span: Width of the range that scores can take, 1 for probabilities; the observed range
            where it is not known.
        replicates: Number of bootstrap samples.

    """
    whole = _all_buckets(counts)
    value = _pair_norms(_distribution(whole), _integral(scores))
    points, coarse = _coarsen(scores, counts, _cells(len(whole), replicates))
    return norm_intervals(
        value,
        _distribution(_all_buckets(coarse)),
        (_distribution(sample) for sample in resample(coarse, replicates, rng)),
        norm=_integral(points),
        trials=_trials(counts),
        level=level,
        most=float(scores[-1] - scores[0]) if span is None else span,
    )


def abroca_pairs(
    scores: Floats,
    positives: Floats,
    negatives: Floats,
    level: float,
    rng: np.random.Generator,
    *,
    replicates: int = REPLICATES,
) -> PairDistances:
    """Return the area between the ROC curves of all pairs, with simultaneous limits.

    Positives and negatives of independent rows are two samples of given sizes.

    Args:
        scores: Distinct scores in ascending order, shape (m,).
        positives: Numbers of rows of label 1 at each score, as for `kolmogorov_smirnov_pairs`.
        negatives: The same of label 0.
        level: Simultaneous coverage in (0, 1).
        rng: Source of the bootstrap.
        replicates: Number of bootstrap samples.

    Source: Gardner, Brooks and Baker 2019 (the area).

    """
    label_1, label_0 = _all_buckets(positives), _all_buckets(negatives)
    groups = len(label_1)
    parts = [
        abroca(label_1[one], label_0[one], label_1[one + 1 :], label_0[one + 1 :])
        for one in range(groups - 1)
    ]
    value = np.concatenate([*parts, np.zeros(0)])
    both = np.concatenate((positives, negatives), axis=-2)
    cells = _cells(2 * groups, replicates)
    _, coarse = _coarsen(scores, both, cells)
    points = min(cells, 4 * coarse.shape[-1])
    grid = (np.arange(points) + 0.5) / points

    def curves(sample: Floats) -> Floats:
        return roc_curve_on(sample[..., :groups, :], sample[..., groups:, :], grid)

    return norm_intervals(
        value,
        curves(_all_buckets(coarse)),
        (curves(sample) for sample in resample(coarse, replicates, rng)),
        norm=lambda difference: np.abs(difference).mean(axis=-1),
        trials=np.minimum(_trials(positives), _trials(negatives)),
        level=level,
        most=1.0,
    )


def norm_intervals(
    value: Floats,
    curves: Floats,
    replicates: Iterable[Floats],
    *,
    norm: Norm,
    trials: Floats,
    level: float,
    most: float,
) -> PairDistances:
    """Return limits ``value - q`` and ``value + q`` of every pair that hold together.

    With D the bootstrap error of a group's curve, q of a pair is a multiple of the median of
    ||D_a - D_b||, the same multiple c for all pairs: the ``level`` quantile of the largest ratio
    of a pair's error to its median. With too many pairs the largest over groups of ||D_a|| to its
    own median is used, and q is c times the sum of the two medians. Because a bootstrap of few
    trials is too narrow, D is multiplied by sqrt(n / (n - 1)) and q by the ratio of Student's to
    the normal critical value. A group whose replicates are all alike adds what n trials may miss:
    a share of ``1 - (1 - level)^(1 / n)``, times ``most``. Groups that a replicate misses have no
    error in it.

    Args:
        value: Distance of each pair i < j, shape (pairs,); nan where it is undefined.
        curves: Curve of each group, shape (groups, points).
        replicates: Bootstrapped curves, in parts of shape (samples, groups, points).
        norm: Norm along the last axis; that of ``curves[i] - curves[j]`` is about the value.
        trials: Number of independent parts behind each curve: rows, or buckets that have any.
        level: Simultaneous coverage in (0, 1).
        most: Largest possible distance.

    Source: Efron 1979; Hothorn, Bretz and Westfall 2008 (the common multiple).

    """
    groups = len(curves)
    first, second = pair_indices(groups)
    scale = np.sqrt(quotient(trials, trials - 1.0))[:, None]
    errors = (np.nan_to_num((sample - curves) * scale) for sample in replicates)
    by_pair = len(first) * curves.shape[-1] * REPLICATES <= _MOST_WORK
    own, between = _error_norms(errors, norm, by_pair=by_pair)
    typical = np.median(between, axis=0)
    # A median of 0 is that of rare errors: their mean is not.
    typical = np.where(typical > 0, typical, between.mean(axis=0))
    ratio = np.divide(between, typical, out=np.zeros_like(between), where=typical > 0)
    multiple = float(np.quantile(ratio.max(axis=-1, initial=0.0), level, method="higher"))
    reach = multiple * (typical if by_pair else typical[first] + typical[second])
    crit = critical(1 - (1 - level) / max(len(first), 1))
    df = np.minimum(trials[first], trials[second]) - 1.0
    reach = reach * student(crit, df) / crit
    unseen = 1 - (1 - level) ** (1 / np.maximum(trials, 1.0))
    still = np.where(own.max(axis=0, initial=0.0) > 0, 0.0, unseen * most)
    reach = np.where(df > 0, reach + still[first] + still[second], np.inf)
    reach = np.where(np.isnan(value), np.nan, reach)
    limits = Limits(np.maximum(value - reach, 0.0), np.minimum(value + reach, most))
    name = "bootstrap of the norm of the error"
    if len(first) > 1:
        name += f", max-T over {len(first)} pairs" if by_pair else f", max-T over {groups} groups"
    return PairDistances(first, second, value, limits, name)


def resample(counts: Floats, replicates: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Draw bootstrap samples, in parts of shape (samples, groups, m) that take little memory.

    Args:
        counts: Shape (groups, m): each group's rows are drawn anew, as many as there are. Shape
            (buckets, groups, m): whole buckets are drawn, with all groups in them.
        replicates: Number of samples.
        rng: Source of the draws.

    Source: Efron 1979; Davison and Hinkley 1997 (clusters).

    """
    groups, cells = counts.shape[-2:]
    part = int(np.clip(_CELLS_AT_ONCE // (groups * cells), 1, replicates))
    sizes = [min(part, replicates - start) for start in range(0, replicates, part)]
    if counts.ndim == _BUCKETS_FIRST:
        buckets = len(counts)
        table = counts.reshape(buckets, -1)
        for size in sizes:
            times = rng.multinomial(buckets, np.full(buckets, 1 / buckets), size).astype(float)
            yield (times @ table).reshape(size, groups, cells)
        return
    if (counts != np.round(counts)).any():
        msg = "rows cannot be resampled from sums of weights: give histograms by bucket"
        raise ValueError(msg)
    total = counts.sum(axis=-1, keepdims=True)
    share = np.where(total > 0, quotient(counts, total), 1 / cells)
    rows = total[:, 0].astype(np.int64)
    for size in sizes:
        yield rng.multinomial(rows, share, (size, groups)).astype(float)


def _error_norms(errors: Iterable[Floats], norm: Norm, *, by_pair: bool) -> tuple[Floats, Floats]:
    """Return norms of the errors by replicate and group, and by replicate and pair.

    Unless ``by_pair`` those of the groups are returned twice.
    """
    own, between = [], []
    for error in errors:
        own.append(norm(error))
        if by_pair:
            between.append(_pair_norms(error, norm))
    alone = np.concatenate(own)
    return alone, np.concatenate(between) if by_pair else alone


def _pair_norms(curves: Floats, norm: Norm) -> Floats:
    """Return norms of the differences of curves (..., groups, points), shape (..., pairs)."""
    groups = curves.shape[-2]
    together = max(1, _CELLS_IN_CACHE * groups // curves.size)
    parts = [np.zeros((*curves.shape[:-2], 0))]
    for one in range(groups - 1):
        for start in range(one + 1, groups, together):
            others = curves[..., start : start + together, :]
            parts.append(norm(others - curves[..., one, None, :]))
    return np.concatenate(parts, axis=-1)


def _distribution(counts: Floats) -> Floats:
    """Return distribution functions at each score, nan without rows."""
    below = np.cumsum(counts, axis=-1)
    return quotient(below, below[..., -1:])


def _supremum(difference: Floats) -> Floats:
    largest: Floats = np.abs(difference).max(axis=-1)
    return largest


def _integral(scores: Floats) -> Norm:
    """Return the integral over scores of the absolute value of a step function."""
    widths = np.diff(scores)
    return lambda difference: np.abs(difference[..., :-1]) @ widths


def _all_buckets(counts: Floats) -> Floats:
    """Return histograms by group, over all buckets if there are any."""
    whole: Floats = counts.sum(axis=0) if counts.ndim == _BUCKETS_FIRST else counts
    return whole


def _trials(counts: Floats) -> Floats:
    """Return the number of rows of each group, or of buckets that have any."""
    rows = counts.sum(axis=-1)
    number: Floats = (rows > 0).sum(axis=0) * 1.0 if counts.ndim == _BUCKETS_FIRST else rows
    return number


def _cells(groups: int, replicates: int) -> int:
    """Return how many cells each bootstrapped histogram may have."""
    return int(np.clip(_MOST_DRAWS // (groups * replicates), _FEWEST_CELLS, _MOST_CELLS))


def _coarsen(scores: Floats, counts: Floats, cells: int) -> tuple[Floats, Floats]:
    """Merge neighbouring scores into at most about ``cells`` cells.

    A cell holds little of the groups' mean distribution and little of the range of scores.
    """
    if len(scores) <= cells:
        return scores, counts
    rows = counts.reshape(-1, counts.shape[-1])
    mass = np.nan_to_num(_distribution(_all_buckets(counts))).mean(axis=0)
    spread = (scores - scores[0]) / (scores[-1] - scores[0])
    part = np.minimum((mass + spread) / 2 * cells, cells - 1).astype(np.intp)
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    ends = np.append(starts[1:], len(scores)) - 1
    merged = np.add.reduceat(rows, starts, axis=-1)
    return (scores[starts] + scores[ends]) / 2, merged.reshape(*counts.shape[:-1], len(starts))
