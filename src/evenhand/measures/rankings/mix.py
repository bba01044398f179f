"""Shares of exposure of the known groups in a list, beside those that a target gives them."""

from __future__ import annotations

from evenhand.measures.browsing import Browsing
from evenhand.measures.lists import UNKNOWN, Floats, Lists
from evenhand.measures.target import Target, aligned, normal


def mix(
    lists: Lists, of: str, browsing: Browsing, k: int | None, target: Target
) -> tuple[Floats, Floats]:
    """Return shares of exposure and the target's shares; a row each for a request.

    Args:
        lists: The lists.
        of: The attribute of items.
        browsing: How slots are seen.
        k: The last slot; None for all.
        target: What the groups should have; one row where it is the same for every request.

    Returns:
        Two arrays of requests x groups; a request without any known group is NaN in both.

    """
    key = ("mix", of, browsing, k, str(target))
    return lists.known(key, lambda: _found(lists, of, browsing, k, target))


def _found(
    lists: Lists, of: str, browsing: Browsing, k: int | None, target: Target
) -> tuple[Floats, Floats]:
    weights = browsing.weights(lists, k)
    have, sums = lists.known(("exposures", of, browsing, k), lambda: lists.shares(weights, of))
    groups = dict.fromkeys((*have, *target.groups(lists, of)))
    # Where no group is known, a nameless one has neither exposure nor a target, instead of a
    # perfect match.
    names = [name for name in groups if name != UNKNOWN] or [""]
    return normal(aligned(have, sums, names)), normal(target.shares(lists, of, names))
