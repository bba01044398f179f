"""Slots filled one after the other: below a minimum first, then below a maximum, then the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.mitigations.candidates import NOBODY, Places
from evenhand.mitigations.queue import Queue
from evenhand.mitigations.target import Bounds


@dataclass(frozen=True)
class Lines:
    """The candidates of each group of n requests in a line, best first.

    A candidate is a key, ``rank << bits | group``: the rank counts from 0 among the candidates of
    known group of its request, best first, so that the least of several keys is the best candidate,
    and never one of two.

    Attributes:
        keys: All lines, one after the other; each ends with `none`.
        first: Where each line begins, shape (groups, n).
        bits: Bits of the group.
        span: One more than the bits of a whole key hold; a multiple of it keeps a key readable.
        none: A key that comes after all others, whatever the multiples of `span` up to `classes`.

    """

    keys: NDArray[np.int64]
    first: Places
    bits: int
    span: int
    none: int

    def rank(self, key: NDArray[np.int64]) -> Places:
        """Return the rank of a key."""
        return (key & (self.span - 1)) >> self.bits

    def group(self, key: NDArray[np.int64]) -> Places:
        """Return the group of a key."""
        return key & ((1 << self.bits) - 1)


def lines_of(queue: Queue, groups: int, classes: int) -> Lines:
    """Return the lines of a queue.

    Args:
        queue: Of n requests.
        groups: Number of groups.
        classes: The largest multiple of `span` that will be added to keys.

    """
    known = queue.known_groups
    n, width = known.shape
    bits = (groups - 1).bit_length()
    span = 1 << (bits + width.bit_length())
    none = (classes + 1) * span
    columns = np.append(np.arange(width) << bits, none)
    belongs = np.ones((n, width + 1), bool)
    parts, first, start = [], np.empty((groups, n), np.int64), 0
    for group in range(groups):
        np.equal(known, group, out=belongs[:, :-1])
        # The last column is in every line, and ends it.
        found = columns[np.nonzero(belongs)[1]]
        lengths = belongs.sum(axis=1)
        first[group] = start + np.cumsum(lengths) - lengths
        start += len(found)
        parts.append(found | group)
    return Lines(np.concatenate(parts), first, bits, span, none)


def stepped_picks(queue: Queue, groups: int, k: int, bounds: Iterable[Bounds]) -> Places:
    """Return which candidate stands in each slot, counted from 0 by score, shape (n, min(k, m)).

    Slot i goes to the best candidate of a group that holds fewer than its least; if there is none,
    of a group that holds fewer than its most, those of the least turn first; or else to the best
    that is left.

    Args:
        queue: Of n requests.
        groups: Number of groups.
        k: Number of slots.
        bounds: Of the first i = 1..k.

    """
    n, width = len(queue.order), min(k, queue.order.shape[1])
    last = groups + 1
    lines = lines_of(queue, groups, last)
    place = lines.first.copy()
    head = lines.keys[place]
    held = np.zeros((groups, n), np.int64)
    flat_place, flat_head, flat_held = place.ravel(), head.ravel(), held.ravel()
    row = np.arange(n)
    over = last * lines.span
    found = np.full((width, n), NOBODY, np.int64)
    for slot, bound in zip(range(width), bounds, strict=False):
        below_most = np.where(held < bound.most, (1 + bound.turn) * lines.span, over)
        wait = np.where(held < bound.least, 0, below_most)
        best = (head + wait).min(axis=0)
        there = best < lines.none
        found[slot] = np.where(there, lines.rank(best), NOBODY)
        cell = lines.group(best) * n + row
        if not there.all():
            cell = cell[there]
            if not len(cell):
                break
        flat_held[cell] += 1
        flat_place[cell] += 1
        flat_head[cell] = lines.keys[flat_place[cell]]
    return found.T
