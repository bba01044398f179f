"""The first items of a list, cut after each of them: how many of each group they hold.

A prefix holds the items shown at slots 1 to i, for every slot i at which an item is logged. A slot
without an item makes no prefix of its own, and does not count as an item: what is asked of a prefix
is asked of the items in it. Items of unknown group are in no count; items of several groups are
counted in parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from evenhand.measures.figure import Figure, SmoothFunction
from evenhand.measures.lists import UNKNOWN, Flags, Floats, Indices, Lists
from evenhand.measures.measure import TermSums, is_number
from evenhand.measures.ranking import Condition, PerRequest
from evenhand.measures.rankings.item_group import known_part
from evenhand.measures.rankings.landmark import CHANCE, chance
from evenhand.measures.target import normal
from evenhand.notation import Value


@dataclass(frozen=True, eq=False)
class Prefixes:
    """The items of known group that are shown at slots 1 to k, with their groups.

    Attributes:
        lists: The requests.
        names: The known groups, sorted.
        target: The share that each should have, shape (requests or 1, names); nan where there is
            no target.
        part: The part of each row's item that is counted, shape (rows,).
        row: The row of each entry, an item's part in one group; ascending.
        group: The place of its group among the names.
        share: The part.

    """

    lists: Lists
    names: tuple[str, ...]
    target: Floats
    part: Floats
    row: Indices
    group: Indices
    share: Floats

    @cached_property
    def request(self) -> Indices:
        """The request of each entry."""
        return self.lists.request[self.row]

    @cached_property
    def cell(self) -> Indices:
        """The request and group of each entry as one number."""
        return self.request * len(self.names) + self.group

    @cached_property
    def due(self) -> Floats:
        """The target of each entry's group."""
        of_request = self.request if len(self.target) > 1 else np.zeros_like(self.request)
        found: Floats = self.target[of_request, self.group]
        return found

    @cached_property
    def order(self) -> Indices:
        """The order of the entries by request, group and slot."""
        return np.argsort(self.cell, kind="stable")

    @cached_property
    def above(self) -> Floats:
        """How much of its group stands above each entry in its request."""
        cells, shares = self.cell[self.order], self.share[self.order]
        before = np.cumsum(shares) - shares
        first = np.flatnonzero(np.diff(cells, prepend=-1))
        start = np.repeat(before[first], np.diff(first, append=len(cells)))
        found = np.empty_like(before)
        found[self.order] = before - start
        return found

    @cached_property
    def counts(self) -> Floats:
        """How much of each group is shown in each request, shape (requests, names)."""
        shape = (self.lists.requests, len(self.names))
        found = np.bincount(self.cell, self.share, shape[0] * shape[1]).reshape(shape)
        return found.astype(float)

    @cached_property
    def counted(self) -> Flags:
        """Which rows hold an item that is counted, if only in part."""
        return np.asarray(self.part > 0)

    @cached_property
    def size(self) -> Indices:
        """The number of items counted in the prefix that ends at each row."""
        return self.lists.running(self.counted).astype(np.intp)

    @cached_property
    def sizes(self) -> Indices:
        """The number of items counted in each request."""
        return self.lists.total(self.counted).astype(np.intp)

    def some_known(self) -> Flags:
        """Return which requests have an item that is counted."""
        return np.asarray(self.sizes > 0)

    def some_target(self) -> Flags:
        """Return which requests have a target."""
        aims = np.isfinite(self.target).all(axis=1)
        return np.broadcast_to(aims, (self.lists.requests,))


