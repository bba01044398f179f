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

Where a guardrail binds, prices count by a factor f below 1. That order is the best by u + f r, r
what it raises by prices, among all; so any mixture of orders that keeps the floor of u too has at
most (1 / f - 1) (u - floor) more of u + r: multiply by f and use that its u is no less than the
floor. Nor has it more than the most of u and the most of r together. The less of both is the
request's shortfall, and its mean over all requests adds to the regret against policies that keep
the guardrail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import Candidates, Floats, Label, Places, shares_of
from evenhand.mitigations.certificate import TOP_K, Reranked, discounts
from evenhand.mitigations.guardrail import (
    Guarded,
    GuardedCertificate,
    guarded,
    promise,
    unfit_share,
)
from evenhand.mitigations.online import Controller
from evenhand.stats.estimate import Undefined


@dataclass(frozen=True)
class PMMFCertificate(GuardedCertificate):
    """What holds of each request, and how far the whole may be from the best policy.

    Attributes:
        worst: The least share of its target that a group received before these requests.
        bound: Most that the objective is expected to fall short by of the best policy's after these
            requests, less the mean shortfall of all; in scores. Undefined where it is not known how
            many requests saw the same prices, as after states of several servers merged.
        shortfall: What the guardrail may have cost a request against policies that keep it too, in
            scores, shape (n,); 0 where it did not bind.

    """

    worst: float
    bound: float | Undefined
    shortfall: Floats

    def to_dict(self) -> dict[str, Any]:
        """Return it in sum, as JSON: no request by itself."""
        bound = self.bound
        return {
            **super().to_dict(),
            "worst": self.worst,
            "bound": {"undefined": bound.reason} if isinstance(bound, Undefined) else bound,
            "shortfall": float(self.shortfall.mean()) if len(self.shortfall) else None,
        }


