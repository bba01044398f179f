"""Precision: how many of the first k slots hold a relevant item."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import measure
from evenhand.measures.ranking import SHOWN, Condition
from evenhand.measures.rankings.hits import OfShown


@measure(
    needs=("rank", "relevance"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="van Rijsbergen 1979",
    name="P",
)
class Precision(OfShown):
    """Relevant items shown up to slot k over k, or without it over those shown; in [0, 1].

    Per request, then the mean; in [0, 1]. 0 when nothing relevant is shown, 1 when every slot up
    to k holds a relevant item: a list shorter than k, or with gaps, stays below. Requests without
    a relevant item are left out and counted, or count as 0 with ``none=zero``.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 1], "slot": [1, 2, None], "grade": [0, 1, 1]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="grade")
    >>> eh.estimate("P@2", log).value, eh.estimate("P@4", log).value
    (0.5, 0.25)
    """

    @property
    def conditions(self) -> tuple[Condition, ...]:
        listed = (SHOWN,) if self.k is None else ()
        return (*listed, *super().conditions)

    def conventions(self) -> Mapping[str, str]:
        over = "the number of items shown" if self.k is None else f"{self.k}, however many shown"
        return {**super().conventions(), "divides by": over}

    def per_request(self, lists: Lists) -> Floats:
        found = lists.total(self.hits(lists))
        if self.k is not None:
            return found / self.k
        shown = lists.total(lists.shown)
        return np.divide(found, shown, out=np.zeros_like(found), where=shown > 0)
