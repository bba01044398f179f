"""The change of what the data select among groups: the widest gap, the smallest ratio, the worst.

Which groups are furthest apart, or which is worst, the data select in each audit anew; limits allow
for every group that may be it (docs/design/evidence.md).
"""

from __future__ import annotations

import numpy as np

from evenhand.stats.bucket import Dependence
from evenhand.stats.change import Change, Pairs, Places, Version, apart, change, correlation
from evenhand.stats.interval import mover_ratio

_SELECTION, _FIRST = 0.08, 0.01
"""Shares of the error that are spent on which figures may be the selected ones; and first on which
groups may be the highest of any pair, and on which the lowest."""


def gap_change(
    before: Version, after: Version, level: float, dependent: Dependence | None
) -> Change:
    """Return the change of the largest difference between two groups.

    Args:
        before: The figures in the first audit, at least two.
        after: The same in the second.
        level: Coverage.
        dependent: What a bucket of deviations is; None for audits of other units.

    """
    at = _left(level)
    pairs = _pairs_of(before, after, level)
    one, other = (apart(version, pairs, at, dependent) for version in (before, after))
    low, high = _selected(one, other, level, dependent, highest=True)
    return Change(float(np.ptp(after.value) - np.ptp(before.value)), low, high)


def ratio_change(
    before: Version, after: Version, level: float, dependent: Dependence | None
) -> Change | None:
    """Return the change of the smallest over the largest figure; None where a figure may be 0.

    The ratio of a pair has MOVER-R's limits, and each bucket moves it as the delta method says.

    Args:
        before: The figures in the first audit, at least two, none below 0.
        after: The same in the second.
        level: Coverage.
        dependent: What a bucket of deviations is; None for audits of other units.

    Source: Donner and Zou 2012 (MOVER-R).
    """
    at = _left(level)
    top, bottom = _pairs_of(before, after, level)
    one, other = (_over(version, (bottom, top), at, dependent) for version in (before, after))
    if one is None or other is None:
        return None
    low, high = _selected(one, other, level, dependent, highest=False)
    ratio, ratio_before = (side.value.min() / side.value.max() for side in (after, before))
    # Both ratios are between 0 and 1.
    return Change(float(ratio - ratio_before), max(low, -1.0), min(high, 1.0))


def worst_change(
    before: Version, after: Version, level: float, dependent: Dependence | None, *, highest: bool
) -> Change:
    """Return the change of the worst group's figure, which may be another group's each time.

    Args:
        before: The figures in the first audit.
        after: The same in the second.
        level: Coverage.
        dependent: What a bucket of deviations is; None for audits of other units.
        highest: Whether the highest figure is the worst.

    """
    low, high = _selected(before, after, level, dependent, highest=highest)
    pick = np.max if highest else np.min
    return Change(float(pick(after.value) - pick(before.value)), low, high)


def _selected(
    before: Version,
    after: Version,
    level: float,
    dependent: Dependence | None,
    *,
    highest: bool,
) -> tuple[float, float]:
    """Return limits of the change of the highest, or lowest, of several figures.

    Let p be the one that is truly highest before, and q after. The change is q's figure after less
    p's before; and since none is higher than the highest, it is at least the change of p itself,
    and at most that of q. Of these bounds each limit takes the better one, at half of the error
    where p and q differ; where they are one all are the same. Which they are is not known: the
    limits are those of all that may be, and no correction is due for their number, since only
    those of the true two have to hold.

    Args:
        before: The figures in the first audit.
        after: The same in the second.
        level: Coverage of the change.
        dependent: What a bucket of deviations is.
        highest: Whether the highest is selected; else the lowest.

    Source: Berger and Boos 1994, for what is chosen by the data.
    """
    was, now = (_candidates(one, level, _SELECTION, highest=highest) for one in (before, after))
    at = _left(level)
    if len(was) * len(now) > _MOST:
        low_of, high_of = (was, now) if highest else (now, was)
        low = change(before.take(low_of), after.take(low_of), at, dependent)[1].low
        high = change(before.take(high_of), after.take(high_of), at, dependent)[1].high
        return float(low.min()), float(high.max())
    first, second = (grid.ravel() for grid in np.meshgrid(was, now, indexing="ij"))
    half = 1 - (1 - at) / 2
    straight = change(before.take(first), after.take(second), half, dependent)[1]
    own = first == second
    followed = change(before, after, half, dependent)[1]
    alone = change(before, after, at, dependent)[1]
    low_of, high_of = (first, second) if highest else (second, first)
    low = np.where(own, alone.low[first], np.maximum(straight.low, followed.low[low_of]))
    high = np.where(own, alone.high[first], np.minimum(straight.high, followed.high[high_of]))
    return float(low.min()), float(high.max())


_MOST = 4096
"""Pairs of figures before and after that are tried; beyond, each is followed alone."""


def _pairs_of(before: Version, after: Version, level: float) -> Pairs:
    """Return ordered pairs of different groups: all, or those of many that may be the widest."""
    count = len(before.value)
    if count * (count - 1) <= _MOST_PAIRS:
        first, second = (grid.ravel() for grid in np.indices((count, count)))
        return first[first != second], second[first != second]
    codes = []
    for version in (before, after):
        top, bottom = (
            _candidates(version, level, _FIRST, highest=highest) for highest in (True, False)
        )
        first, second = (grid.ravel() for grid in np.meshgrid(top, bottom, indexing="ij"))
        codes.append((first * count + second)[first != second])
    every = np.union1d(*codes)
    return every // count, every % count


_MOST_PAIRS = 400


def _over(
    version: Version, pairs: Pairs, level: float, dependent: Dependence | None
) -> Version | None:
    """Return the ratios of pairs of groups; None where one may be divided by 0."""
    first, second = (version.take(index) for index in pairs)
    if (second.value <= 0).any():
        return None
    ratio = first.value / second.value
    tied = correlation(first.deviations, second.deviations, dependent)
    limits = mover_ratio((first.value, first.at(level)), (second.value, second.at(level)), tied)
    if not np.isfinite(limits.high).all():
        return None
    moved = None
    if first.deviations is not None and second.deviations is not None:
        moved = (first.deviations - ratio * second.deviations) / second.value
    return Version(ratio, limits, level, (0.0, np.inf), moved)


def _left(level: float) -> float:
    """Return the level of changes when part of the error is spent on selection."""
    return 1 - (1 - level) * (1 - _SELECTION - 2 * _FIRST)


def _candidates(version: Version, level: float, share: float, *, highest: bool) -> Places:
    """Return the figures that may be the highest, or the lowest.

    The one that truly is goes missing only where its own limit is below it, or that of another
    above it: each limit errs to one side. Half of what is spent on selection goes to each audit.

    Args:
        version: The figures.
        level: Coverage of the change.
        share: The share of its error that is spent.
        highest: Whether the highest is looked for; else the lowest.

    """
    error = (1 - level) * share / 2
    low, high = version.at(1 - 2 * error / len(version.value))
    return np.flatnonzero(high >= low.max() if highest else low <= high.min())
