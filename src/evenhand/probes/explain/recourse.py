"""The cheapest change that turns a decision: in closed form of a linear score, by search of any."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
        whole: Which columns hold whole numbers.
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
        by = np.where(self.text, (z != x).astype(np.float64), np.abs(z - x) / self.scale)
        if self.cost == "l1":
            return np.asarray(by.sum(axis=-1), np.float64)
        return np.asarray(np.sqrt((by**2).sum(axis=-1)), np.float64)

    @property
    def free(self) -> NDArray[np.bool_]:
        """Which columns may be changed, shape (columns,)."""
        found: NDArray[np.bool_] = np.zeros(len(self.scale), dtype=bool)
        found[[one for some in self.members for one in some]] = True
        return found

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


@dataclass(frozen=True)
class Search:
    """How far a search for a cheap change goes.

    Attributes:
        nearest: Favourable examples that are tried: half of them the nearest, half spread out.
        grid: Values of each feature that are tried alone.
        kept: The cheapest turns that are made cheaper.
        halvings: Of each change, on the way back.

    """

    nearest: int = 20
    grid: int = 12
    kept: int = 3
    halvings: int = 6

    def most(self, room: Room) -> int:
        """Return the queries that one example costs at most."""
        size = len(room.members)
        return self.nearest + size * self.grid + (self.kept + 1) * size * (1 + self.halvings)


def searched(
    decided: Decided,
    x: Numbers,
    donors: Numbers,
    grids: Sequence[Numbers],
    *,
    room: Room,
    how: Search,
) -> tuple[Numbers, Numbers]:
    """Return the cheapest changes that were found and what they cost, as `linear`.

    Changes of one feature to each value of its grid, and towards favourable examples, from which
    whatever is not needed is taken back: each feature as a whole, then numbers by halves. What is
    found turns the decision; there may be cheaper ones, and some where none was found.

    Args:
        decided: Tells what is favourable.
        x: Examples that are not, shape (n, columns).
        donors: Examples that are, shape (m, columns).
        grids: For each feature of the room its values, shape (values, columns of the feature).
        room: What may be changed.
        how: How far it goes.

    """
    best = np.full(x.shape, np.nan)
    price = np.full(len(x), np.inf)
    starts = [_alone(decided, x, grids, room)]
    if len(donors) and room.members:
        starts.append(_towards(decided, x, donors, room, how))
    for found in starts:
        for place in range(found.shape[1]):
            some = ~np.isnan(found[:, place]).any(axis=1)
            if not some.any():
                continue
            z = _taken_back(decided, x[some], found[some, place], room, how)
            cost = room.price(x[some], z)
            cheaper = cost < price[some]
            rows = np.flatnonzero(some)[cheaper]
            best[rows], price[rows] = z[cheaper], cost[cheaper]
    return best, np.where(np.isinf(price), np.nan, price)


def _alone(decided: Decided, x: Numbers, grids: Sequence[Numbers], room: Room) -> Numbers:
    """Return the cheapest turn by one feature on its grid, NaN without, shape (n, 1, columns)."""
    best, price = np.full(x.shape, np.nan), np.full(len(x), np.inf)
    for members, grid in zip(room.members, grids, strict=True):
        for values in grid:
            z = x.copy()
            z[:, [*members]] = values
            cost = room.price(x, z)
            cheaper = decided(z) & (cost < price) & (cost > 0)
            best[cheaper], price[cheaper] = z[cheaper], cost[cheaper]
    return best[:, None]


def _towards(decided: Decided, x: Numbers, donors: Numbers, room: Room, how: Search) -> Numbers:
    """Return the nearest favourable examples as far as they may be taken over, `kept` of each."""
    free = room.free
    donors = donors[~room.outside(donors).any(axis=1)]
    found = np.full((len(x), how.kept, x.shape[1]), np.nan)
    if not len(donors):
        return found
    for start in range(0, len(x), _AT_ONCE):
        part = x[start : start + _AT_ONCE]
        z = np.where(free, donors[None], part[:, None])
        order = np.argsort(room.price(part[:, None], z), axis=1, kind="stable")
        near = how.nearest // 2
        spread = np.linspace(near, max(len(donors) - 1, near), how.nearest - near).astype(int)
        tried = np.unique(np.minimum(np.concatenate([np.arange(near), spread]), len(donors) - 1))
        z = np.take_along_axis(z, order[:, tried, None], axis=1)
        turned = decided(z.reshape(-1, x.shape[1])).reshape(z.shape[:2])
        # Those that turn first, each in the order of its price.
        first = np.argsort(~turned, axis=1, kind="stable")[:, : how.kept]
        kept = np.take_along_axis(z, first[:, :, None], axis=1)
        right = np.take_along_axis(turned, first, axis=1)
        found[start : start + _AT_ONCE, : kept.shape[1]] = np.where(right[..., None], kept, np.nan)
    return found


_AT_ONCE = 64
"""Examples whose way to all favourable ones is worked out at once."""


def _taken_back(decided: Decided, x: Numbers, z: Numbers, room: Room, how: Search) -> Numbers:
    """Return turns with whatever is not needed taken back, the costliest first."""
    z = z.copy()
    each = np.stack([_part(x, z, some, room) for some in room.members], axis=1)
    order = np.argsort(-each, axis=1, kind="stable")
    for turn in range(order.shape[1]):
        _try(decided, x, z, order[:, turn], room=room, becomes=lambda own, _: own)
    for turn in range(order.shape[1]):
        low = np.zeros(len(x))
        high = np.ones(len(x))
        ends = z.copy()
        for _ in range(how.halvings):
            middle = (low + high) / 2

            def between(own: Numbers, rows: NDArray[np.int64], at: Numbers = middle) -> Numbers:
                return own + at[rows, None] * (ends[rows] - own)  # noqa: B023 - used at once

            turned = _try(decided, x, z, order[:, turn], room=room, becomes=between, singles=True)
            high = np.where(turned, middle, high)
            low = np.where(turned, low, middle)
    return z


def _part(x: Numbers, z: Numbers, members: Sequence[int], room: Room) -> Numbers:
    only = x.copy()
    only[:, [*members]] = z[:, [*members]]
    return room.price(x, only)


def _try(
    decided: Decided,
    x: Numbers,
    z: Numbers,
    features: NDArray[np.int64],
    *,
    room: Room,
    becomes: Callable[[Numbers, NDArray[np.int64]], Numbers],
    singles: bool = False,
) -> NDArray[np.bool_]:
    """Change one feature of each turn where the decision stays turned; return where it does."""
    tried, asked = z.copy(), np.zeros(len(x), dtype=bool)
    for feature, members in enumerate(room.members):
        if singles and not room.single(members):
            continue
        columns = [*members]
        rows = np.flatnonzero((features == feature) & (z != x)[:, columns].any(axis=1))
        if not len(rows):
            continue
        value, may = becomes(x[rows], rows)[:, columns], np.ones(len(rows), dtype=bool)
        if singles:
            low, high = room.low[columns], room.high[columns]
            # Of an example outside of the range the way begins where it enters.
            value = np.clip(value, low, high)
            if room.whole[columns[0]]:
                # Away from the example, so that no step is taken for none.
                value = np.where(value > x[rows][:, columns], np.ceil(value), np.floor(value))
            may[:] = ((value >= low) & (value <= high)).all(axis=1)
        tried[np.ix_(rows, np.array(columns))] = value
        asked[rows] = may & (value != z[np.ix_(rows, np.array(columns))]).any(axis=1)
    turned = np.zeros(len(x), dtype=bool)
    if asked.any():
        turned[asked] = decided(tried[asked])
        z[turned] = tried[turned]
    return turned
