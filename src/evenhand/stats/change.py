"""The change of a figure between two audits: of a group, or of a signed pair of groups.

Two audits of the same units err alike, so a change is known better than either figure: by how much
tell the deviations by bucket of units (docs/design/evidence.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.agreement import Agreement
from evenhand.stats.bucket import Between, Dependence
from evenhand.stats.interval import (
    Floats,
    Limits,
    critical,
    mover_difference,
    wilson,
)

Places: TypeAlias = NDArray[np.intp]
Pairs: TypeAlias = tuple[Places, Places]
"""The first groups of pairs, and the second ones."""


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


def beside(version: Version, targets: Floats) -> Version:
    """Return the signed distances of figures from fixed targets, and then the same reversed."""
    low, high = (end - targets for end in version.limits)
    value, moved = version.value - targets, version.deviations
    return Version(
        np.concatenate([value, -value]),
        Limits(np.concatenate([low, -high]), np.concatenate([high, -low])),
        version.level,
        deviations=None if moved is None else np.concatenate([moved, -moved], axis=1),
    )


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

    Errors that both audits share move both figures to the same side, and only the difference of
    their distances is left; the others are as in MOVER. Figures that are equal in value, limits
    and deviations have thus changed by 0, and surely.

    Args:
        before: The figures in the first audit.
        after: The same in the second.
        level: Coverage of each interval.
        dependent: What a bucket of deviations is; None for audits of other units.

    Source: Zou and Donner 2008 (MOVER).
    """
    value = after.value - before.value
    agreement = agreement_of(before, after, dependent)
    one, other = after.at(level), before.at(level)
    down, up = after.value - one.low, one.high - after.value
    down_before, up_before = before.value - other.low, other.high - before.value
    crit = critical(level)

    def distance(mine: Floats, theirs: Floats, mine_back: Floats, theirs_back: Floats) -> Floats:
        ends = np.isfinite(mine + theirs + mine_back + theirs_back)
        parts = (np.where(ends, part, 0.0) for part in (mine, theirs, mine_back, theirs_back))
        mine, theirs, mine_back, theirs_back = parts
        together = np.maximum(np.maximum(mine - theirs_back, theirs - mine_back), 0.0)
        found = agreement.distance(
            np.square(mine) + np.square(theirs), np.square(together), mine * theirs, crit
        )
        # Where one has no limit the change has none.
        return np.where(ends, found, np.inf)

    return value, Limits(
        value - distance(down, up_before, up, down_before),
        value + distance(up, down_before, down, up_before),
    )


def agreement_of(before: Version, after: Version, dependent: Dependence | None) -> Agreement:
    """Return how far both audits err alike, figure by figure."""
    first, second = (one.deviations for one in (after, before))
    if first is None or second is None or dependent is None:
        return Agreement.none(len(before.value))
    return Agreement.of(_standardised(after, first), _standardised(before, second), dependent)


def _standardised(version: Version, deviations: Floats) -> Floats:
    """Return deviations in units of the standard error that the limits tell."""
    low, high = version.limits
    error = (high - low) / (2 * critical(version.level))
    known = np.isfinite(error) & (error > 0)
    scaled: Floats = np.where(known, deviations / np.where(known, error, 1.0), 0.0)
    return scaled


def pair_change(
    before: Version,
    after: Version,
    pairs: Pairs,
    level: float,
    dependent: Dependence | None,
) -> Limits:
    """Return limits of the change of each difference ``first - second`` of two groups."""
    first, second = (apart(one, pairs, level, dependent) for one in (before, after))
    return change(first, second, level, dependent)[1]


def apart(
    version: Version,
    pairs: Pairs,
    level: float,
    dependent: Dependence | None,
) -> Version:
    """Return the differences ``first - second`` of pairs of groups, with limits at this level."""
    first, second = (version.take(index) for index in pairs)
    tied = correlation(first.deviations, second.deviations, dependent)
    limits = mover_difference(
        (first.value, first.at(level)), (second.value, second.at(level)), tied
    )
    moved = None
    if first.deviations is not None and second.deviations is not None:
        moved = first.deviations - second.deviations
    return Version(first.value - second.value, limits, level, deviations=moved)
