"""Items of the tail: how much of a list is not of the popular few."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from evenhand.measures.figure import Figure, SmoothFunction
from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.ranking import Condition, PerRequest
from evenhand.measures.rankings.column import some_to
from evenhand.measures.rankings.diversity import (
    at_least,
    known_items,
    known_parts,
    taking_no_part,
)
from evenhand.measures.rankings.item_group import named
from evenhand.notation import Value


@dataclass(frozen=True, repr=False)
class _Tail(PerRequest):
    """A figure of the tail items of a list.

    Attributes:
        of: The attribute of items that says which are tail; of training data alone.
        tail: The value, or values, of those that are.
        k: The last slot that counts.

    """

    of: str
    tail: Value
    k: int | None = None

    def problem(self) -> str:
        values = self.tail if isinstance(self.tail, tuple) else (self.tail,)
        fits = values and all(isinstance(value, str | int | float) for value in values)
        return super().problem() if fits else "tail names the value of tail items, or several."

    @property
    def names(self) -> tuple[str, ...]:
        """The groups whose items are tail."""
        values = self.tail if isinstance(self.tail, tuple) else (self.tail,)
        return tuple(map(named, values))

    @property
    def counted(self) -> tuple[str, ...]:
        return (str(self), self._anywhere, self._unknown)

    @property
    def _anywhere(self) -> str:
        return f"items whose {self.of} is {', '.join(self.names)}"

    @property
    def _unknown(self) -> str:
        return f"shown items of unknown {self.of} to {self.k}"

    @property
    def most(self) -> float:
        """The largest value that the figure can have."""
        return 1.0

    @abstractmethod
    def per_request(self, lists: Lists) -> Floats:
        """Return the figure of each request."""

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        groups = lists.items[self.of]
        anywhere = sum((groups.of(name, lists.rows) for name in self.names), np.zeros(lists.rows))
        unknown = lists.total(lists.within(self.k)) - known_items(lists, self.of, self.k)
        return {
            **super().numbers(lists),
            self._anywhere: lists.total(anywhere),
            self._unknown: unknown,
        }

    def tails(self, lists: Lists) -> Floats:
        """Return the number of tail items that each request shows up to slot k."""
        parts = known_parts(lists, self.of, self.k)
        found = sum((parts.of(name, lists.rows) for name in self.names), np.zeros(lists.rows))
        return lists.total(found)

    def conventions(self) -> Mapping[str, str]:
        return {
            **super().conventions(),
            "tail": f"{self.of} is {' or '.join(self.names)}",
            "unknown": taking_no_part(self.of),
        }

    def finalise(self, s: TermSums) -> Figure:
        figure = super().finalise(s)
        if not isinstance(figure, SmoothFunction):
            raise TypeError("a mean of requests is a smooth function")
        about = dict(figure.about)
        if unknown := s.amounts[self._unknown].sum():
            about["unknown"] = f"{taking_no_part(self.of)}; {unknown:,.0f} of them were shown"
        if s.amounts[self._anywhere].sum() == 0:
            about["tail"] = f"no item of the log has {self.of} {' or '.join(self.names)}"
        return replace(figure, about=about, within=(0.0, self.most))


@measure(
    needs=("rank",),
    better="higher",
    tags=("fairness",),
    cites="Abdollahpouri et al. 2019",
    name="APLT",
)
class TailShare(_Tail):
    """Average share of long-tail items among those shown up to slot k; in [0, 1].

    Per request, then the mean; in [0, 1]. 0 when only popular items are shown. ``of=`` names an
    attribute of items and ``tail=`` its value for the tail, by a cut that the log's reader makes:
    from training data alone, since the list itself makes items popular. Items of unknown attribute
    take no part; requests that show no other are left out and counted.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2], "slot": [1, 2, 1], "sold": ["head", "tail", "head"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["sold"])
    >>> eh.estimate("APLT(of=sold, tail=tail)@10", log).value           # (1/2 + 0) / 2
    0.25
    """

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (at_least(1, self.of, self.k),)

    def per_request(self, lists: Lists) -> Floats:
        items = known_items(lists, self.of, self.k)
        share = np.divide(self.tails(lists), items, out=np.zeros_like(items), where=items > 0)
        return np.clip(share, 0.0, 1.0)


@measure(
    needs=("rank",),
    better="higher",
    tags=("fairness",),
    cites="Abdollahpouri et al. 2019",
    name="ACLT",
)
class TailCount(_Tail):
    """Average count of long-tail items among those shown up to slot k; in [0, inf).

    Per request, then the mean; in [0, inf). 0 when only popular items are shown; it grows with the
    list. ``of=`` names an attribute of items and ``tail=`` its value for the tail, from training
    data alone. Items of unknown attribute are not counted; requests that show nothing are left out
    and counted.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2], "slot": [1, 2, 1], "sold": ["head", "tail", "head"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["sold"])
    >>> eh.estimate("ACLT(of=sold, tail=tail)@10", log).value           # (1 + 0) / 2
    0.5
    """

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (some_to(self.k),)

    @property
    def most(self) -> float:
        return np.inf if self.k is None else float(self.k)

    def per_request(self, lists: Lists) -> Floats:
        return self.tails(lists)
