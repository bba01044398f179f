"""A world of decisions: people with several rows each, and gaps that were planted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl


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
