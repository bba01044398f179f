"""Welfare of those who are served and of those who are shown, by Frank and Wolfe's method."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.birkhoff import Mixture
from evenhand.mitigations.candidates import (
    NOBODY,
    UNKNOWN,
    Candidates,
    Floats,
    Places,
    check_slots,
)
from evenhand.mitigations.certificate import TOP_K, Certificate, Reranked, discounts, utility
from evenhand.mitigations.draw import draws_of
from evenhand.mitigations.top import top


@dataclass(frozen=True)
class Welfare:
    """The policy of highest welfare over requests and groups of items.

    Maximises, over all policies that draw a ranking for each request,

        (1 - weight) mean_i psi(u_i) + weight sum_g due_g psi(x_g)

    where u_i is the mean score that request i is shown, weighted by 1 / log2(1 + j); x_g the
    exposure of group g, in units of what it would have in random order; due_g its share of that,
    so that the second part is a mean over candidates. psi is concave: who has little counts more,
    psi(z) = (z + smoothing)^power / power, log(z + smoothing) for power 0. For items one by one
    make each a group of its own.

    Every step takes one top-k of each request and averages it in: after T steps welfare is within
    O(1/T) of the optimum, and the duality gap says how far at most.

    Attributes:
        weight: Of the groups, from 0, top-k by score, to 1, which leaves those served out.
        power: At most 1: 1 adds up, 0 multiplies, below the worst off count more and more.
        smoothing: Above 0; the larger, the faster, and the less do the worst off count.
        steps: Steps at most.
        tolerance: Stop when the duality gap is not larger.
        seed: Source of the draws.

    Source: Do, Corbett-Davies, Atif and Usunier 2021 (Two-sided fairness in rankings via Lorenz
    dominance), equations 2 and 5 and algorithm 1; Jaggi 2013 (the duality gap).

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> asked = candidates_of([[0.9, 0.8]] * 4, [["a", "b"]] * 4)
    >>> Welfare(weight=1.0, steps=200).fit(asked, 1).level.round(2).tolist()
    [1.0, 1.0]
    """

    weight: float
    power: float = 0.0
    smoothing: float = 0.1
    steps: int = 100
    tolerance: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no welfare."""
        problems = []
        if not 0 <= self.weight <= 1:
            what = f"it is {self.weight}."
            problems.append(Problem("weight", what, "Give a number from 0 to 1."))
        if not -np.inf < self.power <= 1:
            what = f"it is {self.power}."
            problems.append(Problem("power", what, "At most 1: above, more for the best off."))
        if not 0 < self.smoothing < np.inf:
            what = f"it is {self.smoothing}."
            problems.append(Problem("smoothing", what, "Above 0: what has none is worth a number."))
        if self.steps < 1:
            problems.append(Problem("steps", f"they are {self.steps}.", "At least 1."))
        if problems:
            raise RoleError(problems)

    def rerank(
        self, candidates: Candidates, k: int, *, keys: Sequence[Hashable] | None = None
    ) -> Reranked:
        """Return an order for each request, drawn from the policy that fits these requests.

        An order hangs on the requests beside it, as welfare does. `fit` gives the policy, which
        ranks each request by itself.
        """
        return self.fit(candidates, k).draw(candidates, keys=keys)

    def fit(self, candidates: Candidates, k: int) -> Policy:
        """Return the policy of highest welfare for these requests.

        Holds one number a request, and for every step one a group: no rankings.

        Raises:
            RoleError: A score is below 0, there are no requests, or k is no number of slots.

        """
        check_slots(k)
        if not candidates.requests or np.nanmin(candidates.scores, initial=0.0) < 0:
            if not candidates.requests:
                what = "there are no requests."
                raise RoleError(Problem("candidates", what, "Welfare is a mean over requests."))
            below, count = int((candidates.scores < 0).sum()), int(candidates.sizes.sum())
            what = f"{below:,} of {count:,} are below 0."
            hint = "Welfare is of scores from 0: shift them, or scale them to chances."
            raise RoleError(Problem("candidates, score", what, hint))
        due = _due(candidates, k)
        whole = float(due.sum()) or 1.0  # 0 where nobody has a group
        share: Floats = due / whole
        scale = candidates.requests * discounts(k).sum() / whole
        gained, shown = self._shown(candidates, k, None, np.zeros(len(due)))
        duals = [np.zeros(len(due))]
        taken, gaps, objectives = [1.0], list[float](), list[float]()
        while True:
            level = shown / np.where(due > 0, due, 1.0)
            dual = self.weight * self.slope(level) * scale
            aimed, reached = self._shown(candidates, k, gained, dual)
            better = (reached - shown) / np.where(due > 0, due, 1.0)
            gaps.append(
                (1 - self.weight) * float(np.mean(self.slope(gained) * (aimed - gained)))
                + self.weight * float(share @ (self.slope(level) * better))
            )
            objectives.append(
                (1 - self.weight) * float(self.worth(gained).mean())
                + self.weight * float(share @ self.worth(level))
            )
            if gaps[-1] <= self.tolerance or len(duals) > self.steps:
                break
            step = self._step(share, (gained, aimed - gained), (level, better))
            gained += step * (aimed - gained)
            shown += step * (reached - shown)
            duals.append(dual)
            taken.append(step)
        level[due == 0] = np.nan
        return Policy(
            self,
            k,
            np.array(duals),
            np.array(taken),
            gained,
            level,
            np.array(objectives),
            np.array(gaps),
        )

    def _step(
        self, share: Floats, users: tuple[Floats, Floats], groups: tuple[Floats, Floats]
    ) -> float:
        """Return how far to go to where welfare is highest on the way, from 0 to 1."""
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            step = (low + high) / 2
            of_users = np.mean(self.slope(users[0] + step * users[1]) * users[1])
            of_groups = share @ (self.slope(groups[0] + step * groups[1]) * groups[1])
            rises = (1 - self.weight) * of_users + self.weight * of_groups > 0
            low, high = (step, high) if rises else (low, step)
        return low

    def worth(self, values: Floats) -> Floats:
        """Return psi of utilities or levels of exposure."""
        moved = values + self.smoothing
        found: Floats = np.log(moved) if self.power == 0 else moved**self.power / self.power
        return found

    def slope(self, values: Floats) -> Floats:
        """Return the derivative of psi."""
        found: Floats = (values + self.smoothing) ** (self.power - 1)
        return found

    def order(
        self, candidates: Candidates, rows: slice, k: int, gained: Floats | None, dual: Floats
    ) -> Places:
        """Return the rankings that raise welfare fastest, shape (rows, k); by score at first."""
        scores = candidates.scores[rows]
        if gained is None:
            values = scores.astype(np.float64)
        else:
            values = scores * ((1 - self.weight) * self.slope(gained[rows]))[:, None]
            groups = candidates.groups[rows]
            # Of one catalogue for all requests, all rows are one in memory: one row will do.
            groups = groups if groups.strides[0] else groups[:1]
            values += np.append(dual, 0.0)[groups]  # UNKNOWN, -1, is the last
        if np.isnan(values[:, -1:]).any():
            values[np.isnan(values)] = -np.inf
        return top(values, k)

    def _shown(
        self, candidates: Candidates, k: int, gained: Floats | None, dual: Floats
    ) -> tuple[Floats, Floats]:
        """Return what rankings give to requests, (n,), and to groups, (G,)."""
        given, shown = np.zeros(candidates.requests), np.zeros(len(candidates.names))
        for rows in _blocks(candidates):
            order = self.order(candidates, rows, k, gained, dual)
            given[rows] = _gain(candidates, rows, order)
            groups = _shown_of(candidates.groups[rows], order, UNKNOWN)
            attention = np.broadcast_to(discounts(k), groups.shape)
            sums = np.bincount(groups.ravel() + 1, attention.ravel(), len(shown) + 1)
            shown += sums[1:]
        return given, shown


