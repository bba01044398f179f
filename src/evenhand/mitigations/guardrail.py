"""The guardrail of an online controller: how much of a correction each request can afford.

A controller adds a correction to the scores of a group. Each request is to keep a share of the
utility of its order by score, and is given the largest factor of the correction, to 1e-4, that does
so; without one, or where it does not bind, the factor is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import Candidates, Floats, Places, check_slots
from evenhand.mitigations.certificate import TOP_K, Certificate, utility
from evenhand.mitigations.controller import State
from evenhand.mitigations.correction import Corrected


@dataclass(frozen=True)
class GuardedCertificate(Certificate):
    """What holds of each request, and how much of the correction it was given.

    `violated` is 1 where a request keeps less of its utility than was promised.

    Attributes:
        state: What the orders were made from: sums over the requests before these.
        factor: Share of the correction that was applied, in [0, 1], shape (n,).

    """

    state: State
    factor: Floats

    @property
    def guarded(self) -> NDArray[np.bool_]:
        """Whether the guardrail held the correction back, shape (n,)."""
        found: NDArray[np.bool_] = self.factor < 1
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return it in sum, as JSON: no request by itself."""
        count = len(self.factor)
        return {
            **super().to_dict(),
            "requests_before": self.state.requests,
            "lost": float(self.lost.mean()) if count else None,
            "guarded": float(self.guarded.mean()) if count else None,
        }


@dataclass(frozen=True)
class Guarded:
    """Orders of n requests by score plus what the guardrail leaves of a correction.

    Attributes:
        order: Places of candidates, best slot first, shape (n, k); `NOBODY` where there are no
            more.
        factor: Share of the correction that was applied, in [0, 1], shape (n,).
        utility: Discounted sum of the scores shown, shape (n,).
        best: The same of the order by score, shape (n,).
        violated: 1 where less than the promised share of it is kept, else 0, shape (n,).

    """

    order: Places
    factor: Floats
    utility: Floats
    best: Floats
    violated: Places


def unfit_share(keep: float, owner: str) -> list[Problem]:
    """Return what is wrong with the share of utility that a controller is to keep."""
    if 0 <= keep <= 1:
        return []
    return [Problem(f"keep of {owner}", f"{keep} is no share from 0 to 1.")]


def promise(keep: float) -> str:
    """Return what is guaranteed of each request, in words."""
    return f"utility of at least {keep:g} of the {TOP_K}"


def guarded(candidates: Candidates, k: int, correction: Floats, keep: float) -> Guarded:
    """Return orders by score plus the largest factor of a correction that keeps enough utility.

    Ties are kept in order of score, and where that ties too as they were given.

    Args:
        candidates: Of n requests.
        k: Number of slots.
        correction: What is added by group, shape (G,), in scores; nothing for candidates without a
            group.
        keep: Share of the utility of the order by score, sum_j s_j / log2(1 + j), that each request
            keeps, in [0, 1]; 0 for no guardrail.

    Raises:
        RoleError: k is no number of slots, or some scores are negative, of which the guardrail can
            take no shares.

    """
    check_slots(k)
    if keep > 0 and (candidates.scores < 0).any():
        what = "some are negative, and a share of a negative utility is none."
        hint = "Shift the scores, or set keep=0."
        raise RoleError(Problem("candidates, score", what, hint))
    # One more for candidates without a group, whose code is -1.
    field = Corrected.of(candidates, k, np.append(correction, 0.0))
    factor = field.largest_factor(keep)
    order = candidates.cut(field.ranked(factor), k)
    shown, most = utility(candidates, order), utility(candidates, candidates.cut(field.place, k))
    violated = (shown < keep * most - _ROUNDING * np.abs(most)).astype(np.int64)
    if not keep:
        violated[:] = 0
    return Guarded(order, factor, shown, most, violated)


_ROUNDING = 1e-9
