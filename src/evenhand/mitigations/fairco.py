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
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem, RoleError, listed
from evenhand.mitigations.candidates import NOBODY, UNKNOWN, Candidates, Floats, Places
from evenhand.mitigations.certificate import TOP_K, Reranked, discounts
from evenhand.mitigations.guardrail import GuardedCertificate, guarded, promise, unfit_share
from evenhand.mitigations.online import Controller
from evenhand.stats.estimate import Undefined


@dataclass(frozen=True)
class FairCoCertificate(GuardedCertificate):
    """What holds of each request, and how far the groups are apart so far.

    Attributes:
        capped: Whether the correction of some candidate of the request was capped, shape (n,).

    """

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

        def told(value: float | Undefined) -> float | dict[str, str]:
            return {"undefined": value.reason} if isinstance(value, Undefined) else value

        return {
            **super().to_dict(),
            "disparity": told(self.disparity),
            "gap": told(self.gap),
            "capped": float(self.capped.mean()) if len(self.capped) else None,
        }


@dataclass(frozen=True)
class FairCo(Controller):
    """A controller that makes groups receive exposure, or clicks, in proportion to their merit.

    Attributes:
        gain: lambda, >= 0, in scores per unit of error; 0 leaves the order by score.
        cap: Most that is added to a score, >= 0; infinite by default.
        keep: Share of the utility of the order by score, sum_j s_j / log2(1 + j), that each request
            keeps, in [0, 1]. The correction is multiplied by the largest factor, to 1e-4, that
            keeps it. Scores must not be negative, of which there are no shares.
        of: What is made proportional to merit: ``exposure``, or the ``clicks`` that came of it.
        examined: P(a slot is examined) from the first slot on, each in (0, 1] and none above the
            one before; empty for 1 / log2(1 + j).

    """

    gain: float = 0.01
    cap: float = math.inf
    keep: float = 0.0
    of: Literal["exposure", "clicks"] = "exposure"
    examined: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse parameters that mean nothing."""
        problems = []
        if not (math.isfinite(self.gain) and self.gain >= 0):
            problems.append(Problem("gain of FairCo", f"{self.gain} is no finite number >= 0."))
        if not self.cap >= 0:
            problems.append(Problem("cap of FairCo", f"{self.cap} is no number >= 0."))
        problems += unfit_share(self.keep, "FairCo")
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
        wanted = self.gain * self.state.errors()
        found = guarded(candidates, k, np.minimum(wanted, self.cap), self.keep)
        over = np.append(wanted > self.cap, False)
        capped: NDArray[np.bool_] = np.any(over[_groups(candidates)], axis=1)
        lacking = self.state.without_merit if self.state.requests else ()
        # Once for all requests: the reason is the state's.
        reason = f"no correction for {listed(map(repr, lacking[:_SHOWN]))}: no merit so far"
        certificate = FairCoCertificate(
            guarantee=promise(self.keep),
            violated=found.violated,
            utility=found.utility,
            best=found.best,
            against=TOP_K,
            reasons={0: reason} if lacking and candidates.requests else {},
            state=self.state,
            factor=found.factor,
            capped=capped,
        )
        return Reranked(found.order, certificate)

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
        self.check(candidates, order)
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
            merits = self.by_group(_groups(candidates), merit)
        else:
            seen = exposed
            if propensity is not None:
                seen = np.take_along_axis(propensity, np.maximum(order, 0), axis=1)
            merits = self.by_group(shown, clicked / seen)
        received = self.by_group(shown, exposed if self.of == "exposure" else clicked)
        return self.counting(received, merits, len(order))


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
    there, filled = ~np.isnan(candidates.scores), order != NOBODY
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


_SHOWN = 10
