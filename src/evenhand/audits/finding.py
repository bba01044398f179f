"""A finding: a figure in context, which is what users, reports and gates read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evenhand.errors import Problem, UndefinedError
from evenhand.notebook import as_html
from evenhand.stats.estimate import Estimand, Estimate, Outcome, Undefined

ALL_ROWS = "all rows"
"""The scope of what is about the log as a whole."""


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
        suppressed: Whether the group has too few units to be shown.
        shrunk: The measure pulled towards the mean of the groups, where that was asked for.
        target: What the figure should be, where a target says it.

    """

    group: Mapping[str, str]
    outcome: Outcome
    rows: int
    units: int
    units_exact: bool = True
    compared: bool = True
    suppressed: bool = False
    shrunk: Estimate | None = None
    target: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the group as in the JSON contract."""
        document: dict[str, Any] = {
            "group": dict(self.group),
            **_limits(self.outcome),
            "units": None if self.suppressed else self.units,
            "units_exact": self.units_exact,
            "rows": None if self.suppressed else self.rows,
            "undefined": _reason(self.outcome),
            "suppressed": self.suppressed,
            "compared": self.compared,
        }
        identified = _identified(self.outcome)
        if identified is not None:
            document["identified"] = identified
        if self.shrunk is not None:
            document["shrunk"] = {**_limits(self.shrunk), "method": self.shrunk.method}
        if self.target is not None:
            document["target"] = self.target
        return document


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Rows left out of a figure, and why."""

    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Test:
    """A test of parity, and what it means among all findings that were asked for.

    Attributes:
        p_value: The p-value of parity.
        method: How it was computed.
        adjusted: The p-value adjusted for the number of findings; None where none was asked for.
        adjustment: How it was adjusted.
        rejected: Whether parity is rejected after adjustment.

    """

    p_value: float
    method: str
    adjusted: float | None = None
    adjustment: str = ""
    rejected: bool | None = None


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether a difference is within a margin that does not matter.

    Attributes:
        margin: The margin.
        verdict: ``equivalent``, ``different`` or ``undecided``.
        level: Coverage of the one-sided limits.
        units_needed: Units per group that would decide with 80% power at half the margin.

    """

    margin: float
    verdict: str
    level: float
    units_needed: float


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
        given: The attributes inside whose strata groups are compared.
        slice: The slice of the rows that it is about, as an expression; None for all rows.
        part: Which part of a family it is, where its pair does not say; empty otherwise.
        test: A test of parity, where one was asked for.
        equivalence: Whether it is within a margin, where one was given.
        is_rate: Whether the groups' figures are shares of rows, which can be read as percentages.

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
    given: tuple[str, ...] = ()
    slice: str | None = None
    part: str = ""
    test: Test | None = None
    equivalence: Equivalence | None = None
    is_rate: bool = False

    @property
    def scope(self) -> str:
        """The slice in words: ``all rows`` where it is none."""
        return self.slice or ALL_ROWS

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
        """The point estimate; raises as `estimate` does, also where only a set is identified."""
        found = self.estimate
        if found.identified is not None:
            low, high = found.identified
            what = f"only a set is identified, [{low:.6g}, {high:.6g}]."
            raise UndefinedError(Problem(self.key, what, "Read .estimate.identified."))
        return found.value

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
            "slice": self.slice,
            "contrast": self.contrast,
            "by": list(self.by),
            "given": list(self.given),
            "is_rate": self.is_rate,
            **_limits(self.outcome),
            "level": estimate.level if estimate else None,
            "method": estimate.method if estimate else None,
            "estimand": self.estimand,
            "units": self.units,
            "units_exact": self.units_exact,
            "rows": self.rows,
            "excluded": [{"reason": part.reason, "rows": part.rows} for part in self.excluded],
            "undefined": self.undefined,
            "identified": _identified(self.outcome),
            "conventions": dict(self.conventions),
        }
        if self.part:
            document["part"] = self.part
        if self.test is not None:
            document["test"] = asdict(self.test)
        if self.equivalence is not None:
            units = self.equivalence.units_needed
            needed = None if math.isinf(units) else units
            document["equivalence"] = {**asdict(self.equivalence), "units_needed": needed}
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
        value = f"= {found.value:.4f}"
        if found.identified is not None:
            value = f"in {{{found.identified[0]:.4f} .. {found.identified[1]:.4f}}}"
        return (
            f"{self.key}{f' [{versus}]' if versus else ''} {value} "
            f"[{found.low:.4f}, {found.high:.4f}] ({100 * found.level:g}%, {found.method}, "
            f"{self.units:,} units)"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str | None:
        return as_html(self)


def _limits(outcome: Outcome) -> dict[str, float | None]:
    if isinstance(outcome, Undefined):
        return {"value": None, "low": None, "high": None}
    value = outcome.value if outcome.identified is None else None
    return {"value": value, "low": outcome.low, "high": outcome.high}


def _identified(outcome: Outcome) -> dict[str, float] | None:
    if isinstance(outcome, Undefined) or outcome.identified is None:
        return None
    return dict(zip(("low", "high"), outcome.identified, strict=True))


def _reason(outcome: Outcome) -> str | None:
    return outcome.reason if isinstance(outcome, Undefined) else None
