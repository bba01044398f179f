"""Attention-weighted rank fairness: how near a list's exposure by group is to a target."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import measure
from evenhand.measures.ranking import Condition, PerRequest
from evenhand.measures.rankings.landmark import BEST, BY_CHANCE, CHANCE, GREEDY, alike, chance
from evenhand.measures.rankings.mix import mix
from evenhand.measures.target import Target, normal
from evenhand.notation import Value

_BASES = {"bits": np.log(2.0), "nats": 1.0}


def jensen_shannon(one: Floats, other: Floats) -> Floats:
    """Return the Jensen-Shannon divergence of distributions in nats, shape (n,); in [0, ln 2].

    Args:
        one: Shares, shape (n, groups); rows add up to 1.
        other: Shares, shape (n or 1, groups).

    """
    middle = (one + other) / 2
    found: Floats = (_kullback_leibler(one, middle) + _kullback_leibler(other, middle)) / 2
    return found


def _kullback_leibler(one: Floats, other: Floats) -> Floats:
    held = np.broadcast_to(one, other.shape)
    ratio = np.divide(held, other, out=np.ones_like(other), where=(held > 0) & (other > 0))
    found: Floats = (held * np.log(ratio)).sum(axis=1)
    return found


@measure(
    needs=("rank",),
    better="higher",
    tags=("fairness",),
    cites="Sapiezynski et al. 2019; TREC Fair Ranking 2022",
    name="AWRF",
)
class AWRF(PerRequest):
    """One minus the divergence of a list's exposure by group from a target; in [0, 1].

    The divergence is that of Jensen and Shannon; per request, then the mean. 1 when exposure is
    shared as the target says, 0 when it goes where the target has nothing. With ``base=nats``, as
    TREC's tools compute it, the least is 1 - ln 2 = .307. Items of unknown group take no part in
    the shares. Beside it stand the figure of random order and the best that can be reached.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1], "slot": [1, 2], "by": ["a", "a"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["by"])
    >>> eh.estimate("AWRF(of=by, target=shares(a, 0, b, 1))", log).value
    0.0
    """

    of: str
    target: Value = "catalogue"
    browsing: Value = "log2"
    base: str = "bits"
    k: int | None = None
    within = (0.0, 1.0)
    landmarks = MappingProxyType({CHANCE: BY_CHANCE, BEST: GREEDY})

    def problem(self) -> str:
        if self.base not in _BASES:
            return f"base is {' or '.join(_BASES)}."
        return super().problem()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        name = f"some {self.of} by {self.model} to {self.k}"
        what = f"no item of known {self.of} was shown"
        aims = f"target {self.target} of {self.of}"
        return (
            Condition(name, what, self._some_known),
            Condition(aims, f"the target of {self.of} is 0 for every group", self._some_target),
        )

    def conventions(self) -> Mapping[str, str]:
        return {
            **super().conventions(),
            "divergence": f"Jensen-Shannon, in {self.base}",
            "unknown": f"items of unknown {self.of} take no part in the shares",
        }

    def per_request(self, lists: Lists) -> Floats:
        shares, target = self._shares(lists)
        sound = np.isfinite(shares).all(axis=1) & np.isfinite(target).all(axis=1)
        found = np.zeros(lists.requests)
        aims = np.broadcast_to(target, shares.shape)
        found[sound] = 1 - jensen_shannon(shares[sound], aims[sound]) / _BASES[self.base]
        return np.clip(found, 0.0, 1.0)

    def beside(self, lists: Lists, own: Floats) -> Mapping[str, Floats]:
        best = np.maximum(own, self._best(lists))
        return {CHANCE: chance(self, lists, own, self.of), BEST: best}

    def _best(self, lists: Lists) -> Floats:
        """Return the figures of lists that give each slot to the group furthest below its due."""
        weights, (_, target) = self.model.weights(lists, self.k), self._shares(lists)
        told = len(target) == 1 and self.model.slots(1) is not None
        some, place = alike(lists, self.k, told=told)
        aims = np.broadcast_to(np.nan_to_num(target), (lists.requests, target.shape[1]))[some]
        shown, starts = lists.total(lists.within(self.k))[some], lists.starts[:-1][some]
        # By group first, since there are few of them and many requests; the longest lists first.
        order = np.argsort(-shown, kind="stable")
        lacks = np.ascontiguousarray((aims * lists.total(weights)[some, None])[order].T)
        given, starts = np.zeros_like(lacks), starts[order]
        longer = np.searchsorted(-shown[order], -np.arange(shown.max(initial=0)))
        for step, size in enumerate(longer):
            group = lacks[:, :size].argmax(axis=0)
            weight = weights[starts[:size] + step]
            for each in range(len(lacks)):
                gained = np.where(group == each, weight, 0.0)
                given[each, :size] += gained
                lacks[each, :size] -= gained
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        shares = np.nan_to_num(normal(given.T[back]))
        found = 1 - jensen_shannon(shares, aims) / _BASES[self.base]
        best: Floats = np.clip(found, 0.0, 1.0)[place]
        return best

    def _shares(self, lists: Lists) -> tuple[Floats, Floats]:
        """Return shares of exposure, and the target's, of the known groups."""
        return mix(lists, self.of, self.model, self.k, self._target)

    @property
    def _target(self) -> Target:
        if self.aim is None:
            raise TypeError(self.problem())
        return self.aim

    def _some_known(self, lists: Lists) -> Flags:
        return np.asarray(np.isfinite(self._shares(lists)[0]).all(axis=1))

    def _some_target(self, lists: Lists) -> Flags:
        aims = np.isfinite(self._shares(lists)[1]).all(axis=1)
        return np.broadcast_to(aims, (lists.requests,))
