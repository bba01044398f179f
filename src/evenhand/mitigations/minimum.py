"""The fewest and the most of each group that prefixes may hold, and where an order breaks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from evenhand.mitigations.candidates import UNKNOWN, Candidates, Floats, Label, Places
from evenhand.mitigations.queue import BLOCK

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


@runtime_checkable
class GuaranteesMinima(Protocol):
    """A re-ranker whose guarantee is that every prefix holds enough of each group."""

    def minima(self, candidates: Candidates, k: int) -> Places:
        """Return the fewest of each group that prefixes i = 1..k are to hold.

        Prefixes are of candidates of known group; those without keep the slot they have by score.

        Returns:
            Shape (k, G); where requests differ (n, k, G).

        """


def blocks(requests: int, entries: int) -> Iterator[slice]:
    """Yield slices of requests with tables of so many entries each that none fills memory."""
    rows = min(BLOCK, max(1, _ENTRIES // max(entries, 1)))
    for start in range(0, requests, rows):
        yield slice(start, min(start + rows, requests))


_ENTRIES = 1_000_000


def broken(
    guarantee: GuaranteesMinima, candidates: Candidates, order: Places
) -> tuple[Places, dict[int, str]]:
    """Return how many prefixes of each order hold too few of a group, and why, by request.

    Nothing but the order is looked at.

    Args:
        guarantee: Says how many are due.
        candidates: Of n requests.
        order: Places of candidates, shape (n, k).

    """
    k = order.shape[1]
    violated = np.zeros(candidates.requests, np.int64)
    reasons: dict[int, str] = {}
    for rows in blocks(candidates.requests, k * len(candidates.names)):
        block = Candidates(candidates.scores[rows], candidates.groups[rows], candidates.names)
        least = guarantee.minima(block, k)
        violated[rows], why = _broken(block, order[rows], least.reshape(-1, *least.shape[-2:]))
        reasons |= {rows.start + place: text for place, text in why.items()}
    return violated, reasons


def _broken(candidates: Candidates, order: Places, least: Places) -> tuple[Places, dict[int, str]]:
    """Return the same of a few requests, with minima of shape (n, k, G) or (1, k, G)."""
    shown = candidates.groups_at(order)
    known = shown != UNKNOWN
    every = bool(known.all())
    size = np.maximum(np.cumsum(known, axis=1) - 1, 0) if not every else None
    some = np.zeros(order.shape, bool)
    told: dict[int, list[str]] = {}
    for group in np.flatnonzero(least.any(axis=(0, 1))).tolist():
        held = np.cumsum(shown == group, axis=1, dtype=np.int32)
        due = np.broadcast_to(least[:, :, group], order.shape)
        if size is not None:
            due = np.take_along_axis(due, size, axis=1)
        short = held < due
        if size is not None:
            short &= known
        if short.any():
            some |= short
            request = np.flatnonzero(short.any(axis=1))
            first = short[request].argmax(axis=1)
            had, asked = held[request, first], due[request, first]
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
