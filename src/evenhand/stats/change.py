"""The change of a figure between two audits: of a group, of a signed pair, of a selected group.

Two audits of the same units err alike, so a change is known better than either figure: by how much
tell the deviations by bucket of units. Which groups are furthest apart, or which is worst, the data
select in each audit anew; `gap_change` and `worst_change` allow for every group that may be it
(docs/design/evidence.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.bucket import Between, Dependence
from evenhand.stats.interval import Floats, Limits, critical, mover_difference, wilson

Places: TypeAlias = NDArray[np.intp]
Pairs: TypeAlias = tuple[Places, Places]
"""The first groups of pairs, and the second ones."""

_SELECTION = 0.1
"""Share of the error that is spent on which groups may be the selected ones."""


@dataclass(frozen=True)
class Version:
    """K figures as one audit knows them; arrays have shape (K,).

    Attributes:
        value: The figures.
        limits: Each one's own limits.
        level: Coverage of the limits.
        within: The smallest and the largest value that such a figure can have.
        deviations: How far each bucket of units moves them, shape (buckets, K); None where that
            is not known.

    """

    value: Floats
    limits: Limits
    level: float
    within: tuple[float, float] = (-np.inf, np.inf)
    deviations: Floats | None = None

    def at(self, level: float) -> Limits:
        """Return the limits at another level."""
        return rescaled(self, critical(level) / critical(self.level))

    def take(self, index: Places) -> Version:
        """Return the figures at these places."""
        low, high = self.limits
        moved = None if self.deviations is None else self.deviations[:, index]
        limits = Limits(low[index], high[index])
        return Version(self.value[index], limits, self.level, self.within, moved)


class Change(NamedTuple):
    """A change and its limits."""

    value: float
    low: float
    high: float


def rescaled(version: Version, ratio: float) -> Limits:
    """Return the limits that a critical value so many times as large would give.

    Limits of Wilson's form are solved for their number of trials; the distances of others grow
    with the critical value.
    """
    value, (low, high) = version.value, version.limits
    least, most = version.within
    if ratio == 1:
        return version.limits
    below = np.maximum(value - (value - low) * ratio, least)
    above = np.minimum(value + (high - value) * ratio, most)
    if (least, most) != (0, 1):
        return Limits(below, above)
    half, spread = (high - low) / 2, value * (1 - value)
    square = np.minimum(np.square(half), 0.25 * (1 - 1e-12))
    a, b = square - 0.25, 2 * square - spread
    # crit^2 / n, the positive root: Wilson's half width as a quadratic equation in it.
    x = (b + np.sqrt(np.maximum(b * b - 4 * a * square, 0.0))) / (-2 * a)
    centre = (value + x / 2) / (1 + x)
    is_wilson = (np.abs(centre - (low + high) / 2) < _ROUNDING) & (x > 0)
    safe = np.where(is_wilson, x, 1.0) * ratio**2
    exact = wilson(np.clip(value, 0.0, 1.0), 1 / safe, 1.0)
    unknown = (low <= 0) & (high >= 1)
    return Limits(
        np.where(unknown, low, np.where(is_wilson, exact.low, below)),
        np.where(unknown, high, np.where(is_wilson, exact.high, above)),
    )


_ROUNDING = 1e-7


def correlation(
    first: Floats | None, second: Floats | None, dependent: Dependence | None
) -> Floats | float:
    """Return the correlation of figures, pair by pair, from their deviations by bucket.

    It is shrunk towards 0 by the number of buckets that it rests on, as in `Between`.

    Args:
        first: Deviations, shape (buckets, P); None where they are not known.
        second: Deviations of the same shape.
        dependent: What a bucket is; None for figures of other units, whose correlation is 0.

    """
    if first is None or second is None or dependent is None:
        return 0.0
    if dependent != "buckets":
        return np.array([_crossed(a, b, dependent) for a, b in zip(first.T, second.T, strict=True)])
    shared = ((first != 0) & (second != 0)).sum(axis=0)
    trust = np.where(shared > 2, 1 - 1 / np.maximum(shared - 1, 1), 0.0)  # noqa: PLR2004 - as there
    norm = np.sqrt(np.square(first).sum(axis=0) * np.square(second).sum(axis=0))
    product = (first * second).sum(axis=0) * trust
    found: Floats = np.divide(product, norm, out=np.zeros_like(product), where=norm > 0)
    return found


def _crossed(first: Floats, second: Floats, dependent: Dependence) -> float:
    moved = np.column_stack([first, second])
    return float(Between.of(moved, (moved != 0).astype(float), dependent).correlation[0, 1])


def change(
    before: Version, after: Version, level: float, dependent: Dependence | None
) -> tuple[Floats, Limits]:
    """Return ``after - before`` of each figure with its own limits.

    Args:
        before: The figures in the first audit.
        after: The same in the second.
        level: Coverage of each interval.
        dependent: What a bucket of deviations is; None for audits of other units.

    Source: Zou and Donner 2008 (MOVER).
    """
    tied = correlation(after.deviations, before.deviations, dependent)
    first, second = ((one.value, one.at(level)) for one in (after, before))
    return after.value - before.value, mover_difference(first, second, tied)


def pair_change(
    before: Version,
    after: Version,
    pairs: Pairs,
    level: float,
    dependent: Dependence | None,
) -> Limits:
    """Return limits of the change of each difference ``first - second`` of two groups."""
    first, second = (_apart(one, pairs, level, dependent) for one in (before, after))
    return change(first, second, level, dependent)[1]


def _apart(
    version: Version,
    pairs: Pairs,
    level: float,
    dependent: Dependence | None,
) -> Version:
    """Return the differences of pairs of groups."""
    first, second = (version.take(index) for index in pairs)
    tied = correlation(first.deviations, second.deviations, dependent)
    limits = mover_difference(
        (first.value, first.at(level)), (second.value, second.at(level)), tied
    )
    moved = None
    if first.deviations is not None and second.deviations is not None:
        moved = first.deviations - second.deviations
    return Version(first.value - second.value, limits, level, deviations=moved)


def gap_change(
    before: Version, after: Version, level: float, dependent: Dependence | None
) -> Change:
    """Return the change of the largest difference between two groups.

    The pair that was widest, followed to the second audit, changed by no more than the gap did;
    the pair that is widest now, followed back, by no less. Which pairs these are is not known, so
    the limits are those of every pair that may be.

    Source: Berger and Boos 1994, for what is chosen by the data.
    """

    def side(version: Version) -> Pairs:
        top, bottom = (_candidates(version, level, highest=highest) for highest in (True, False))
        first, second = (grid.ravel() for grid in np.meshgrid(top, bottom, indexing="ij"))
        return first[first != second], second[first != second]

    at = _left(level)
    low = pair_change(before, after, side(before), at, dependent).low
    high = pair_change(before, after, side(after), at, dependent).high
    value = float(np.ptp(after.value) - np.ptp(before.value))
    return Change(value, float(low.min()), float(high.max()))


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

    Source: Berger and Boos 1994.
    """
    least, most = (_candidates(one, level, highest=highest) for one in (before, after))
    pick = np.max
    if not highest:
        # The group that was worst rises by no less than the smallest figure does.
        least, most, pick = most, least, np.min
    low, high = (
        change(before.take(index), after.take(index), _left(level), dependent)[1]
        for index in (least, most)
    )
    value = float(pick(after.value) - pick(before.value))
    return Change(value, float(low.low.min()), float(high.high.max()))


def _left(level: float) -> float:
    """Return the level of changes when part of the error is spent on selection.

    The pair or group that is truly the one is among the candidates, whatever else is, and its own
    interval is enough: no correction for the number of candidates is due.
    """
    return 1 - (1 - level) * (1 - _SELECTION)


def _candidates(version: Version, level: float, *, highest: bool) -> Places:
    """Return the groups that may be the highest, or the lowest, by limits that hold together.

    Half of what is spent on selection goes to each audit.
    """
    error = (1 - level) * _SELECTION / 2
    low, high = version.at(1 - error / len(version.value))
    return np.flatnonzero(high >= low.max() if highest else low <= high.min())
