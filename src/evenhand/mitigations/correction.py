"""Orders by score plus a share of a group's correction, and the largest share one can afford."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from evenhand.mitigations.candidates import UNKNOWN, Candidates, Floats, Places
from evenhand.mitigations.certificate import discounts


@dataclass(frozen=True)
class Corrected:
    """The candidates that any share of a correction could put into the first k slots.

    A correction is the same for a whole group, so it leaves each group's own order as it is: only
    the first k of each group matter, by score and then as given.

    Attributes:
        place: Places of the candidates, best score first, shape (n, width).
        score: Their scores; -inf where there is none.
        correction: What is added to each.
        k: Number of slots.

    """

    place: Places
    score: Floats
    correction: Floats
    k: int

    @cached_property
    def _rows(self) -> Places:
        return np.arange(len(self.score))[:, None]

    @cached_property
    def _gain(self) -> Floats:
        return np.where(np.isneginf(self.score), 0.0, self.score)

    @cached_property
    def _discounts(self) -> Floats:
        return discounts(min(self.k, self.score.shape[1]))

    @classmethod
    def of(cls, candidates: Candidates, k: int, correction: Floats) -> Self:
        """Return the field of each request; correction is by group code, the last for none."""
        worst_last = np.where(np.isnan(candidates.scores), -np.inf, candidates.scores)
        place = np.argsort(-worst_last, axis=1, kind="stable")
        group = np.take_along_axis(candidates.groups, place, axis=1)
        width = place.shape[1]
        if (len(candidates.names) + 1) * k < width:
            kept = np.zeros(place.shape, bool)
            for code in range(UNKNOWN, len(candidates.names)):
                mine = group == code
                kept |= mine & (np.cumsum(mine, axis=1) <= k)
            # Those that are kept come first, in the order that they had.
            first = np.argsort(~kept, axis=1, kind="stable")[:, : kept.sum(axis=1).max(initial=0)]
            gone = ~np.take_along_axis(kept, first, axis=1)
            place = np.take_along_axis(place, first, axis=1)
            group = np.take_along_axis(group, first, axis=1)
            score = np.take_along_axis(worst_last, place, axis=1)
            score[gone] = -np.inf
        else:
            score = np.take_along_axis(worst_last, place, axis=1)
        return cls(place, score, correction[group], k)

    def columns(self, factor: Floats) -> Places:
        """Return the columns of the first k with a share of the correction, shape (n, <= k).

        Ties are kept in order of score, and where that ties too as they were given.
        """
        key = -(self.score + factor[:, None] * self.correction)
        found: Places = key.argsort(axis=1, kind="stable")[:, : self.k]
        return found

    def ranked(self, factor: Floats) -> Places:
        """Return the places of the candidates in the first k slots, shape (n, <= k)."""
        found: Places = self.place[self._rows, self.columns(factor)]
        return found

    def utility(self, columns: Places) -> Floats:
        """Return the discounted sum of scores, shape (n,); the same bits in any batch."""
        # Summed slot by slot: a product of matrices may round otherwise in another batch.
        sums = (self._gain[self._rows, columns] * self._discounts).cumsum(axis=1)
        return sums[:, -1] if sums.shape[1] else np.zeros(len(sums))

    def largest_factor(self, keep: float) -> Floats:
        """Return the largest share of the correction that keeps so much utility, shape (n,).

        Sorting by s + f c has the greatest sum of w (s + f c) of all orders, for any falling w. So
        the sum of w s falls with f and the sum of w c rises, and bisection finds the last f.
        """
        whole = np.ones(len(self.score))
        if keep <= 0:
            return whole
        floor = keep * self.utility(self.columns(np.zeros(len(self.score))))
        floor = floor - _ROUNDING * np.abs(floor)
        failed = np.flatnonzero(self.utility(self.columns(whole)) < floor)
        if not len(failed):
            return whole
        hard = replace(
            self,
            place=self.place[failed],
            score=self.score[failed],
            correction=self.correction[failed],
        )
        low, high = np.zeros(len(failed)), np.ones(len(failed))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            kept = hard.utility(hard.columns(middle)) >= floor[failed]
            low, high = np.where(kept, middle, low), np.where(kept, high, middle)
        whole[failed] = low
        return whole


_HALVINGS = 14
_ROUNDING = 1e-12
