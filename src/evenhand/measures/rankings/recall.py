"""Recall: how much of what is relevant is among the first k slots."""

from __future__ import annotations

from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import measure
from evenhand.measures.rankings.hits import OfAll


@measure(
    needs=("rank", "relevance"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="van Rijsbergen 1979",
    name="R",
)
class Recall(OfAll):
    """Relevant items shown up to slot k over the relevant items of the request; in [0, 1].

    Per request, then the mean. 0 when nothing relevant is shown, 1 when all of it is. There is no
    figure where the log holds no items that were not shown: what was missed is not in it. With
    ``ideal=shown`` the items shown are taken for all that there was, which hides what was missed.
    Requests without a relevant item are left out and counted.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 1], "slot": [1, 2, None], "grade": [0, 1, 1]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="grade")
    >>> [eh.estimate(notation, log).value for notation in ("R@1", "R@2", "R(ideal=shown)@2")]
    [0.0, 0.5, 1.0]
    """

    def problem(self) -> str:
        if self.ideal == "shown" and self.k is None:
            return "without a cut-off all that is shown is shown: write R(ideal=shown)@10."
        return super().problem()

    def per_request(self, lists: Lists) -> Floats:
        return self.among_all(lists, lists.total(self.hits(lists)))
