"""How far two samples are from each other: effect sizes of drift, with intervals.

A distance of two samples is above 0 without any drift, the more so the smaller they are, so none is
told without its interval. All are norms of a difference of curves (`evenhand.stats.distance`), and
their intervals reach 0 where nothing speaks of drift.
"""

from __future__ import annotations

import numpy as np

from evenhand.stats.distance import (
    REPLICATES,
    PairDistances,
    kolmogorov_smirnov,
    kolmogorov_smirnov_pairs,
    norm_intervals,
    resample,
    wasserstein,
    wasserstein_pairs,
)
from evenhand.stats.estimate import Estimate, Outcome, Undefined, sound
from evenhand.stats.interval import Floats
from evenhand.stats.multiplicity import Flags
from evenhand.stats.two_sample import Codes

BUCKETS = 200
"""Buckets of units that are resampled: units beyond share one."""

_CELLS = 512
"""Cells that distinct values are merged into for intervals of units."""


def table_by_unit(
    code: Codes, values: int, second: Flags, unit: Codes | None, rng: np.random.Generator
) -> Floats:
    """Return counts by sample and value; of rows of units by bucket of units too.

    Args:
        code: The value of each row, as a code from 0, shape (rows,).
        values: Number of values.
        second: Whether a row is in the second sample.
        unit: The unit of each row, as a code; None where rows are independent.
        rng: Deals units into at most 200 buckets.

    Returns:
        Shape (2, values), or (buckets, 2, values).

    """
    if unit is None:
        flat = np.bincount(second * values + code, minlength=2 * values)
        return flat.reshape(2, values).astype(float)
    units = int(unit.max()) + 1
    buckets = min(units, BUCKETS)
    bucket = rng.permutation(units)[unit] % buckets
    place = (bucket * 2 + second) * values + code
    counts = np.bincount(place, minlength=buckets * 2 * values)
    return counts.reshape(buckets, 2, values).astype(float)


def number_shifts(
    values: Floats,
    code: Codes,
    second: Flags,
    *,
    unit: Codes | None,
    level: float,
    rng: np.random.Generator,
) -> tuple[Outcome, Outcome]:
    """Return the Kolmogorov-Smirnov distance, and Wasserstein's in pooled standard deviations.

    The first is the largest difference of the shares below any value, from 0 to 1. The second is
    the mean change of a value that turns one sample into the other, over the square root of the
    mean of both variances, weighted by their degrees of freedom; the interval takes that scale as
    known.

    Args:
        values: Distinct values in ascending order, shape (m,).
        code: The value of each row, as its place among them, shape (rows,).
        second: Whether a row is in the second sample; both samples have rows.
        unit: The unit of each row, as a code; None where rows are independent.
        level: Coverage of the intervals.
        rng: Source of the bootstrap.

    """
    whole = table_by_unit(code, len(values), second, None, rng)
    merged, points = code, values
    if unit is not None and len(values) > _CELLS:
        below = np.cumsum(whole.sum(axis=0)) - 1
        cell = np.unique((below * _CELLS // whole.sum()).astype(np.intp), return_inverse=True)[1]
        merged = cell[code]
        finite = np.where(np.isfinite(values), values, 0.0)
        points = np.bincount(cell, finite) / np.bincount(cell)
    table = table_by_unit(merged, len(points), second, unit, rng)
    distance = float(kolmogorov_smirnov(whole[0], whole[1]))
    largest = _outcome(distance, kolmogorov_smirnov_pairs(points, table, level, rng), level, 1.0)
    return largest, _in_deviations(values, whole, points, table, level=level, rng=rng)


def _in_deviations(
    values: Floats,
    whole: Floats,
    points: Floats,
    table: Floats,
    *,
    level: float,
    rng: np.random.Generator,
) -> Outcome:
    if not np.isfinite(values).all():
        return Undefined("there are infinite values")
    # The scale is that of values about their middle: large ones, as times are, would round it away.
    centred = values - values.mean()
    sizes = whole.sum(axis=1)
    means = whole @ centred / sizes
    squares = (whole * np.square(centred - means[:, None])).sum()
    deviation = float(np.sqrt(squares / max(sizes.sum() - 2, 1)))
    if not deviation > 0:
        return Undefined("there is no deviation within either sample")
    scaled = centred / deviation
    value = float(wasserstein(scaled, whole[0], whole[1]))
    found = wasserstein_pairs((points - values.mean()) / deviation, table, level, rng)
    return _outcome(value, found, level, float(scaled[-1] - scaled[0]))


def share_shift(
    code: Codes,
    categories: int,
    second: Flags,
    *,
    unit: Codes | None,
    level: float,
    rng: np.random.Generator,
) -> Outcome:
    """Return the total variation distance: the share of one sample in other categories than due.

    Half the sum of the absolute differences of shares, from 0 to 1.

    Args:
        code: The category of each row, as a code, shape (rows,).
        categories: Number of categories.
        second: Whether a row is in the second sample; both samples have rows.
        unit: The unit of each row, as a code; None where rows are independent.
        level: Coverage of the interval.
        rng: Source of the bootstrap.

    """
    whole = table_by_unit(code, categories, second, None, rng)
    table = table_by_unit(code, categories, second, unit, rng)
    rows = table.sum(axis=-1)
    shares = whole / whole.sum(axis=-1, keepdims=True)
    value = float(_total_variation(shares[1] - shares[0]))
    found = norm_intervals(
        np.array([value]),
        shares,
        (_shares(sample) for sample in resample(table, REPLICATES, rng)),
        norm=_total_variation,
        trials=rows if unit is None else (rows > 0).sum(axis=0) * 1.0,
        level=level,
        most=1.0,
    )
    return _outcome(value, found, level, 1.0)


def _shares(counts: Floats) -> Floats:
    total = counts.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    return shares


def _total_variation(difference: Floats) -> Floats:
    half: Floats = np.abs(difference).sum(axis=-1) / 2
    return half


def _outcome(value: float, found: PairDistances, level: float, most: float) -> Outcome:
    """Return a distance of all values with the reach that those of merged ones have."""
    low, high = float(found.limits.low[0]), float(found.limits.high[0])
    reach = max(high - float(found.value[0]), float(found.value[0]) - low)
    if not np.isfinite(reach):
        return Undefined("one unit alone tells nothing of how it varies")
    return sound(
        Estimate(value, max(value - reach, 0.0), min(value + reach, most), level, found.method)
    )
