"""Whole requests of a log as arrays, which measures of rankings read.

A request is answered by one ranked list. Its rows stand together, shown items first and in the
order of their slots, then those that were not shown. Slots are as logged: gaps are legal and
nothing is renumbered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evenhand.logs.group import UNKNOWN

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Membership:
    """To which groups the items of rows belong.

    Attributes:
        names: The groups, sorted; ``unknown`` may be among them.
        row: The row of each entry, ascending.
        group: The place of its group among the names.
        share: The part of the row that belongs there; the parts of a row add up to 1.
        soft: Whether an item may belong to several groups.

    """

    names: tuple[str, ...]
    row: Indices
    group: Indices
    share: Floats
    soft: bool = False

    def sums(self, values: Floats, request: Indices, requests: int) -> Floats:
        """Return sums of rows' values by request and group, shape (requests, names)."""
        size = len(self.names)
        cell = request[self.row] * size + self.group
        weight = values[self.row] * self.share if self.soft else values[self.row]
        return _binned(cell, weight, requests * size).reshape(requests, size)

    def of(self, name: str, rows: int) -> Floats:
        """Return the part of every row that belongs to a group, shape (rows,)."""
        if name not in self.names:
            return np.zeros(rows)
        inside = self.group == self.names.index(name)
        return _binned(self.row[inside], self.share[inside], rows)