@dataclass(frozen=True)
class Policy:
    """A policy that draws the rankings of many requests, and what it is worth.

    Step t showed by score times the slope of the request's utility, plus a number for each group.
    So a request's rankings follow from its scores and those numbers, and are not stored.

    Attributes:
        welfare: The welfare that it has most of.
        k: Slots.
        duals: The number of each group at each step, shape (T, G).
        steps: How far each step went, shape (T,), the first 1.
        gained: Utility of each fitted request, u, shape (n,).
        level: Exposure of each group in units of random order, x, shape (G,); NaN without
            candidates.
        objective: Welfare after each step, shape (T,).
        gaps: The duality gap after each step, shape (T,): no policy has more welfare than that
            beyond.

    """

    welfare: Welfare
    k: int
    duals: Floats
    steps: Floats
    gained: Floats
    level: Floats
    objective: Floats
    gaps: Floats

    @property
    def gap(self) -> float:
        """How much more welfare another policy has at most, by the best bound of all steps."""
        return max(float((self.objective + self.gaps).min() - self.objective[-1]), 0.0)

    @property
    def weights(self) -> Floats:
        """The chance of each step's rankings, shape (T,)."""
        later = np.cumprod((1 - self.steps)[::-1])[::-1]
        found: Floats = self.steps * np.append(later[1:], 1.0)
        return found

    def draw(self, candidates: Candidates, *, keys: Sequence[Hashable] | None = None) -> Reranked:
        """Return an order for each request, drawn; also for requests that were not fitted.

        Args:
            candidates: The requests, with the groups of those that were fitted.
            keys: A name of each request, which decides its draw; without, its scores and groups
                do.

        """
        numbers = draws_of(candidates, self.welfare.seed, keys)
        drawn = np.searchsorted(np.cumsum(self.weights), numbers, side="right")
        drawn = np.minimum(drawn, len(self.duals) - 1)
        order = np.full((candidates.requests, self.k), NOBODY, np.int64)
        by_score = order.copy()
        for rows in _blocks(candidates):
            for step, shown in enumerate(self._replay(candidates, rows)):
                if step == 0:
                    by_score[rows] = shown
                own = drawn[rows] == step
                order[rows][own] = shown[own]
                if step == drawn[rows].max():
                    break
        certificate = Certificate(
            guarantee=f"welfare of the policy is within {self.gap:.3g} of the optimum",
            violated=np.zeros(candidates.requests, np.int64),
            utility=utility(candidates, order),
            best=utility(candidates, by_score),
            against=TOP_K,
            reasons={},
        )
        return Reranked(order, certificate)

    def mixtures(self, candidates: Candidates) -> tuple[Mixture, ...]:
        """Return the rankings of each request and their chances: T of them, so for few requests."""
        steps = [
            list(self._replay(candidates, slice(row, row + 1)))
            for row in range(candidates.requests)
        ]
        return tuple(Mixture(np.concatenate(one), self.weights) for one in steps)

    def _replay(self, candidates: Candidates, rows: slice) -> Iterator[Places]:
        """Yield the rankings of each step."""
        block = Candidates(candidates.scores[rows], candidates.groups[rows], candidates.names)
        every = slice(None)
        gained: Floats | None = None
        for dual, length in zip(self.duals, self.steps, strict=True):
            order = self.welfare.order(block, every, self.k, gained, dual)
            yield order
            given = _gain(block, every, order)
            gained = given if gained is None else gained + length * (given - gained)


