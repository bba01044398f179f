"""FairCo: groups that received too little for their merit are ranked higher, until they caught up.

The proportional controller of Morik, Singh, Hong and Joachims (Controlling Fairness and Bias in
Dynamic Learning-to-Rank, SIGIR 2020): a candidate d of group g is ranked by

    s_d + lambda * err_t(d),    err_t(d) = (t - 1) * max_j (q_j - q_g),

where q_g is what the group received per merit over the t - 1 requests before. The correction is 0
for the best-treated group, so nobody is pushed down but by others who rise. Two limits are ours: a
cap on the correction, and a share of each request's utility that is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem, RoleError, listed
from evenhand.mitigations.candidates import NOBODY, UNKNOWN, Candidates, Floats, Places
from evenhand.mitigations.certificate import TOP_K, Certificate, Reranked, discounts, utility
from evenhand.mitigations.controller import State, Sums
from evenhand.mitigations.correction import Corrected
from evenhand.stats.estimate import Undefined


@dataclass(frozen=True)
class FairCoCertificate(Certificate):
    """What holds of each request, and how far the groups are apart so far.

    `violated` is 1 where a request keeps less of its utility than was promised.

    Attributes:
        state: What the orders were made from: sums over the requests before these.
        factor: Share of the correction that was applied, in [0, 1], shape (n,).
        guarded: Whether the guardrail held the correction back, shape (n,).
        capped: Whether the correction of some candidate of the request was capped, shape (n,).

    """

    state: State
    factor: Floats
    guarded: NDArray[np.bool_]
    capped: NDArray[np.bool_]

    @property
    def disparity(self) -> float | Undefined:
        """Mean of abs(q_i - q_j) over pairs of groups before these requests."""
        return self.state.disparity()

    @property
    def gap(self) -> float | Undefined:
        """Largest less smallest q_g before these requests."""
        return self.state.gap()

    def to_dict(self) -> dict[str, Any]:
        """Return it in sum, as JSON: no request by itself."""
        count = len(self.factor)

        def told(value: float | Undefined) -> float | dict[str, str]:
            return {"undefined": value.reason} if isinstance(value, Undefined) else value

        return {
            **super().to_dict(),
            "requests_before": self.state.requests,
            "disparity": told(self.disparity),
            "gap": told(self.gap),
            "lost": float(self.lost.mean()) if count else None,
            "guarded": float(self.guarded.mean()) if count else None,
            "capped": float(self.capped.mean()) if count else None,
        }


@dataclass(frozen=True)
class FairCo:
    """A controller that makes groups receive exposure, or clicks, in proportion to their merit.

    A value: `after` returns the controller that saw more, and keeping an older one is all that a
    rollback needs. Candidates without a group are ranked by score alone, and count towards no one.

    Attributes:
        state: What every server's requests received and merited.
        gain: lambda, >= 0, in scores per unit of error; 0 leaves the order by score.
        cap: Most that is added to a score, >= 0; infinite by default.
        keep: Share of the utility of the order by score, sum_j s_j / log2(1 + j), that each request
            keeps, in [0, 1]. The correction is multiplied by the largest factor, to 1e-4, that
            keeps it. Scores must not be negative, of which there are no shares.
        of: What is made proportional to merit: ``exposure``, or the ``clicks`` that came of it.
        examined: P(a slot is examined) from the first slot on, each in (0, 1] and none above the
            one before; empty for 1 / log2(1 + j).
        server: The name under which this server's requests are counted.

    """

    state: State
    gain: float = 0.01
    cap: float = math.inf
    keep: float = 0.0
    of: Literal["exposure", "clicks"] = "exposure"
    examined: tuple[float, ...] = ()
    server: str = "server"

    def __post_init__(self) -> None:
        """Refuse parameters that mean nothing."""
        problems = []
        if not (math.isfinite(self.gain) and self.gain >= 0):
            problems.append(Problem("gain of FairCo", f"{self.gain} is no finite number >= 0."))
        if not self.cap >= 0:
            problems.append(Problem("cap of FairCo", f"{self.cap} is no number >= 0."))
        if not 0 <= self.keep <= 1:
            problems.append(Problem("keep of FairCo", f"{self.keep} is no share from 0 to 1."))
        if self.of not in ("exposure", "clicks"):
            problems.append(Problem("of of FairCo", f"{self.of!r} is not exposure or clicks."))
        seen = np.array(self.examined)
        if not ((seen > 0) & (seen <= 1)).all() or (seen[1:] > seen[:-1]).any():
            what = "probabilities are above 0, at most 1, and none is above the one before."
            problems.append(Problem("examined of FairCo", what))
        if problems:
            raise RoleError(problems)

    def slots(self, k: int) -> Floats:
        """Return P(a slot is examined) of the first k slots, shape (k,).

        Raises:
            RoleError: There are fewer in `examined`.

        """
        if not self.examined:
            return discounts(k)
        if len(self.examined) < k:
            what = f"it names {len(self.examined)} slots, and {k} are to be filled."
            raise RoleError(Problem("examined of FairCo", what))
        return np.array(self.examined[:k])

    def rerank(self, candidates: Candidates, k: int) -> Reranked:
        """Return orders of n requests, which all see the present state.

        Raises:
            RoleError: Candidates have other groups than the state, or negative scores that the
                guardrail cannot take shares of.

        """
        self.state.check(candidates)
        if self.keep > 0 and (candidates.scores < 0).any():
            what = "some are negative, and a share of a negative utility is none."
            hint = "Shift the scores, or set keep=0."
            raise RoleError(Problem("candidates, score", what, hint))
        wanted = self.gain * self.state.errors()
        # One more for candidates without a group, whose code is -1.
        correction = np.append(np.minimum(wanted, self.cap), 0.0)
        over = np.append(wanted > self.cap, False)
        field = Corrected.of(candidates, k, correction)
        best = candidates.cut(field.place, k)
        factor = field.largest_factor(self.keep)
        order = candidates.cut(field.ranked(factor), k)
        capped: NDArray[np.bool_] = np.any(over[_groups(candidates)], axis=1)
        return Reranked(order, self._certificate(candidates, order, best, factor, capped))

    def _certificate(
        self,
        candidates: Candidates,
        order: Places,
        best: Places,
        factor: Floats,
        capped: NDArray[np.bool_],
    ) -> FairCoCertificate:
        shown, most = utility(candidates, order), utility(candidates, best)
        violated = (shown < self.keep * most - _ROUNDING * np.abs(most)).astype(np.int64)
        if not self.keep:
            violated[:] = 0
        lacking = self.state.without_merit if self.state.requests else ()
        # Once for all requests: the reason is the state's.
        reason = f"no correction for {listed(map(repr, lacking[:_SHOWN]))}: no merit so far"
        return FairCoCertificate(
            guarantee=f"utility of at least {self.keep:g} of the {TOP_K}",
            violated=violated,
            utility=shown,
            best=most,
            against=TOP_K,
            reasons={0: reason} if lacking and len(order) else {},
            state=self.state,
            factor=factor,
            guarded=factor < 1,
            capped=capped,
        )

    def after(
        self,
        candidates: Candidates,
        order: Places,
        *,
        merit: Floats | None = None,
        clicks: Floats | None = None,
        propensity: Floats | None = None,
    ) -> Self:
        """Return the controller after n requests were shown, counted under its server's name.

        Args:
            candidates: The candidates of the requests.
            order: What was shown, shape (n, k).
            merit: Merit of each candidate, >= 0, shape (n, m); None to estimate it from clicks,
                each weighed by 1 / P(the candidate is examined), which is unbiased where every
                candidate can be examined.
            clicks: Clicks by slot, >= 0, shape (n, k); needed where no merit is given, and for
                ``of="clicks"``.
            propensity: P(a candidate is examined) over the policy's chance and the slots, in
                (0, 1], shape (n, m); by default what its slot has.

        Raises:
            RoleError: Shapes do not fit, numbers are no merits, clicks or probabilities, or a
                candidate's merit is to be estimated that could not be examined.

        """
        self.state.check(candidates)
        problems = _misfits(candidates, order, merit, clicks, propensity)
        if clicks is None and self.of == "clicks":
            problems.append(Problem("clicks", "there are none, and clicks are what is counted."))
        if clicks is None and merit is None:
            what = "there is none, and no clicks to estimate it from."
            problems.append(Problem("merit", what, "Give merit=, or clicks=."))
        filled = order != NOBODY
        if merit is None and propensity is None and (filled.sum(axis=1) < candidates.sizes).any():
            what = "candidates that were not shown cannot be clicked, so clicks do not tell theirs."
            hint = "Give merit=, or propensity= under a policy that can show every candidate."
            problems.append(Problem("merit", what, hint))
        if problems:
            raise RoleError(problems)
        shown = candidates.groups_at(order)
        exposed = np.broadcast_to(self.slots(order.shape[1]), order.shape)
        clicked = np.zeros(order.shape) if clicks is None else clicks
        if merit is not None:
            merits = self._by_group(_groups(candidates), merit)
        else:
            seen = exposed
            if propensity is not None:
                seen = np.take_along_axis(propensity, np.maximum(order, 0), axis=1)
            merits = self._by_group(shown, clicked / seen)
        sums = Sums(
            self._by_group(shown, exposed if self.of == "exposure" else clicked),
            merits,
            len(order),
        )
        return replace(self, state=self.state.added(self.server, sums))

    def _by_group(self, groups: Places, values: Floats) -> Floats:
        """Return the sum of each group's values, shape (groups,); none for `UNKNOWN`."""
        mine = groups != UNKNOWN
        count = len(self.state.names)
        found = np.bincount(groups[mine], weights=values[mine], minlength=count)
        return found.astype(np.float64)

    def merge(self, *others: State) -> Self:
        """Return the controller that knows what other servers' states know."""
        state = self.state
        for other in others:
            state = state.merge(other)
        return replace(self, state=state)

    def rollback(self, state: State) -> Self:
        """Return the controller with an earlier state, such as of a snapshot."""
        return replace(self, state=state)