@dataclass(frozen=True)
class PMMF(Controller):
    """A controller that lifts the group that received least of its target share.

    What a group received are shares of attention, which add up to 1 for a request whose candidates
    all have groups.

    Attributes:
        weight: lambda, >= 0, in scores for all of its target; 0 leaves the order by score.
        targets: The share of attention that each group is held against, above 0; by default equal.
        step: Of the first step, above 0; None for the one with the least bound on regret. Longer
            steps find the prices sooner where attention is spread over many groups.
        keep: Share of the utility of the order by score, sum_j s_j / log2(1 + j), that each request
            keeps, in [0, 1]. What prices add is multiplied by the largest factor, to 1e-4, that
            keeps it. Scores must not be negative, of which there are no shares.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> from evenhand.mitigations.controller import State
    >>> asked = candidates_of([[0.9, 0.8]], [["a", "b"]])
    >>> controller = PMMF(State.of(["a", "b"]), weight=0.2)
    >>> for _ in range(100):
    ...     controller = controller.after(asked, controller.rerank(asked, 1).order)
    >>> controller.worst > 0.6
    True
    """

    weight: float
    targets: Mapping[Label, float] | None = None
    step: float | None = None
    keep: float = 0.0

    def __post_init__(self) -> None:
        """Refuse parameters that mean nothing."""
        problems = []
        if not (math.isfinite(self.weight) and self.weight >= 0):
            problems.append(Problem("weight of PMMF", f"{self.weight} is no finite number >= 0."))
        if self.step is not None and not (math.isfinite(self.step) and self.step > 0):
            problems.append(Problem("step of PMMF", f"{self.step} is no finite number > 0."))
        problems += unfit_share(self.keep, "PMMF")
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

    @cached_property
    def due(self) -> Floats:
        """The target share of each group, shape (G,)."""
        if self.targets is None:
            return np.full(len(self.state.names), 1 / len(self.state.names))
        return shares_of(self.targets, self.state.names)

    def prices(self) -> Floats:
        """Return w, the price of each group for the next request, >= 0, shape (G,)."""
        due = self.due
        gradient = self.state.total.received / due
        step = self._first() / math.sqrt(self.state.requests + 1)
        return onto_simplex(self.weight * due - step * gradient, self.weight)

    @property
    def worst(self) -> float:
        """The least share of its target that a group received, min_g e_g / target_g; 1 is fair."""
        count = max(self.state.requests, 1)
        return float((self.state.total.received / self.due).min() / count)

    def bound(self, requests: int, *, at_once: int = 1) -> float:
        """Return the most that a request falls short on average, in scores, after so many.

        In expectation over requests that are drawn alike, of the objective, against the best policy
        in hindsight; where a guardrail binds, against the best that keeps it too, and more by the
        mean `shortfall` of certificates.

        Args:
            requests: Number of requests, all of one server, and each batch counted before the next
                is ranked.
            at_once: Most requests that see the same prices, such as the largest batch, >= 1.

        """
        due, step = self.due, self._first()
        if not self.weight or not requests:
            return 0.0 if requests else math.inf
        # Batch b, of n_b <= n requests after s_b others, adds eta_b |g_b|^2 / 2 for
        # eta_b = step / sqrt(s_b + 1) and |g_b| <= n_b / due. Of n_b^2 / sqrt(s_b + 1) take n out:
        # n_b / sqrt(s_b + 1) is above the sum of 1 / sqrt(t) over its requests by no more than
        # (n - 1) (1 / sqrt(s_b + 1) - 1 / sqrt(s_b + n_b)), and those add up to n - 1 at most.
        moved = at_once * (math.sqrt(requests) + (at_once - 1) / 2) / float(due.min()) ** 2
        return (self._reach() * math.sqrt(requests) / (2 * step) + step * moved) / requests

    def rerank(self, candidates: Candidates, k: int) -> Reranked:
        """Return orders of n requests, which all see the present prices.

        Raises:
            RoleError: Candidates have other groups than the state, or negative scores that the
                guardrail cannot take shares of.

        """
        self.state.check(candidates)
        raised = self.prices() / self.due
        found = guarded(candidates, k, raised, self.keep)
        count = self.state.requests + candidates.requests
        before = self.state.at_once
        told = 0 if isinstance(before, Undefined) else before
        at_once = max(candidates.requests, told, 1)
        bound: float | Undefined = self.bound(count, at_once=at_once)
        if isinstance(before, Undefined) and self.weight:
            bound = before
        certificate = PMMFCertificate(
            guarantee=self._guarantee(count, at_once, bound),
            violated=found.violated,
            utility=found.utility,
            best=found.best,
            against=TOP_K,
            reasons={},
            state=self.state,
            factor=found.factor,
            worst=self.worst,
            bound=bound,
            shortfall=_shortfall(candidates, found, raised, self.keep),
        )
        return Reranked(found.order, certificate)

    def after(self, candidates: Candidates, order: Places) -> Self:
        """Return the controller after n requests were shown, counted under its server's name.

        Raises:
            RoleError: Candidates have other groups than the state, or the order is not of these
                requests.

        """
        self.check(candidates, order)
        attention = discounts(order.shape[1])
        shown = candidates.groups_at(order)
        received = self.by_group(shown, np.broadcast_to(attention / attention.sum(), shown.shape))
        return self.counting(received, np.zeros(len(received)), len(order))

    def _guarantee(self, requests: int, at_once: int, bound: float | Undefined) -> str:
        """Return what is guaranteed, in words."""
        kept, policy = "", "of the best policy"
        if self.keep:
            kept = f"{promise(self.keep)}; "
            policy = f"and the mean shortfall of all requests {policy} that keeps that too"
        if isinstance(bound, Undefined):
            return (
                f"{kept}how far mean score plus {self.weight:g} times the worst group's share of "
                f"its target is from the best policy's has no bound: {bound.reason}"
            )
        batches = "one at a time" if at_once == 1 else f"at most {at_once} at a time"
        return (
            f"{kept}after {requests} requests, {batches}, mean score plus {self.weight:g} times "
            f"the worst group's share of its target is expected within {bound:.3g} {policy}, "
            "if requests are drawn alike, and counted before the next are ranked"
        )

    def _reach(self) -> float:
        """Return the largest squared distance from the first prices to any."""
        due = self.due
        return self.weight**2 * float(1 - 2 * due.min() + due @ due)

    def _first(self) -> float:
        """Return the length of the first step."""
        if self.step is not None:
            return self.step
        return math.sqrt(self._reach() / 2) * float(self.due.min())


def _shortfall(candidates: Candidates, found: Guarded, raised: Floats, keep: float) -> Floats:
    """Return what the guardrail may have cost each request, in scores, shape (n,)."""
    shortfall = np.zeros(candidates.requests)
    bound = np.flatnonzero(found.factor < 1)
    if not len(bound):
        return shortfall
    factor, shown = found.factor[bound], found.utility[bound]
    over = np.maximum(shown - keep * found.best[bound], 0.0)
    attention = discounts(found.order.shape[1])
    by_code = np.append(raised, 0.0)
    # Prices are not negative, so that nobody adds no more than anybody.
    there = ~np.isnan(candidates.scores[bound])
    most = -np.sort(-by_code[candidates.groups[bound]] * there, axis=1)[:, : len(attention)]
    got = by_code[candidates.groups_at(found.order)[bound]]
    apart = most @ attention[: most.shape[1]] - got @ attention + found.best[bound] - shown
    by_factor = np.full(len(bound), np.inf)
    np.divide((1 - factor) * over, factor, out=by_factor, where=factor > 0)
    shortfall[bound] = np.minimum(by_factor, apart) / attention.sum()
    return shortfall


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
