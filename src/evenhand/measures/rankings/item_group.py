"""Groups of items that measures name by their parameters ``of=`` and ``group=``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evenhand.measures.lists import UNKNOWN, Flags, Floats, Lists
from evenhand.measures.ranking import Condition
from evenhand.notation import Term, Value


def named(group: Value) -> str:
    """Return a group as logs name it: notation reads 1 and True as no text."""
    if isinstance(group, Term):
        return group.name
    return str(group).lower() if isinstance(group, bool) else str(group)


def is_name(group: Value) -> bool:
    """Return whether a parameter can name a group that is known."""
    if isinstance(group, float | tuple):
        return False
    bare = not isinstance(group, Term) or group == Term(group.name)
    return bare and named(group) != UNKNOWN


def shown_rows(k: int | None) -> Condition:
    """Return that a row's item was shown at a slot up to k."""
    cut = "" if k is None else f" at slots 1 to {k}"
    return Condition(f"item shown{cut}", f"not shown{cut}", lambda lists: lists.within(k))


def known_rows(of: str) -> Condition:
    """Return that a row's item is of known group, if only in part."""
    return Condition(f"item with known {of}", f"unknown {of} of the item", _some_known(of))


def _some_known(of: str) -> Callable[[Lists], Flags]:
    def holds(lists: Lists) -> Flags:
        return np.asarray(known_part(lists, of) > 0)

    return holds


def known_part(lists: Lists, of: str) -> Floats:
    """Return the part of each row's item that belongs to known groups."""
    return lists.known(
        ("known part", of), lambda: np.clip(1 - lists.items[of].of(UNKNOWN, lists.rows), 0.0, 1.0)
    )
