"""NDKL: how far the groups of a list's first items are from a target, cut after every item."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import measure
from evenhand.measures.rankings.landmark import BEST, BY_CHANCE, CHANCE, GREEDY, alike
from evenhand.measures.rankings.prefix import MaybeInfinite
from evenhand.notation import Value


@measure(
    needs=("rank",),
    better="lower",
    tags=("fairness",),
    cites="Geyik et al. 2019",
    name="NDKL",
)
class NDKL(MaybeInfinite):
    """Normalised discounted divergence of a list's prefixes from a target; in [0, inf).

    Per request (1/Z) sum_i KL(D_i, T) / log2(i + 1), then the mean. KL is the divergence of
    Kullback and Leibler, D_i are the shares of groups among the items shown at slots 1 to i, T is
    the target's share of every group, in the list or not, and Z the sum of 1 / log2(i + 1). Both
    sums are over slots i that have an item, from the first item of known group on. Natural
    logarithms. 0 when every prefix is as the target says, which a short one cannot be: beside it
    stand the figure of random order and the least that can be reached.

    It is infinite, and so undefined, where a list shows items of a group whose target is 0.
    ``smoothing=s`` adds s items, shared as the target says, to each prefix, so that short ones
    count for less; by default none.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 2, 2], "slot": [1, 1, 2], "by": ["a", "a", "b"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["by"])
    >>> found = eh.estimate("NDKL(of=by, target=shares(a, 0.5, b, 0.5))", log)
    >>> round(found.value, 4)                           # (ln 2 + ln 2 / (1 + 1 / log2 3)) / 2
    0.5591
    """

    of: str
    target: Value = "catalogue"
    smoothing: float = 0.0
    k: int | None = None
    within = (0.0, np.inf)
    landmarks = MappingProxyType({CHANCE: BY_CHANCE, BEST: GREEDY})

    @property
    def infinite(self) -> str:
        return (
            f"a list shows items of a {self.of} whose target is 0, from which the divergence is "
            "infinite; give it a share: target=mean(catalogue, equal), or shares(...)"
        )

    def conventions(self) -> Mapping[str, str]:
        return {**super().conventions(), "divergence": "Kullback-Leibler, in nats"}

    def values(self, lists: Lists) -> Floats:
        prefixes = self.prefixes(lists)
        # Where the target is 0 anything may stand: such a request is infinite, or has no target.
        due = np.where(prefixes.due > 0, prefixes.due, 1.0)
        there = prefixes.above + self.smoothing * due
        gained = _surprise(there + prefixes.share, due) - _surprise(there, due)
        by_row = np.bincount(prefixes.row, gained, lists.rows).astype(float)
        known = lists.running(prefixes.part)
        ends = lists.within(self.k) & (known > 0)
        divergence = _divergence(_running(lists, by_row), known, self.smoothing, ends)
        weight = np.where(ends, 1 / np.log2(1 + np.maximum(lists.slot, 1.0)), 0.0)
        weights = lists.total(weight)
        found = np.zeros(lists.requests)
        np.divide(lists.total(weight * divergence), weights, out=found, where=weights > 0)
        nowhere = np.bincount(prefixes.request, prefixes.due <= 0, lists.requests)
        return np.where(nowhere > 0, np.inf, found)

    def beside(self, lists: Lists, own: Floats) -> Mapping[str, Floats]:
        # Where its own is infinite there is no figure, whatever stands beside it.
        best = np.where(np.isfinite(self._values(lists)), np.minimum(own, self._best(lists)), 0.0)
        return {**super().beside(lists, own), BEST: best}

    def _best(self, lists: Lists) -> Floats:
        """Return the figures of lists whose every item keeps its prefix as near as it can."""
        target = self.prefixes(lists).target
        some, place = alike(lists, self.k, told=len(target) == 1)
        aims = np.broadcast_to(np.nan_to_num(target), (lists.requests, target.shape[1]))[some]
        shown, starts = lists.total(lists.within(self.k))[some], lists.starts[:-1][some]
        with np.errstate(divide="ignore"):
            due = np.log(aims)
        counts = self.smoothing * aims
        sums, weighed, weights = (np.zeros(len(some)) for _ in range(3))
        for step in range(int(shown.max(initial=0))):
            open_ = np.flatnonzero(shown > step)
            have = counts[open_]
            cost = _entropy(have + 1) - _entropy(have) - due[open_]
            group = cost.argmin(axis=1)
            sums[open_] += cost[np.arange(len(open_)), group]
            counts[open_, group] += 1
            known = np.full(len(open_), step + 1.0)
            there = np.ones(len(open_), np.bool_)
            found = _divergence(sums[open_], known, self.smoothing, there)
            weight = 1 / np.log2(1 + lists.slot[starts[open_] + step])
            weighed[open_] += weight * found
            weights[open_] += weight
        best = np.divide(weighed, weights, out=np.zeros_like(weighed), where=weights > 0)
        return np.asarray(best[place])


def _entropy(count: Floats) -> Floats:
    """Return c ln c, 0 for 0."""
    found: Floats = count * np.log(np.where(count > 0, count, 1.0))
    return found


def _surprise(count: Floats, due: Floats) -> Floats:
    """Return c ln(c / t), 0 where c is 0."""
    found: Floats = _entropy(count) - count * np.log(due)
    return found


def _divergence(gained: Floats, known: Floats, smoothing: float, ends: np.ndarray) -> Floats:
    """Return the divergence of prefixes from what their items have added to sum c ln(c / t)."""
    size = np.where(ends, known, 1.0) + smoothing
    start = smoothing * np.log(smoothing) if smoothing else 0.0
    return np.where(ends, np.maximum((gained + start) / size - np.log(size), 0.0), 0.0)


def _running(lists: Lists, values: Floats) -> Floats:
    """Return sums from the first row of each request, with digits to spare for a block of rows."""
    summed = np.cumsum(values, dtype=np.longdouble)
    before = np.concatenate([np.zeros(1, np.longdouble), summed])[lists.starts[:-1]]
    found: Floats = (summed - before.repeat(np.diff(lists.starts))).astype(np.float64)
    return found
