"""Whether two audits are of the same units, and how far each of these moves both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from evenhand.audits.evidence.block import has_target, is_of_items
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.replicate import (
    ENOUGH,
    FEWEST,
    folded,
    is_of_lists,
    written_by,
    written_group,
)
from evenhand.audits.finding import Finding
from evenhand.audits.unit import DEPENDENCE
from evenhand.errors import EvenhandError
from evenhand.logs.log import ITEM
from evenhand.logs.unit import BUCKETS, CROSSED, Unit, UnitKind
from evenhand.measures.ranking import Ranking
from evenhand.measures.registry import measure_named
from evenhand.notation import parse
from evenhand.stats.bucket import Dependence
from evenhand.stats.interval import Floats


@dataclass(frozen=True)
class Pairing:
    """What the units of two audits have to do with each other.

    Attributes:
        paired: Whether the deviations of both audits are of the same kind of unit.
        why: How the audits are compared, for the reader.
        dependent: What a bucket of units is; None where the audits are not paired.
        tables: For each audit the deviations by measure, groups, slice and group.
        fewest: With fewer buckets figures are not paired.

    """

    paired: bool
    why: str
    dependent: Dependence | None
    tables: tuple[Mapping[tuple[str, ...], pl.DataFrame], ...] = ()
    fewest: int = 1

    def deviations(
        self, audit: int, finding: Finding, groups: Sequence[Mapping[str, str]]
    ) -> Floats | None:
        """Return how far each bucket moves a finding's measure in these groups, or None.

        Args:
            audit: 0 for the first audit, 1 for the second.
            finding: The finding.
            groups: Groups of its contrast; one nameless group for the log as a whole.

        """
        if not self.paired:
            return None
        # Groups of items are called so where they were asked for, and not in a finding.
        prefix = ITEM if is_of_items(finding) else ""
        by = written_by([f"{prefix}{name}" for name in finding.by], finding.given)
        name = finding.key if has_target(finding) else finding.measure
        # Evidence that was read has attributes in another order than evidence just made.
        named = [{key: one[key] for key in (*finding.by, *one) if key in one} for one in groups]
        places = [(name, by, finding.slice or "", written_group(one)) for one in named]
        empty = [{*one.group.items()} for one in finding.groups if one.units == 0]
        # What no row has in either audit moves with no unit.
        still = [
            {*one.items()} in empty and not self._told(place)
            for one, place in zip(groups, places, strict=True)
        ]
        told = [place for place, none in zip(places, still, strict=True) if not none]
        found = [table.get(place) for table in self.tables for place in told]
        if not found or any(one is None for one in found):
            return None
        # Both audits by the buckets of the one that has fewer.
        fewest = min(int(one["buckets"][0]) for one in found if one is not None)
        if fewest < self.fewest:
            return None
        kind: UnitKind = "column" if self.dependent_of(finding) == "buckets" else "two_way"
        columns = {place: _folded(self.tables[audit][place], fewest, kind) for place in told}
        known = {place: column for place, column in columns.items() if column is not None}
        if len(known) < len(columns):
            return None
        nothing = np.zeros_like(next(iter(known.values())))
        return np.column_stack([known.get(place, nothing) for place in places])

    def _told(self, place: tuple[str, ...]) -> bool:
        return any(place in table for table in self.tables)

    def dependent_of(self, finding: Finding) -> Dependence | None:
        """Return what a bucket is in the deviations of a finding.

        Where rows have two units, figures of whole lists still have one.
        """
        return "buckets" if self.dependent is not None and _is_of_lists(finding) else self.dependent


def _is_of_lists(finding: Finding) -> bool:
    try:
        measure = measure_named(parse(finding.measure))
    except EvenhandError:
        return False
    return isinstance(measure, Ranking) and is_of_lists(measure)


def _folded(table: pl.DataFrame, fewest: int, kind: UnitKind) -> Floats | None:
    """Return deviations by so many buckets; None for numbers that evidence never has."""
    buckets, bucket = int(table["buckets"][0]), table["bucket"].to_numpy()
    possible = buckets in _PAIRS if kind == "two_way" else 0 < buckets <= BUCKETS
    if not possible or bucket.min() < 0 or bucket.max() >= buckets:
        return None
    whole = np.zeros((buckets, 1))
    whole[bucket, 0] = table["deviation"].to_numpy()
    return folded(whole, kind, fewest)


_PAIRS = frozenset(4**power for power in range(CROSSED.bit_length()))


def pairing_of(before: Bundle, after: Bundle) -> Pairing:
    """Return how two audits are paired, or why they are not."""
    units = [str(bundle.units.get("unit", "row")) for bundle in (before, after)]
    sets = [bundle.units.get("sha256") for bundle in (before, after)]
    if units[0] != units[1]:
        return _apart(f"the units are not the same: {units[0]} and {units[1]}")
    if units[0] == "row":
        return _apart("rows are the units, and nothing tells which row is which in the other audit")
    for bundle in (before, after):
        if bundle.replicates.is_empty():
            least = FEWEST * max(1, bundle.plan.min_units)
            why = "the evidence does not say how units move the figures"
            return _apart(f"{why}, which takes figures of {least} units or more")
    why, fewest = "of the same units", 1
    if sets[0] is None or sets[0] != sets[1]:
        # They may share none at all, and of few sums chance alone makes some alike.
        why, fewest = "of different sets of units; what they share is taken into account", ENOUGH
    tables = tuple(
        {
            tuple(str(part) for part in place): table
            for place, table in bundle.replicates.group_by(
                "measure", "by", "slice", "group", maintain_order=True
            )
        }
        for bundle in (before, after)
    )
    dependent = DEPENDENCE[Unit.of(units[0], {}).kind]
    return Pairing(True, why, dependent, tables, fewest)  # noqa: FBT003 - a field


def _apart(why: str) -> Pairing:
    return Pairing(False, f"{why}; they are taken as independent", None)  # noqa: FBT003 - a field
