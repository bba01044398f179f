"""Calibrated lists: categories come as often as a user's taste, or a target, says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import (
    NOBODY,
    Candidates,
    Floats,
    Places,
    check_slots,
    shares_of,
)
from evenhand.mitigations.certificate import TOP_K, Certificate, Reranked, utility
from evenhand.mitigations.target import OWN_SHARES, REQUEST, Targets, own_of, problems_of
from evenhand.mitigations.top import top


@dataclass(frozen=True)
class CalibratedLists(Reranked):
    """Calibrated orders, and how near they are to their targets.

    Attributes:
        divergence: KL of target and list, in nats, shape (n,); 0 is calibrated, log(1 / alpha) a
            list without any category that the target names.
        before: The same of the order by score, shape (n,).
        objective: (1 - weight) sum_i s_i + weight (log(1 / alpha) - KL) of each list, shape (n,).
        attained: The share of the highest objective that is attained at least, shape (n,).

    """

    divergence: Floats
    before: Floats
    objective: Floats
    attained: Floats


@dataclass(frozen=True)
class Calibrated:
    """Lists that weigh scores against the divergence of their categories from a target.

    Takes, slot by slot, the candidate that adds most to

        (1 - weight) sum_i s_i - weight KL(p, q),    q_c = (1 - alpha) n_c / k + alpha p_c

    where p is the target and n_c the number of the list of category c. Slots weigh alike, and a
    candidate without a category is of none. The order is that in which candidates were taken.

    What is gained over an empty list is monotone and submodular, so that the list attains 1 - 1/e
    of the best. With one category a candidate it is the best: the objective is then a sum over
    categories, in each of which every further candidate adds less.

    Attributes:
        weight: lambda, from 0, top-k by score, to 1.
        targets: The share of each category, for all requests; ``request`` for its share of each
            request's own candidates of any category; None to give profiles.
        alpha: Smoothing, above 0 and below 1.

    Source: Steck 2018 (Calibrated recommendations), equations 3 to 7.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> asked = candidates_of([[0.9, 0.8, 0.7, 0.3]], [["drama", "drama", "drama", "comedy"]])
    >>> Calibrated(0.5, {"drama": 0.7, "comedy": 0.3}).rerank(asked, 3).order.tolist()
    [[0, 3, 1]]
    """

    weight: float
    targets: Targets | None = None
    alpha: float = 0.01

    def __post_init__(self) -> None:
        """Refuse parameters that mean nothing."""
        problems = []
        if not 0 <= self.weight <= 1:
            what = f"it is {self.weight}."
            problems.append(Problem("weight", what, "Give a number from 0 to 1."))
        if not 0 < self.alpha < 1:
            what = f"it is {self.alpha}."
            problems.append(Problem("alpha", what, "Above 0: a category may lack; and below 1."))
        if self.targets is not None:
            problems += problems_of("Calibrated", self.targets)
        if problems:
            raise RoleError(problems)

    def rerank(
        self,
        candidates: Candidates,
        k: int,
        *,
        profiles: Floats | None = None,
        memberships: Floats | None = None,
    ) -> CalibratedLists:
        """Return a list for each request; groups are the categories.

        Args:
            candidates: The requests.
            k: Slots.
            profiles: The target of each request, rows adding up to 1, shape (n, G); in place of
                `targets`.
            memberships: How far each candidate is of each category, from 0, adding up to 1 at
                most, shape (n, m, G), for candidates of several; by default its group alone.

        Raises:
            RoleError: There is no target or two, shapes do not fit, or shares are none.

        """
        check_slots(k)
        targets = self._targets(candidates, profiles)
        _refuse(candidates, memberships)
        order = np.full((candidates.requests, k), NOBODY, np.int64)
        by_score = candidates.best(k)
        measured = np.zeros((4, candidates.requests))
        for rows in _blocks(candidates):
            block = Candidates(candidates.scores[rows], candidates.groups[rows], candidates.names)
            soft = None if memberships is None else memberships[rows]
            lists = _Lists(self, block, targets[rows], soft, k)
            order[rows] = lists.filled()
            measured[:, rows] = lists.measured(order[rows], by_score[rows])
        certificate = Certificate(
            guarantee=self._guarantee(candidates, several=memberships is not None),
            violated=np.zeros(candidates.requests, np.int64),
            utility=utility(candidates, order),
            best=utility(candidates, by_score),
            against=TOP_K,
            reasons={},
        )
        return CalibratedLists(order, certificate, *measured)

    def _guarantee(self, candidates: Candidates, *, several: bool) -> str:
        what = f"{1 - self.weight:g} times the scores and {self.weight:g} times the calibration"
        if self.targets == REQUEST:
            what += f" to {OWN_SHARES}"
        if not several:
            return f"no list has more of {what}"
        below = (candidates.scores < 0).any()
        counted = ", scores counted from the lowest" if below else ""
        return f"at least 1 - 1/e of the most of {what} that a list can gain{counted}"

    def _targets(self, candidates: Candidates, profiles: Floats | None) -> Floats:
        if (profiles is None) == (self.targets is None):
            what = "there is none." if profiles is None else "there are two."
            raise RoleError(Problem("target", what, "Give targets, or profiles to `rerank`."))
        shape = (candidates.requests, len(candidates.names))
        if profiles is None:
            if isinstance(self.targets, str):
                return own_of(candidates).shares
            return np.broadcast_to(shares_of(self.targets or {}, candidates.names), shape)
        if profiles.shape != shape:
            what = f"their shape is {profiles.shape}."
            raise RoleError(Problem("profiles", what, f"Give {shape}: requests and categories."))
        wrong = ~((profiles >= 0).all(axis=1) & (abs(profiles.sum(axis=1) - 1) < _ROUNDING))
        if wrong.any():
            first = int(np.argmax(wrong))
            what = f"{wrong.sum()} are no shares that add up to 1, the first of request {first}."
            raise RoleError(Problem("profiles", what))
        return profiles


@dataclass(frozen=True)
class _Lists:
    """Lists of a few requests.

    Attributes:
        method: What is weighed.
        candidates: The requests.
        targets: Shape (n, G).
        memberships: Shape (n, m, G), or None for groups alone.
        k: Slots.

    """

    method: Calibrated
    candidates: Candidates
    targets: Floats
    memberships: Floats | None
    k: int

    def filled(self) -> Places:
        """Return the greedy lists, shape (n, k)."""
        requests = self.candidates.requests
        every = np.arange(requests)
        order = np.full((requests, self.k), NOBODY, np.int64)
        held = np.zeros(self.targets.shape)
        free = ~np.isnan(self.candidates.scores)
        for slot in range(min(self.k, free.shape[1])):
            gains = np.where(free, self.gains(held), -np.inf)
            taken = gains.argmax(axis=1)
            there = free[every, taken]
            order[there, slot] = taken[there]
            held[there] += self._held(order[:, [slot]])[there]
            free[every, taken] = False
        return order

    def gains(self, held: Floats) -> Floats:
        """Return what each candidate would add to lists that hold so much, shape (n, m)."""
        alpha, weight = self.method.alpha, self.method.weight
        slots = self._slots()[:, None]
        smooth = alpha * self.targets + (1 - alpha) * held / slots
        # A category of no target adds nothing, whatever it holds.
        each = (1 - alpha) / slots / np.where(self.targets > 0, smooth, 1.0)
        if self.memberships is None:
            category = self.targets * np.log1p(each)
            none = np.zeros((len(category), 1))  # UNKNOWN, -1, is the last
            listed = np.concatenate([category, none], axis=1)
            index = np.where(
                self.candidates.groups < 0, listed.shape[1] - 1, self.candidates.groups
            )
            added = np.take_along_axis(listed, index, axis=1)
        else:
            more = np.log1p(self.memberships * each[:, None, :])
            added = np.einsum("nmg,ng->nm", more, self.targets)
        found: Floats = (1 - weight) * self.candidates.scores + weight * added
        return found

    def measured(self, order: Places, by_score: Places) -> Floats:
        """Return divergence, the same by score, objective and share attained, shape (4, n)."""
        most, weight = math.log(1 / self.method.alpha), self.method.weight
        divergence, before = (self._divergence(self._held(one)) for one in (order, by_score))
        scores = self.candidates.scores_at(order)
        objective = (1 - weight) * scores.sum(axis=1) + weight * (most - divergence)
        return np.stack([divergence, before, objective, self._attained(order, objective)])

    def _attained(self, order: Places, objective: Floats) -> Floats:
        if self.memberships is None:
            return np.ones(len(order))
        # Submodular: no list gains more than this one and the k best further gains together.
        lowest = np.fmin.reduce(self.candidates.scores, axis=1, initial=0.0)
        shift = (1 - self.method.weight) * lowest
        gained = objective - shift * (order != NOBODY).sum(axis=1)
        further = self.gains(self._held(order)) - shift[:, None]
        rows, slots = np.nonzero(order != NOBODY)
        further[rows, order[rows, slots]] = -np.inf
        further[np.isnan(further)] = -np.inf
        best = top(further, self.k)
        more = np.take_along_axis(further, np.maximum(best, 0), axis=1)
        limit = gained + np.where(best == NOBODY, 0.0, np.maximum(more, 0.0)).sum(axis=1)
        found: Floats = np.where(limit > 0, gained / np.where(limit > 0, limit, 1.0), 1.0)
        return np.clip(found, 1 - 1 / math.e, 1.0)

    def _divergence(self, held: Floats) -> Floats:
        alpha = self.method.alpha
        smooth = alpha * self.targets + (1 - alpha) * held / self._slots()[:, None]
        due = self.targets > 0
        ratio = np.where(due, self.targets, 1.0) / np.where(due, smooth, 1.0)
        found: Floats = np.where(due, self.targets * np.log(ratio), 0.0).sum(axis=1)
        return found

    def _held(self, order: Places) -> Floats:
        """Return how much of each category lists hold, shape (n, G)."""
        if self.memberships is not None:
            place = np.maximum(order, 0)[:, :, None]
            shown = np.take_along_axis(self.memberships, place, axis=1)
            held: Floats = np.where(order[:, :, None] == NOBODY, 0.0, shown).sum(axis=1)
            return held
        groups = self.candidates.groups_at(order)
        found = np.zeros(self.targets.shape)
        rows, slots = np.nonzero(groups >= 0)
        np.add.at(found, (rows, groups[rows, slots]), 1.0)
        return found

    def _slots(self) -> Floats:
        found: Floats = np.clip(self.candidates.sizes, 1, self.k).astype(np.float64)
        return found


def _refuse(candidates: Candidates, memberships: Floats | None) -> None:
    if memberships is None:
        return
    shape = (*candidates.scores.shape, len(candidates.names))
    if memberships.shape != shape:
        what = f"their shape is {memberships.shape}."
        hint = f"Give {shape}: requests, candidates and categories."
        raise RoleError(Problem("memberships", what, hint))
    there = memberships[~np.isnan(candidates.scores)]
    if not ((there >= 0).all() and (there.sum(axis=1) <= 1 + _ROUNDING).all()):
        what = "some are no shares: below 0, missing, or above 1 in sum."
        raise RoleError(Problem("memberships", what))


def _blocks(candidates: Candidates) -> Iterator[slice]:
    rows = max(1, _ENTRIES // max(1, candidates.scores.shape[1] * max(1, len(candidates.names))))
    for start in range(0, candidates.requests, rows):
        yield slice(start, start + rows)


_ENTRIES = 1_000_000
_ROUNDING = 1e-9