def _binned(place: Indices, weight: Floats, size: int) -> Floats:
    sums: NDArray[Any] = np.bincount(place, weight, size)
    return sums.astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class Lists:
    """Some requests of a log.

    Attributes:
        starts: The first row of each request and the number of rows, shape (requests + 1,).
        slot: The slot of each row's item, from 1; 0 where it was not shown.
        relevance: What each item is worth to who was served, >= 0; nan where it is not known.
            None where the log has no such role.
        columns: Other numbers of the rows by column; nan where missing.
        items: Groups of the items by attribute.
        sound: Whether each request is consistent; figures are not asked of the others.
        catalogue: For each attribute the share of each group in what could be shown.
        by_slot: For each column its mean at each slot from 1 in the whole log.
        item: A number of each row's item, equal for equal items.
        key: A number of what each request answers, the same in whatever part of a log it is read;
            what is drawn at random for a request depends on it alone. None where no measure draws.
        query: The query of each request, ascending from 0: requests of one query are rankings that
            were sampled for it. None where every request is another query.
        every: Of so many requests one is taken where a sample is enough.
        propensity: The chance with which each item was shown where it stands, > 0 for those shown;
            nan where missing. None where no measure reads it.

    """

    starts: Indices
    slot: NDArray[np.int64]
    relevance: Floats | None
    columns: Mapping[str, Floats]
    items: Mapping[str, Membership]
    sound: Flags
    catalogue: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    by_slot: Mapping[str, Floats] = field(default_factory=dict)
    item: NDArray[np.uint64] | None = None
    key: NDArray[np.uint64] | None = None
    query: Indices | None = None
    every: int = 1
    propensity: Floats | None = None
    _found: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def requests(self) -> int:
        """The number of requests."""
        return len(self.starts) - 1

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.slot)

    @cached_property
    def sampled(self) -> Flags:
        """Which requests stand for all where a sample is enough: the same in any order of rows."""
        if self.key is None or self.every == 1:
            return np.ones(self.requests, np.bool_)
        return np.asarray(self.key % np.uint64(self.every) == 0)

    def only(self, inside: Flags) -> Lists:
        """Return some of the requests."""
        rows = inside[self.request]
        place = np.cumsum(rows) - 1

        def members(groups: Membership) -> Membership:
            kept = rows[groups.row]
            return replace(
                groups,
                row=place[groups.row[kept]],
                group=groups.group[kept],
                share=groups.share[kept],
            )

        def part(values: NDArray[Any] | None, kept: Flags) -> Any:  # noqa: ANN401 - as it came
            return None if values is None else values[kept]

        query = part(self.query, inside)
        return replace(
            self,
            starts=np.concatenate([[0], np.cumsum(np.diff(self.starts)[inside])]),
            slot=self.slot[rows],
            relevance=part(self.relevance, rows),
            columns={name: values[rows] for name, values in self.columns.items()},
            items={name: members(groups) for name, groups in self.items.items()},
            sound=self.sound[inside],
            item=part(self.item, rows),
            key=part(self.key, inside),
            query=None if query is None else np.unique(query, return_inverse=True)[1],
            every=1,
            propensity=part(self.propensity, rows),
        )

    @property
    def queries(self) -> int:
        """The number of queries."""
        if self.query is None or not self.requests:
            return self.requests
        return int(self.query[-1]) + 1

    @cached_property
    def query_of(self) -> Indices:
        """The query of each request."""
        return np.arange(self.requests) if self.query is None else self.query

    @cached_property
    def request(self) -> Indices:
        """The request of each row."""
        return np.repeat(np.arange(self.requests), np.diff(self.starts))

    @cached_property
    def shown(self) -> Flags:
        """Whether each row's item was shown."""
        return self.slot > 0

    @cached_property
    def position(self) -> Indices:
        """The place of each row in its request, from 0: the number of items shown above."""
        place: Indices = np.arange(self.rows) - self.starts[:-1].repeat(np.diff(self.starts))
        return place

    def known(self, key: object, find: Callable[[], Found]) -> Found:
        """Return what several measures need, found once.

        Args:
            key: What it is, hashable.
            find: Finds it.

        """
        if key not in self._found:
            self._found[key] = find()
        found: Found = self._found[key]
        return found

    def total(self, values: NDArray[Any]) -> Floats:
        """Return the sum of rows' values in each request, shape (requests,)."""
        if not self.requests:
            return np.zeros(0)
        summed: Floats = np.add.reduceat(values, self.starts[:-1], dtype=np.float64)
        return summed

    def largest(self, values: Floats) -> Floats:
        """Return the largest value in each request, shape (requests,)."""
        if not self.requests:
            return np.zeros(0)
        most: Floats = np.maximum.reduceat(values, self.starts[:-1])
        return most

    def running(self, values: NDArray[Any]) -> Floats:
        """Return sums from the first row of the request to each row, itself included."""
        summed = np.cumsum(values, dtype=np.float64)
        before = np.concatenate([[0.0], summed])[self.starts[:-1]]
        inside: Floats = summed - before.repeat(np.diff(self.starts))
        return inside

    def within(self, k: int | None) -> Flags:
        """Return which rows are shown at slots up to k; all that are shown where it is None."""
        return self.shown if k is None else self.shown & (self.slot <= k)

    def judged(self) -> Floats:
        """Return the relevance of each row, 0 where it is not known."""
        if self.relevance is None:
            raise TypeError("a measure reads relevance and does not need it")
        relevance = self.relevance
        return self.known("judged", lambda: np.nan_to_num(relevance, nan=0.0))

    def relevant(self, level: float = 1.0) -> Flags:
        """Return which rows are at least so relevant."""
        return self.judged() >= level

    def shares(self, weights: Floats, of: str) -> tuple[tuple[str, ...], Floats]:
        """Return sums of rows' weights by request and group of items, and the groups' names."""
        groups = self.items[of]
        return groups.names, groups.sums(weights, self.request, self.requests)

    def best(self, gain: Callable[[Floats], Floats], weight: Floats, k: int | None) -> Floats:
        """Return the largest sum of gains times weights over all orders of a request's items.

        Args:
            gain: The gain of a relevance, increasing, 0 for 0.
            weight: The weight of each slot from 1, decreasing; at least as many as rows of a
                request.
            k: The last slot that counts.

        """
        relevance = self.judged()
        sizes = np.diff(self.starts)
        longest = int(sizes.max(initial=0))
        cut = longest if k is None else min(k, longest)
        counted = np.concatenate([[0.0], np.cumsum(weight[:cut])])
        few = self.rows > 0 and relevance.max() < _FEW_GRADES
        whole = relevance.astype(np.int8) if few else np.zeros(0, np.int8)
        if few and (whole == relevance).all():
            grades = int(whole.max()) + 1
            cells = self.request * grades + whole
            counts = np.bincount(cells, minlength=self.requests * grades)
            table = counts.reshape(self.requests, grades)[:, ::-1]
            upto = np.minimum(np.cumsum(table, axis=1), cut)
            parts = np.diff(counted[upto], axis=1, prepend=0.0)
            found: Floats = parts @ gain(np.arange(grades - 1, -1, -1, dtype=float))
            return found
        order = np.lexsort((-relevance, self.request))
        place = self.position
        weights = np.concatenate([weight[:cut], np.zeros(max(longest - cut, 0))])[place]
        return self.total(gain(relevance[order]) * weights)


_FEW_GRADES = 32
"""Of grades up to here the counts of a request tell its ideal order without sorting."""

__all__ = ["UNKNOWN", "Flags", "Floats", "Indices", "Lists", "Membership"]
