"""A finding: a figure in context, which is what users, reports and gates read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenhand.errors import Problem, UndefinedError
from evenhand.stats.estimate import Estimand, Estimate, Outcome, Undefined


@dataclass(frozen=True, slots=True)
class GroupFinding:
    """A measure in one of the groups that a contrast compares.

    Attributes:
        group: Value of each group attribute, such as ``{"race": "Caucasian"}``.
        outcome: The measure in this group, or why there is none.
        rows: The measure's trials in the group: the rows in its denominator.
        units: Independent units among them.
        units_exact: False when the number of units is an estimate.
        compared: False for missing and left-over values, which are shown apart.

    """

    group: Mapping[str, str]
    outcome: Outcome
    rows: int
    units: int
    units_exact: bool = True
    compared: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the group as in the JSON contract."""
        return {
            "group": dict(self.group),
            **_limits(self.outcome),
            "units": self.units,
            "rows": self.rows,
            "undefined": _reason(self.outcome),
            "suppressed": False,
        }


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Rows left out of a figure, and why."""

    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Finding:
    """An estimate with everything needed to read it.

    Attributes:
        key: The notation of the figure; with the pair, its identity in evidence.
        measure: The name of the measure behind it.
        outcome: The estimate, or why there is none.
        estimand: Whether rows or units weigh alike.
        units: Independent units among the rows.
        units_exact: False when the number of units is an estimate.
        rows: The measure's trials in the figure: the rows in the denominators of its groups.
        excluded: Rows left out, by reason; reasons without rows are not listed.
        conventions: How the figure is defined where the field has several ways.
        contrast: How groups are compared, such as ``difference``; None for the log as a whole.
        groups: What a contrast compares; empty for a plain measure.
        pair: The two groups of a signed difference, in order; empty otherwise.
        by: The group attributes of a contrast.

    """

    key: str
    measure: str
    outcome: Outcome
    estimand: Estimand
    units: int
    units_exact: bool
    rows: int
    excluded: tuple[Exclusion, ...]
    conventions: Mapping[str, str]
    contrast: str | None = None
    groups: tuple[GroupFinding, ...] = ()
    pair: tuple[Mapping[str, str], ...] = ()
    by: tuple[str, ...] = ()

    @property
    def estimate(self) -> Estimate:
        """The estimate.

        Raises:
            UndefinedError: The figure is undefined; the message is the reason.

        """
        if isinstance(self.outcome, Undefined):
            raise UndefinedError(Problem(self.key, f"undefined, {self.outcome.reason}."))
        return self.outcome

    @property
    def value(self) -> float:
        """The point estimate; raises as `estimate` does."""
        return self.estimate.value

    @property
    def low(self) -> float:
        """The lower limit; raises as `estimate` does."""
        return self.estimate.low

    @property
    def high(self) -> float:
        """The upper limit; raises as `estimate` does."""
        return self.estimate.high

    @property
    def undefined(self) -> str | None:
        """Why there is no figure, or None when there is one."""
        return _reason(self.outcome)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as in the JSON contract."""
        estimate = self.outcome if isinstance(self.outcome, Estimate) else None
        document: dict[str, Any] = {
            "key": self.key,
            "measure": self.measure,
            "slice": None,
            **_limits(self.outcome),
            "level": estimate.level if estimate else None,
            "method": estimate.method if estimate else None,
            "estimand": self.estimand,
            "units": self.units,
            "units_exact": self.units_exact,
            "rows": self.rows,
            "excluded": [{"reason": part.reason, "rows": part.rows} for part in self.excluded],
            "undefined": self.undefined,
            "identified": None,
            "conventions": dict(self.conventions),
        }
        if self.pair:
            document["pair"] = [dict(group) for group in self.pair]
        elif self.groups:
            document["groups"] = [group.to_dict() for group in self.groups]
        return document

    def __str__(self) -> str:
        if isinstance(self.outcome, Undefined):
            return f"{self.key}: undefined, {self.outcome.reason}"
        found = self.outcome
        versus = " - ".join(", ".join(group.values()) for group in self.pair)
        return (
            f"{self.key}{f' [{versus}]' if versus else ''} = {found.value:.4f} "
            f"[{found.low:.4f}, {found.high:.4f}] ({100 * found.level:g}%, {found.method}, "
            f"{self.units:,} units)"
        )

    __repr__ = __str__


def _limits(outcome: Outcome) -> dict[str, float | None]:
    if isinstance(outcome, Undefined):
        return {"value": None, "low": None, "high": None}
    return {"value": outcome.value, "low": outcome.low, "high": outcome.high}


def _reason(outcome: Outcome) -> str | None:
    return outcome.reason if isinstance(outcome, Undefined) else None
