"""Mixtures of rankings, and the mixture that shows each candidate in each slot as often as asked.

Birkhoff and von Neumann: a doubly stochastic matrix is a mixture of permutations, of at most
(n - 1)^2 + 1. A matrix of placements P says how often candidate i stands in slot j. Where there are
fewer slots than candidates its rows add up to less than 1: who is not shown stands in slots below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import NOBODY, Floats, Places


@dataclass(frozen=True)
class Mixture:
    """Rankings of one request, of which one is drawn.

    Attributes:
        orders: Places of candidates, best slot first, shape (r, k); `NOBODY` in empty slots.
        weights: The chance of each ranking, shape (r,), adds up to 1.

    """

    orders: Places
    weights: Floats

    def placements(self, candidates: int) -> Floats:
        """Return how often each candidate stands in each slot, shape (candidates, k)."""
        slots = self.orders.shape[1]
        found = np.zeros((candidates, slots))
        shown = self.orders != NOBODY
        each = np.broadcast_to(self.weights[:, None], self.orders.shape)
        slot = np.broadcast_to(np.arange(slots), self.orders.shape)
        np.add.at(found, (self.orders[shown], slot[shown]), each[shown])
        return found

    def exposure(self, attention: Floats, candidates: int) -> Floats:
        """Return the expected attention to each candidate, shape (candidates,).

        Args:
            attention: The weight of each slot, shape (k,).
            candidates: How many there are, shown or not.

        >>> both = Mixture(np.array([[0, 1], [1, 0]]), np.array([0.75, 0.25]))
        >>> both.exposure(np.array([1.0, 0.5]), 3).tolist()
        [0.875, 0.625, 0.0]
        """
        found: Floats = self.placements(candidates) @ attention
        return found

    def drawn(self, number: float) -> Places:
        """Return the ranking that a number from [0, 1) draws, shape (k,)."""
        place = np.searchsorted(np.cumsum(self.weights), number, side="right")
        found: Places = self.orders[min(int(place), len(self.weights) - 1)]
        return found


def birkhoff(placements: Floats) -> Mixture:
    """Return a mixture of rankings that places candidates as asked.

    Each ranking takes away the least entry that it uses, so that there are no more rankings than
    entries above 0, and with as many slots as candidates at most (n - 1)^2 + 1. Placements are
    reproduced to 1e-9.

    Args:
        placements: How often candidate i stands in slot j, shape (n, k) with k <= n; columns add
            up to 1, rows to 1 at most (all to 1e-9).

    Raises:
        RoleError: The placements are those of no mixture.

    Source: Birkhoff 1946; Singh and Joachims 2018, section 3.3.

    >>> mixture = birkhoff(np.array([[0.75, 0.25], [0.25, 0.75]]))
    >>> mixture.orders.tolist(), mixture.weights.tolist()
    ([[0, 1], [1, 0]], [0.75, 0.25])
    """
    _refuse(placements)
    n, k = placements.shape
    left = _filled(np.where(placements > _DUST, placements, 0.0))
    orders, weights = [], []
    mass = 1.0
    while mass > _DUST:
        table = csr_array(left)
        try:
            rows, slots = min_weight_full_bipartite_matching(table, maximize=True)
        except ValueError:
            break
        weight = float(left[rows, slots].min())
        order = np.empty(n, np.int64)
        order[slots] = rows
        orders.append(order[:k])
        weights.append(weight)
        taken = left[rows, slots] - weight
        left[rows, slots] = np.where(taken > _DUST, taken, 0.0)
        mass -= weight
    if mass > _EXACT:
        what = f"no ranking accounts for {mass:.3g} of them."
        raise RoleError(Problem("placements", what, "Give rows and columns that add up exactly."))
    alike, place = np.unique(np.array(orders).reshape(-1, k), axis=0, return_inverse=True)
    summed = np.bincount(place.ravel(), weights=np.array(weights), minlength=len(alike))
    likely = np.argsort(-summed, kind="stable")
    return Mixture(alike[likely], summed[likely] / summed.sum())


def _refuse(placements: Floats) -> None:
    where = "placements"
    if placements.ndim != 2 or not 0 < placements.shape[1] <= placements.shape[0]:  # noqa: PLR2004
        what = f"their shape is {placements.shape}."
        raise RoleError(Problem(where, what, "Give (candidates, slots), no more slots."))
    problems = []
    if not np.isfinite(placements).all() or placements.min() < -_EXACT:
        problems.append(Problem(where, "some are below 0 or no numbers."))
    elif abs(placements.sum(axis=0) - 1).max() > _EXACT:
        problems.append(Problem(where, "a slot is not filled exactly once on average."))
    elif placements.sum(axis=1).max() > 1 + _EXACT:
        problems.append(Problem(where, "a candidate is shown more than once on average."))
    if problems:
        raise RoleError(problems)


def _filled(placements: Floats) -> NDArray[np.float64]:
    """Return the matrix with the slots below, (n, n): few entries, so that few rankings do."""
    n, k = placements.shape
    unshown = np.maximum(1 - placements.sum(axis=1), 0.0)
    unshown[unshown < _DUST] = 0.0
    full = np.zeros((n, n))
    full[:, :k] = placements
    if k == n or not unshown.any():
        return full
    # Candidates fill the slots below one after the other, as lengths laid along a line.
    ends = np.cumsum(unshown) * ((n - k) / unshown.sum())
    starts = np.concatenate([[0.0], ends[:-1]])
    slots = np.arange(n - k)
    overlap = np.minimum(ends[:, None], slots + 1) - np.maximum(starts[:, None], slots)
    full[:, k:] = np.where(overlap > _DUST, overlap, 0.0)
    return full


_DUST = 1e-13
"""What is less is a rounding error and not a share."""

_EXACT = 1e-9
"""How far sums may be from 1."""
