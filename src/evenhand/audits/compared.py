"""What a rule holds against its limit: figures of groups or of pairs, with one-sided limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.audits.cells import Floats, Indices
from evenhand.audits.grouped import Grouped
from evenhand.stats.contrast import PairDifferences, pair_differences
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Limits
from evenhand.stats.partial import Identified, identified_pairs
from evenhand.stats.power import units_needed_limit


@dataclass(frozen=True, slots=True)
class Against:
    """What a figure is held against.

    Attributes:
        limit: The most, or the least, that is allowed.
        at_most: Whether it is the most.
        alternative: The figure at which the rule should pass; None for half of what is allowed.

    """

    limit: float
    at_most: bool
    alternative: float | None = None

    def target(self, within: tuple[float, float]) -> float | None:
        """Return the figure at which units are planned: halfway to the best that there is.

        None where there is no best one.
        """
        if self.alternative is not None:
            return self.alternative
        best = within[0] if self.at_most else within[1]
        return (self.limit + best) / 2 if np.isfinite(best) else None


@dataclass(frozen=True)
class Compared:
    """The members of a comparison; arrays have shape (members,).

    A comparison is below a limit when every member is, and above it when some member is.

    Attributes:
        groups: The places of the groups that each member is about; empty for the log as a whole.
        alone: Limits of each member by itself.
        together: Limits that hold for all members at once.
        needed: Units per group with which each member would pass; infinite where none would do.
        target: The figure at which they would; None where units are not planned.

    """

    groups: tuple[tuple[int, ...], ...]
    alone: Limits
    together: Limits
    needed: Floats
    target: float | None = None

    def inside(self, against: Against) -> NDArray[np.bool_]:
        """Return which members are surely on the allowed side of a limit, each by itself."""
        limit, sides = against.limit, self.alone
        found: NDArray[np.bool_] = sides.high < limit if against.at_most else sides.low > limit
        return found

    def beyond(self, against: Against) -> NDArray[np.bool_]:
        """Return which members are surely on the other side, all of them together."""
        limit, sides = against.limit, self.together
        found: NDArray[np.bool_] = sides.low > limit if against.at_most else sides.high < limit
        return found


def one_by_one(
    figures: Figures,
    groups: Sequence[tuple[int, ...]],
    per_unit: Floats,
    level: float,
    against: Against,
) -> Compared:
    """Return figures that are held against a limit each; several hold together by Sidak's level.

    Source: Sidak 1967.
    """
    alone, together = (figures.limits(at) for at in (level, level ** (1 / max(1, len(groups)))))
    target = against.target(figures.within)
    needed = [
        math.inf
        if target is None
        else units_needed_limit(against.limit, target, float(one), level=(1 + level) / 2)
        for one in per_unit
    ]
    return Compared(tuple(groups), alone, together, np.array(needed), target)


def differences(
    grouped: Grouped, index: Indices, level: float, rng: np.random.Generator
) -> tuple[PairDifferences, PairDifferences]:
    """Return the differences of all pairs of groups, each by itself and all together.

    By itself, each limit is one-sided at (1 + level) / 2. Together, that is the coverage of both
    limits: an absolute difference can be beyond a small limit on either side.
    """
    figures = grouped.compare(index)
    both = both_sides(level)
    if isinstance(figures, Identified):
        return identified_pairs(figures, level, rng)[0], identified_pairs(figures, both, rng)[0]
    return pair_differences(figures, level, None), pair_differences(figures, both, rng)


def both_sides(level: float) -> float:
    """Return the two-sided coverage that errs as often as one limit at this coverage does."""
    return (1 + level) / 2


def unsigned(limits: Limits) -> Limits:
    """Return limits of the absolute value of what has these limits; the lower one may be < 0."""
    return Limits(
        np.maximum(limits.low, -limits.high), np.maximum(np.abs(limits.low), np.abs(limits.high))
    )


def per_unit(grouped: Grouped, index: Indices, level: float) -> Floats:
    """Return the variance that one unit brings to each group; infinite for a single unit.

    A single unit does not tell how units differ, so no number of them can be named.
    """
    figures = grouped.compare(index)
    _, variance = figures.variances(level)
    found: Floats = np.where(figures.df < 1, np.inf, variance * grouped.units.by_group[index])
    return found
