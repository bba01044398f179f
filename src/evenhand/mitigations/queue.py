"""Candidates best first, and those of a known group by themselves, for re-rankers that pick them.

A candidate without a group is in no target, so no re-ranker here moves it: it keeps the slot that
it has by score, and candidates of known group are put in order among the slots that they hold. A
prefix of i is therefore one of i candidates of known group, as it is for the measures
``infeasible_index`` and ``FAIR``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from evenhand.mitigations.candidates import (
    NOBODY,
    UNKNOWN,
    Candidates,
    Floats,
    Places,
    check_slots,
)

_Value = TypeVar("_Value", bound=np.generic)

BLOCK = 2048
"""Requests that are worked on at once: their tables stay in the processor's cache."""


def by_score(scores: Floats) -> Places:
    """Return the places of candidates, best first, shape (n, m); ties as they stand.

    NaN is last, in any order. An unstable sort is three times as fast as a stable one, and goes
    wrong among ties alone: requests that have some are sorted again.

    >>> by_score(np.array([[0.5, 0.9, 0.5, np.nan]])).tolist()
    [[1, 0, 2, 3]]
    """
    worst_first = -scores
    order = np.argsort(worst_first, axis=1)
    inorder = along(worst_first, order)
    tied = (inorder[:, 1:] == inorder[:, :-1]).any(axis=1)
    if tied.any():
        order[tied] = np.argsort(worst_first[tied], axis=1, kind="stable")
    found: Places = order.astype(np.int64, copy=False)
    return found


def along(values: NDArray[_Value], columns: Places) -> NDArray[_Value]:
    """Return the values of a row's columns: `numpy.take_along_axis`, at half its cost.

    Args:
        values: Of shape (n, m).
        columns: Of shape (n, w), each from 0 to m - 1.

    """
    rows, width = values.shape
    start = np.arange(0, rows * width, width)[:, None]
    return values.ravel().take(columns + start, mode="clip")


@dataclass(frozen=True)
class Queue:
    """The candidates of n requests, best first.

    Attributes:
        order: Their places, best first, shape (n, m).
        groups: The groups in that order, shape (n, m); `UNKNOWN` for none, and after the last.
        sizes: Number of candidates of each request, shape (n,).

    """

    order: Places
    groups: Places
    sizes: Places

    @cached_property
    def _known(self) -> NDArray[np.bool_]:
        """Whether the candidates are of known group, or the last has gone, shape (n, m)."""
        after: NDArray[np.bool_] = np.arange(self.groups.shape[1]) >= self.sizes[:, None]
        found: NDArray[np.bool_] = (self.groups != UNKNOWN) | after
        return found

    @cached_property
    def all_known(self) -> bool:
        """Whether every candidate has a group."""
        return bool(self._known.all())

    @cached_property
    def _known_first(self) -> Places:
        return np.argsort(~self._known, axis=1, kind="stable")

    @cached_property
    def known_groups(self) -> Places:
        """The groups of the candidates of known group, best first, shape (n, m)."""
        if self.all_known:
            return self.groups
        known = along(self.groups, self._known_first)
        known[np.arange(known.shape[1]) >= self._known.sum(axis=1)[:, None]] = UNKNOWN
        return known

    def slots(self, k: int) -> Places:
        """Return how many of the first k slots candidates of known group hold, shape (n,)."""
        if self.all_known:
            return np.minimum(self.sizes, k)
        there = np.arange(min(k, self.groups.shape[1])) < self.sizes[:, None]
        found: Places = (self._known[:, :k] & there).sum(axis=1)
        return found

    def placed(self, picks: Places, k: int) -> Places:
        """Return the order in which candidates of known group come as picked, shape (n, k).

        Args:
            picks: For each slot that such a candidate holds, which one it is, counted from 0 among
                them, best first; shape (n, min(k, m)).
            k: Number of slots.

        """
        width = picks.shape[1]
        found = np.full((len(self.order), k), NOBODY, np.int64)
        if self.all_known:
            place = np.maximum(picks, 0)
        else:
            known = self._known[:, :width]
            turn = np.maximum(np.cumsum(known, axis=1) - 1, 0)
            picked = np.maximum(along(picks, turn), 0)
            picked = along(self._known_first, picked)
            place = np.where(known, picked, np.arange(width))
        found[:, :width] = along(self.order, place)
        found[np.arange(k) >= self.sizes[:, None]] = NOBODY
        return found


@dataclass(frozen=True)
class Orders:
    """Two orders of the same requests.

    Attributes:
        best: By score alone, shape (n, k).
        picked: As picked, shape (n, k).

    """

    best: Places
    picked: Places


def picked_by(candidates: Candidates, k: int, pick: Callable[[Queue], Places]) -> Orders:
    """Return the orders in which `pick` puts candidates, and those by score.

    Args:
        candidates: Of n requests.
        k: Number of slots.
        pick: Says for a block of requests what `Queue.placed` takes.

    Raises:
        RoleError: k is no number of slots.

    """
    check_slots(k)
    best = np.full((candidates.requests, k), NOBODY, np.int64)
    picked = best.copy()
    if candidates.scores.shape[1]:
        for rows in _blocks(candidates.requests):
            queue = _queue(candidates.scores[rows], candidates.groups[rows])
            width = min(k, queue.order.shape[1])
            best[rows, :width] = queue.order[:, :width]
            picked[rows] = queue.placed(pick(queue), k)
        best[np.arange(k) >= candidates.sizes[:, None]] = NOBODY
    return Orders(best, picked)


def _blocks(requests: int) -> Iterator[slice]:
    for start in range(0, requests, BLOCK):
        yield slice(start, start + BLOCK)


def _queue(scores: Floats, groups: Places) -> Queue:
    sizes = (~np.isnan(scores)).sum(axis=1)
    order = by_score(scores)
    inorder = along(groups, order)
    if (sizes < scores.shape[1]).any():
        inorder[np.arange(scores.shape[1]) >= sizes[:, None]] = UNKNOWN
    return Queue(order, inorder, sizes)
