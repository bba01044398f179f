"""P-MMF: the group that is worst off gets more, request by request, at a known price in regret.

Provider max-min fairness, online. Over requests t = 1..T it maximises

    (1 / T) sum_t u_t + weight * min_g e_g / target_g

where u_t is the mean score that request t is shown, weighted by 1 / log2(1 + j), and e_g the mean
share of attention that went to group g. In the dual each group has a price w_g >= 0, of weight in
sum, and a candidate of group g is ranked by its score + w_g / target_g. The best prices fall on the
groups that are worst off.

Xu et al. 2023 (P-MMF: Provider Max-min Fairness Re-ranking in Recommender System) find them by
mirror descent. Ours take the step from the first prices along the sum of all gradients, not from
the last (dual averaging, Nesterov 2009): the regret is of the same order, and prices follow from
what groups received in sum, so that states of servers merge. No group's exposure is capped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import UNKNOWN, Candidates, Floats, Label, Places, shares_of
from evenhand.mitigations.certificate import TOP_K, Certificate, Reranked, discounts, utility
from evenhand.mitigations.controller import State, Sums
from evenhand.mitigations.top import top


@dataclass(frozen=True)
class PMMF:
    """A controller that lifts the group that received least of its target share.

    A value: `after` returns the controller that saw more, and an older one is a rollback.
    Candidates without a group are ranked by score alone, and count towards no one.

    Attributes:
        state: What every server's groups received: shares of attention, which add up to 1 for a
            request whose candidates all have groups.
        weight: lambda, >= 0, in scores for all of its target; 0 leaves the order by score.
        targets: The share of attention that each group is held against, above 0; by default equal.
        step: Of the first step, above 0; None for the one with the least bound on regret. Longer
            steps find the prices sooner where attention is spread over many groups.
        server: The name under which this server's requests are counted.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> asked = candidates_of([[0.9, 0.8]], [["a", "b"]])
    >>> controller = PMMF(State.of(["a", "b"]), weight=0.2)
    >>> for _ in range(100):
    ...     controller = controller.after(asked, controller.rerank(asked, 1).order)
    >>> controller.worst > 0.6
    True
    """

    state: State
    weight: float
    targets: Mapping[Label, float] | None = None
    step: float | None = None
    server: str = "server"

    def __post_init__(self) -> None:
        """Refuse parameters that mean nothing."""
        problems = []
        if not (math.isfinite(self.weight) and self.weight >= 0):
            problems.append(Problem("weight of PMMF", f"{self.weight} is no finite number >= 0."))
        if self.step is not None and not (math.isfinite(self.step) and self.step > 0):
            problems.append(Problem("step of PMMF", f"{self.step} is no finite number > 0."))
        if not self.state.names:
            problems.append(Problem("state of PMMF", "it names no groups."))
        if self.targets is not None:
            nothing = [name for name, share in self.targets.items() if share == 0]
            if nothing:
                what = f"those of {nothing} are 0, and who is due nothing is never worst off."
                problems.append(Problem("targets of PMMF", what))
        if problems:
            raise RoleError(problems)
        if self.targets is not None:
            shares_of(self.targets, self.state.names)

    def due(self) -> Floats:
        """Return the target share of each group, shape (G,)."""
        if self.targets is None:
            return np.full(len(self.state.names), 1 / len(self.state.names))
        return shares_of(self.targets, self.state.names)

    def prices(self) -> Floats:
        """Return w, the price of each group for the next request, >= 0, shape (G,)."""
        due = self.due()
        gradient = self.state.total.received / due
        step = self._first() / math.sqrt(self.state.requests + 1)
        return onto_simplex(self.weight * due - step * gradient, self.weight)

    @property
    def worst(self) -> float:
        """The least share of its target that a group received, min_g e_g / target_g; 1 is fair."""
        count = max(self.state.requests, 1)
        return float((self.state.total.received / self.due()).min() / count)

    def bound(self, requests: int) -> float:
        """Return the most that a request falls short on average, in scores, after so many.

        In expectation over requests that are drawn alike, one after the other, of the objective,
        against the best policy in hindsight.
        """
        due, step = self.due(), self._first()
        if not self.weight or not requests:
            return 0.0 if requests else math.inf
        reach = self._reach()
        # Steps of c / sqrt(t): sum_t 1 / sqrt(t) <= 2 sqrt(T), and gradients are at most 1 / due.
        return (reach / (2 * step) + step / float(due.min()) ** 2) / math.sqrt(requests)

    def rerank(self, candidates: Candidates, k: int) -> Reranked:
        """Return orders of n requests, which all see the present prices.

        Raises:
            RoleError: Candidates have other groups than the state.

        """
        self.state.check(candidates)
        raised = np.append(self.prices() / self.due(), 0.0)  # UNKNOWN, -1, is the last
        values = candidates.scores + raised[candidates.groups]
        values[np.isnan(values)] = -np.inf
        order = top(values, k)
        count = self.state.requests + candidates.requests
        certificate = Certificate(
            guarantee=(
                f"after {count} requests, each before the next, mean score plus {self.weight:g} "
                f"times the worst group's share of its target is expected within "
                f"{self.bound(count):.3g} of the best policy's, if requests are drawn alike"
            ),
            violated=np.zeros(candidates.requests, np.int64),
            utility=utility(candidates, order),
            best=utility(candidates, candidates.best(k)),
            against=TOP_K,
            reasons={},
        )
        return Reranked(order, certificate)

    def after(self, candidates: Candidates, order: Places) -> Self:
        """Return the controller after n requests were shown, counted under its server's name.

        Raises:
            RoleError: Candidates have other groups than the state, or the order is not of these
                requests.

        """
        self.state.check(candidates)
        fits = order.ndim == 2 and len(order) == candidates.requests  # noqa: PLR2004 - n x k
        if not fits or ((order < UNKNOWN) | (order >= candidates.sizes[:, None])).any():
            what = "it has other requests, or places that no candidate holds."
            raise RoleError(Problem("order", what, "Give what `rerank` returned."))
        attention = discounts(order.shape[1])
        shown = candidates.groups_at(order)
        each = np.broadcast_to(attention / attention.sum(), shown.shape)
        received = np.bincount(shown.ravel() + 1, each.ravel(), len(self.state.names) + 1)[1:]
        sums = Sums(received.astype(np.float64), np.zeros(len(received)), len(order))
        return replace(self, state=self.state.added(self.server, sums))

    def merge(self, *others: State) -> Self:
        """Return the controller that knows what other servers' states know."""
        state = self.state
        for other in others:
            state = state.merge(other)
        return replace(self, state=state)

    def rollback(self, state: State) -> Self:
        """Return the controller with an earlier state, such as of a snapshot."""
        return replace(self, state=state)

    def _reach(self) -> float:
        """Return the largest squared distance from the first prices to any."""
        due = self.due()
        return self.weight**2 * float(1 - 2 * due.min() + due @ due)

    def _first(self) -> float:
        """Return the length of the first step."""
        if self.step is not None:
            return self.step
        return math.sqrt(self._reach() / 2) * float(self.due().min())


def onto_simplex(values: Floats, total: float) -> Floats:
    """Return the nearest numbers from 0 that add up to a total, shape (G,).

    In O(G log G) by sorting: the largest ones keep their differences, the rest are 0.

    Source: Held, Wolfe and Crowder 1974; Duchi et al. 2008, figure 1.

    >>> onto_simplex(np.array([1.0, 0.5, -1.0]), 1.0).tolist()
    [0.75, 0.25, 0.0]
    """
    largest = -np.sort(-values)
    excess = (np.cumsum(largest) - total) / np.arange(1, len(values) + 1)
    kept = np.nonzero(largest >= excess)[0][-1]
    found: Floats = np.maximum(values - excess[kept], 0.0)
    return found
