"""FA*IR for several protected groups: the best order whose every prefix passes one test of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import (
    UNKNOWN,
    Candidates,
    Floats,
    Label,
    Places,
    check_slots,
    shares_of,
)
from evenhand.mitigations.certificate import TOP_K, Certificate, Reranked, discounts, utility
from evenhand.mitigations.fair_topk import is_share
from evenhand.mitigations.minimum import blocks
from evenhand.mitigations.queue import Queue, along, picked_by
from evenhand.mitigations.target import Targets
from evenhand.stats.multinomial_group_fairness import (
    MOST_COUNTS,
    MultinomialTest,
    counts_of,
    multinomial_test,
)


@dataclass(frozen=True)
class MultinomialFAStarIR:
    """Multinomial FA*IR: the best order whose prefixes hold enough of several protected groups.

    The first i candidates, tau_g of protected group g, pass where F(tau; i, p) > alpha_c, F the
    chance that i throws of a die fall on no group more than tau_g times. alpha_c is adjusted such
    that a ranking of k by the throw of a die fails with probability alpha at most, exactly
    (`evenhand.stats.multinomial_group_fairness`). More of one group may make up for fewer of
    another, so that there are no minima.

    Of all orders as few prefixes fail as possible: none, if no group runs out and a ranking by the
    throw of a die does not always fail. Of those orders this one has the largest discounted sum of
    scores. By dynamic programming over what prefixes may hold, since a group's candidates stand by
    score: O(C(k + G, G + 1) G) for a request that does not pass by score alone. The paper fills
    slots one by one instead.

    A candidate without a group keeps the slot that it has by score; prefixes are of the others, and
    best is meant among orders that leave it there.

    Attributes:
        unprotected: The group that may come short.
        targets: The least share of each group that is aimed at, adding up to 1 with that of the
            unprotected one, which is above 0.
        alpha: The chance that a ranking by the throw of a die fails, at most, in (0, 1).
        adjusted: Whether the level of one prefix is adjusted to that; otherwise it is alpha.

    Raises:
        RoleError: A parameter is out of range; or, at `rerank`, there is no such group, targets are
            not those of the groups, or prefixes can hold too many different counts.

    Source: Zehlike et al. 2022, "Fair Top-k Ranking with multiple protected groups".

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> made = candidates_of([[9, 8, 7, 6, 5, 4, 3]], [list("mmmmmab")])
    >>> method = MultinomialFAStarIR("m", {"a": 0.3, "b": 0.3, "m": 0.4})
    >>> found = method.rerank(made, 6)
    >>> found.order.tolist(), found.certificate.violated.tolist()
    ([[0, 1, 2, 5, 6, 3]], [0])

    """

    unprotected: Label
    targets: Targets
    alpha: float = 0.1
    adjusted: bool = True

    def __post_init__(self) -> None:
        """Refuse parameters that are no test."""
        problems = []
        if not is_share(self.alpha):
            what = f"{self.alpha!r} is not between 0 and 1."
            hint = "It is the chance of a false alarm, such as 0.1."
            problems.append(Problem("multinomial FA*IR, alpha", what, hint))
        if isinstance(self.targets, str):
            what = f"'{self.targets}' is none: the test of every request would be another."
            hint = "Give the share of each group."
            problems.append(Problem("multinomial FA*IR, targets", what, hint))
        elif not self.targets.get(self.unprotected, 1.0) > 0:
            what = f"that of {self.unprotected!r} is 0, and then no ranking is likely enough."
            problems.append(Problem("multinomial FA*IR, targets", what, "Protect the others less."))
        if problems:
            raise RoleError(problems)

    def test(self, candidates: Candidates, k: int) -> MultinomialTest:
        """Return the test of k slots; its groups are the protected ones in the order of names.

        Raises:
            RoleError: There is no such group, targets are not those of the groups, or prefixes can
                hold too many different counts.

        """
        check_slots(k)
        protected = self._protected(candidates)
        targets = {} if isinstance(self.targets, str) else self.targets
        shares = shares_of(targets, candidates.names)[protected]
        if (many := counts_of(k, len(protected))) > MOST_COUNTS:
            what = (
                f"prefixes of {k:,} slots hold {len(protected)} protected groups in {many:,} "
                f"ways, and {MOST_COUNTS:,} can be tested."
            )
            hint = "Ask for fewer slots, or join groups; det_relaxed takes any number."
            raise RoleError(Problem("multinomial FA*IR, k", what, hint))
        return multinomial_test(
            tuple(shares.tolist()), float(self.alpha), int(k), adjusted=self.adjusted
        )

    def rerank(self, candidates: Candidates, k: int) -> Reranked:
        """Return the best orders that pass the test.

        Args:
            candidates: Of n requests.
            k: Number of slots, which is also the number of prefixes that are tested.

        """
        test = self.test(candidates, k)
        protected = self._protected(candidates)
        order, best = candidates.best(k), candidates.best(k)
        by_score = _failed(candidates, best, test, protected).sum(axis=1) == 0
        hard = np.flatnonzero(~by_score)
        for rows in blocks(len(hard), _entries(test)):
            some = hard[rows]
            block = Candidates(candidates.scores[some], candidates.groups[some], candidates.names)
            slots = _Slots(block, test, protected)
            order[some] = picked_by(block, k, slots.picks).picked
        failed = _failed(candidates, order, test, protected)
        return Reranked(
            order,
            Certificate(
                self._guarantee(candidates, test, k),
                failed.sum(axis=1),
                utility(candidates, order),
                utility(candidates, best),
                TOP_K,
                _reasons(candidates, order, failed, protected),
            ),
        )

    def _protected(self, candidates: Candidates) -> Places:
        if self.unprotected not in candidates.names:
            what = f"there is no group {self.unprotected!r}."
            hint = f"There are {', '.join(map(repr, candidates.names)) or 'none'}."
            raise RoleError(Problem("multinomial FA*IR, unprotected", what, hint))
        if len(candidates.names) == 1:
            what = "there is no other group that could be protected."
            raise RoleError(Problem("multinomial FA*IR, unprotected", what))
        return np.flatnonzero([name != self.unprotected for name in candidates.names])

    def _guarantee(self, candidates: Candidates, test: MultinomialTest, k: int) -> str:
        names = [candidates.names[place] for place in self._protected(candidates)]
        shares = ", ".join(f"{n!r} {p:.6g}" for n, p in zip(names, test.p, strict=True))
        level = f"alpha_c = {test.level:.6g}" + ("" if self.adjusted else ", not adjusted")
        return (
            f"every prefix of the first {k} passes the multinomial ranked group fairness test, "
            f"p = {shares}, alpha = {self.alpha:g}, {level}; a ranking by the throw of a die fails "
            f"with probability {test.failure:.6g}; of the orders in which fewest fail none has a "
            "larger utility"
        )


def _entries(test: MultinomialTest) -> int:
    """Return how many numbers a request takes at once."""
    return 4 * (len(test.p) + 1) * len(test.lattice.counts) + sum(map(len, test.fails)) // 8


@dataclass(frozen=True)
class _Slots:
    """Slots of requests that are filled with the best orders of all.

    Attributes:
        candidates: The requests.
        test: Of prefixes.
        protected: The places of its groups.

    """

    candidates: Candidates
    test: MultinomialTest
    protected: Places

    def picks(self, queue: Queue) -> Places:
        """Return which candidate stands in each slot, counted from 0 by score, (n, min(k, m))."""
        width = min(len(self.test.fails), queue.order.shape[1])
        lines = self._lines(queue, width)
        weights, room = _weights(queue, width), queue.slots(width)
        choices = self._choices(lines, weights, room)
        n = len(queue.order)
        every, state = np.arange(n), np.zeros(n, np.int64)
        held = np.zeros((len(lines.rank), n), np.int64)
        found = np.zeros((width, n), np.int64)
        more = self._more()
        for slot, choice in enumerate(choices):
            taken = choice[state, every]
            nth = np.minimum(held[taken, every], width - 1)
            found[slot] = lines.rank[taken, nth, every]
            held[taken, every] += 1
            state = more[state, taken]
        return found.T

    def _more(self) -> Places:
        """Return the row of counts after one more of each protected group, or of the other."""
        lattice = self.test.lattice
        return np.column_stack([lattice.more, np.arange(len(lattice.counts))])

    def _lines(self, queue: Queue, width: int) -> _Lines:
        """Return the best `width` of each group, the unprotected one last."""
        known = queue.known_groups
        kept = along(self.candidates.scores, queue.order)
        if not queue.all_known:
            kept = along(kept, np.argsort(queue.groups == UNKNOWN, axis=1, kind="stable"))
        (other,) = {*range(len(self.candidates.names))} - {*self.protected.tolist()}
        ranks, scores, there = [], [], []
        for group in (*self.protected.tolist(), other):
            own = known == group
            rank = np.argsort(~own, axis=1, kind="stable")[:, :width]
            ranks.append(rank.T)
            scores.append(np.nan_to_num(along(kept, rank)).T)
            there.append((np.arange(width) < own.sum(axis=1)[:, None]).T)
        return _Lines(np.array(ranks), np.array(scores), np.array(there))

    def _choices(self, lines: _Lines, weights: Floats, room: Places) -> list[NDArray[np.int8]]:
        """Return for each slot and all counts before it which group comes next, (S, n) each.

        From the last slot up: of the groups that have one left those after which fewest prefixes
        fail, of those the ones that are worth most, and of those the best candidate.
        """
        lattice, fails = self.test.lattice, self.test.fails
        more = self._more()
        width, n = weights.shape[0], weights.shape[1]
        worth = np.zeros((lattice.sizes[width], n))
        failed = np.zeros(worth.shape, np.int32)
        found = []
        for slot in range(width - 1, -1, -1):
            rows = lattice.sizes[slot]
            counts = lattice.counts[:rows]
            nth = np.column_stack([counts, slot - counts.sum(axis=1)]).T
            after = more[:rows].T
            some = np.arange(len(nth))[:, None]
            there = lines.there[some, nth]
            lost = failed[after] + fails[slot][after][:, :, None]
            lost[~there] = _IMPOSSIBLE
            value = weights[slot] * lines.scores[some, nth] + worth[after]
            fewest = lost.min(axis=0)
            value[lost > fewest] = -np.inf
            most = value.max(axis=0)
            near = value >= most - _ROUNDING * abs(most)
            choice = np.where(near, lines.rank[some, nth], _IMPOSSIBLE).argmin(axis=0)
            found.append(choice.astype(np.int8))
            # A slot that no candidate of known group holds is no prefix.
            filled = slot < room
            worth = np.where(filled, most, 0.0)
            failed = np.where(filled, fewest, 0).astype(np.int32)
        return found[::-1]


@dataclass(frozen=True)
class _Lines:
    """The candidates of each group in a line, best first.

    Attributes:
        rank: Counted from 0 among those of known group, shape (groups, width, n).
        scores: Shape (groups, width, n).
        there: Whether there is one, shape (groups, width, n).

    """

    rank: Places
    scores: Floats
    there: NDArray[np.bool_]


def _weights(queue: Queue, width: int) -> Floats:
    """Return the weights of the slots that candidates of known group hold, shape (width, n)."""
    every = discounts(width)
    if queue.all_known:
        return np.broadcast_to(every[:, None], (width, len(queue.order)))
    known = queue.groups[:, :width] != UNKNOWN
    return every[np.argsort(~known, axis=1, kind="stable")].T


def _failed(
    candidates: Candidates, order: Places, test: MultinomialTest, protected: Places
) -> NDArray[np.bool_]:
    """Return whether the prefix that ends with each slot fails, shape (n, k), from orders alone."""
    shown = candidates.groups_at(order)
    column = np.full(len(candidates.names) + 1, len(protected))
    column[protected] = np.arange(len(protected))
    lattice = test.lattice
    more = np.column_stack([lattice.more, np.arange(len(lattice.counts))])
    state, size = np.zeros(len(order), np.int64), np.zeros(len(order), np.int64)
    found = np.zeros(order.shape, bool)
    # What is too little for one prefix is so for longer ones.
    first = np.full(len(lattice.counts), len(test.fails) + 1)
    for prefix in range(len(test.fails), 0, -1):
        fail = test.fails[prefix - 1]
        first[: len(fail)][fail] = prefix
    for slot in range(order.shape[1]):
        known = shown[:, slot] != UNKNOWN
        state = np.where(known, more[state, column[shown[:, slot]]], state)
        size += known
        found[:, slot] = known & (size >= first[state])
    return found


def _reasons(
    candidates: Candidates, order: Places, failed: NDArray[np.bool_], protected: Places
) -> dict[int, str]:
    """Return which prefix fails first and what it holds, by request."""
    shown = candidates.groups_at(order)
    found = {}
    for row in np.flatnonzero(failed.any(axis=1)).tolist():
        last = int(failed[row].argmax()) + 1
        held = [
            f"{int((shown[row, :last] == place).sum())} of {candidates.names[place]!r}"
            for place in protected.tolist()
        ]
        size = int((shown[row, :last] != UNKNOWN).sum())
        groups = candidates.groups[row, : candidates.sizes[row]]
        out = [
            repr(candidates.names[place])
            for place in protected.tolist()
            if (groups == place).sum() == (shown[row, :last] == place).sum()
        ]
        why = f"; there are no more of {', '.join(out)}" if out else ""
        found[row] = f"the first {size} hold {', '.join(held)}, which is too few{why}"
    return found


_IMPOSSIBLE = 1 << 30
_ROUNDING = 1e-12
"""Sums of scores closer than this, relatively, are one: among them the best candidate is first."""
