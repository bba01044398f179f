"""Means of effects of a feature: what a model does when the feature is moved, row by row."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import narwhals as nw
import numpy as np

from evenhand.measures.figure import FLAT, Figure, Floats, SmoothFunction
from evenhand.measures.measure import TermSums
from evenhand.stats.bucket import Dependence
from evenhand.stats.delta import Influences
from evenhand.stats.figure import Figures, Linearised
from evenhand.stats.rare import KNOWN, Moments, unseen

ALIKE = (
    f"all rows have the same value, which is taken for everybody's where {KNOWN} rows, those of "
    "all groups together, have it"
)


def amounts(effect: nw.Expr) -> dict[str, nw.Expr]:
    """Return what is summed of effects: themselves, and the squares for their third and fourth."""
    return {"effect": effect, "square": effect * effect}


@dataclass(frozen=True)
class Effect(SmoothFunction):
    """A mean of effects, which few rows may make: a tree's score moves for few, and then far.

    Intervals have room for such rows that were not seen, as large as those of all groups together.
    Where all rows of all groups are alike and there are enough of them, the mean is known, with an
    interval of no width, as of an additive score. A group that is alike beside others may be so by
    chance, and has no figure.
    """

    def undefined(self) -> list[str | None]:
        groups = self.trials.shape[1]
        every, own = self._moments(np.ones((groups, 1))), self._moments(np.eye(groups))
        known = bool(every.alike[0]) and self.trials.sum() >= KNOWN
        reasons: list[str | None] = []
        for reason, alike in zip(super().undefined(), own.alike, strict=True):
            if reason and reason != FLAT:
                reasons.append(reason)
            elif known:
                reasons.append(None)
            else:
                reasons.append(ALIKE if alike else reason)
        return reasons

    def influences(self, members: Floats, *, dependent: Dependence | None) -> Influences:
        found = super().influences(members, dependent=dependent)
        size = self._moments(np.ones((self.trials.shape[1], 1))).size()
        added = unseen(size, self._moments(members).rows)
        return replace(found, variance=found.variance + added)

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:
        found = super().figures(members, dependent=dependent)
        if not isinstance(found, Linearised):
            return found
        return replace(found, method=f"{found.method} with room for rare rows")

    def _moments(self, members: Floats) -> Moments:
        """Return the moments of effects in sets of groups."""
        rows, effect, square = (self.names.index(one) for one in (self.among, "effect", "square"))
        by_bucket = self.sums @ members
        sums = by_bucket.sum(axis=1)
        pairs = [
            *((rows, rows), (rows, effect), (effect, effect), (effect, square), (square, square))
        ]
        powers = np.array([self.products[pair] @ members for pair in pairs])
        weight = np.where(sums[rows] > 0, sums[rows], 1.0)
        return Moments(powers, sums[effect] / weight, self._effective_rows(members, by_bucket))


def mean_effect(s: TermSums) -> Figure:
    """Return the mean of the amount ``effect`` over the rows of the term ``rows``."""
    mean = s.mean("effect", among="rows", empty="no example of which it is known")
    return Effect(**{one.name: getattr(mean, one.name) for one in fields(mean)})
