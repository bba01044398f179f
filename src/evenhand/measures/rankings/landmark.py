"""Landmarks: what a figure would be by chance, and at best, without which it is hard to read.

A list in random order is far from any target where there are many groups and few slots: with ten
slots and 50 equal groups its AWRF is .36, with two groups .975. So a figure says what chance gives
on the same requests, and what can be reached at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evenhand.measures.lists import Flags, Floats, Indices, Lists, Membership
from evenhand.measures.ranking import PerRequest

Bits = NDArray[np.uint64]

CHANCE = "chance"
BEST = "best attainable"

BY_CHANCE = (
    "each request's items, shown or not, in random order in the same slots; one order per request"
)
GREEDY = (
    "slot by slot the group that is furthest below the target, with items of every group at will; "
    "the list itself where that is better"
)

_DRAWS = 8
"""Random orders that leave nothing to judge are drawn again, but not for ever."""


def chance(
    measure: PerRequest,
    lists: Lists,
    own: Floats,
    of: str,
    figure: Callable[[Lists], Floats] | None = None,
) -> Floats:
    """Return the figures of the requests' items in random order, shape (requests,).

    The slots stay, with what was observed at them; items, their groups and their relevance move.
    An order in which the measure's conditions fail is drawn again; if eight of them do, the figure
    is the request's own.

    Args:
        measure: The measure.
        lists: The requests.
        own: Their figures.
        of: The attribute of the items that the measure reads.
        figure: The figures of requests; by default the measure's.

    """
    figured = figure or measure.per_request
    found = own.copy()
    missing = _hold(measure, lists)
    for draw in range(_DRAWS):
        other = shuffled(lists, of, draw)
        drawn = missing & _hold(measure, other)
        found[drawn] = figured(other)[drawn]
        missing = missing & ~drawn
        if not missing.any():
            break
    return found


def _hold(measure: PerRequest, lists: Lists) -> Flags:
    held = np.ones(lists.requests, np.bool_)
    for condition in measure.every_condition:
        held = held & condition.holds(lists)
    return held


def shuffled(lists: Lists, of: str, draw: int) -> Lists:
    """Return the requests with their items in random order, with the groups of one attribute."""
    return lists.known(("shuffled", of, draw), lambda: _shuffled(lists, of, draw))


def _shuffled(lists: Lists, of: str, draw: int) -> Lists:
    source = lists.known(("random order", draw), lambda: _random_order(lists, draw))
    relevance, item, groups = lists.relevance, lists.item, lists.items[of]
    return replace(
        lists,
        relevance=None if relevance is None else relevance[source],
        item=None if item is None else item[source],
        items={of: _moved(groups, source)},
    )


def _moved(groups: Membership, source: Indices) -> Membership:
    """Return the groups of items of which row i now holds the one of row ``source[i]``."""
    if not groups.soft:
        return replace(groups, group=groups.group[source])
    place = np.empty_like(source)
    place[source] = np.arange(len(source))
    row = place[groups.row]
    order = np.argsort(row, kind="stable")
    return replace(groups, row=row[order], group=groups.group[order], share=groups.share[order])


def _random_order(lists: Lists, draw: int) -> Indices:
    """Return the rows in an order that is random inside each request.

    It depends on the request and its items alone, so that neither the order of the log nor the
    parts in which it is read change it.
    """
    key = np.zeros(lists.requests, np.uint64) if lists.key is None else lists.key
    # Rankings that were sampled for one query are ordered independently.
    sample = np.arange(lists.requests) - np.searchsorted(lists.query_of, lists.query_of)
    of_request = _mixed(key ^ _mixed(sample.astype(np.uint64) + np.uint64(draw << 32)))
    item = lists.position.astype(np.uint64) if lists.item is None else lists.item
    number = _mixed(of_request[lists.request] ^ _mixed(item))
    if max(lists.rows, lists.requests) > _PACKED:
        return np.lexsort((number, lists.request))
    # One number of request, chance and row sorts six times as fast as two keys.
    request = lists.request.astype(np.uint64) << np.uint64(64 - _BITS)
    drawn = (number >> np.uint64(2 * _BITS)) << np.uint64(_BITS)
    packed = np.sort(request | drawn | np.arange(lists.rows, dtype=np.uint64))
    return (packed & np.uint64(_PACKED)).astype(np.intp)


_BITS = 19
_PACKED = 2**_BITS - 1
"""Rows and requests of a block up to which both fit beside 26 bits of chance."""


def _mixed(bits: Bits) -> Bits:
    """Return numbers in which every bit depends on every bit of the first.

    Source: Steele, Lea and Flood 2014 (SplitMix64).
    """
    mixed = bits + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Bits = mixed ^ (mixed >> np.uint64(31))
    return found


def alike(lists: Lists, k: int | None, *, told: bool) -> tuple[Indices, Indices]:
    """Return requests that stand for all, and the place among them of what stands for each.

    Lists whose slots from 1 on are all filled are alike when they are as long, where slots and
    length tell the answer.

    Args:
        lists: The requests.
        k: The last slot that counts.
        told: Whether slots tell the answer.

    """
    shown = lists.total(lists.within(k)).astype(np.intp)
    last = lists.largest(np.where(lists.within(k), lists.slot, 0).astype(float))
    own = -1 - np.arange(lists.requests)
    kind = np.where(told & (last == shown), shown, own)
    _, first, place = np.unique(kind, return_index=True, return_inverse=True)
    return first, place.reshape(-1)
