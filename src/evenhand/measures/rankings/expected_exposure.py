"""Expected exposure of items over the rankings of a query, and how far it is from what is due.

Source: Diaz et al. 2020 (expected exposure, EE-D, EE-R, EE-L). The disparity of N sampled rankings
is estimated without bias, from pairs of different samples; the square of the mean exposure is
biased upwards by the variance of that mean.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.lists import Flags, Floats, Indices, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.ranking import Condition, Ranking
from evenhand.notation import Value


@dataclass(frozen=True)
class Exposures:
    """The exposure of the items of queries over their sampled rankings.

    Attributes:
        query: The query of each item, ascending, shape (items,).
        rankings: The number of rankings of each query, shape (queries,).
        total: The sum over rankings of each item's exposure, shape (items,).
        square: The sum of its squares.
        due: The exposure that is due to it: equal items share alike what the best order gives.

    """

    query: Indices
    rankings: Floats
    total: Floats
    square: Floats
    due: Floats

    def sums(self, values: Floats) -> Floats:
        """Return the sum over the items of each query, shape (queries,)."""
        found: Floats = np.bincount(self.query, values, len(self.rankings)).astype(float)
        return found

    @property
    def mean(self) -> Floats:
        """The mean exposure of each item over the query's rankings."""
        found: Floats = self.total / self.rankings[self.query]
        return found


def _several(lists: Lists) -> Flags:
    return np.bincount(lists.query_of, minlength=lists.queries) > 1


_SEVERAL = Condition(
    "several rankings", "a single ranking, which does not tell how exposure is spread", _several
)


def _judged(lists: Lists) -> Flags:
    unknown = np.isnan(lists.relevance) if lists.relevance is not None else np.zeros(lists.rows)
    found: Flags = np.bincount(lists.query_of[lists.request], unknown, lists.queries) == 0
    return found


_JUDGED = Condition("all judged", "relevance of an item of the query", _judged, unobserved=True)


class _Expected(Ranking):
    """A figure of a query's expected exposure, then the mean over queries."""

    view = "queries"
    reads_due: ClassVar[bool] = True

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (_SEVERAL, _JUDGED) if self.reads_due else (_SEVERAL,)

    @property
    def counted(self) -> tuple[str, ...]:
        return (str(self),)

    @abstractmethod
    def of_query(self, exposures: Exposures) -> Floats:
        """Return the figure of each query."""

    def problem(self) -> str:
        wrong = super().problem()
        if wrong or not self.reads_due or self.model.slots(1) is not None:
            return wrong
        return f"what is due needs weights that slots alone tell, and {self.model} are not."

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        model, cut = self.model, getattr(self, "k", None)
        key = ("exposures of items", model, cut, self.reads_due)
        exposures = lists.known(
            key, lambda: _exposures(lists, model.weights(lists, cut), self._due(lists))
        )
        return {str(self): self.of_query(exposures)}

    def _due(self, lists: Lists) -> Floats | None:
        """Return the weight of each slot of the best order; None where it is not read."""
        if not self.reads_due:
            return None
        sizes = np.bincount(lists.query_of, np.diff(lists.starts), lists.queries)
        longest = int(sizes.max(initial=1))
        weight = self.model.slots(longest)
        if weight is None:
            raise TypeError(self.problem())
        cut: int | None = getattr(self, "k", None)
        return weight if cut is None else np.where(np.arange(longest) < cut, weight, 0.0)

    def finalise(self, s: TermSums) -> Figure:
        return s.mean(str(self), among="queries", empty=self.empty)


def _exposures(lists: Lists, weights: Floats, slots: Floats | None) -> Exposures:
    """Return the exposure of every item of every query."""
    item = np.arange(lists.rows, dtype=np.uint64) if lists.item is None else lists.item
    query = lists.query_of[lists.request]
    order = np.lexsort((item, query))
    changes = (np.diff(query[order]) != 0) | (np.diff(item[order]) != 0)
    place = np.concatenate([[0], np.cumsum(changes)]) if lists.rows else np.zeros(0, np.intp)
    size = int(place[-1]) + 1 if lists.rows else 0
    first = np.flatnonzero(np.diff(place, prepend=-1))
    of_item = query[order][first]
    exposed = weights[order]
    due = np.zeros(size)
    if slots is not None:
        due = _due(of_item, lists.judged()[order][first], slots)
    return Exposures(
        of_item,
        np.bincount(lists.query_of, minlength=lists.queries).astype(float),
        np.bincount(place, exposed, size).astype(float),
        np.bincount(place, np.square(exposed), size).astype(float),
        due,
    )


