"""Rank-biased precision: the worth that a reader meets who goes on with a fixed probability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.errors import Problem, ValueInLogError
from evenhand.measures.browsing import Rbp
from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import is_number, measure
from evenhand.measures.rankings.hits import ANY, OfShown

_GAINS = ("hit", "linear")


@measure(
    needs=("rank", "relevance"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Moffat and Zobel 2008",
    name="RBP",
)
class RankBiasedPrecision(OfShown):
    """Sum over relevant items up to slot k of (1 - p) p^(slot - 1); in [0, 1].

    Per request, then the mean; in [0, 1]. 0 when nothing relevant is shown, 1 when an endless list
    holds nothing else: one of n slots reaches 1 - p^n. An item counts 1 at relevance ``rel`` or
    more, else 0; with ``gain=linear`` it counts its relevance, which must then be in [0, 1].
    Requests without a relevant item are left out and counted, or count as 0 with ``none=zero``.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 1], "slot": [1, 2, 3], "worth": [0.0, 1.0, 0.5]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="worth")
    >>> round(eh.estimate("RBP(p=0.5)", log).value, 4)                 # .5 ^ 2
    0.25
    >>> round(eh.estimate("RBP(p=0.5, gain=linear)", log).value, 4)    # .5 ^ 2 + .5 ^ 3 / 2
    0.3125
    """

    p: float = 0.8
    gain: str = "hit"

    def problem(self) -> str:
        if self.gain not in _GAINS:
            return f"gain is {' or '.join(_GAINS)}."
        if not is_number(self.p):
            return _PERSISTENCE
        return (_PERSISTENCE if self._reader.problem() else "") or super().problem()

    @property
    def level(self) -> float:
        return self.rel if self.gain == "hit" else ANY

    def conventions(self) -> Mapping[str, str]:
        gain = "1 for a relevant item" if self.gain == "hit" else "relevance, from 0 to 1"
        return {**super().conventions(), "gain": gain, "discount": self._reader.says}

    @property
    def _reader(self) -> Rbp:
        return Rbp(self.p)

    def per_request(self, lists: Lists) -> Floats:
        weight = self._reader.weights(lists, self.k)
        if self.gain == "hit":
            return lists.total(np.where(self.hits(lists), weight, 0.0))
        worth = lists.judged()
        if worth.max(initial=0.0) > 1:
            what = f"gain=linear takes relevance from 0 to 1, here up to {worth.max():g}."
            hint = "Divide grades by the largest: --relevance 'grade / 4'."
            raise ValueInLogError([Problem("role 'relevance'", what, hint)])
        return lists.total(worth * weight)


_PERSISTENCE = "p, the probability of going on, is between 0 and 1."
