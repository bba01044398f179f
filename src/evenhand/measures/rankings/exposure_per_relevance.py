"""Exposure beside merit: is attention, and are clicks, given in proportion to relevance?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.ranking import Condition, Ranking
from evenhand.notation import Value

_MERIT = "relevance of items"


def _is_judged(lists: Lists) -> Flags:
    if lists.relevance is None:
        return np.ones(lists.rows, np.bool_)
    return ~np.isnan(lists.relevance)


_JUDGED = Condition("row judged", "relevance of an item", _is_judged, unobserved=True)


class PerMerit(Ranking):
    """A sum over items beside the sum of their relevance, shown or not."""

    browsing: Value
    k: int | None
    view = "rows"

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (_JUDGED,)

    @property
    def counted(self) -> tuple[str, ...]:
        return (self._name, _MERIT)

    @property
    def _name(self) -> str:
        cut = "" if self.k is None else f" to {self.k}"
        return f"{self.name} by {self.model}{cut}"

    def conventions(self) -> Mapping[str, str]:
        return {
            **super().conventions(),
            "merit": "relevance, over all items of the requests, shown or not",
            "pooled": "the sum over all requests over the sum over all requests",
        }

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        return {self._name: self.received(lists), _MERIT: lists.judged()}

    def received(self, lists: Lists) -> Floats:
        """Return what each row's item gets."""
        return self.model.weights(lists, self.k)

    def finalise(self, s: TermSums) -> Figure:
        return s.function(
            lambda t: t[self._name] / t[_MERIT],
            among="rows",
            empty=self.empty,
            within=self.reach,
            otherwise="the relevance is 0 everywhere: nothing is due to such items",
        )

    @property
    def reach(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return 0.0, np.inf


@measure(
    needs=("rank", "relevance"), better=None, tags=("fairness",), cites="Singh and Joachims 2018"
)
class ExposurePerRelevance(PerMerit):
    """Exposure of items over their relevance, sum over sum; in [0, inf).

    Attention is given by merit when all groups of items have the same. Over groups,
    ``ratio(exposure_per_relevance, of=sex)`` is the disparate treatment ratio, smallest over
    largest: that of Singh and Joachims, first group over second, is it or one over it, and the
    groups' own figures, or ``pairs``, say which group is favoured. Items without relevance alone
    have no figure.

    >>> import evenhand as eh, polars as pl
    >>> merit = [.82, .81, .80, .79, .78, .77]
    >>> rows = {"q": [1] * 6, "slot": [*range(1, 7)], "u": merit, "sex": list("mmmfff")}
    >>> log = eh.log(pl.DataFrame(rows), kind="search", request="q", rank="slot", relevance="u",
    ...              item_groups=["sex"])
    >>> found = eh.estimate("ratio(exposure_per_relevance, of=sex)", log)
    >>> round(found.value, 4), round(1 / found.value, 4)
    (0.572, 1.7483)
    """

    browsing: Value = "log2"
    k: int | None = None


@measure(
    needs=("rank", "relevance"), better=None, tags=("fairness",), cites="Singh and Joachims 2018"
)
class ClicksPerRelevance(PerMerit):
    """Expected clicks on items over their relevance, sum over sum; in [0, inf).

    At most 1 where no slot weighs more. An item that is seen is clicked as often as it is relevant,
    so expected clicks are exposure times relevance. Over groups, ``ratio(clicks_per_relevance,
    of=sex)`` is the disparate impact ratio, smallest over largest. What was really clicked is
    ``browsing=observed(clicked)`` of `exposure_per_relevance`.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1], "slot": [1, 2], "u": [.5, .5]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="u")
    >>> round(eh.estimate("clicks_per_relevance", log).value, 4)      # (.5 + .5 / log2 3) / 1
    0.8155
    """

    browsing: Value = "log2"
    k: int | None = None

    def received(self, lists: Lists) -> Floats:
        return self.model.weights(lists, self.k) * lists.judged()

    def conventions(self) -> Mapping[str, str]:
        return {**super().conventions(), "clicks": "exposure times relevance"}

    @property
    def reach(self) -> tuple[float, float]:
        # No slot of a model of slots weighs more than 1.
        return 0.0, np.inf if self.model.slots(1) is None else 1.0
