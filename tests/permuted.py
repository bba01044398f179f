"""Requests of `naive_lists` by the groups of their items; all orders of a few items."""

from __future__ import annotations

import itertools

from naive_lists import Item, Request

TARGET = {"a": 0.5, "b": 0.3, "c": 0.2}
WRITTEN = "shares(a, 0.5, b, 0.3, c, 0.2)"


def listed(groups, slots=None) -> Request:
    """Return a request that shows items of these groups, one letter each; a space is unknown."""
    slots = [*range(1, len(groups) + 1)] if slots is None else slots
    return [
        Item(slot, 0.0, () if group == " " else (group,))
        for slot, group in zip(slots, groups, strict=True)
    ]


def permutations(groups: str, *, shown: int | None = None) -> list[Request]:
    """Return every order of items of these groups in the slots from 1; the last are not shown."""
    shown = len(groups) if shown is None else shown
    return [
        [
            Item(place + 1 if place < shown else None, float(item % 2), (groups[item],))
            for place, item in enumerate(order)
        ]
        for order in itertools.permutations(range(len(groups)))
    ]


PERMUTED = [
    permutations("ab"),
    permutations("aab"),
    permutations("abc", shown=2),
    permutations("aabbc"),
    permutations("aaabbc"),
    permutations("aabbcc", shown=4),
]
