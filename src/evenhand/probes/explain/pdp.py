"""Partial dependence: the score with a feature set to one value for everybody."""

from __future__ import annotations

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
    grid,
    means_of,
    of_text,
    places_of,
    without_curve,
)
from evenhand.probes.explain.explanation import Told
from evenhand.probes.explain.feature import related
from evenhand.probes.explain.scored import Scored
from evenhand.probes.explain.table import Table
from evenhand.probes.parameter import count_of, refuse

_RELATED = 0.5
"""From which correlation on people are put together of whom there are few or none."""


@dataclass(frozen=True)
class Pdp(Scored):
    """Scores of an example with a feature set to one value after the other; Friedman 2001.

    Every example is moved to every point, wherever it stands itself: its curve of individual
    conditional expectation (Goldstein et al. 2015), whose mean over examples is partial dependence.
    A curve is centred in the example: what is told of a point is the score there minus the mean of
    the example's scores over all points. So examples, and groups, whose scores are of unlike height
    are compared by what the feature does: of an additive score f(x_j) + rest it is f(z) minus the
    mean of f over the points, the same for everybody. Intervals then are of how far examples differ
    in the effect, not in the score. ``moved_score`` has the score itself.

    Attributes:
        points: How many values, at most: quantiles of all examples, of few values those.

    """

    name = "pdp"
    summary = ("mean_partial_effect",)
    columns: ClassVar[dict[str, pl.DataType]] = {
        "partial_effect": pl.Float64(),
        "moved_to": pl.Float64(),
        "moved_score": pl.Float64(),
    }
    curved = True
    # An example has a row for each feature and point.
    block = 2048

    points: int = 10

    def __post_init__(self) -> None:
        """Refuse parameters that cannot be meant."""
        what = f"points={self.points} is no number of points from 2 on."
        refuse(
            str(self),
            [
                *self.unmeant(),
                (not count_of(self.points, 2), what),
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
        """Return the score of each example at each point of each feature, and what it is above."""
        del labels, prediction
        score = self.score(model)
        shape, count = examples.x.shape, len(examples)
        moved = examples.x.reshape(count, -1).copy()
        parts = []
        for place in range(len(table.names)):
            at = self.places(table, place)
            if not len(at):
                parts.append(pl.DataFrame(schema=self.columns).clear(count))
                continue
            own = moved[:, place].copy()
            scores = np.empty((len(at), count))
            for row, value in enumerate(at):
                moved[:, place] = value
                scores[row] = score.of(model, moved.reshape(shape))
            moved[:, place] = own
            columns = {
                "partial_effect": (scores - scores.mean(axis=0)).ravel(),
                "moved_to": at.repeat(count),
                "moved_score": scores.ravel(),
            }
            parts.append(pl.DataFrame(columns, schema=self.columns))
            tell((place + 1) / len(table.names))
        return pl.concat(parts)

    def places(self, table: Table, place: int) -> Numbers:
        """Return the values that a feature is set to, ascending; none where it has no curve."""
        return table.once((self, place), lambda: places_of(table, place, self._points))

    def _points(self, values: Numbers) -> Numbers:
        known = np.unique(values)
        if len(known) > self.points:
            return grid(values, self.points)
        return known if len(known) > 1 else np.empty(0)

    def each(self, table: Table, place: int) -> int:
        """Return a row for each point; one that says nothing where there is no curve."""
        return max(1, len(self.places(table, place)))

    def parts(self, table: Table, place: int) -> tuple[str, ...]:
        """Return each point by its value, so that a report knows where it lies."""
        return tuple(f"moved_to == {value!r}" for value in self.places(table, place).tolist())

    def most(self, model: Model, table: Table) -> int:
        """Return a look for each feature and point."""
        del model
        return sum(len(self.places(table, place)) for place in range(len(table.names)))

    def problems(self, model: Model, table: Table | None) -> list[Problem]:
        """Return that there is no such score, or no curve."""
        found = super().problems(model, table)
        return [*found, *without_curve(str(self), table, self.places)]

    def curve(self, rows: pl.DataFrame, feature: str) -> Curve | None:
        """Return the curve of a feature, None where it has none."""
        return curve_of(rows, feature)

    def notes(self, model: Model, table: Table) -> tuple[str, ...]:
        """Return what is explained, which features have no curve, and which go together."""
        what = f"explained is {self.words(model)}; points are quantiles of all "
        what += f"{len(table.x):,} examples, taken as they are; curves are centred in each example"
        said = [what, *of_text(table)]
        pairs = related(table.x, table.names, table.values, _RELATED)
        if pairs:
            told = ", ".join(f"{one} and {other} ({size:.2f})" for one, other, size in pairs)
            what = f"related: {told}; people are put together who do not exist"
            said.append(f"{what}: read explain.ale beside it")
        return (*said, *super().notes(model, table))


def curve_of(rows: pl.DataFrame, feature: str, *, level: float = 0.95) -> Curve | None:
    """Return the curve of a feature, None where it has none.

    Args:
        rows: Of explain.pdp.
        feature: A variant of them.
        level: Coverage of the t limits, which are pointwise; points are taken as they are.

    """
    some = rows.filter((pl.col("variant") == feature) & pl.col("partial_effect").is_not_null())
    if some.is_empty():
        return None
    points = means_of(some, "partial_effect", ["moved_to"], level)
    (at,), (low, high) = points.at.values(), points.limits
    return Curve(feature, at, points.mean, low, high, points.count)
