"""The best order there is under the same minima: what a re-ranker's utility is held against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import NOBODY, UNKNOWN, Candidates, Floats, Places
from evenhand.mitigations.certificate import utility
from evenhand.mitigations.deterministic_step import lines_of
from evenhand.mitigations.minimum import blocks
from evenhand.mitigations.queue import Queue, picked_by


@dataclass(frozen=True)
class Optimum:
    """The best orders of n requests under minima.

    Attributes:
        order: Places of candidates, shape (n, k); all `NOBODY` where no order meets the minima.
        utility: Its discounted sum of scores, shape (n,); NaN where there is none.
        reasons: Why there is none, by request.

    """

    order: Places
    utility: Floats
    reasons: dict[int, str]


def best_under_minima(candidates: Candidates, minima: Places, k: int) -> Optimum:
    """Return the orders of highest utility that hold enough of each group in every prefix.

    A candidate without a group keeps the slot that it has by score, and prefixes are of the others,
    as they are for re-rankers that guarantee minima; best is meant among orders of that kind.
    Minima of prefixes that a list does not reach are not asked for.

    Exact, whatever the weights of slots, as long as they fall: O(k G) for a request, beside the
    sort. In the best order a group's candidates stand by score, since to swap two of them changes
    no count. So it shows the best of each group that its minimum asks for, and of the others the
    best. It is filled from the last slot up: there stands the worst of the candidates that may, of
    groups that without it still hold what the prefix before asks for. Were it another, a swap of
    the two would move a better one up, and the worse one to where it may stand.

    Args:
        candidates: The requests.
        minima: How many of each group prefix i = 1..k must hold at least, shape (k, G) or, where
            requests differ, (n, k, G); int64.
        k: Slots.

    Raises:
        RoleError: The minima are not of that shape, or k is no number of slots.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> asked = candidates_of([[0.9, 0.8, 0.7]], [["m", "m", "f"]])
    >>> best_under_minima(asked, np.array([[0, 0], [1, 0], [1, 0]]), 3).order.tolist()
    [[0, 2, 1]]
    """
    shape = (k, len(candidates.names))
    if minima.shape not in (shape, (candidates.requests, *shape)):
        what = f"their shape is {minima.shape}."
        raise RoleError(Problem("minima", what, f"Give {shape}: slots and groups."))
    if not candidates.names:
        order = candidates.best(k)
        return Optimum(order, utility(candidates, order), {})
    order = np.full((candidates.requests, k), NOBODY, np.int64)
    reasons: dict[int, str] = {}
    for rows in blocks(candidates.requests, k * len(candidates.names)):
        block = Candidates(candidates.scores[rows], candidates.groups[rows], candidates.names)
        due = np.maximum.accumulate(minima if minima.ndim == len(shape) else minima[rows], axis=-2)
        found = picked_by(block, k, partial(_filled, due.reshape(-1, *shape))).picked
        impossible = _impossible(block, found, due)
        found[[*impossible]] = NOBODY
        order[rows] = found
        reasons |= {rows.start + place: why for place, why in impossible.items()}
    worth = utility(candidates, order)
    worth[[*reasons]] = np.nan
    return Optimum(order, worth, reasons)


def _filled(minima: Places, queue: Queue) -> Places:
    """Return which candidate stands in each slot, counted from 0 by score, shape (n, min(k, m)).

    Args:
        minima: Which never fall from prefix to prefix, shape (n, k, G) or (1, k, G).
        queue: Of n requests.

    """
    due = np.ascontiguousarray(minima.transpose(1, 2, 0))
    groups, n, width = due.shape[1], len(queue.order), min(len(due), queue.order.shape[1])
    room = queue.slots(len(due))
    held = _shown(queue, due, room)
    lines = lines_of(queue, groups, 0)
    row = np.arange(n)
    flat = held.ravel()
    found = np.full((width, n), NOBODY, np.int64)
    for slot in range(width, 0, -1):
        before = due[slot - 2] if slot > 1 else 0
        last = lines.keys[lines.first + held - 1]
        worst = np.where(held > before, last, NOBODY).max(axis=0)
        if (worst == NOBODY).any():
            # Only where minima cannot be kept, or nothing is left.
            worst = np.where(worst == NOBODY, np.where(held > 0, last, NOBODY).max(axis=0), worst)
        there = (slot <= room) & (worst != NOBODY)
        found[slot - 1] = np.where(there, lines.rank(worst), NOBODY)
        flat[(lines.group(worst) * n + row)[there]] -= 1
    return found.T


def _shown(queue: Queue, due: Places, room: Places) -> Places:
    """Return how many of each group the best orders show, shape (G, n)."""
    groups = queue.known_groups
    least = np.zeros((due.shape[1], len(groups)), np.int64)
    for slots in np.unique(room[room > 0]).tolist():
        asked = room == slots
        least[:, asked] = due[slots - 1] if due.shape[2] == 1 else due[slots - 1][:, asked]
    left = groups != UNKNOWN
    held = np.zeros_like(least)
    for group in range(len(least)):
        own = groups == group
        first = own & (np.cumsum(own, axis=1) <= least[group][:, None])
        held[group] = first.sum(axis=1)
        left &= ~first
    left &= np.cumsum(left, axis=1) <= (room - held.sum(axis=0))[:, None]
    for group in range(len(least)):
        held[group] += (left & (groups == group)).sum(axis=1)
    return held


def _impossible(candidates: Candidates, order: Places, due: Places) -> dict[int, str]:
    """Return why no order of a request holds that many, by request."""
    room = (candidates.groups_at(order) != UNKNOWN).sum(axis=1)
    reached = np.arange(order.shape[1]) < room[:, None]
    asked: Places = np.where(reached[:, :, None], due, 0)
    groups = np.where(np.isnan(candidates.scores), UNKNOWN, candidates.groups)
    there = np.stack([(groups == place).sum(axis=1) for place in range(due.shape[-1])], axis=1)
    lacks: NDArray[np.bool_] = np.any(asked > there[:, None], axis=1)
    over: NDArray[np.bool_] = asked.sum(axis=2) > np.arange(1, order.shape[1] + 1)
    found = {}
    for row in np.flatnonzero(lacks.any(axis=1) | over.any(axis=1)).tolist():
        if lacks[row].any():
            place = int(np.argmax(lacks[row]))
            slot = int(np.argmax(asked[row, :, place] > there[row, place]))
            least, name = asked[row, slot, place], candidates.names[place]
            found[row] = f"{there[row, place]} of {least} of group '{name}' by slot {slot + 1}"
        else:
            slot = int(np.argmax(over[row]))
            found[row] = f"groups must have {asked[row, slot].sum()} in the first {slot + 1}"
    return found
