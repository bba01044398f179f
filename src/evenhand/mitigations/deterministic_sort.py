"""Candidates as they fall due, each moved up past worse ones that can wait."""

from __future__ import annotations

import numpy as np

from evenhand.mitigations.candidates import NOBODY, UNKNOWN, Places
from evenhand.mitigations.queue import Queue
from evenhand.mitigations.target import NEVER, Quota


def sorted_picks(queue: Queue, groups: int, k: int, quota: Quota) -> Places:
    """Return which candidate stands in each slot, counted from 0 by score, shape (n, min(k, m)).

    Candidates come in the order in which prefixes ask for them, and by score where one prefix asks
    for several; those that none asks for come last, by score. Each is put last and moves up past
    worse ones that may still move down and be in time.

    Args:
        queue: Of n requests.
        groups: Number of groups.
        k: Number of slots.
        quota: Says which prefix asks for whom.

    """
    known, room = queue.known_groups, queue.slots(k)
    m = known.shape[1]
    width = min(k, m)
    nth = np.zeros(known.shape, np.int64)
    for group in range(groups):
        own = known == group
        nth += own * np.cumsum(own, axis=1)
    due = np.where(known == UNKNOWN, NEVER, quota.due(known, nth))
    # One number for prefix and rank: no two are alike, so any sort will do.
    turns = np.sort(due * m + np.arange(m), axis=1)[:, :width].T
    until, rank = np.divmod(turns, max(m, 1))
    comes = np.arange(width)[:, None] < room
    return _inserted(
        np.where(comes, rank, _LAST).astype(np.int32),
        np.minimum(until, width + 1).astype(np.int32),
        room,
    )


_LAST = np.iinfo(np.int32).max
"""In place of a rank: there is no more room, and who comes passes nobody."""


def _inserted(rank: Places, until: Places, room: Places) -> Places:
    """Return the ranks slot by slot, shape (n, width).

    Args:
        rank: Of the candidates in the order in which they come, shape (width, n), int32.
        until: The slot, from 1, that each must not be behind.
        room: How many come, shape (n,).

    """
    width, n = rank.shape
    column = np.arange(n)
    held, last = np.empty_like(rank), np.empty_like(until)
    slots = np.arange(1, width + 1, dtype=np.int32)[:, None]
    for count in range(width):
        mine, limit = rank[count], until[count]
        here = slots[:count]
        stays = (held[:count] < mine) | (last[:count] <= here)
        after = (stays * here).max(axis=0, initial=0)
        down = here > after
        for table, value in ((held, mine), (last, limit)):
            table[1 : count + 1] = np.where(down, table[:count], table[1 : count + 1])
            table[after, column] = value
    return np.where(np.arange(width) < room[:, None], held.T.astype(np.int64), NOBODY)
