"""The cheapest change that turns a linear score: in closed form, in steps of whole numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Cost = Literal["l2", "l1"]

Decided = Callable[[NDArray[np.float64]], NDArray[np.bool_]]
"""Tells which of some examples, shape (n, columns), are decided favourably."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Room:
    """What may be changed, how far, and what it costs.

    Attributes:
        scale: What a change of one column is divided by; of text a change of any size costs 1.
        low: The least value of each column.
        high: The greatest.
        text: Which columns hold places of values of text.
        whole: Which columns hold whole numbers; their ends are whole.
        members: The columns of each feature that may be changed; those of one go together.
        cost: ``l2`` or ``l1``, of the changes divided by their scales.

    """

    scale: Numbers
    low: Numbers
    high: Numbers
    text: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    members: tuple[tuple[int, ...], ...]
    cost: Cost

    def price(self, x: Numbers, z: Numbers) -> Numbers:
        """Return the cost of turning ``x`` into ``z``, of shape (..., columns)."""
        return self.part(x, z, slice(None))

    def part(self, x: Numbers, z: Numbers, columns: Sequence[int] | slice) -> Numbers:
        """Return the cost of turning these columns alone, given as (..., those columns)."""
        off = np.abs(z - x) / self.scale[columns]
        by = np.where(self.text[columns], (z != x).astype(np.float64), off)
        if self.cost == "l1":
            return np.asarray(by.sum(axis=-1), np.float64)
        return np.asarray(np.sqrt((by**2).sum(axis=-1)), np.float64)

    @property
    def free(self) -> NDArray[np.bool_]:
        """Which columns may be changed, shape (columns,)."""
        found: NDArray[np.bool_] = np.zeros(len(self.scale), dtype=bool)
        found[[one for some in self.members for one in some]] = True
        return found

    @property
    def steps(self) -> NDArray[np.bool_]:
        """Which columns may be changed to whole numbers only, shape (columns,)."""
        return self.free & self.whole

    def outside(self, x: Numbers) -> NDArray[np.bool_]:
        """Return which columns that may be changed lie outside of their ranges, of x's shape.

        They stay as they are or enter the range: nothing else is a change that may be made.
        """
        return self.free & ((x < self.low) | (x > self.high))

    def single(self, members: Sequence[int]) -> bool:
        """Return whether a feature is one number, which can be changed a little."""
        return len(members) == 1 and not self.text[members[0]]


def linear(slope: Numbers, score: Numbers, x: Numbers, room: Room) -> tuple[Numbers, Numbers]:
    """Return the cheapest changes that bring a linear score to 0, and their costs.

    The least |d / scale| with score + slope d >= 0 inside the ranges. L2: d = clip(t scale^2
    slope), with the t at which the score is 0; without ranges the cost is |score| / |slope scale|.
    L1: the columns that raise the score most for their price, one after the other. A column that
    lies outside of its range stays or enters it: each choice is tried, and the cheapest taken.

    Args:
        slope: By column.
        score: Of the examples, below 0, shape (n,).
        x: Examples, shape (n, columns).
        room: What may be changed; its features are single numbers.

    Returns:
        What they become, NaN where the ranges do not let them, shape (n, columns); the costs.

    """
    free, off = room.free, room.outside(x)
    best, price = np.full(x.shape, np.nan), np.full(len(x), np.inf)
    apart = np.flatnonzero(off.any(axis=0))
    for choice in itertools.product((False, True), repeat=len(apart)):
        enters = np.zeros(x.shape[1], dtype=bool)
        enters[apart] = choice
        rows = np.flatnonzero((off | ~enters).all(axis=1))
        moves = free & (~off[rows] | enters)
        down = np.where(moves, room.low - x[rows], 0.0)
        up = np.where(moves, room.high - x[rows], 0.0)
        moved = _bounded(slope, score[rows], down, up, room)
        # Whatever moves ends inside its range, to the last digit.
        z = np.where(moved == 0, x[rows], np.clip(x[rows] + moved, room.low, room.high))
        cost = room.price(x[rows], z)
        cheaper = cost < price[rows]
        best[rows[cheaper]], price[rows[cheaper]] = z[cheaper], cost[cheaper]
    return best, np.where(np.isinf(price), np.nan, price)


