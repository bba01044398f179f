"""Average precision: how pure the list is down to each relevant item."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import measure
from evenhand.measures.rankings.hits import OfAll


@measure(
    needs=("rank", "relevance"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Harman 1992",
    name="AP",
)
class AveragePrecision(OfAll):
    """Precision down to each relevant item up to slot k, over all that are relevant; in [0, 1].

    Per request, then the mean (MAP); in [0, 1]. 0 when nothing relevant is shown, 1 when all that
    is relevant stands first. It divides by all relevant items of the request, also where there are
    more than k. There is no figure where the log holds no items that were not shown; with
    ``ideal=shown`` the items shown are taken for all that there was. Requests without a relevant
    item are left out and counted.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1] * 4, "slot": [1, 2, 3, None], "grade": [1, 0, 1, 1]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="grade")
    >>> round(eh.estimate("AP", log).value, 4), round(eh.estimate("AP(ideal=shown)", log).value, 4)
    (0.5556, 0.8333)
    """

    def conventions(self) -> Mapping[str, str]:
        return {**super().conventions(), "divides by": "all relevant items, also beyond k"}

    def per_request(self, lists: Lists) -> Floats:
        hits = self.hits(lists)
        precision = np.where(hits, lists.running(hits) / np.maximum(lists.slot, 1), 0.0)
        return self.among_all(lists, lists.total(precision))
