"""What a rule holds against its limit: figures of groups or of pairs, with one-sided limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from evenhand.audits.cells import Floats, Indices
from evenhand.audits.grouped import Grouped
from evenhand.stats.contrast import PairDifferences, bonferroni, pair_differences
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Limits, critical
from evenhand.stats.partial import Identified, identified_pairs
from evenhand.stats.power import units_needed_limit
from evenhand.stats.simultaneous import student


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


Mask: TypeAlias = NDArray[np.bool_]
Planned: TypeAlias = Callable[[Mask], float]


def never(_members: Mask) -> float:
    """Return that no number of units is planned."""
    return math.inf


def power_of_each(members: Mask) -> float:
    """Return the power that each member needs so that all pass with 80 % power.

    Source: Bonferroni's inequality.
    """
    return 1 - 0.2 / max(1, int(members.sum()))


@dataclass(frozen=True)
class Compared:
    """The members of a comparison; arrays have shape (members,).

    A comparison is below a limit when every member is, and above it when some member is.

    Attributes:
        groups: The places of the groups that each member is about; empty for the log as a whole.
        alone: Limits of each member by itself.
        together: Limits that hold for all members at once.
        planned: How many units per group let members of a mask all pass with 80 % power;
            infinite where no number would.
        target: The figure at which they would; None where units are not planned.

    """

    groups: tuple[tuple[int, ...], ...]
    alone: Limits
    together: Limits
    planned: Planned
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
    """Return figures that are held against a limit each; failures by Bonferroni's inequality.

    Args:
        figures: The figures.
        groups: The places that each is about.
        per_unit: The variance that one unit brings to each.
        level: Two-sided coverage; each limit is one-sided at (1 + level) / 2.
        against: The limit.

    """
    all_at_once = bonferroni(level, max(1, len(groups)))
    target = against.target(figures.within)

    def planned(members: Mask) -> float:
        if target is None:
            return math.inf
        widest = float(per_unit[members].max())
        limit, power = against.limit, power_of_each(members)
        return units_needed_limit(limit, target, widest, level=(1 + level) / 2, power=power)

    return Compared(
        tuple(groups),
        # Not `limits`: of a set it gives what covers it on both sides, which errs more on each.
        figures.limits_at(student(critical(level), figures.df)),
        figures.sure_limits_at(student(critical(all_at_once), figures.df)),
        planned,
        target,
    )


def differences(
    grouped: Grouped, index: Indices, level: float, rng: np.random.Generator, families: int = 1
) -> tuple[PairDifferences, PairDifferences]:
    """Return the differences of all pairs of groups, each by itself and all together.

    By itself, each limit is one-sided at (1 + level) / 2. Together, that is the coverage of both
    limits: an absolute difference can be beyond a small limit on either side. Several families of
    pairs share that error.
    """
    figures = grouped.compare(index)
    both = bonferroni(both_sides(level), families)
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
    """Return the variance that one unit brings to each group; infinite where units cannot tell.

    A single unit does not tell how units differ, so no number of them can be named; nor does any
    number narrow the set that missing labels leave.
    """
    figures = grouped.compare(index)
    _, variance = figures.variances(level)
    hopeless = figures.df < 1
    if isinstance(figures, Identified):
        hopeless = hopeless | (figures.sets.high > figures.sets.low)
    found: Floats = np.where(hopeless, np.inf, variance * grouped.units.by_group[index])
    return found
