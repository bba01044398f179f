"""Reciprocal rank: how soon the first relevant item comes."""

from __future__ import annotations

import numpy as np

from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import measure
from evenhand.measures.rankings.hits import OfShown


@measure(
    needs=("rank", "relevance"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Kantor and Voorhees 2000",
    name="RR",
)
class ReciprocalRank(OfShown):
    """One over the slot of the first relevant item, 0 where none is shown; in [0, 1].

    Per request, then the mean (MRR); in [0, 1]. 1 when every first item is relevant. Requests
    without a relevant item are left out and counted, or count as 0 with ``none=zero``.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2, 1, 3], "grade": [0, 1, 0, 0]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="grade")
    >>> eh.estimate("RR", log).value, eh.estimate("RR(none=zero)", log).value
    (0.5, 0.25)
    """

    def per_request(self, lists: Lists) -> Floats:
        return lists.largest(np.where(self.hits(lists), 1 / np.maximum(lists.slot, 1), 0.0))