class OfPrefixes(PerRequest):
    """A measure of how the first items of a list represent groups, beside a target."""

    of: str
    target: Value
    k: int | None

    def prefixes(self, lists: Lists) -> Prefixes:
        """Return the prefixes of the requests, counted once for all measures of them."""
        key = ("prefixes", self.of, self.k, str(self.target))
        return lists.known(key, lambda: self._find(lists))

    def _find(self, lists: Lists) -> Prefixes:
        if self.aim is None:
            raise TypeError(self.problem())
        groups = lists.items[self.of]
        part = np.where(lists.within(self.k), known_part(lists, self.of), 0.0)
        names = sorted({*groups.names, *self.aim.groups(lists, self.of)} - {UNKNOWN})
        # Where no group is known, a nameless one has neither items nor a target.
        names = names or [""]
        places = np.array([names.index(n) if n != UNKNOWN else -1 for n in groups.names], np.intp)
        group = places[groups.group]
        kept = (group >= 0) & (part[groups.row] > 0)
        return Prefixes(
            lists,
            (*names,),
            normal(self.aim.shares(lists, self.of, names)),
            part,
            groups.row[kept],
            group[kept],
            groups.share[kept],
        )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        cut = "" if self.k is None else f" to {self.k}"
        return (
            Condition(
                f"known {self.of}{cut}",
                f"no item of known {self.of} was shown{cut and f' at slots 1{cut}'}",
                lambda lists: self.prefixes(lists).some_known(),
            ),
            Condition(
                f"target {self.target} of {self.of}",
                f"the target of {self.of} is 0 for every group",
                lambda lists: self.prefixes(lists).some_target(),
            ),
        )

    def conventions(self) -> Mapping[str, str]:
        return {
            **super().conventions(),
            "prefixes": "the items at slots 1 to i, for every slot i that has an item",
            "unknown": f"items of unknown {self.of} are in no count",
        }

    def beside(self, lists: Lists, own: Floats) -> Mapping[str, Floats]:
        return {CHANCE: chance(self, lists, own, self.of)} if CHANCE in self.landmarks else {}


class MaybeInfinite(OfPrefixes):
    """Such a measure that is infinite for some lists, and then has no mean."""

    smoothing: float

    def problem(self) -> str:
        if not is_number(self.smoothing) or not 0 <= self.smoothing < np.inf:
            return "smoothing is a number of items, 0 or more."
        return super().problem()

    @property
    def infinite(self) -> str:
        """Why a request's figure may be infinite."""
        raise NotImplementedError

    def values(self, lists: Lists) -> Floats:
        """Return the figure of each request; not finite where it is not."""
        raise NotImplementedError

    @property
    def _infinite(self) -> str:
        return f"infinite {self}"

    @property
    def _by_chance(self) -> str:
        return f"{CHANCE} of {self}"

    @property
    def _infinite_by_chance(self) -> str:
        return f"infinite {self._by_chance}"

    @property
    def counted(self) -> tuple[str, ...]:
        return (*super().counted, self._infinite, self._infinite_by_chance)

    def per_request(self, lists: Lists) -> Floats:
        found = self._values(lists)
        return np.where(np.isfinite(found), found, 0.0)

    def _values(self, lists: Lists) -> Floats:
        return lists.known(("values", self), lambda: self.values(lists))

    def beside(self, lists: Lists, own: Floats) -> Mapping[str, Floats]:
        return {CHANCE: chance(self, lists, own, self.of, self._values)}

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        found = dict(super().numbers(lists))
        drawn = found[self._by_chance]
        found[self._by_chance] = np.where(np.isfinite(drawn), drawn, 0.0)
        found[self._infinite_by_chance] = (~np.isfinite(drawn)).astype(float)
        found[self._infinite] = (~np.isfinite(self._values(lists))).astype(float)
        return found

    def finalise(self, s: TermSums) -> Figure:
        found = super().finalise(s)
        if not isinstance(found, SmoothFunction):
            raise TypeError("only means of requests may be infinite")
        function, about = found.function, dict(found.about)

        def finite(sums: Mapping[str, Floats]) -> Floats:
            there = np.real(sums[self._infinite]) > 0
            return np.where(there, np.nan, function(sums))

        if s.amounts[self._infinite].sum() > 0:
            # Beside figures some of which are undefined a mean over all would mislead.
            about = {topic: text for topic, text in about.items() if topic not in self.landmarks}
        elif many := int(s.amounts[self._infinite_by_chance].sum()):
            some = "1 request" if many == 1 else f"{many:,} requests"
            about[CHANCE] = f"infinite, for {some}: {self.landmarks[CHANCE]}"
        return replace(found, function=finite, otherwise=self.infinite, about=about)

    def conventions(self) -> Mapping[str, str]:
        items = f"{self.smoothing:g} item{'' if self.smoothing == 1 else 's'}"
        how = f"{items}, shared as the target says, are added to each prefix"
        return {**super().conventions(), "smoothing": how if self.smoothing else "none"}
