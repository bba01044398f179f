"""Every measure again, naively, over rows that have its roles: the oracle of the registry test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One decision; weight counts it as so many."""

    label: int
    prediction: int
    weight: float


Condition = Callable[[Row], bool]


def _share(of: Condition, among: Condition):
    def value(rows: Sequence[Row]) -> tuple[float | None, int]:
        trials = [row for row in rows if among(row)]
        total = sum(row.weight for row in trials)
        share = sum(row.weight for row in trials if of(row)) / total if total else None
        return share, len(trials)

    return value


def _f1(rows: Sequence[Row]) -> tuple[float | None, int]:
    hits = sum(r.weight for r in rows if r.label == 1 and r.prediction == 1)
    misses = sum(r.weight for r in rows if r.label != r.prediction)
    relevant = sum(r.label == 1 or r.prediction == 1 for r in rows)
    return (2 * hits / (2 * hits + misses) if hits + misses else None), relevant


# Each gives the figure and the number of rows in its denominator.
REFERENCE = {
    "accuracy": _share(lambda r: r.label == r.prediction, lambda _: True),
    "base_rate": _share(lambda r: r.label == 1, lambda _: True),
    "f1": _f1,
    "false_discovery_rate": _share(lambda r: r.label == 0, lambda r: r.prediction == 1),
    "false_negative_rate": _share(lambda r: r.prediction == 0, lambda r: r.label == 1),
    "false_omission_rate": _share(lambda r: r.label == 1, lambda r: r.prediction == 0),
    "false_positive_rate": _share(lambda r: r.prediction == 1, lambda r: r.label == 0),
    "negative_predictive_value": _share(lambda r: r.label == 0, lambda r: r.prediction == 0),
    "positive_predictive_value": _share(lambda r: r.label == 1, lambda r: r.prediction == 1),
    "selection_rate": _share(lambda r: r.prediction == 1, lambda _: True),
    "true_negative_rate": _share(lambda r: r.prediction == 0, lambda r: r.label == 0),
    "true_positive_rate": _share(lambda r: r.prediction == 1, lambda r: r.label == 1),
}
