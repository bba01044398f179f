"""A world of loans: whoever is refused never shows whether they would have repaid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from evenhand.worlds.decisions import DecisionWorld, Truth, hide_labels


@dataclass(frozen=True)
class LendingWorld:
    """Decisions whose label is seen only where they were positive, with a known hidden part.

    Attributes:
        selection_rates: P(prediction = 1) by group.
        repayment_rates: P(label = 1 | prediction = 1) by group; the same groups, inside (0, 1).
        odds_ratios: Odds of label = 1 among the accepted over those among the refused, by group;
            the same groups. 1 where refusal says nothing about the label, more where those
            refused would have repaid less often.
        rows_per_unit: Rows of every unit.
        intra_unit: Correlation of two rows of a unit, as in `DecisionWorld`.

    """

    selection_rates: Mapping[str, float]
    repayment_rates: Mapping[str, float]
    odds_ratios: Mapping[str, float]
    rows_per_unit: int = 1
    intra_unit: float = 0.0

    def rows(self, units: Mapping[str, int], rng: np.random.Generator) -> pl.DataFrame:
        """Return a log with this many units of each group, in random row order.

        Columns: ``unit`` (Int64), ``group`` (String), ``label`` (Int64, null where the prediction
        is 0), ``prediction`` (Int64) and ``outcome``: the label of all rows, which no log has.
        """
        whole = self.decisions().rows(units, rng)
        return hide_labels(whole.with_columns(outcome="label"))

    def decisions(self) -> DecisionWorld:
        """Return the same world with every label in sight."""
        hits, alarms, bases = {}, {}, {}
        for group, accepted in self.selection_rates.items():
            repaid = self.repayment_rates[group]
            hidden = self.refused_rate(group)
            base = accepted * repaid + (1 - accepted) * hidden
            bases[group] = base
            hits[group] = accepted * repaid / base
            alarms[group] = accepted * (1 - repaid) / (1 - base)
        return DecisionWorld(hits, alarms, bases, self.rows_per_unit, self.intra_unit)

    def refused_rate(self, group: str) -> float:
        """Return P(label = 1 | prediction = 0), which no log shows."""
        repaid = self.repayment_rates[group]
        odds = repaid / (1 - repaid) / self.odds_ratios[group]
        return odds / (1 + odds)

    def truth(self) -> Truth:
        """Return every figure's true value over all rows, refused ones included, by group."""
        return self.decisions().truth()
