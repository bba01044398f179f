"""Infeasibility: prefixes of a list that hold fewer of a group than its target, rounded down."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from evenhand.measures.figure import Figure, SmoothFunction
from evenhand.measures.lists import Floats, Indices, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.rankings.landmark import BY_CHANCE, CHANCE
from evenhand.measures.rankings.prefix import OfPrefixes, Prefixes
from evenhand.notation import Value

_NEAR = 1e-9
"""What rounding down forgives.

A prefix of n items needs floor(p n) of a group. Floats miss that: 100 x 0.29 is 28.999999999999996.
Targets of up to 100 groups are found to a relative error of about 100 x 2^-53, so p n and c / p are
nearer than 1e-9 for up to 10^4 items. Where p = a/b, these are whole numbers or at least 1/b, or
1/a, away from one. So what forgives 1e-9 rounds exactly wherever b is below 5 x 10^8: shares with
eight decimals, and catalogues of so many items.
"""


def short_of(prefixes: Prefixes) -> tuple[Indices, Indices, Indices]:
    """Return where prefixes hold too few of a group: request, first size, and the first size after.

    Between two items of a group its count c stays, and the prefixes of n items fall short of
    floor(p n) from n = ceil((floor(c) + 1) / p) on. So one stretch a count tells all of them,
    without a look at every group of every prefix.
    """
    lists, order = prefixes.lists, prefixes.order
    sizes = prefixes.sizes
    target = np.nan_to_num(prefixes.target)
    # A group that does not come up falls short from the first size on that asks for one.
    first = np.broadcast_to(_needed(np.zeros_like(target), target), prefixes.counts.shape)
    request, group = np.nonzero(first <= sizes[:, None])
    start = request * len(prefixes.names) + group
    cell = np.concatenate([start, prefixes.cell[order]])
    ends_at = np.concatenate([np.zeros(len(start), np.intp), prefixes.size[prefixes.row[order]]])
    due = np.concatenate([np.zeros(len(start)), np.nan_to_num(prefixes.due[order])])
    count = np.concatenate([np.zeros(len(start)), (prefixes.above + prefixes.share)[order]])
    needed = _needed(count, due)
    needed[: len(start)] = first[request, group]
    place = np.lexsort((ends_at, cell))
    cell, ends_at, needed = cell[place], ends_at[place], needed[place]
    of_request = cell // len(prefixes.names)
    after = np.append(ends_at[1:], 0)
    last = np.append(cell[1:] != cell[:-1], True)[: len(cell)]
    after = np.where(last, sizes[of_request] + 1, after[: len(cell)])
    begins = np.maximum(ends_at, np.minimum(needed, lists.rows + 1)).astype(np.intp)
    short = begins < after
    return of_request[short], begins[short], after[short]


def _needed(count: Floats, due: Floats) -> Floats:
    """Return the size from which on a prefix with so many of a group falls short."""
    with np.errstate(divide="ignore"):
        found: Floats = np.ceil((np.floor(count + _NEAR) + 1) / due - _NEAR)
    return found


class Infeasible(OfPrefixes):
    """Prefixes that fall short of a target."""

    within = (0.0, np.inf)
    landmarks = MappingProxyType({CHANCE: BY_CHANCE})

    def short(self, lists: Lists) -> tuple[Indices, Indices, Indices]:
        """Return the stretches of prefixes that fall short, found once for all measures."""
        prefixes = self.prefixes(lists)
        key = ("short", self.of, self.k, str(self.target))
        return lists.known(key, lambda: short_of(prefixes))

    @abstractmethod
    def most(self, k: int) -> float:
        """Return the largest figure of lists of k items."""

    def finalise(self, s: TermSums) -> Figure:
        found = super().finalise(s)
        if self.k is None or not isinstance(found, SmoothFunction):
            return found
        # With a largest value there is an interval also where no list falls short.
        return replace(found, within=(0.0, self.most(self.k)))


@measure(needs=("rank",), better="lower", tags=("fairness",), cites="Geyik et al. 2019")
class InfeasibleIndex(Infeasible):
    """Number of prefixes in which a group has fewer than floor(p i) of i items; in [0, inf).

    Per request, then the mean; p is the group's target, floor is exact, and prefixes are of the
    items of known group at slots up to k. 0 when every prefix has what the target asks for.

    >>> import evenhand as eh, polars as pl
    >>> rows = {"q": [1] * 4 + [2] * 4, "slot": [1, 2, 3, 4] * 2, "by": list("aaababab")}
    >>> log = eh.log(pl.DataFrame(rows), kind="search", request="q", rank="slot",
    ...              item_groups=["by"])
    >>> found = eh.estimate("infeasible_index(of=by, target=shares(a, 0.5, b, 0.5))@4", log)
    >>> found.value                            # of aaab the prefixes aa, aaa and aaab; of abab none
    1.5
    """

    of: str
    target: Value = "catalogue"
    k: int | None = None

    def most(self, k: int) -> float:
        return float(k)

    def per_request(self, lists: Lists) -> Floats:
        request, begins, after = self.short(lists)
        # A step up where a stretch begins and down after it: above 0 some group falls short.
        room = self.prefixes(lists).sizes + 2
        start = np.concatenate([[0], np.cumsum(room)])
        size = int(start[-1])
        up = np.bincount(start[request] + begins, minlength=size)
        down = np.bincount(start[request] + after, minlength=size)
        some = np.cumsum(up - down) > 0
        found: Floats = np.add.reduceat(some, start[:-1], dtype=np.float64)
        return found


@measure(needs=("rank",), better="lower", tags=("fairness",), cites="Geyik et al. 2019")
class InfeasibleCount(Infeasible):
    """Number of pairs of prefix and group with fewer than floor(p i) of i items; in [0, inf).

    Per request, then the mean. As `infeasible_index`, but a prefix counts once for every group
    that falls short.

    >>> import evenhand as eh, polars as pl
    >>> rows = {"q": [1] * 3 + [2] * 3, "slot": [1, 2, 3] * 2, "by": list("aaabca")}
    >>> log = eh.log(pl.DataFrame(rows), kind="search", request="q", rank="slot",
    ...              item_groups=["by"])
    >>> found = eh.estimate("infeasible_count(of=by, target=shares(a, .2, b, .4, c, .4))@3", log)
    >>> found.value                                       # b and c in aaa, none in bca
    1.0
    """

    of: str
    target: Value = "catalogue"
    k: int | None = None

    def most(self, k: int) -> float:
        # Targets add up to 1, so of i items no more than i are asked for.
        return k * (k + 1) / 2

    def per_request(self, lists: Lists) -> Floats:
        request, begins, after = self.short(lists)
        return np.bincount(request, after - begins, lists.requests).astype(float)
