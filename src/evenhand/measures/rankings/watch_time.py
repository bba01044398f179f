"""Watch time: how long a list holds who is served."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import measure
from evenhand.measures.ranking import Condition, PerRequest
from evenhand.measures.rankings.column import known_to, not_negative


@measure(
    needs=("rank",),
    better=None,
    tags=("fairness",),
    cites="Covington et al. 2016",
)
class WatchTime(PerRequest):
    """Sum of a column, such as seconds, over the items up to slot k; in (-inf, inf).

    Per request, then the mean; in [0, inf), in the column's unit. 0 when nothing shown is watched;
    a request that shows nothing counts as 0. Neither direction is good in itself. There is no
    figure where the column is missing for a shown item: what was not watched has 0.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2], "slot": [1, 2, 1], "seconds": [30.0, 5.0, 15.0]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot")
    >>> eh.estimate("watch_time(column=seconds)", log).value
    25.0
    """

    column: str
    k: int | None = None
    within = (0.0, np.inf)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (known_to(self.column, self.k),)

    def conventions(self) -> Mapping[str, str]:
        return {**super().conventions(), "sums": f"'{self.column}', in its unit, over a request"}

    def per_request(self, lists: Lists) -> Floats:
        time = not_negative(lists, self.column, self.name)
        return lists.total(np.where(lists.within(self.k), time, 0.0))
