"""A world of scores: probabilities that are calibrated, or miscalibrated by a planted amount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from evenhand.worlds.decisions import Truth, confusion_truth

_REACH = 12.0
"""Standard deviations beyond which a normal density is nothing."""

_NODES = 20_001
"""Points of the integrals: their error is below 1e-6."""


@dataclass(frozen=True)
class ScoreWorld:
    """Scores in (0, 1) with a known discrimination and calibration in every group.

    The logit of the score is normal, and the label's is ``intercept + slope * logit(score)``; so
    a score with intercept 0 and slope 1 is calibrated, and a slope below 1 is overconfident.

    Attributes:
        locations: Mean of the score's logit by group.
        spreads: Standard deviation of the score's logit by group, > 0; the same groups.
        slopes: Calibration slope by group; 1 for those that are not named.
        intercepts: Calibration intercept by group; 0 for those that are not named.
        threshold: The prediction is 1 where the score is at least this, in (0, 1).
        rows_per_unit: Rows of every unit.
        intra_unit: Correlation of the score's logit of two rows of a unit, in [0, 1).

    """

    locations: Mapping[str, float]
    spreads: Mapping[str, float]
    slopes: Mapping[str, float] = field(default_factory=dict)
    intercepts: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.5
    rows_per_unit: int = 1
    intra_unit: float = 0.0

    def rows(self, units: Mapping[str, int], rng: np.random.Generator) -> pl.DataFrame:
        """Return a log with this many units of each group, in random row order.

        Columns: ``unit`` (Int64), ``group`` (String), ``label`` (Int64), ``score`` (Float64) and
        ``prediction`` (Int64).
        """
        names = list(units)
        counts = np.array(list(units.values()), dtype=np.int64)
        group = np.repeat(np.arange(len(names)), counts * self.rows_per_unit)
        unit = np.repeat(np.arange(counts.sum()), self.rows_per_unit)
        own = rng.standard_normal(int(counts.sum()))[unit]
        rest = rng.standard_normal(len(unit))
        normal = np.sqrt(self.intra_unit) * own + np.sqrt(1 - self.intra_unit) * rest

        def by_group(values: Mapping[str, float], default: float = np.nan) -> np.ndarray:
            return np.array([values.get(name, default) for name in names])[group]

        logit = by_group(self.locations) + by_group(self.spreads) * normal
        score = _expit(logit)
        chance = _expit(by_group(self.intercepts, 0.0) + by_group(self.slopes, 1.0) * logit)
        whole = pl.DataFrame(
            {
                "unit": unit,
                "group": pl.Series(names, dtype=pl.String).gather(group),
                "label": (rng.random(len(unit)) < chance).astype(np.int64),
                "score": score,
                "prediction": (score >= self.threshold).astype(np.int64),
            }
        )
        return whole[rng.permutation(len(whole))]

    def truth(self) -> Truth:
        """Return every figure's true value, by group.

        Besides the rates at the threshold: ``auc``, ``brier_score``, ``mean_score``,
        ``calibration_in_the_large`` E[Y - S], ``calibration_slope`` and
        ``calibration_intercept``.
        """
        parts = {group: self._integrals(group) for group in self.locations}
        bases, hits, alarms = (
            {group: part[name] for group, part in parts.items()}
            for name in ("base_rate", "true_positive_rate", "false_positive_rate")
        )
        truth = confusion_truth(hits, alarms, bases)
        for name in ("auc", "brier_score", "mean_score"):
            truth[name] = {group: part[name] for group, part in parts.items()}
        truth["calibration_in_the_large"] = {
            group: part["base_rate"] - part["mean_score"] for group, part in parts.items()
        }
        truth["calibration_slope"] = {group: self.slopes.get(group, 1.0) for group in parts}
        truth["calibration_intercept"] = {group: self.intercepts.get(group, 0.0) for group in parts}
        return truth

    def _integrals(self, group: str) -> dict[str, float]:
        location, spread = self.locations[group], self.spreads[group]
        slope, intercept = self.slopes.get(group, 1.0), self.intercepts.get(group, 0.0)

        def chance(z: np.ndarray) -> np.ndarray:
            return _expit(intercept + slope * (location + spread * z))

        z = np.linspace(-_REACH, _REACH, _NODES)
        mass = _density(z) * (z[1] - z[0])
        positive, score = chance(z), _expit(location + spread * z)
        of_positives, of_negatives = mass * positive, mass * (1 - positive)
        base = float(of_positives.sum())
        # Ties have no mass: half of each step's own negatives lie below its positives.
        below = np.cumsum(of_negatives) - of_negatives / 2

        cut = (float(np.log(self.threshold / (1 - self.threshold))) - location) / spread
        above = np.linspace(np.clip(cut, -_REACH, _REACH), _REACH, _NODES)
        selected_positive = float(np.trapezoid(_density(above) * chance(above), above))
        selected_negative = float(np.trapezoid(_density(above) * (1 - chance(above)), above))
        return {
            "base_rate": base,
            "true_positive_rate": selected_positive / base,
            "false_positive_rate": selected_negative / (1 - base),
            "auc": float(of_positives @ below) / (base * (1 - base)),
            "mean_score": float(mass @ score),
            "brier_score": float(
                of_positives @ np.square(1 - score) + of_negatives @ np.square(score)
            ),
        }


def _density(z: np.ndarray) -> np.ndarray:
    density: np.ndarray = np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi)
    return density


def _expit(logit: np.ndarray) -> np.ndarray:
    share: np.ndarray = 1 / (1 + np.exp(-logit))
    return share
