"""Diversity and entropy: how many kinds of items a list shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.measures.lists import UNKNOWN, Flags, Floats, Lists, Membership
from evenhand.measures.measure import measure
from evenhand.measures.ranking import Condition, PerRequest

_BASES = {"bits": np.log(2.0), "nats": 1.0}


def known_parts(lists: Lists, of: str, k: int | None) -> Membership:
    """Return to which known groups the items belong that are shown up to slot k.

    The known parts of an item add up to 1; items without any are left out.
    """

    def find() -> Membership:
        groups = lists.items[of]
        known = np.array([name != UNKNOWN for name in groups.names], np.bool_)
        inside = lists.within(k)[groups.row] & known[groups.group] & (groups.share > 0)
        row, share = groups.row[inside], groups.share[inside]
        if groups.soft:
            share = share / np.bincount(row, share, lists.rows)[row]
        return Membership(groups.names, row, groups.group[inside], share, groups.soft)

    return lists.known(("known parts", of, k), find)


def known_items(lists: Lists, of: str, k: int | None) -> Floats:
    """Return the number of items of known group that each request shows up to slot k."""

    def find() -> Floats:
        some = np.zeros(lists.rows)
        some[known_parts(lists, of, k).row] = 1
        return lists.total(some)

    return lists.known(("known items", of, k), find)


def at_least(items: int, of: str, k: int | None) -> Condition:
    """Return that a request shows so many items of known group up to slot k."""

    def holds(lists: Lists) -> Flags:
        found: Flags = known_items(lists, of, k) >= items
        return found

    fewer = "no item" if items == 1 else f"fewer than {items} items"
    verb = "was" if items == 1 else "were"
    what = f"{fewer} of known {of} {verb} shown"
    return Condition(f"{items} of known {of} to {k}", what, holds)


def taking_no_part(of: str) -> str:
    """Return what becomes of items of unknown group, in words."""
    return f"items of unknown {of} take no part"


@measure(
    needs=("rank",),
    better="higher",
    tags=("fairness",),
    cites="Simpson 1949; Ziegler et al. 2005",
)
class Diversity(PerRequest):
    """Share of pairs of shown items that are of different groups: intra-list diversity; in [0, 1].

    Per request, then the mean. 0 when all items shown up to slot k are of one group, 1 when no two
    are. Of items with several groups a pair is alike by the sum over groups of the product of both
    items' parts. Items of unknown group take no part; lists with fewer than two others are left out
    and counted: a single item is neither diverse nor uniform.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 1], "slot": [1, 2, 3], "topic": ["a", "a", "b"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["topic"])
    >>> round(eh.estimate("diversity(of=topic)", log).value, 4)        # 2 of 3 pairs
    0.6667
    """

    of: str
    k: int | None = None
    within = (0.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (at_least(2, self.of, self.k),)

    def conventions(self) -> Mapping[str, str]:
        return {**super().conventions(), "unknown": taking_no_part(self.of)}

    def per_request(self, lists: Lists) -> Floats:
        parts = known_parts(lists, self.of, self.k)
        items = known_items(lists, self.of, self.k)
        sums = _by_group(parts, lists)
        itself = lists.total(np.bincount(parts.row, np.square(parts.share), lists.rows))
        alike = (np.square(sums).sum(axis=1) - itself) / 2
        pairs = items * (items - 1) / 2
        unlike = 1 - np.divide(alike, pairs, out=np.ones_like(pairs), where=pairs > 0)
        found: Floats = np.clip(unlike, 0.0, 1.0)
        return found


@measure(
    needs=("rank",),
    better="higher",
    tags=("fairness",),
    cites="Shannon 1948",
)
class Entropy(PerRequest):
    """Shannon entropy of the shares of groups among the items shown up to slot k; in [0, inf).

    Per request, then the mean; in ``base=bits`` or ``nats``. 0 when all are of one group, the
    logarithm of the number of groups when they share the list equally. Items of unknown group take
    no part; lists without others are left out and counted.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2, 1, 2], "topic": [*"aaab"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["topic"])
    >>> eh.estimate("entropy(of=topic)", log).value
    0.5
    """

    of: str
    base: str = "bits"
    k: int | None = None
    within = (0.0, np.inf)

    def problem(self) -> str:
        if self.base not in _BASES:
            return f"base is {' or '.join(_BASES)}."
        return super().problem()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (at_least(1, self.of, self.k),)

    def conventions(self) -> Mapping[str, str]:
        return {
            **super().conventions(),
            "unit": self.base,
            "unknown": taking_no_part(self.of),
        }

    def per_request(self, lists: Lists) -> Floats:
        sums = _by_group(known_parts(lists, self.of, self.k), lists)
        total = np.maximum(sums.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        shares = sums / total
        logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
        found: Floats = np.maximum(-(shares * logs).sum(axis=1), 0.0) / _BASES[self.base]
        return found


def _by_group(parts: Membership, lists: Lists) -> Floats:
    """Return the number of items of each group in each request."""
    return parts.sums(np.ones(lists.rows), lists.request, lists.requests)
