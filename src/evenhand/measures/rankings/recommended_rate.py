"""How often items are among the first k: of all candidates, or of those that are relevant.

Their relative spread over groups of items is PopRSP and PopREO: ``relative_std(...)``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.ranking import Condition, Ranking, unknown
from evenhand.measures.rankings.ideal import NOT_SHOWN

_UNSHOWN = f"{NOT_SHOWN}, rows"
_ONLY_SHOWN = "the log holds no items that were not shown, so it does not tell what was passed over"


_JUDGED = Condition(
    "item judged", "relevance of the item", lambda lists: ~unknown(lists), unobserved=True
)


class _Rate(Ranking):
    """The share of some items, or parts of items, that are among the first k."""

    k: int | None = None
    view = "rows"

    @property
    def counted(self) -> tuple[str, ...]:
        return (f"{self.among} to {self.k}", self.among, _UNSHOWN)

    @property
    @abstractmethod
    def among(self) -> str:
        """The name of the number that counts the items."""

    @abstractmethod
    def candidates(self, lists: Lists) -> Flags:
        """Return which rows count."""

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        hits, among, unshown = self.counted
        counts = self.candidates(lists)
        return {
            hits: (counts & lists.within(self.k)).astype(float),
            among: counts.astype(float),
            unshown: (~lists.shown).astype(float),
        }

    def finalise(self, s: TermSums) -> Figure:
        hits, among, unshown = self.counted
        found = s.function(
            lambda t: t[hits] / t[among],
            among="rows",
            empty=self.empty,
            within=(0.0, 1.0),
            otherwise="no such item in this group",
        )
        if s.amounts[unshown].sum() > 0 or not s.rows["rows"].sum():
            return found
        nothing = replace(found, function=lambda t: np.full_like(t[among], np.nan))
        return replace(nothing, otherwise=_ONLY_SHOWN)


@measure(needs=("rank",), better=None, tags=("fairness",), cites="Zhu et al. 2020")
class RecommendedRate(_Rate):
    """Share of candidates that are among the first k slots, P(R@k); in [0, 1].

    Over the rows of the log, shown or not, by ``of=`` groups of items P(R@k | g). Their relative
    spread is PopRSP. There is no figure where the log holds no items that were not shown.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2, 1, None]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot")
    >>> eh.estimate("recommended_rate@1", log).value
    0.5
    """

    k: int | None = None

    @property
    def among(self) -> str:
        return "candidates"

    def candidates(self, lists: Lists) -> Flags:
        return np.ones(lists.rows, np.bool_)


@measure(needs=("rank", "relevance"), better="higher", tags=("fairness",), cites="Zhu et al. 2020")
class RelevantRate(_Rate):
    """Share of relevant candidates that are among the first k slots, P(R@k | y = 1); in [0, 1].

    Over the rows of the log of relevance ``rel`` or more, by ``of=`` groups of items
    P(R@k | g, y = 1). Their relative spread is PopREO. There is no figure where the log holds no
    items that were not shown.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2, 1, None], "y": [1, 1, 0, 1]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="y")
    >>> round(eh.estimate("relevant_rate@2", log).value, 4)
    0.6667
    """

    rel: float = 1
    k: int | None = None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (_JUDGED,)

    @property
    def among(self) -> str:
        return f"candidates of relevance {self.rel!r}"

    def candidates(self, lists: Lists) -> Flags:
        return lists.relevant(self.rel)
