"""The figures of a bundle one by one, as cards list them: each contrast, and each of its groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.finding import ALL_ROWS, Finding
from evenhand.render.wording import full_name_of, versus
from evenhand.stats.estimate import Estimate, Outcome, Undefined


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its interval, or why there is none, and whom it is about.

    Attributes:
        name: The notation of the contrast, or of the measure in a group.
        group: The group, or the two that are compared; empty for a contrast as a whole.
        scope: ``all rows``, or the slice.
        outcome: The number.
        rows: Rows behind it; None where the group is too small to be shown.
        units: Independent units among them; None likewise.

    """

    name: str
    group: str
    scope: str
    outcome: Outcome
    rows: int | None
    units: int | None

    @property
    def slice(self) -> str:
        """The rows that it is about; empty for all."""
        where = "" if self.scope == ALL_ROWS else self.scope
        return "; ".join(filter(None, (self.group, where)))

    @property
    def value(self) -> str:
        """The number to its last digit, the set that it lies in, or why there is none."""
        if isinstance(self.outcome, Undefined):
            return f"undefined: {self.outcome.reason}"
        if self.outcome.identified is not None:
            low, high = self.outcome.identified
            return f"in {exact(low)} .. {exact(high)}"
        return exact(self.outcome.value)

    @property
    def limits(self) -> tuple[str, str] | None:
        """The ends of the interval to their last digits; None where there is no figure."""
        if isinstance(self.outcome, Undefined):
            return None
        return exact(self.outcome.low), exact(self.outcome.high)

    @property
    def estimate(self) -> Estimate | None:
        """The number where it is defined."""
        return self.outcome if isinstance(self.outcome, Estimate) else None


def exact(number: float) -> str:
    """Return the shortest text that reads back as the same number.

    >>> exact(0.1), exact(1 / 3)
    ('0.1', '0.3333333333333333')
    """
    return repr(float(number))


def figures(bundle: Bundle) -> list[Figure]:
    """Return every figure of a bundle once, in the order of its findings."""
    unique: dict[tuple[str, str, str], Figure] = {}
    for finding in bundle.findings:
        for one in _of(finding):
            unique.setdefault((one.name, one.group, one.scope), one)
    return [*unique.values()]


def _of(finding: Finding) -> Iterator[Figure]:
    scope = finding.scope
    about = "; ".join(filter(None, (versus(finding.pair), finding.part)))
    yield Figure(finding.key, about, scope, finding.outcome, finding.rows, finding.units)
    given = f", given {' and '.join(finding.given)}" if finding.given else ""
    for group in finding.groups:
        hidden = group.suppressed
        yield Figure(
            f"{finding.measure}{given}",
            full_name_of(group.group),
            scope,
            group.outcome,
            None if hidden else group.rows,
            None if hidden else group.units,
        )
