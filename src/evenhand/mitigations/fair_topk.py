"""FA*IR: the best ranking whose every prefix holds enough of a protected group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import Candidates, Label, Places
from evenhand.mitigations.certificate import TOP_K, Certificate, Reranked, utility
from evenhand.mitigations.minimum import broken
from evenhand.mitigations.queue import Queue, picked_by
from evenhand.stats.ranked_group_fairness import PrefixTest, prefix_test

_LONGEST = 5000
"""Slots of the longest test; that of the measure ``FAIR``."""


@dataclass(frozen=True)
class FAStarIR:
    """FA*IR: candidates by score, but a protected one wherever the prefix test would fail.

    The first i candidates must hold m(i) protected ones, the smallest tau with
    F(tau; i, p) > alpha_c, F the binomial cdf. alpha_c is adjusted such that a ranking of k whose
    slots are tossed with probability p for the protected group fails with probability alpha at
    most, which is computed exactly (`evenhand.stats.ranked_group_fairness`). Among all orders that
    pass this one has the best selection, the least loss of any candidate to one that stands above
    it, and the largest discounted sum of scores: its first i are, for every i at once, the best i
    that may stand there, max(m(i), those by score) of them protected; and a discounted sum adds up
    the scores of every prefix, each times what the weight falls by after it.

    A candidate without a group keeps the slot that it has by score; prefixes are of the others, and
    best is meant among orders that leave it there. Where protected candidates run out, all of them
    stand as early as the test asks, and the certificate counts the prefixes that fail.

    Attributes:
        protected: The group that is not to come short.
        p: Its least share that is aimed at, in (0, 1).
        alpha: The chance that a ranking by the toss of coins fails, at most, in (0, 1).
        adjusted: Whether the level of one prefix is adjusted to that; otherwise it is alpha.

    Raises:
        RoleError: A parameter is out of range; or, at `rerank`, there is no such group.

    Source: Zehlike et al. 2017, "FA*IR: A Fair Top-k Ranking Algorithm", section 4.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> made = candidates_of([[9, 8, 7, 6, 5, 4]], [["m", "m", "m", "m", "f", "f"]])
    >>> found = FAStarIR("f", 0.5).rerank(made, 5)              # m = 0, 0, 0, 1, 1
    >>> found.order.tolist(), found.certificate.violated.tolist()
    ([[0, 1, 2, 4, 3]], [0])

    """

    protected: Label
    p: float
    alpha: float = 0.1
    adjusted: bool = True

    def __post_init__(self) -> None:
        """Refuse parameters that are no test."""
        problems = [
            Problem(f"FA*IR, {name}", f"{value!r} is not between 0 and 1.", hint)
            for name, value, hint in (
                ("p", self.p, "It is the least share of the protected group, such as 0.4."),
                ("alpha", self.alpha, "It is the chance of a false alarm, such as 0.1."),
            )
            if not is_share(value)
        ]
        if problems:
            raise RoleError(problems)

    def test(self, k: int) -> PrefixTest:
        """Return the test of k slots: its table, its level, its exact chance of failure.

        Raises:
            RoleError: k is beyond 5,000.

        """
        if k > _LONGEST:
            what = f"a test of {k:,} prefixes is too long."
            raise RoleError(Problem("FA*IR, k", what, f"Ask for {_LONGEST:,} slots at most."))
        return prefix_test(float(self.p), float(self.alpha), k, adjusted=self.adjusted)

    def rerank(self, candidates: Candidates, k: int) -> Reranked:
        """Return the best orders that pass the test.

        Args:
            candidates: Of n requests.
            k: Number of slots, which is also the number of prefixes that are tested.

        Raises:
            RoleError: No group is named as the protected one, or k is no number of slots.

        """
        group = self._protected(candidates)
        orders = picked_by(candidates, k, lambda queue: _picks(queue, k, group, self.test(k)))
        test = self.test(k)
        violated, reasons = broken(self, candidates, orders.picked)
        level = f"alpha_c = {test.level:.6g}" + ("" if self.adjusted else ", not adjusted")
        guarantee = (
            f"every prefix of the first {k} passes the ranked group fairness test of "
            f"{self.protected!r}: p = {self.p:g}, alpha = {self.alpha:g}, {level}; a ranking by "
            f"the toss of coins fails with probability {test.failure:.6g}"
        )
        return Reranked(
            orders.picked,
            Certificate(
                guarantee,
                violated,
                utility(candidates, orders.picked),
                utility(candidates, orders.best),
                TOP_K,
                reasons,
            ),
        )

    def minima(self, candidates: Candidates, k: int) -> Places:
        """Return m(i) of the protected group and 0 of the others, shape (k, G)."""
        found = np.zeros((k, len(candidates.names)), np.int64)
        found[:, self._protected(candidates)] = self.test(k).minimum
        return found

    def _protected(self, candidates: Candidates) -> int:
        if self.protected not in candidates.names:
            what = f"there is no group {self.protected!r}."
            hint = f"There are {', '.join(map(repr, candidates.names)) or 'none'}."
            raise RoleError(Problem("FA*IR, protected", what, hint))
        return candidates.names.index(self.protected)


def is_share(value: object) -> bool:
    """Return whether something is a number between 0 and 1, and neither."""
    return isinstance(value, float | np.floating) and 0 < float(value) < 1


def _picks(queue: Queue, k: int, group: int, test: PrefixTest) -> Places:
    """Return which candidate stands in each slot, counted from 0 by score, shape (n, min(k, m)).

    Protected candidate number t stands where it does by score, or earlier where the test asks for
    t: so the first i hold max(those by score, min(m(i), all there are)) of them. That is what the
    two queues of the paper come to, without a step a slot.
    """
    groups = queue.known_groups
    width = min(k, groups.shape[1])
    protected = groups == group
    there = protected.sum(axis=1)
    by_score = np.cumsum(protected[:, :width], axis=1, dtype=np.int64)
    held = np.maximum(by_score, np.minimum(np.array(test.minimum[:width]), there[:, None]))
    one_more = np.diff(held, axis=1, prepend=0) > 0
    others = np.arange(1, width + 1) - held
    return np.where(one_more, _nth(protected, held), _nth(~protected[:, :width], others))


def _nth(flags: NDArray[np.bool_], nth: Places) -> Places:
    """Return the column of a row's nth true flag, counted from 1; anything where there is none."""
    rows, width = flags.shape
    places = np.append(np.flatnonzero(flags), 0)
    counts = flags.sum(axis=1)
    before = np.cumsum(counts) - counts
    where = np.clip(before[:, None] + nth - 1, 0, len(places) - 1)
    found: Places = places[where] - np.arange(0, rows * width, width)[:, None]
    return found
