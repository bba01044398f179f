"""What changed between two audits, and whether the change is more than chance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.changed import Both, Change, Difference, values_of
from evenhand.audits.evidence.manifest import named
from evenhand.audits.evidence.pairing import pairing_of
from evenhand.audits.finding import Finding
from evenhand.errors import BundleError, Problem

__all__ = ["Change", "Comparison", "Difference", "diff"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two audits, figure by figure.

    Attributes:
        paired: Whether what units share between the audits is taken into account.
        pairing: How, or why not.
        level: Coverage of the intervals of changes, each by itself.
        changes: What is in both audits, in the order of the first.
        added: What only the second has.
        removed: What only the first has.

    """

    paired: bool
    pairing: str
    level: float
    changes: tuple[Change, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether both audits have the same figures."""
        return not self.added and not self.removed and all(one.same for one in self.changes)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``evenhand diff --json`` prints."""
        return {
            "paired": self.paired,
            "pairing": self.pairing,
            "level": self.level,
            "same": self.same,
            "changes": [one.to_dict() for one in self.changes],
            "added": list(self.added),
            "removed": list(self.removed),
        }


def diff(before: Bundle, after: Bundle, *, level: float | None = None) -> Comparison:
    """Return what changed from one audit to another.

    Args:
        before: The first audit.
        after: The second; of another model, other rows or another plan.
        level: Coverage of each interval; None for that of the first plan.

    Raises:
        BundleError: The level is none.

    """
    wanted = before.plan.level if level is None else level
    if not 0 < wanted < 1:
        raise BundleError(Problem("level", f"{wanted:g} is not between 0 and 1.", "0.95 is usual."))
    first, second = (_by_name(bundle) for bundle in (before, after))
    pairing = pairing_of(before, after)
    changes: list[Change] = []
    added = [name for name in second if name not in first]
    removed = [name for name in first if name not in second]
    for name in first:
        if name in second:
            one = Both(name, first[name], second[name], before, after, pairing, wanted)
            changes += one.changes()
            mine, other = ({*map(values_of, one.groups)} for one in (first[name], second[name]))
            added += [f"{name}: {', '.join(group)}" for group in sorted(other - mine)]
            removed += [f"{name}: {', '.join(group)}" for group in sorted(mine - other)]
    return Comparison(
        pairing.paired,
        f"{pairing.why}{_unpaired(changes) if pairing.paired else ''}",
        wanted,
        tuple(changes),
        tuple(added),
        tuple(removed),
    )


def _unpaired(changes: Iterable[Change]) -> str:
    """Return how many intervals are not paired in audits that are."""
    known = [one.difference.paired for one in changes if one.difference.low is not None]
    lacking = known.count(False)
    if not lacking:
        return ""
    few = "as of groups of too few units, and of what would tell of these by subtraction"
    why = f"evidence does not say how units move them, {few}"
    return f"; {lacking} of {len(known)} changes are taken as independent: {why}"


def _by_name(bundle: Bundle) -> dict[str, Finding]:
    names = named(finding.to_dict() for finding in bundle.findings)
    return dict(zip(names, bundle.findings, strict=True))