def _bounded(slope: Numbers, score: Numbers, down: Numbers, up: Numbers, room: Room) -> Numbers:
    """Return the cheapest changes from ``down`` to ``up``, NaN where they do not suffice."""
    reach = np.where(slope > 0, slope * up, slope * down)
    if room.cost == "l2":
        moved = _least_l2(slope, score, down, up, room)
    else:
        # What has to be changed anyway, before anything else is.
        moved = np.clip(0.0, down, up)
        left = -score - (slope * moved).sum(axis=1)
        for place in np.argsort(-np.abs(slope) * room.scale, kind="stable").tolist():
            more = reach[:, place] - slope[place] * moved[:, place]
            gain = np.clip(left, 0.0, np.maximum(more, 0.0))
            moved[:, place] += gain / slope[place] if slope[place] else 0.0
            left = left - gain
    return np.asarray(np.where((reach.sum(axis=1) >= -score)[:, None], moved, np.nan), np.float64)


def _least_l2(slope: Numbers, score: Numbers, down: Numbers, up: Numbers, room: Room) -> Numbers:
    """Return the clipped changes along scale^2 slope at which the score is 0."""
    along = room.scale**2 * slope
    pull = np.broadcast_to(slope * along, down.shape)
    near, far = np.where(along > 0, down, up), np.where(along > 0, up, down)
    with np.errstate(divide="ignore", invalid="ignore"):
        # A column moves from the first of these to the second, and stands still else.
        starts = np.where(along == 0, 0.0, np.maximum(near / along, 0.0))
        stops = np.where(along == 0, 0.0, np.maximum(far / along, 0.0))
    events = np.concatenate([starts, stops], axis=1)
    order = np.argsort(events, axis=1, kind="stable")
    times = np.take_along_axis(events, order, axis=1)
    turns = np.take_along_axis(np.concatenate([pull, -pull], axis=1), order, axis=1)
    rates = turns.cumsum(axis=1) - turns
    base = (slope * np.clip(0.0, down, up)).sum(axis=1)
    gained = base[:, None] + (rates * np.diff(times, axis=1, prepend=0.0)).cumsum(axis=1)
    place = (gained < -score[:, None]).sum(axis=1)
    since = np.where(place > 0, times[np.arange(len(score)), place - 1], 0.0)[:, None]
    # Sums of turns cancel; from the last of them on it is worked out anew.
    rate = np.where((starts <= since) & (since < stops), pull, 0.0).sum(axis=1)
    missing = -score - (slope * np.clip(since * along, down, up)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = np.where(rate > 0, np.maximum(missing / rate, 0.0), 0.0)
    return np.asarray(np.clip((since + more[:, None]) * along, down, up), np.float64)


def stepped(slope: Numbers, score: Numbers, x: Numbers, room: Room) -> tuple[Numbers, Numbers]:
    """Return changes as `linear`, of whole numbers to whole numbers, and what they cost.

    Those of `linear`, with whole numbers moved on to the next; then the others are made anew, and
    whole numbers taken back by as many steps as are left over, the dearest first. NaN where and
    only where nothing suffices; there may be cheaper ones.

    Args:
        slope: By column.
        score: Of the examples, below 0, shape (n,).
        x: Examples, shape (n, columns).
        room: What may be changed; ends of whole numbers are whole.

    """
    z, price = linear(slope, score, x, room)
    whole = room.steps
    if not whole.any():
        return z, price
    z = np.where(whole, np.where(z > x, np.ceil(z), np.floor(z)), z)
    left = score + np.where(whole, slope * (z - x), 0.0).sum(axis=1)
    others = tuple(some for some in room.members if not whole[some[0]])
    if others:
        rows = np.flatnonzero(~np.isnan(price))
        base = np.where(whole, z, x)[rows]
        less, _ = linear(slope, np.minimum(left[rows], 0.0), base, replace(room, members=others))
        z[rows] = np.where(np.isnan(less), z[rows], less)
    spare = score + np.where(np.isnan(z), 0.0, slope * (z - x)).sum(axis=1)
    off = np.where(whole & ~np.isnan(z), np.abs(z - x) / room.scale, 0.0)
    order = np.argsort(-off, axis=1, kind="stable")
    rows = np.arange(len(x))
    for column in order.T[: whole.sum()]:
        moved = z[rows, column] - x[rows, column]
        # Who came from outside does not leave the range again.
        start = np.clip(x[rows, column], room.low[column], room.high[column])
        most = np.abs(z[rows, column] - start)
        gain = slope[column] * np.sign(moved)
        with np.errstate(divide="ignore", invalid="ignore"):
            back = np.minimum(np.floor(spare / gain), most)
        back = np.where(whole[column] & (gain > 0) & (back > 0), back, 0.0)
        z[rows, column] -= np.sign(moved) * back
        spare = spare - gain * back
    return z, room.price(x, z)
