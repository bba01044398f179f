"""Success: whether anything relevant is among the first k slots."""

from __future__ import annotations

from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import measure
from evenhand.measures.rankings.hits import OfShown


@measure(
    needs=("rank", "relevance"),
    better="higher",
    tags=("fairness", "robustness"),
    cites="Craswell and Hawking 2004",
    name="Success",
)
class Success(OfShown):
    """Share of requests in which a relevant item is shown up to slot k: the hit rate; in [0, 1].

    0 when none shows anything relevant. Requests without a relevant item are left out and counted;
    in a log of shown items alone they are those without a hit at any slot, so that ``none=zero``,
    with which they count as 0, is what asks for the share of all requests.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2, 1, 3], "grade": [0, 1, 0, 0]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="grade")
    >>> [eh.estimate(f"Success{given}@2", log).value for given in ("", "(none=zero)")]
    [1.0, 0.5]
    """

    def per_request(self, lists: Lists) -> Floats:
        return (lists.total(self.hits(lists)) > 0).astype(float)
