"""Exposure: the attention that items get from where they are shown."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.ranking import Ranking
from evenhand.notation import Value

_ITEMS = "parts of items"
"""1 for every item, or where it belongs to several groups the part of it that is in this one."""


@measure(needs=("rank",), better=None, tags=("fairness",), cites="Singh and Joachims 2018")
class Exposure(Ranking):
    """Mean attention of an item of the request, shown or not, under a browsing model; in [0, inf).

    The sum of the slots' weights over the number of items. By ``of=`` groups of items it is their
    mean exposure, whose ratio is demographic parity of exposure.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2, 1, 2], "by": ["a", "b", "a", "b"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["by"])
    >>> round(eh.estimate("exposure", log).value, 4)                    # (1 + 1 / log2 3) / 2
    0.8155
    >>> round(eh.estimate("ratio(exposure, of=by)", log).value, 4)      # 1 / log2 3
    0.6309
    """

    browsing: Value = "log2"
    k: int | None = None
    view = "rows"

    @property
    def counted(self) -> tuple[str, ...]:
        return (self._name, _ITEMS)

    @property
    def shared(self) -> str:
        return self._name

    @property
    def parts(self) -> str:
        return _ITEMS

    @property
    def _name(self) -> str:
        cut = "" if self.k is None else f" to {self.k}"
        return f"exposure by {self.model}{cut}"

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        return {self._name: self.model.weights(lists, self.k), _ITEMS: np.ones(lists.rows)}

    def finalise(self, s: TermSums) -> Figure:
        return s.function(
            lambda t: t[self._name] / t[_ITEMS],
            among="rows",
            empty=self.empty,
            # No slot of a model of slots weighs more than 1.
            within=(0.0, np.inf if self.model.slots(1) is None else 1.0),
        )
