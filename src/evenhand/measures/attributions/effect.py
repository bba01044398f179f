"""Means of effects of a feature: what a model does when the feature is moved, row by row."""

from __future__ import annotations

from dataclasses import dataclass, fields

import narwhals as nw
import numpy as np

from evenhand.measures.figure import FLAT, Figure, Floats, SmoothFunction
from evenhand.measures.measure import TermSums
from evenhand.stats.carried import FEWEST, KNOWN, Moments

ALIKE = (
    f"all rows have the same value, which is taken for everybody's where {KNOWN} rows, those of "
    "all groups together, have it"
)


def amounts(effect: nw.Expr) -> dict[str, nw.Expr]:
    """Return what is summed of effects, so that it is known how many rows carry their mean."""
    return {"effect": effect, "size": effect.abs(), "square": effect * effect}


@dataclass(frozen=True)
class Effect(SmoothFunction):
    """A mean of effects, which few rows may carry: a tree's score moves for few, and then far.

    Where all rows of all groups are alike and there are enough of them, it is known, with an
    interval of no width, as of an additive score. A group that is alike beside others is so by
    chance. Neither it has a figure, nor one that too few rows carry: its t limits would leave out
    what they are to hold too often.
    """

    def undefined(self) -> list[str | None]:
        groups = self.trials.shape[1]
        every, own = self._moments(np.ones((groups, 1))), self._moments(np.eye(groups))
        known = bool(every.alike[0]) and self.trials.sum() >= KNOWN
        reasons: list[str | None] = []
        for reason, alike, carrying, rows in zip(
            super().undefined(), own.alike, own.carrying(), self.trials.sum(axis=0), strict=True
        ):
            if reason and not (alike and reason == FLAT):
                reasons.append(reason)
            elif known:
                reasons.append(None)
            elif alike:
                reasons.append(ALIKE)
            else:
                reasons.append(_few(rows) if carrying < FEWEST else None)
        return reasons

    def _moments(self, members: Floats) -> Moments:
        """Return the moments of effects in sets of groups."""
        rows, effect, size, square = (
            self.names.index(one) for one in (self.among, "effect", "size", "square")
        )
        sums = self.sums.sum(axis=1) @ members
        pairs = [(rows, rows), (rows, effect), (effect, effect), (effect, square)]
        powers = np.array([self.products[pair] @ members for pair in pairs])
        weight = np.where(sums[rows] > 0, sums[rows], 1.0)
        kish = np.square(weight) / np.where(powers[0] > 0, powers[0], 1.0)
        return Moments(sums[size], powers, sums[effect] / weight, kish)


def mean_effect(s: TermSums) -> Figure:
    """Return the mean of the amount ``effect`` over the rows of the term ``rows``."""
    mean = s.mean("effect", among="rows", empty="no example of which it is known")
    return Effect(**{one.name: getattr(mean, one.name) for one in fields(mean)})


def _few(rows: float) -> str:
    # How many they are is a count of few, which is not told.
    return (
        f"fewer than {FEWEST} of {rows:,.0f} examples carry the mean: the scores of the others do "
        "not change, or change alike"
    )
