"""How many sums of deviations may be told where figures can be subtracted from one another.

Of a log and of all its groups but one, the deviations of that one follow. So where a group is too
small for as many sums, no more are told of the log; where it has none, nothing is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evenhand.logs.unit import UnitKind


class Family(NamedTuple):
    """Figures that are made of the same rows, parted in the same way.

    Attributes:
        scope: The slice; empty for all rows.
        by: Groups and strata, as they are written.
        kind: What a bucket is.

    """

    scope: str
    by: str
    kind: UnitKind


@dataclass
class Told:
    """What there is of one family, over all its measures.

    Attributes:
        whole: Whether it is of the log, or slice, as a whole.
        room: Most sums of its smallest group that has rows, shown or not.
        units: Most sums of each measure's groups, by measure and group.

    """

    whole: bool
    room: float = math.inf
    units: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(self, measure: str, groups: Mapping[str, float]) -> None:
        """Count the groups of a measure that have rows."""
        self.room = min([self.room, *groups.values()])
        self.units |= {(measure, group): most for group, most in groups.items()}


def limits(told: Mapping[Family, Told], fewest: Mapping[UnitKind, int]) -> dict[Family, float]:
    """Return the most sums that may be told of any group of each family; 0 for none.

    In one slice families stay that part rows into groups none of which is too small for sums, cut
    to what the smallest of all has. One with a group that is too small stays alone: the first that
    was asked for, where there is none without. The log as a whole goes before groups do.

    Args:
        told: What there is of each family, in the order in which they were asked for.
        fewest: With fewer sums than these there are none, by kind.

    """
    found = dict.fromkeys(told, 0.0)
    for alike in _alike(told).values():
        # Stable: what was asked for first stays first.
        order = sorted(alike, key=lambda one: (told[one].whole, told[one].room < fewest[one.kind]))
        kept: list[Family] = []
        for one in order:
            if all(min(told[each].room, told[one].room) >= fewest[one.kind] for each in kept):
                kept.append(one)
        for one in kept:
            rooms = [told[each].room for each in kept if each != one]
            found[one] = min(rooms, default=math.inf)
    return found


def outside(told: Mapping[Family, Told], family: Family, measure: str, group: str) -> float:
    """Return the most sums of what a slice leaves out of a group, infinite where that is nothing.

    The rows of the group and of the log as a whole, where these are asked for too.
    """
    if not family.scope:
        return math.inf
    found = math.inf
    for one in ((family.by, group), _WHOLE):
        mine = told.get(Family(family.scope, one[0], family.kind))
        other = told.get(Family("", one[0], family.kind))
        if mine is None or other is None:
            continue
        inside, everywhere = (each.units.get((measure, one[1])) for each in (mine, other))
        if inside is not None and everywhere is not None and everywhere != inside:
            found = min(found, everywhere - inside)
    return found


_WHOLE = ("[[], []]", "[]")


def _alike(told: Mapping[Family, Told]) -> Mapping[tuple[str, str], Sequence[Family]]:
    found: defaultdict[tuple[str, str], list[Family]] = defaultdict(list)
    for family in told:
        found[family.scope, family.kind].append(family)
    return found
