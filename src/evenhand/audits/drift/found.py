"""What a search for drift finds: tests, effects with intervals, and how all p-values are judged."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from evenhand.stats.estimate import Outcome, Undefined
from evenhand.stats.label_free import CalibrationTest

Kind: TypeAlias = Literal["number", "category", "missing"]
"""What of a feature is compared: numbers, categories, or how often it is missing."""

ASSUMPTION = (
    "holds only if the score is calibrated on the current data and there is no concept drift: in a "
    "simulation a 20 % label flip left it at .687 where the truth was .610"
)

SMALL = 30
"""Independent units of a sample below which only large drift can be seen."""


@dataclass(frozen=True)
class Size:
    """How much is compared.

    Attributes:
        reference: Rows of the reference.
        current: Rows of the current data.
        units_reference: Independent units among them.
        units_current: The same of the current data.

    """

    reference: int
    current: int
    units_reference: int
    units_current: int

    @property
    def small(self) -> bool:
        """Whether only large drift could be seen."""
        return min(self.units_reference, self.units_current) < SMALL


@dataclass(frozen=True)
class Test:
    """A test of no drift.

    Attributes:
        name: The statistic, and how its p-value was found.
        p_value: Chance of a statistic as large without drift; nan where there is no test.
        adjusted: The smallest false discovery rate at which it is a discovery.
        reason: Why there is no test; empty where there is one.

    """

    name: str
    p_value: float
    adjusted: float = math.nan
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON: what there is not is null."""
        return {
            "test": self.name,
            "p_value": _number(self.p_value),
            "adjusted_p_value": _number(self.adjusted),
            "reason": self.reason or None,
        }


@dataclass(frozen=True)
class Effect:
    """How far two samples are from each other.

    Attributes:
        name: The distance.
        unit: What it is counted in.
        outcome: Its value and interval.

    """

    name: str
    unit: str
    outcome: Outcome

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"name": self.name, "unit": self.unit, **_outcome(self.outcome)}


@dataclass(frozen=True)
class FeatureDrift:
    """Drift of one feature.

    Attributes:
        feature: The column.
        kind: What of it is compared.
        group: The group whose rows are compared; None for all rows.
        size: Rows that have a value, and their units; all rows where missing ones are a category.
        test: The test.
        effects: Distances with intervals.
        least: About the smallest Kolmogorov-Smirnov distance that would be significant alone, of
            numbers; nan elsewhere.

    """

    feature: str
    kind: Kind
    group: str | None
    size: Size
    test: Test
    effects: tuple[Effect, ...]
    least: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "feature": self.feature,
            "kind": self.kind,
            "group": self.group,
            "n": _size(self.size),
            **self.test.to_dict(),
            "effects": [effect.to_dict() for effect in self.effects],
            "least_significant_distance": _number(self.least),
        }


@dataclass(frozen=True)
class JointDrift:
    """Drift of all features together: how well a classifier tells current rows from reference.

    Attributes:
        group: The group whose rows are compared; None for all rows.
        trained: What it was learnt on.
        held_out: What it is judged on.
        test: The test on the part held out.
        auc: Area under its ROC curve there, .5 where nothing tells the samples apart.

    Source: Lopez-Paz and Oquab 2017.

    """

    group: str | None
    trained: Size
    held_out: Size
    test: Test
    auc: Outcome

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "group": self.group,
            "trained_on": _size(self.trained),
            "held_out": _size(self.held_out),
            **self.test.to_dict(),
            "auc": _outcome(self.auc),
        }


@dataclass(frozen=True)
class Performance:
    """Accuracy of the current rows without their labels.

    Attributes:
        group: The group; None for all rows.
        reference: Expected accuracy of the reference, from its scores.
        current: Expected accuracy of the current rows, from their scores.
        labelled: Rows of the reference that have a label.
        true_reference: Accuracy of the reference by its labels.
        beyond: Accuracy of the reference minus what its scores say; None without labels.
        calibration: Test of the scores' calibration on the reference; None without labels.
        refuted: Whether the reference's labels refute the score, by either of the two above at
            half of 1 minus the level; None without labels.
        left_out: Current rows without a score.

    """

    group: str | None
    reference: Outcome
    current: Outcome
    labelled: int
    true_reference: Outcome | None
    beyond: Outcome | None
    calibration: CalibrationTest | Undefined | None
    refuted: bool | None
    left_out: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        line = self.calibration
        told: Mapping[str, Any] | None = None
        if line is not None:
            told = {"reason": line.reason} if isinstance(line, Undefined) else vars(line)
        return {
            "group": self.group,
            "expected_accuracy": _outcome(self.current),
            "expected_accuracy_reference": _outcome(self.reference),
            "assumption": ASSUMPTION,
            "reference_labels": self.labelled,
            "accuracy_reference": None
            if self.true_reference is None
            else _outcome(self.true_reference),
            "accuracy_beyond_expected_reference": None
            if self.beyond is None
            else _outcome(self.beyond),
            "calibration_reference": None if told is None else dict(told),
            "refuted_by_reference": self.refuted,
            "rows_without_score": self.left_out,
        }


@dataclass(frozen=True)
class Drift:
    """All that was found.

    Attributes:
        size: The rows that were compared.
        features: Drift of each feature, of all rows and then of each group.
        joint: Drift of all features together, of all rows and then of each group.
        performance: Accuracy without labels, where there is a score.
        sizes: The rows of each group.
        level: Coverage of the intervals; 1 minus it is the false discovery rate.
        unit: The column of what is independent; None for the row.
        group: The column of groups; None for none.
        family: Which p-values were adjusted together, in words.
        notes: What was left out, or done to the rows, in words.
        seed: Seed of permutations, bootstrap, split and classifier.

    """

    size: Size
    features: tuple[FeatureDrift, ...]
    joint: tuple[JointDrift, ...]
    performance: tuple[Performance, ...]
    sizes: Mapping[str, Size]
    level: float
    unit: str | None
    group: str | None
    family: str
    notes: tuple[str, ...]
    seed: int

    @property
    def rate(self) -> float:
        """The false discovery rate."""
        return round(1 - self.level, 12)

    def drifted(self, one: FeatureDrift | JointDrift) -> bool:
        """Return whether a test is a discovery."""
        return one.test.adjusted <= self.rate

    @property
    def alarm(self) -> bool:
        """Whether any test is a discovery."""
        every: list[FeatureDrift | JointDrift] = [*self.features, *self.joint]
        return any(map(self.drifted, every))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "drift": self.alarm,
            "n": _size(self.size),
            "unit": self.unit or "row",
            "group": self.group,
            "groups": {name: _size(size) for name, size in self.sizes.items()},
            "level": self.level,
            "false_discovery_rate": self.rate,
            "family": self.family,
            "features": [{**one.to_dict(), "drift": self.drifted(one)} for one in self.features],
            "joint": [{**one.to_dict(), "drift": self.drifted(one)} for one in self.joint],
            "performance": [one.to_dict() for one in self.performance],
            "notes": [*self.notes],
            "seed": self.seed,
        }


def _size(size: Size) -> dict[str, Any]:
    return {**dataclasses.asdict(size), "small": size.small}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Undefined):
        return {"value": None, "undefined": outcome.reason}
    return {
        "value": outcome.value,
        "low": outcome.low,
        "high": outcome.high,
        "level": outcome.level,
        "method": outcome.method,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
