"""Orders by score plus a share of a group's correction, and the largest share one can afford."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from evenhand.mitigations.candidates import Candidates, Floats, Places
from evenhand.mitigations.certificate import discounts


@dataclass(frozen=True)
class Corrected:
    """The candidates that any share of a correction could put into the first k slots.

    A correction is the same for a whole group, so it leaves each group's own order as it is: only
    the first k of each group matter, by score and then as given. Nor does anybody matter who is
    behind the k best by score, and with the whole correction still behind what they have with the
    least of all: no share lifts them past.

    Attributes:
        place: Places of the candidates, best score first, shape (n, width); at the end others that
            do not matter, in requests that have fewer.
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
        score = np.where(np.isnan(candidates.scores), -np.inf, candidates.scores)
        place = _packed(_within_reach(score, correction[candidates.groups], k))
        rows = np.arange(len(place))[:, None]
        place = place[rows, np.argsort(-score[rows, place], axis=1, kind="stable")]
        group = candidates.groups[rows, place]
        if (len(candidates.names) + 1) * k < place.shape[1]:
            first = _packed(_first_of_group(group, k))
            place, group = place[rows, first], group[rows, first]
        return cls(place, score[rows, place], correction[group], k)

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
        # Row by row: a product of matrices may round otherwise in another batch.
        found: Floats = np.vecdot(self._gain[self._rows, columns], self._discounts)
        return found

    def largest_factor(self, keep: float) -> Floats:
        """Return the largest share of the correction that keeps so much utility, shape (n,).

        Sorting by s + f c has the greatest sum of w (s + f c) of all orders, for any falling w. So
        the sum of w s falls with f and the sum of w c rises, and bisection finds the last f.
        """
        whole = np.ones(len(self.score))
        if keep <= 0:
            return whole
        floor = keep * self.utility(np.arange(len(self._discounts))[None])
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
        found, floor = np.zeros(len(failed)), floor[failed]
        for halving in range(_HALVINGS):
            step = 0.5 ** (halving + 1)
            found += step * (hard.utility(hard.columns(found + step)) >= floor)
        whole[failed] = found
        return whole


def _within_reach(score: Floats, correction: Floats, k: int) -> NDArray[np.bool_]:
    """Return whether some share of the correction may lift a candidate to the first k slots."""
    if score.shape[1] <= k:
        return np.ones(score.shape, bool)
    last = np.partition(score, -k, axis=1)[:, -k, None]
    least, most = (bound(axis=1, keepdims=True) for bound in (correction.min, correction.max))
    # Rather a few too many than one too few: what a share of a correction gives is rounded.
    rounding = _ROUNDING * (np.abs(last) + np.maximum(np.abs(least), np.abs(most)))
    lifted = score + (correction - least) >= last - rounding
    found: NDArray[np.bool_] = lifted & ~np.isneginf(score)
    return found


def _first_of_group(group: Places, k: int) -> NDArray[np.bool_]:
    """Return whether fewer than k before a candidate are of its group."""
    by_group = np.argsort(group, axis=1, kind="stable")
    held = np.take_along_axis(group, by_group, axis=1)
    found = np.ones(group.shape, bool)
    others = held[:, k:] != held[:, : held.shape[1] - k]
    np.put_along_axis(found, by_group[:, k:], others, axis=1)
    return found


def _packed(kept: NDArray[np.bool_]) -> Places:
    """Return the columns of those that are kept, in order; others where a row has fewer."""
    found: Places = np.argsort(~kept, axis=1, kind="stable")
    return found[:, : kept.sum(axis=1).max(initial=0)]


_HALVINGS = 14
_ROUNDING = 1e-12
