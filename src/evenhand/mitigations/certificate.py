"""What a re-ranker guarantees, whether it was kept, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.mitigations.candidates import NOBODY, Candidates, Floats, Places


@dataclass(frozen=True)
class Certificate:
    """What is guaranteed of the orders of n requests.

    Attributes:
        guarantee: What is guaranteed, in words, with its numbers.
        violated: How many prefixes of each request break it, shape (n,); 0 where it is kept.
        utility: Discounted sum of the scores shown, sum_j score_j / log2(1 + j), shape (n,).
        best: The same of the best order, shape (n,).
        against: What that best order is: ``top-k by score``, or ``the optimum under the same
            minima``.
        reasons: Why it could not be kept, by request, such as ``3 of 5 of group 'f'``; only where
            it was not.

    """

    guarantee: str
    violated: Places
    utility: Floats
    best: Floats
    against: str
    reasons: dict[int, str]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether the guarantee is kept in each request, shape (n,)."""
        found: NDArray[np.bool_] = self.violated == 0
        return found

    @property
    def lost(self) -> Floats:
        """The utility that was given up, best - utility, shape (n,), in units of scores."""
        found: Floats = self.best - self.utility
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return it in sum, as JSON: no request by itself."""
        count = len(self.violated)
        return {
            "guarantee": self.guarantee,
            "requests": count,
            "kept": int(self.kept.sum()),
            "violated_prefixes": int(self.violated.sum()),
            "utility": float(self.utility.mean()) if count else None,
            "best": float(self.best.mean()) if count else None,
            "against": self.against,
            "reasons": sorted({*self.reasons.values()})[:_SHOWN],
        }


_SHOWN = 20
"""Different reasons that are told."""

TOP_K = "top-k by score"


@dataclass(frozen=True)
class Reranked:
    """New orders of n requests.

    Attributes:
        order: Places of candidates, best slot first, shape (n, k); `NOBODY` where there are no
            more.
        certificate: What is guaranteed of them.

    """

    order: Places
    certificate: Certificate


def discounts(k: int) -> Floats:
    """Return 1 / log2(1 + j) for the slots j from 1 to k, shape (k,)."""
    return 1 / np.log2(np.arange(2, k + 2))


def utility(candidates: Candidates, order: Places) -> Floats:
    """Return the discounted sum of the scores shown, shape (n,); empty slots add nothing."""
    shown = candidates.scores_at(order) * (order != NOBODY)
    found: Floats = shown @ discounts(order.shape[1])
    return found
