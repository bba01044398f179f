"""Hits: shown items that are relevant, from which the oldest measures of search are made.

Whether a request has a relevant item at all is known from its items, shown or not; in a log of
shown items alone only from those, and every finding says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from evenhand.measures.figure import Figure, SmoothFunction
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import TermSums, is_number
from evenhand.measures.ranking import Condition, PerRequest, all_judged, unknown
from evenhand.measures.rankings.ideal import IDEAL, NOT_SHOWN, of_ideal, with_ideal

_EMPTY = ("excluded", "zero")
_IDEALS = ("all", "shown")

REQUESTS = "requests"
"""The topic under which a finding says which requests count."""

ANY = float(np.nextafter(0.0, 1.0))
"""The least relevance above 0: an item of any worth."""

UNSEEN = "what was not shown is not in the log; ideal=shown takes what was shown for everything"


def hits(lists: Lists, k: int | None, rel: float) -> Flags:
    """Return which rows are relevant items shown up to slot k."""
    return lists.known(("hits", k, rel), lambda: lists.within(k) & lists.relevant(rel))


def at_level(rel: float) -> str:
    """Return what a relevant item is, in words."""
    return "relevance above 0" if rel == ANY else f"relevance of {rel:g} or more"


def level_problem(rel: object) -> str:
    """Return what is wrong with a level of relevance; empty when nothing is."""
    fits = is_number(rel) and 0 < float(rel) < np.inf  # type: ignore[arg-type]
    return "" if fits else "rel is a number above 0: the least relevance of a relevant item."


def some_relevant(rel: float) -> Condition:
    """Return that a request has a relevant item, or a shown one of which it is not known."""

    def holds(lists: Lists) -> Flags:
        may = lists.relevant(rel) | (lists.shown & unknown(lists))
        found: Flags = lists.total(may) > 0
        return found

    what = "no relevant item" if rel in {1, ANY} else f"no item of {at_level(rel)}"
    return Condition(f"some of {rel!r}", what, holds)


def judged_to(k: int | None, rel: float) -> Condition:
    """Return that it is known what was shown up to slot k, and whether anything is relevant."""

    def holds(lists: Lists) -> Flags:
        lacks = lists.shown & unknown(lists)
        settled = lists.total(lists.relevant(rel)) > 0
        found: Flags = (lists.total(lacks & lists.within(k)) == 0) & (
            settled | (lists.total(lacks) == 0)
        )
        return found

    return Condition(f"known {rel!r} to {k}", "relevance of a shown item", holds, unobserved=True)


@dataclass(frozen=True, repr=False)
class OfShown(PerRequest):
    """A figure of how relevant the shown items are.

    Attributes:
        rel: The least relevance of a relevant item.
        k: The last slot that counts.
        none: Whether requests without a relevant item are ``excluded`` or count as
            ``zero``.

    """

    rel: float = 1
    k: int | None = None
    none: str = "excluded"
    within = (0.0, 1.0)

    def problem(self) -> str:
        if self.none not in _EMPTY:
            return f"none, what a request without relevant items is, is {' or '.join(_EMPTY)}."
        return level_problem(self.rel)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        counts = (some_relevant(self.level),) if self.none == "excluded" else ()
        return (*counts, judged_to(self.k, self.level))

    @property
    def level(self) -> float:
        """The least relevance of a relevant item."""
        return self.rel

    @property
    def counted(self) -> tuple[str, ...]:
        return (str(self), NOT_SHOWN)

    def conventions(self) -> Mapping[str, str]:
        return {**super().conventions(), "relevant": at_level(self.level)}

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        return with_ideal(super().numbers(lists), lists)

    def finalise(self, s: TermSums) -> Figure:
        figure = super().finalise(s)
        if not isinstance(figure, SmoothFunction):
            raise TypeError("a mean of requests is a smooth function")
        everything = bool(s.amounts[NOT_SHOWN].sum() > 0)
        says = "those with a relevant item, shown or not"
        if self.none == "zero":
            says = "all; those without a relevant item count as 0"
        elif not everything:
            says = "those with a relevant item among the shown: the log has no others"
        return replace(figure, about={**figure.about, REQUESTS: says})

    def hits(self, lists: Lists) -> Flags:
        """Return which rows are relevant items shown up to slot k."""
        return hits(lists, self.k, self.level)


@dataclass(frozen=True, repr=False)
class OfAll(PerRequest):
    """A figure of how much of all that is relevant was shown.

    Attributes:
        rel: The least relevance of a relevant item.
        k: The last slot that counts.
        ideal: Whether all items of a request could have been shown, or only those that were.

    """

    rel: float = 1
    k: int | None = None
    ideal: str = "all"
    within = (0.0, 1.0)

    def problem(self) -> str:
        if self.ideal not in _IDEALS:
            return f"ideal is {' or '.join(_IDEALS)}."
        return level_problem(self.rel)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        if self.ideal == "shown":
            return (self._some_shown, all_judged(shown=True))
        return (some_relevant(self.rel), all_judged(shown=True), all_judged(shown=False))

    @property
    def _some_shown(self) -> Condition:
        def holds(lists: Lists) -> Flags:
            may = lists.shown & (lists.relevant(self.rel) | unknown(lists))
            found: Flags = lists.total(may) > 0
            return found

        what = "relevant item" if self.rel == 1 else f"item of {at_level(self.rel)}"
        return Condition(f"some shown of {self.rel!r}", f"no {what} was shown", holds)

    @property
    def counted(self) -> tuple[str, ...]:
        return (str(self), NOT_SHOWN)

    def conventions(self) -> Mapping[str, str]:
        return {**super().conventions(), "relevant": at_level(self.rel)}

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        return with_ideal(super().numbers(lists), lists)

    def finalise(self, s: TermSums) -> Figure:
        figure = super().finalise(s)
        if not isinstance(figure, SmoothFunction):
            raise TypeError("a mean of requests is a smooth function")
        if self.ideal == "shown":
            return replace(figure, about={**figure.about, IDEAL: "shown"})
        if s.amounts[NOT_SHOWN].sum() == 0:
            figure = replace(figure, function=_nowhere, otherwise=UNSEEN)
        return of_ideal(figure, s, IDEAL)

    def hits(self, lists: Lists) -> Flags:
        """Return which rows are relevant items shown up to slot k."""
        return hits(lists, self.k, self.rel)

    def among_all(self, lists: Lists, found: Floats) -> Floats:
        """Return what was found over the number of relevant items; 0 where there is none."""
        relevant = lists.relevant(self.rel)
        every = lists.total(relevant & lists.shown if self.ideal == "shown" else relevant)
        return np.divide(found, every, out=np.zeros_like(found), where=every > 0)


def _nowhere(sums: Mapping[str, Floats]) -> Floats:
    """Return that there is no figure, whatever the sums."""
    return np.nan * sums["requests"]
