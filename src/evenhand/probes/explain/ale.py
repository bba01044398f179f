"""Accumulated local effects: how the score moves along a feature, for the people who are there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from evenhand.errors import Problem
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.probes.explain.curve import (
    Curve,
    Numbers,
    filled,
    grid,
    means_of,
    of_text,
    places_of,
    without_curve,
)
from evenhand.probes.explain.explanation import Told
from evenhand.probes.explain.scored import Scored
from evenhand.probes.explain.table import Table
from evenhand.probes.parameter import count_of, refuse
from evenhand.stats.accumulated import accumulated


@dataclass(frozen=True)
class Ale(Scored):
    """Changes of one class's score as a feature passes the bin of an example; Apley and Zhu 2020.

    Bins are between quantiles of all examples, (z[k - 1], z[k]], the first with its lower end. An
    example is moved to both ends of its own bin and nowhere else, so that correlated features are
    not torn apart as in partial dependence. The means of bins, added up, are the curve.

    Attributes:
        bins: How many, at most: fewer where there are few values. Of a value that is so frequent
            that it ends several, the others are divided without it.
        least: Examples in a bin, at least: bins of fewer are put together, since too few of them
            are neither shown nor known well.

    """

    name = "ale"
    summary = ("mean_local_effect",)
    columns: ClassVar[dict[str, pl.DataType]] = {
        "local_effect": pl.Float64(),
        "ale_bin": pl.Int64(),
        "ale_low": pl.Float64(),
        "ale_high": pl.Float64(),
    }
    curved = True

    bins: int = 10
    least: int = 30

    def __post_init__(self) -> None:
        """Refuse parameters that cannot be meant."""
        refuse(
            str(self),
            [
                *self.unmeant(),
                (not count_of(self.bins, 2), f"bins={self.bins} is no number of bins from 2 on."),
                (not count_of(self.least), f"least={self.least} is no number of examples."),
                (bool(self.groups), "a group of features has no order, so no curve."),
            ],
        )

    def explained(
        self,
        model: Model,
        examples: Inputs,
        table: Table,
        *,
        labels: Codes,
        prediction: Codes,
        tell: Told,
    ) -> pl.DataFrame:
        """Return the change of each example's score over its bin, and which bin that is."""
        del labels, prediction
        score = self.score(model)
        shape, count = examples.x.shape, len(examples)
        x = examples.x.reshape(count, -1)
        parts = []
        for place in range(len(table.names)):
            ends = self.edges(table, place)
            if len(ends) < 2:  # noqa: PLR2004 - of one bin
                parts.append(pl.DataFrame(schema=self.columns).clear(count))
                continue
            values = x[:, place].astype(np.float64)
            at = np.clip(np.searchsorted(ends, values) - 1, 0, len(ends) - 2)
            scores = []
            for end in (at, at + 1):
                moved = x.copy()
                moved[:, place] = ends[end]
                scores.append(score.of(model, moved.reshape(shape)))
            columns = {
                "local_effect": scores[1] - scores[0],
                "ale_bin": at + 1,
                "ale_low": ends[at],
                "ale_high": ends[at + 1],
            }
            parts.append(pl.DataFrame(columns, schema=self.columns))
            tell((place + 1) / len(table.names))
        return pl.concat(parts)

    def edges(self, table: Table, place: int) -> Numbers:
        """Return the ends of a feature's bins, ascending; one or none where it has no curve."""
        return table.once((self, place), lambda: places_of(table, place, self._ends))

    def _ends(self, values: Numbers) -> Numbers:
        return filled(grid(values, self.bins + 1), values, self.least)

    def parts(self, table: Table, place: int) -> tuple[str, ...]:
        """Return each bin of a feature by its ends, so that a report knows where it lies."""
        ends = self.edges(table, place).tolist()
        return tuple(
            f"ale_low == {low!r} and ale_high == {high!r}" for low, high in itertools.pairwise(ends)
        )

    def most(self, model: Model, table: Table) -> int:
        """Return two looks for each feature."""
        del model
        return 2 * len(table.names)

    def problems(self, model: Model, table: Table | None) -> list[Problem]:
        """Return that there is no such score."""
        found = super().problems(model, table)
        return [*found, *without_curve(str(self), table, self.edges)]

    def curve(self, rows: pl.DataFrame, feature: str) -> Curve | None:
        """Return the curve of a feature, None where it has none."""
        return curve_of(rows, feature)

    def notes(self, model: Model, table: Table) -> tuple[str, ...]:
        """Return what is explained, and which features have no curve."""
        what = f"explained is {self.words(model)}; bins are between quantiles of all "
        what += f"{len(table.x):,} examples, {self.least} in each at least, taken as they are; "
        what += "curves are centred at 0 in the mean"
        return (what, *of_text(table), *super().notes(model, table))


def curve_of(rows: pl.DataFrame, feature: str, *, level: float = 0.95) -> Curve | None:
    """Return the curve of a feature, None where it has none.

    The means of bins, with their t limits, are added up as `evenhand.stats.accumulated` says:
    examples of different bins are independent. Limits are pointwise, bins taken as they are; where
    one bin has none, the curve has none.

    Args:
        rows: Of explain.ale.
        feature: A variant of them.
        level: Coverage of the limits.

    """
    some = rows.filter((pl.col("variant") == feature) & pl.col("local_effect").is_not_null())
    if some.is_empty():
        return None
    bins = means_of(some, "local_effect", ["ale_bin", "ale_low", "ale_high"], level)
    value, limits = accumulated(bins.mean, bins.limits, bins.count.astype(np.float64))
    at = np.concatenate([bins.at["ale_low"][:1], bins.at["ale_high"]])
    return Curve(feature, at, value, limits.low, limits.high, bins.count)