def _due(query: Indices, relevance: Floats, slots: Floats) -> Floats:
    """Return what is due to items: those of a grade share alike the slots that it would fill."""
    order = np.lexsort((-relevance, query))
    sorted_query = query[order]
    starts = np.flatnonzero(np.diff(sorted_query, prepend=-1))
    place = np.arange(len(query)) - np.repeat(starts, np.diff(np.append(starts, len(query))))
    grade = np.concatenate(
        [[0], np.cumsum((np.diff(sorted_query) != 0) | (np.diff(relevance[order]) != 0))]
    )[: len(query)]
    shared = np.bincount(grade, slots[place]) / np.bincount(grade) if len(query) else slots[:0]
    due = np.empty(len(query))
    due[order] = shared[grade]
    return due


@measure(
    needs=("rank", "item", "query"),
    better="lower",
    tags=("fairness",),
    cites="Diaz et al. 2020",
    name="EE_D",
)
class ExpectedExposureDisparity(_Expected):
    """Disparity of expected exposure: the squared length of a query's mean exposure; in [0, inf).

    Estimated without bias from N rankings sampled for a query, as the mean over pairs of different
    rankings of the sum over items of both exposures. Least when every item has as much; a query
    with one ranking is left out. A single estimate may be below the least that can be.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame(
    ...     {
    ...         "q": [1, 1, 1, 1, 2, 2],
    ...         "r": [1, 1, 2, 2, 3, 4],
    ...         "doc": [1, 2, 1, 2, 1, 1],
    ...         "slot": [1, 2, 2, 1, 1, 2],
    ...     }
    ... )
    >>> log = eh.log(rows, kind="search", query="q", request="r", item="doc", rank="slot")
    >>> eh.estimate("EE_D", log).value                  # mean of 1 x .5 + .5 x 1, and 1 x .5
    0.75
    """

    browsing: Value = "geometric"
    k: int | None = None
    reads_due = False

    def of_query(self, exposures: Exposures) -> Floats:
        return disparity(exposures)


def disparity(exposures: Exposures) -> Floats:
    """Return the squared length of each query's expected exposure, without bias."""
    pairs = exposures.rankings * (exposures.rankings - 1)
    sums = exposures.sums(np.square(exposures.total) - exposures.square)
    found: Floats = np.divide(sums, pairs, out=np.zeros_like(sums), where=pairs > 0)
    return found


@measure(
    needs=("rank", "item", "query", "relevance"),
    better="higher",
    tags=("fairness",),
    cites="Diaz et al. 2020",
    name="EE_R",
)
class ExpectedExposureRelevance(_Expected):
    """Sum over items of expected exposure times what is due; in [0, inf).

    What is due is the mean exposure over all best orders: items of equal relevance
    share alike the slots that their grade would fill. Largest when exposure is as due.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame(
    ...     {
    ...         "q": [1, 1, 1, 1, 2, 2],
    ...         "r": [1, 1, 2, 2, 3, 4],
    ...         "doc": [1, 2, 1, 2, 1, 1],
    ...         "slot": [1, 2, 2, 1, 1, 2],
    ...         "grade": [0, 1, 0, 1, 1, 1],
    ...     }
    ... )
    >>> log = eh.log(
    ...     rows, kind="search", query="q", request="r", item="doc", rank="slot", relevance="grade"
    ... )
    >>> eh.estimate("EE_R", log).value          # mean of .75 x .5 + .75 x 1, and .75 x 1
    0.9375
    """

    browsing: Value = "geometric"
    k: int | None = None

    def of_query(self, exposures: Exposures) -> Floats:
        return exposures.sums(exposures.mean * exposures.due)


@measure(
    needs=("rank", "item", "query", "relevance"),
    better="lower",
    tags=("fairness",),
    cites="Diaz et al. 2020",
    name="EE_L",
)
class ExpectedExposureLoss(_Expected):
    """Squared distance of expected exposure from what is due; in (-inf, inf).

    EE-D - 2 EE-R + |due|^2: 0 when every item is exposed as it is due. Estimated without bias as
    EE-D is, so that a figure of few rankings may be below 0.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame(
    ...     {
    ...         "q": [1, 1, 1, 1, 2, 2],
    ...         "r": [1, 1, 2, 2, 3, 4],
    ...         "doc": [1, 2, 1, 2, 1, 1],
    ...         "slot": [1, 2, 2, 1, 2, 2],
    ...         "grade": [0, 1, 0, 1, 1, 1],
    ...     }
    ... )
    >>> log = eh.log(
    ...     rows, kind="search", query="q", request="r", item="doc", rank="slot", relevance="grade"
    ... )
    >>> eh.estimate("EE_L", log).value      # mean of 1 - 2 x 1.125 + 1.25, and .25 - 2 x .5 + 1
    0.125
    """

    browsing: Value = "geometric"
    k: int | None = None

    def of_query(self, exposures: Exposures) -> Floats:
        relevance = exposures.sums(exposures.mean * exposures.due)
        least = exposures.sums(np.square(exposures.due))
        found: Floats = disparity(exposures) - 2 * relevance + least
        return found
