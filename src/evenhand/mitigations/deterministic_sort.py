"""Candidates as they fall due, each moved up past worse ones that can wait."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.mitigations.candidates import NOBODY, Floats, Places
from evenhand.mitigations.deterministic_step import Lines, lines_of
from evenhand.mitigations.minimum import NEAR
from evenhand.mitigations.queue import Queue


def due(shares: Floats, k: int) -> list[tuple[int, list[int]]]:
    """Return the prefixes at which minima rise, in order, with the groups that are due one more.

    Up to k candidates of each group; a group with a share of 0, or as good as 0, is never due. The
    minimum floor(p i) is t from i = ceil(t / p) on.

    >>> due(np.array([0.5, 0.3, 0.2, 0.0]), 2)
    [(2, [0]), (4, [0, 1]), (5, [2]), (7, [1]), (10, [2])]
    """
    at: dict[int, list[int]] = {}
    for group, share in enumerate(shares.tolist()):
        if share > NEAR:
            turns = np.ceil((np.arange(1, k + 1) - NEAR) / share)
            for prefix in turns.tolist():
                at.setdefault(int(prefix), []).append(group)
    return sorted(at.items())


def sorted_picks(queue: Queue, shares: Floats, k: int) -> Places:
    """Return which candidate stands in each slot, counted from 0 by score, shape (n, min(k, m)).

    Args:
        queue: Of n requests.
        shares: The target of each group, shape (groups,).
        k: Number of slots.

    """
    width = min(k, queue.order.shape[1])
    table = _Table(lines_of(queue, len(shares), 0), queue.slots(k), width)
    for prefix, groups in due(shares, width):
        if table.full:
            break
        table.add(np.array(groups), min(prefix, width + 1))
    never = np.flatnonzero(shares <= NEAR)
    while len(never) and not table.full:
        if not table.add(never, width + 1, most=1):
            break
    return table.picks()


class _Table:
    """What is picked so far: ranks and the slots that they must not be behind, (width, n)."""

    def __init__(self, lines: Lines, room: Places, width: int) -> None:
        n = lines.first.shape[1]
        self._lines = lines
        self._room = room
        self._place = lines.first.copy()
        self._head = lines.keys[self._place]
        self._rank = np.full((width + 1, n), np.iinfo(np.int64).max)
        self._until = np.full((width + 1, n), width + 1)
        self._count = np.zeros(n, np.int64)
        self._row = np.arange(n)

    @property
    def full(self) -> bool:
        """Whether no request has an empty slot."""
        return bool((self._count >= self._room).all())

    def add(self, groups: NDArray[np.int64], prefix: int, most: int | None = None) -> bool:
        """Add the next candidate of each group, best first, to stand at `prefix` at the latest.

        Args:
            groups: Whose candidates are due.
            prefix: When.
            most: How many of the groups at most; all by default.

        Returns:
            Whether there was any.

        """
        waiting = self._head[groups]
        some = False
        for _ in range(len(groups) if most is None else most):
            best = waiting.min(axis=0)
            rows = np.flatnonzero((best < self._lines.none) & (self._count < self._room))
            if not len(rows):
                break
            some = True
            group = self._lines.group(best[rows])
            waiting[np.searchsorted(groups, group), rows] = self._lines.none
            self._place[group, rows] += 1
            self._head[group, rows] = self._lines.keys[self._place[group, rows]]
            self._insert(rows, self._lines.rank(best), prefix)
        return some

    def _insert(self, rows: NDArray[np.int64], rank: Places, prefix: int) -> None:
        """Put a candidate last in some requests, and move it up past worse ones that can wait."""
        last = int(self._count[rows].max())
        slot = np.arange(1, last + 1)[:, None]
        held, until = self._rank[: last + 1], self._until[: last + 1]
        stays = (held[:-1] < rank) | (until[:-1] <= slot)
        after = (stays * slot).max(axis=0, initial=0)
        # Where nothing is added nothing moves.
        moves = np.full(len(self._row), last + 1)
        moves[rows] = after[rows]
        down = slot > moves
        for table, value in ((held, rank[rows]), (until, prefix)):
            table[1:] = np.where(down, table[:-1], table[1:])
            table[moves[rows], rows] = value
        self._count[rows] += 1

    def picks(self) -> Places:
        """Return the ranks, shape (n, width)."""
        rank = self._rank[:-1].T
        return np.where(np.arange(rank.shape[1]) < self._count[:, None], rank, NOBODY)
