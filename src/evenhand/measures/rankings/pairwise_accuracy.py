"""Pairwise accuracy: are a group's relevant items placed above items that are not relevant?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import TermSums, is_number, measure
from evenhand.measures.ranking import Condition, Ranking, judged
from evenhand.measures.rankings.item_group import is_name, known_part, named
from evenhand.notation import Value

_JUDGED = judged(None)
_AGAINST = {
    "any": "items of any group, or of none that is known",
    "other": "items of the other groups that are known (inter-group)",
    "same": "items of the same group (intra-group)",
}


@measure(
    needs=("rank", "relevance"), better="higher", tags=("fairness",), cites="Beutel et al. 2019"
)
class PairwiseAccuracy(Ranking):
    """Share of pairs with a group's relevant item above one that is not relevant; in [0, 1].

    P(slot of j < slot of j' | j relevant and in the group, j' not relevant), over the pairs inside
    requests, all requests pooled; 0.5 at random where all items are shown. ``against`` says which
    j' count: items of ``any`` group, of ``other`` groups, or of the ``same``. An item that was not
    shown is below all that were; two that were not shown are no pair, for nothing says which would
    be above. Relevant is a relevance of at least ``level``; items not shown whose relevance is not
    known are in no pair. An item of several groups counts in parts.

    >>> import evenhand as eh, polars as pl
    >>> rows = {"q": [1] * 4, "slot": [1, 2, 3, None], "liked": [1, 0, 1, 0], "by": list("abba")}
    >>> log = eh.log(pl.DataFrame(rows), kind="search", request="q", rank="slot", relevance="liked",
    ...              item_groups=["by"])
    >>> eh.estimate("pairwise_accuracy(of=by, group=b)", log).value   # below the b, above the a
    0.5
    >>> eh.estimate("pairwise_accuracy(of=by, group=b, against=other)", log).value
    1.0
    """

    of: str
    group: Value
    against: str = "any"
    level: float = 1.0

    def problem(self) -> str:
        if not is_name(self.group):
            return "group= names one group of the items, which is known."
        if self.against not in _AGAINST:
            return f"against is {', '.join(_AGAINST)}."
        if not is_number(self.level) or self.level <= 0:
            return "level is the least relevance of a relevant item, above 0."
        return super().problem()

    @property
    def _name(self) -> str:
        written = "" if self.level == 1 else f", relevant from {self.level:g}"
        return f"pairs of {self.of} {named(self.group)} against {self.against}{written}"

    @property
    def counted(self) -> tuple[str, ...]:
        return (f"{self._name} in order", self._name)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        what = f"no pair of a relevant item of {self.of} {named(self.group)} and one not relevant"
        some = Condition(f"some {self._name}", what, self._some)
        return (_JUDGED, some)

    def _some(self, lists: Lists) -> Flags:
        # What was not judged may make a pair: such a request is not one without.
        own = lists.items[self.of].of(named(self.group), lists.rows) > 0
        maybe = lists.total(own) > 0
        return np.asarray((self._found(lists)[1] > 0) | (maybe & ~_JUDGED.holds(lists)))

    def conventions(self) -> Mapping[str, str]:
        return {
            **super().conventions(),
            "against": _AGAINST[self.against],
            "relevant": f"relevance of at least {self.level:g}",
            "not shown": "below all items that were shown; two that were not are no pair",
            "pooled": "pairs of all requests weigh alike",
        }

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        return dict(zip(self.counted, self._found(lists), strict=True))

    def _found(self, lists: Lists) -> tuple[Floats, Floats]:
        """Return the pairs in order and all pairs of each request."""
        return lists.known(self._name, lambda: self._count(lists))

    def _count(self, lists: Lists) -> tuple[Floats, Floats]:
        own = lists.items[self.of].of(named(self.group), lists.rows)
        others = {
            "any": np.ones(lists.rows),
            "same": own,
            "other": np.clip(known_part(lists, self.of) - own, 0.0, 1.0),
        }[self.against]
        relevant = lists.relevant(self.level)
        known = np.ones(lists.rows, np.bool_)
        if lists.relevance is not None:
            known = ~np.isnan(lists.relevance)
        one = np.where(relevant, own, 0.0)
        other = np.where(known & ~relevant, others, 0.0)
        every, shown = lists.total(other), lists.total(np.where(lists.shown, other, 0.0))
        # Those that were not shown stand last, so what comes after an item is below it.
        below = every[lists.request] - lists.running(other)
        ordered = lists.total(np.where(lists.shown, one * below, 0.0))
        pairs = lists.total(one * np.where(lists.shown, every[lists.request], shown[lists.request]))
        return ordered, pairs

    def finalise(self, s: TermSums) -> Figure:
        ordered, pairs = self.counted
        return s.function(
            lambda t: t[ordered] / t[pairs], among="requests", empty=self.empty, within=(0.0, 1.0)
        )