def _groups(candidates: Candidates) -> Places:
    """Return the candidates' groups, `UNKNOWN` where there is no candidate, shape (n, m)."""
    return np.where(np.isnan(candidates.scores), UNKNOWN, candidates.groups)


def _misfits(
    candidates: Candidates,
    order: Places,
    merit: Floats | None,
    clicks: Floats | None,
    propensity: Floats | None,
) -> list[Problem]:
    """Return what is wrong with the shapes and values of feedback."""
    problems = []
    there = ~np.isnan(candidates.scores)
    if order.ndim != 2 or len(order) != candidates.requests:  # noqa: PLR2004 - requests x slots
        what = f"it is of shape {order.shape}, and there are {candidates.requests} requests."
        return [Problem("order", what)]
    filled = order != NOBODY
    if ((order < NOBODY) | (order >= candidates.sizes[:, None])).any():
        return [Problem("order", "it has places that no candidate holds.")]
    placed = np.sort(order, axis=1)
    if ((placed[:, 1:] == placed[:, :-1]) & (placed[:, 1:] != NOBODY)).any():
        problems.append(Problem("order", "it shows a candidate twice."))
    for name, values, where, shape in (
        ("merit", merit, there, candidates.scores.shape),
        ("clicks", clicks, filled, order.shape),
        ("propensity", propensity, there, candidates.scores.shape),
    ):
        if values is None:
            continue
        if values.shape != shape:
            problems.append(Problem(name, f"it is of shape {values.shape}, and not {shape}."))
        elif name == "propensity" and not ((values > 0) & (values <= 1))[where].all():
            what = "some are not above 0 and at most 1."
            hint = "A candidate that is never examined cannot be estimated: give merit=."
            problems.append(Problem(name, what, hint))
        elif not (np.isfinite(values) & (values >= 0))[where].all():
            problems.append(Problem(name, "some are negative, infinite or missing."))
    return problems


_ROUNDING = 1e-9
_SHOWN = 10
