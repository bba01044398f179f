"""The fewest and the most of each group that prefixes may hold, and where an order breaks them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.mitigations.candidates import UNKNOWN, Candidates, Floats, Label, Places

NEAR = 1e-9
"""What rounding forgives.

A prefix of i is due floor(p i) of a group. Floats miss that: 100 x 0.29 is 28.999999999999996. A
share that is meant as a fraction a/b is off by no more than 2^-53, and i p is a whole number or at
least 1/b away from one: so 1e-9 rounds exactly for prefixes of up to 10^6 and shares with up to
eight decimals. ``infeasible_index`` rounds alike.
"""


def floors(shares: Floats, k: int) -> Places:
    """Return floor(p i) for the prefixes i = 1..k of each group, shape (k, groups).

    >>> floors(np.array([0.29, 0.71]), 100)[-1].tolist()
    [29, 71]
    """
    found: Places = np.floor(np.arange(1, k + 1)[:, None] * shares + NEAR).astype(np.int64)
    return found


def ceilings(shares: Floats, k: int) -> Places:
    """Return ceil(p i) for the prefixes i = 1..k of each group, shape (k, groups).

    >>> ceilings(np.array([0.07, 0.93]), 100)[-1].tolist()
    [7, 93]
    """
    found: Places = np.ceil(np.arange(1, k + 1)[:, None] * shares - NEAR).astype(np.int64)
    return found


def broken(
    candidates: Candidates, order: Places, least: Places, groups: NDArray[np.int64]
) -> tuple[Places, dict[int, str]]:
    """Return how many prefixes of each order hold too few of a group, and why, by request.

    Prefixes are of candidates of known group. Nothing but the order is looked at.

    Args:
        candidates: Of n requests.
        order: Places of candidates, shape (n, k).
        least: The fewest that prefixes i = 1..k must hold, shape (k, groups).
        groups: The groups that its columns are of.

    """
    shown = candidates.groups_at(order)
    known = shown != UNKNOWN
    every = bool(known.all())
    size = np.cumsum(known, axis=1) - 1 if not every else None
    some = np.zeros(order.shape, bool)
    told: dict[int, list[str]] = {}
    for column, group in enumerate(groups.tolist()):
        held = np.cumsum(shown == group, axis=1, dtype=np.int32)
        due = least[:, column] if size is None else least[np.maximum(size, 0), column]
        short = held < due
        if size is not None:
            short &= known
        if short.any():
            some |= short
            request = np.flatnonzero(short.any(axis=1))
            first = short[request].argmax(axis=1)
            had = held[request, first]
            asked = np.broadcast_to(due, short.shape)[request, first]
            prefix = first + 1 if size is None else size[request, first] + 1
            there = (candidates.groups[request] == group) & ~np.isnan(candidates.scores[request])
            out = had == there.sum(axis=1)
            facts = np.stack([had, asked, prefix, out], axis=1)
            kinds, which = np.unique(facts, axis=0, return_inverse=True)
            texts = [_why(candidates.names[group], *kind) for kind in kinds.tolist()]
            for place, kind in zip(request.tolist(), which.ravel().tolist(), strict=True):
                told.setdefault(place, []).append(texts[kind])
    violated: Places = some.sum(axis=1)
    return violated, {place: "; ".join(told[place]) for place in sorted(told)}


def _why(name: Label, had: int, asked: int, prefix: int, out: int) -> str:
    if out:
        has = f"1 candidate has it, {asked} are due" if had == 1 else f"{had} candidates have it"
        has += "" if had == 1 else f", {asked} {'is' if asked == 1 else 'are'} due"
        return f"group {name!r} runs out: {has} among the first {prefix}"
    return f"group {name!r} comes too late: {had} of {asked} due among the first {prefix}"