def _due(candidates: Candidates, k: int) -> Floats:
    """Return the exposure of each group in random order, summed over requests, shape (G,)."""
    attention = np.concatenate([[0.0], np.cumsum(discounts(k))])
    due = np.zeros(len(candidates.names))
    for rows in _blocks(candidates):
        missing = np.isnan(candidates.scores[rows])
        size = (~missing).sum(axis=1)
        each = attention[np.minimum(size, k)] / np.maximum(size, 1)
        groups = candidates.groups[rows]
        weights = np.broadcast_to(each[:, None], groups.shape)
        if missing[:, -1:].any():
            # A group that is named where nobody is has no candidate there.
            weights = np.where(missing, 0.0, weights)
        due += np.bincount(groups.ravel() + 1, weights.ravel(), len(due) + 1)[1:]
    return due


def _gain(candidates: Candidates, rows: slice, order: Places) -> Floats:
    """Return the mean score that rankings show, weighted by attention, shape (rows,)."""
    attention = discounts(order.shape[1])
    # No matrix product: it would round by what else is in the block.
    gained = _shown_of(candidates.scores[rows], order, 0.0) * (attention / attention.sum())
    found: Floats = gained.sum(axis=1)
    return found


def _shown_of(values: NDArray[Any], order: Places, empty: float) -> NDArray[Any]:
    """Return the values of an order's slots, shape (n, k)."""
    if not values.shape[1]:
        return np.full(order.shape, empty, values.dtype)
    return np.where(
        order == NOBODY, empty, np.take_along_axis(values, np.maximum(order, 0), axis=1)
    )


def _blocks(candidates: Candidates) -> Iterator[slice]:
    """Yield slices of requests of which a few tables fit into the cache and none fills memory."""
    rows = max(1, _ENTRIES // max(1, candidates.scores.shape[1]))
    for start in range(0, candidates.requests, rows):
        yield slice(start, start + rows)


_ENTRIES = 1_000_000

_HALVINGS = 30
