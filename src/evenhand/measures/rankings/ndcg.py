"""nDCG: the discounted gain of a list beside that of the best order of the same items."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.errors import Problem, ValueInLogError
from evenhand.measures.browsing import Log2
from evenhand.measures.figure import Figure
from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.ranking import WORTH, Condition, PerRequest, judged
from evenhand.measures.rankings.ideal import IDEAL, NOT_SHOWN, of_ideal, with_ideal

_GAINS = ("linear", "exp2")
_MOST = 900
"""Of larger relevance, sums of 2 to its power may be no numbers."""


@measure(
    needs=("rank", "relevance"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Järvelin and Kekäläinen 2002",
    name="nDCG",
)
class NDCG(PerRequest):
    """Discounted cumulative gain over that of the best order of the request's items; in [0, 1].

    DCG = sum of gain / log2(1 + slot) over shown items up to slot k; the best order is over all
    items of the request, shown or not. 1 when the list cannot be better. The gain is the relevance
    (``gain=linear``), or 2^relevance - 1 (``gain=exp2``). Requests without a relevant item are left
    out and counted.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 1], "slot": [1, 2, None], "grade": [0, 1, 1]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="grade")
    >>> round(eh.estimate("nDCG@2", log).value, 4)      # (1 / log2 3) / (1 + 1 / log2 3)
    0.3869
    """

    gain: str = "linear"
    k: int | None = None
    within = (0.0, 1.0)

    def problem(self) -> str:
        return "" if self.gain in _GAINS else f"gain is {' or '.join(_GAINS)}."

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (WORTH, judged(self.k))

    @property
    def counted(self) -> tuple[str, ...]:
        return (str(self), NOT_SHOWN)

    def conventions(self) -> Mapping[str, str]:
        gain = "relevance" if self.gain == "linear" else "2^relevance - 1"
        return {**super().conventions(), "gain": gain, "discount": "1 / log2(1 + slot)"}

    def per_request(self, lists: Lists) -> Floats:
        relevance, discount = lists.judged(), Log2()
        most = relevance.max(initial=0.0)
        if self.gain == "exp2" and most > _MOST:
            what = f"gain=exp2 raises 2 to the relevance, here up to {most:g}."
            hint = f"It takes up to {_MOST}: use gain=linear, or divide grades."
            raise ValueInLogError([Problem("role 'relevance'", what, hint)])
        gained = lists.total(self._gain(relevance) * discount.weights(lists, self.k))
        longest = int(np.diff(lists.starts).max(initial=0))
        best = lists.best(self._gain, discount.slots(longest), self.k)
        return np.divide(gained, best, out=np.zeros_like(best), where=best > 0)

    def _gain(self, relevance: Floats) -> Floats:
        return relevance if self.gain == "linear" else np.exp2(relevance) - 1

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        return with_ideal(super().numbers(lists), lists)

    def finalise(self, s: TermSums) -> Figure:
        return of_ideal(super().finalise(s), s, IDEAL)
