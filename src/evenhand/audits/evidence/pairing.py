"""Whether two audits are of the same units, and how far each of these moves both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.replicate import folded, written_by, written_group
from evenhand.audits.finding import Finding
from evenhand.audits.unit import DEPENDENCE
from evenhand.logs.unit import CROSSED, Unit, UnitKind
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

    """

    paired: bool
    why: str
    dependent: Dependence | None
    tables: tuple[Mapping[tuple[str, ...], pl.DataFrame], ...] = ()

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
        by = written_by(finding.by, finding.given)
        places = [(finding.measure, by, finding.slice or "", written_group(one)) for one in groups]
        found = [table.get(place) for table in self.tables for place in places]
        if any(one is None for one in found):
            return None
        # Both audits by the buckets of the one that has fewer.
        fewest = min(int(one["buckets"][0]) for one in found if one is not None)
        columns = [self._folded(self.tables[audit][place], fewest) for place in places]
        known = [column for column in columns if column is not None]
        return np.column_stack(known) if len(known) == len(columns) else None

    def _folded(self, table: pl.DataFrame, fewest: int) -> Floats | None:
        buckets, bucket = int(table["buckets"][0]), table["bucket"].to_numpy()
        if not 0 < buckets <= _MOST or bucket.min() < 0 or bucket.max() >= buckets:
            return None
        whole = np.zeros((buckets, 1))
        whole[bucket, 0] = table["deviation"].to_numpy()
        kind: UnitKind = "column" if self.dependent == "buckets" else "two_way"
        return folded(whole, kind, fewest)


_MOST = CROSSED * CROSSED


def pairing_of(before: Bundle, after: Bundle) -> Pairing:
    """Return how two audits are paired, or why they are not."""
    units = [str(bundle.units.get("unit", "row")) for bundle in (before, after)]
    sets = [bundle.units.get("sha256") for bundle in (before, after)]
    if units[0] != units[1]:
        return _apart(f"the units are not the same: {units[0]} and {units[1]}")
    if units[0] == "row":
        return _apart("rows are the units, and nothing tells which row is which in the other audit")
    if before.replicates.is_empty() or after.replicates.is_empty():
        return _apart("the evidence does not say how units move the figures")
    why = "of the same units"
    if sets[0] is None or sets[0] != sets[1]:
        why = "of different sets of units; what they share is taken into account"
    tables = tuple(
        {
            tuple(str(part) for part in place): table
            for place, table in bundle.replicates.group_by(
                "measure", "by", "slice", "group", maintain_order=True
            )
        }
        for bundle in (before, after)
    )
    return Pairing(True, why, DEPENDENCE[Unit.of(units[0], {}).kind], tables)  # noqa: FBT003 - a field


def _apart(why: str) -> Pairing:
    return Pairing(False, f"{why}; they are taken as independent", None)  # noqa: FBT003 - a field
