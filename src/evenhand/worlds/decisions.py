"""A world of decisions: people with several rows each, and gaps that were planted.

`hide_labels` and `hide_groups` take away what a real log would not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

Truth: TypeAlias = dict[str, dict[str, float]]
"""True values by name of the figure, then by group; a figure that is 0 / 0 lacks the group."""


@dataclass(frozen=True)
class DecisionWorld:
    """Decisions about units that differ, with a known rate in every group.

    Each unit draws its own rates from beta distributions around its group's, so the rows of one
    unit are dependent: the correlation of two rows of a unit is ``intra_unit``.

    Attributes:
        true_positive_rates: P(prediction = 1 | label = 1) by group.
        false_positive_rates: P(prediction = 1 | label = 0) by group; the same groups.
        base_rates: P(label = 1) by group; the same groups.
        rows_per_unit: Rows of every unit.
        intra_unit: Correlation of two rows of a unit in prediction and in label, in [0, 1).

    """

    true_positive_rates: Mapping[str, float]
    false_positive_rates: Mapping[str, float]
    base_rates: Mapping[str, float]
    rows_per_unit: int = 1
    intra_unit: float = 0.0

    def rows(self, units: Mapping[str, int], rng: np.random.Generator) -> pl.DataFrame:
        """Return a log with this many units of each group, in random row order.

        Columns: ``unit`` (Int64), ``group`` (String), ``label`` and ``prediction`` (Int64).
        """
        start, parts = 0, []
        for group, count in units.items():
            parts.append(self._group(group, count, start, rng))
            start += count
        whole = pl.concat(parts)
        return whole[rng.permutation(len(whole))]

    def truth(self) -> Truth:
        """Return every figure's true value, by group."""
        return confusion_truth(self.true_positive_rates, self.false_positive_rates, self.base_rates)

    def _group(self, group: str, units: int, start: int, rng: np.random.Generator) -> pl.DataFrame:
        repeat = self.rows_per_unit
        base = self._own_rates(self.base_rates[group], units, rng)
        hit = self._own_rates(self.true_positive_rates[group], units, rng)
        alarm = self._own_rates(self.false_positive_rates[group], units, rng)
        label = rng.random((units, repeat)) < base[:, None]
        chance = np.where(label, hit[:, None], alarm[:, None])
        return pl.DataFrame(
            {
                "unit": np.repeat(np.arange(start, start + units), repeat),
                "group": [group] * (units * repeat),
                "label": label.ravel().astype(np.int64),
                "prediction": (rng.random((units, repeat)) < chance).ravel().astype(np.int64),
            }
        )

    def _own_rates(self, rate: float, units: int, rng: np.random.Generator) -> np.ndarray:
        if self.intra_unit == 0 or rate in {0.0, 1.0}:
            return np.full(units, rate)
        # A beta-binomial with a + b = 1 / rho - 1 has intra-class correlation rho.
        size = 1 / self.intra_unit - 1
        return rng.beta(rate * size, (1 - rate) * size, units)


def confusion_truth(
    true_positive_rates: Mapping[str, float],
    false_positive_rates: Mapping[str, float],
    base_rates: Mapping[str, float],
) -> Truth:
    """Return the rates of the confusion matrix that three of them imply, by group.

    >>> confusion_truth({"a": 0.75}, {"a": 0.25}, {"a": 0.5})["positive_predictive_value"]
    {'a': 0.75}
    """
    truth: Truth = {}
    for group, base in base_rates.items():
        hit, alarm = true_positive_rates[group], false_positive_rates[group]
        selected = base * hit + (1 - base) * alarm
        shares = {
            "base_rate": (base, 1.0),
            "selection_rate": (selected, 1.0),
            "accuracy": (base * hit + (1 - base) * (1 - alarm), 1.0),
            "true_positive_rate": (base * hit, base),
            "false_negative_rate": (base * (1 - hit), base),
            "false_positive_rate": ((1 - base) * alarm, 1 - base),
            "true_negative_rate": ((1 - base) * (1 - alarm), 1 - base),
            "positive_predictive_value": (base * hit, selected),
            "negative_predictive_value": ((1 - base) * (1 - alarm), 1 - selected),
            "false_discovery_rate": ((1 - base) * alarm, selected),
            "false_omission_rate": (base * (1 - hit), 1 - selected),
            "f1": (2 * base * hit, base + selected),
        }
        for name, (part, whole) in shares.items():
            if whole > 0:
                truth.setdefault(name, {})[group] = part / whole
    return truth


def hide_labels(rows: pl.DataFrame, where: pl.Expr | None = None) -> pl.DataFrame:
    """Return the log with its labels null where they are not observed.

    Args:
        rows: A log with the columns ``label`` and ``prediction``.
        where: The rows to hide; by default those with a negative prediction, since whoever is
            refused a loan cannot repay it.

    """
    hidden = pl.col("prediction") == 0 if where is None else where
    return rows.with_columns(label=pl.when(~hidden).then("label"))


def hide_groups(
    rows: pl.DataFrame,
    share: float | Mapping[int, float],
    rng: np.random.Generator,
    *,
    column: str = "group",
    given: str = "label",
) -> pl.DataFrame:
    """Return the log with the group of some rows null.

    Args:
        rows: A log with this column.
        share: Probability that a row's group is missing: one number for completely at random, or
            one for each value of ``given``; values that are not named are kept.
        rng: Source of the draws, one for each row.
        column: The column to hide.
        given: The column that missing values depend on, where they do.

    """
    if isinstance(share, Mapping):
        chance = rows[given].replace_strict(dict(share), default=0.0, return_dtype=pl.Float64)
    else:
        chance = pl.repeat(share, len(rows), dtype=pl.Float64, eager=True)
    kept = chance <= pl.Series(rng.random(len(rows)))
    return rows.with_columns(pl.when(kept).then(column).alias(column))
