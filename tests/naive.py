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


def _share(rows: Sequence[Row], among: Callable[[Row], bool], of: Callable[[Row], bool]):
    total = sum(row.weight for row in rows if among(row))
    if total == 0:
        return None
    return sum(row.weight for row in rows if among(row) and of(row)) / total


REFERENCE = {
    "accuracy": lambda rows: _share(rows, lambda _: True, lambda r: r.label == r.prediction),
    "base_rate": lambda rows: _share(rows, lambda _: True, lambda r: r.label == 1),
    "false_negative_rate": lambda rows: _share(
        rows, lambda r: r.label == 1, lambda r: r.prediction == 0
    ),
    "false_positive_rate": lambda rows: _share(
        rows, lambda r: r.label == 0, lambda r: r.prediction == 1
    ),
    "selection_rate": lambda rows: _share(rows, lambda _: True, lambda r: r.prediction == 1),
    "true_positive_rate": lambda rows: _share(
        rows, lambda r: r.label == 1, lambda r: r.prediction == 1
    ),
}
