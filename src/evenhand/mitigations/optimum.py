"""The best order there is under the same minima: what a re-ranker's utility is held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import NOBODY, Candidates, Floats, Places
from evenhand.mitigations.certificate import discounts, utility

OPTIMUM = "the optimum under the same constraints"
"""What `Certificate.against` says where the best is that of `best_under_minima`."""


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

    Exact. In the best order a group's candidates stand by score, so that the minima are deadlines:
    the c-th best of a group stands no lower than the first prefix that must hold c of it. What
    remains is to assign candidates to slots, O(k^3 G^2) for a request. With fewer than k candidates
    the minima of prefixes that cannot be filled are those of the whole list.

    Args:
        candidates: The requests.
        minima: How many of each group prefix i = 1..k must hold at least, shape (k, G) or, where
            requests differ, (n, k, G); int64.
        k: Slots.

    Raises:
        RoleError: The minima are not of that shape.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> asked = candidates_of([[0.9, 0.8, 0.7]], [["m", "m", "f"]])
    >>> best_under_minima(asked, np.array([[0, 0], [1, 0], [1, 0]]), 3).order.tolist()
    [[0, 2, 1]]
    """
    shape = (k, len(candidates.names))
    if minima.shape not in (shape, (candidates.requests, *shape)):
        what = f"their shape is {minima.shape}."
        raise RoleError(Problem("minima", what, f"Give {shape}: slots and groups."))
    each = np.broadcast_to(minima, (candidates.requests, *shape))
    order = np.full((candidates.requests, k), NOBODY, np.int64)
    reasons = {}
    for request, size in enumerate(candidates.sizes.tolist()):
        groups = candidates.groups[request, :size]
        if not size:
            continue
        due = np.maximum.accumulate(each[request], axis=0)
        due = np.concatenate([due[: min(k, size) - 1], due[-1:]]) if size < k else due
        reason = _impossible(groups, due, candidates)
        if reason:
            reasons[request] = reason
        else:
            found = _assigned(candidates.scores[request, :size], groups, due)
            order[request, : len(found)] = found
    worth = utility(candidates, order)
    worth[[*reasons]] = np.nan
    return Optimum(order, worth, reasons)


def _impossible(groups: Places, due: Places, candidates: Candidates) -> str:
    """Return why no order holds that many, or nothing."""
    there = np.array([(groups == place).sum() for place in range(due.shape[1])])
    for place in np.nonzero(due[-1] > there)[0].tolist():
        first = int(np.argmax(due[:, place] > there[place]))
        asked, name = due[first, place], candidates.names[place]
        return f"{there[place]} of {asked} of group '{name}' by slot {first + 1}"
    over = np.nonzero(due.sum(axis=1) > np.arange(1, len(due) + 1))[0]
    if len(over):
        slot = int(over[0])
        return f"groups must have {due[slot].sum()} in the first {slot + 1}"
    return ""


def _assigned(scores: Floats, groups: Places, due: Places) -> Places:
    slots = len(due)
    by_score = np.argsort(-scores, kind="stable")
    rank = np.empty(len(scores), np.int64)
    for place in np.unique(groups):
        own = by_score[groups[by_score] == place]
        rank[own] = np.arange(len(own))
    # No order shows more than `slots` of a group, and the best shows its best.
    pool = by_score[rank[by_score] < slots]
    grouped = groups[pool] >= 0
    # Prefix i + 1 is the first that must hold more than `rank`: there the deadline is.
    deadline = np.full(len(pool), len(pool))
    reached = due[:, groups[pool[grouped]]] > rank[pool[grouped]]
    deadline[grouped] = np.where(reached.any(axis=0), reached.argmax(axis=0), len(pool))
    worth = np.zeros((len(pool), len(pool)))
    worth[:, :slots] = scores[pool][:, None] * discounts(slots)
    worth[np.arange(len(pool)) > deadline[:, None]] = -np.inf
    rows, columns = linear_sum_assignment(worth, maximize=True)
    found = np.empty(len(pool), np.int64)
    found[columns] = pool[rows]
    found = found[:slots]
    for place in np.unique(groups[found]):
        at = np.nonzero(groups[found] == place)[0]
        found[at] = by_score[groups[by_score] == place][: len(at)]
    return found
