"""Search for a cheap change that turns a decision, of any model: nothing is assumed of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evenhand.probes.explain.exchange import Exchange, exchanged
from evenhand.probes.explain.recourse import Decided, Numbers, Room
from evenhand.probes.explain.tried import Tried, between, coarse

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Search:
    """How far a search for a cheap change goes.

    Attributes:
        nearest: Favourable examples that are tried: half of them the nearest, half spread out.
        grid: Values of each feature that are tried alone, beside the ends of its range.
        kept: The cheapest turns towards favourable examples that are made cheaper.
        between: Values that are seen between the last that does not turn and the first that does.
        halvings: Of what is left between two of these.
        pairs: Values of two features at once, over all pairs.
        exchange: How far a cheaper change is looked for beside what is found.

    """

    nearest: int = 20
    grid: int = 64
    kept: int = 3
    between: int = 12
    halvings: int = 6
    pairs: int = 576
    exchange: Exchange = field(default_factory=Exchange)

    def most(self, room: Room) -> int:
        """Return the queries that one example costs at most."""
        size, closer = len(room.members), self.between + self.halvings
        alone = self.grid + 2 + 2 * closer
        taken_back = self.kept + 1 + self.exchange.rounds
        first = self.nearest + self.pairs + size * (alone + taken_back * (1 + closer))
        return first + self.exchange.most(size)


def searched(
    decided: Decided,
    x: Numbers,
    donors: Numbers,
    values: Sequence[Tried],
    *,
    room: Room,
    how: Search,
) -> tuple[Numbers, Numbers]:
    """Return the cheapest changes that were found and what they cost, as `linear`.

    First one feature at a time: the nearest value of its grid on either side that turns the
    decision, then what lies between it and the value before it. Then two at a time, on coarse
    grids, and towards favourable examples; from both whatever is not needed is taken back: each
    feature as a whole, then numbers as far as the decision stays. Then beside the cheapest of these
    a cheaper one, as `exchanged`. What is found turns the decision; there may be cheaper ones, and
    some where none was found. A single change is missed only where it lies between values that are
    tried, of which neither turns the decision.

    Args:
        decided: Tells what is favourable.
        x: Examples that are not, shape (n, columns).
        donors: Examples that are, shape (m, columns).
        values: What is put in, for each feature of the room.
        room: What may be changed.
        how: How far it goes.

    """
    best, price = np.full(x.shape, np.nan), np.full(len(x), np.nan)
    rows = np.arange(len(x))
    for some in np.array_split(rows, max(1, len(rows) // _ROWS_AT_ONCE)):
        best[some], price[some] = _found(decided, x[some], donors, values, room=room, how=how)
    return best, price


_ROWS_AT_ONCE = 1024
"""Examples whose way to all values of a grid is worked out at once."""


def _found(
    decided: Decided,
    x: Numbers,
    donors: Numbers,
    values: Sequence[Tried],
    *,
    room: Room,
    how: Search,
) -> tuple[Numbers, Numbers]:
    """Return what `searched` does, of a few examples."""
    best = np.full(x.shape, np.nan)
    price = np.full(len(x), np.inf)

    def keep(rows: Places, z: Numbers) -> None:
        cost = room.price(x[rows], z)
        cheaper = cost < price[rows]
        best[rows[cheaper]], price[rows[cheaper]] = z[cheaper], cost[cheaper]

    def shorter(x: Numbers, z: Numbers) -> Numbers:
        return _taken_back(decided, x, z, values, room=room, how=how)

    for feature, some in enumerate(room.members):
        grid = values[feature].grid
        for side in _sides(x, some, grid, room):
            rows, z, near = _nearest(decided, x, side, some, grid, under=price, room=room)
            if room.single(some):
                same = np.full(len(rows), feature)
                z = _closer(decided, z, near, same, values, room=room, how=how)
            keep(rows, z)
    starts = [_paired(decided, x, values, under=price, room=room, how=how)]
    if len(donors) and room.members:
        starts.append(_towards(decided, x, donors, room, how))
    for start in np.concatenate(starts, axis=1).swapaxes(0, 1):
        rows = np.flatnonzero(~np.isnan(start).any(axis=1))
        keep(rows, shorter(x[rows], start[rows]))
    rows = np.flatnonzero(np.isfinite(price))
    z = exchanged(
        decided, x[rows], best[rows], values, room=room, how=how.exchange, shorter=shorter
    )
    keep(rows, z)
    return best, np.where(np.isinf(price), np.nan, price)


def _sides(
    x: Numbers, columns: Sequence[int], grid: Numbers, room: Room
) -> Iterator[NDArray[np.bool_]]:
    """Yield which values of a grid lie on one side of each example's own, shape (n, values)."""
    if not room.single(columns):
        yield (x[:, None, [*columns]] != grid).any(axis=2)
        return
    yield x[:, [*columns]] < grid[:, 0]
    yield x[:, [*columns]] > grid[:, 0]


def _nearest(
    decided: Decided,
    x: Numbers,
    side: NDArray[np.bool_],
    some: Sequence[int],
    grid: Numbers,
    *,
    under: Numbers,
    room: Room,
) -> tuple[Places, Numbers, Numbers]:
    """Return the nearest values of a grid on one side that turn each example.

    Values are asked for where what comes before them is cheaper than ``under``: what lies between
    may be.

    Returns:
        Which examples they turn, shape (k,); what these become, shape (k, columns); of a number the
        value before it, shape (k,).

    """
    columns = [*some]
    part = np.where(side, room.part(x[:, None, columns], grid, columns), np.inf)
    order = np.argsort(part, axis=1, kind="stable")
    hit, near = np.full(len(x), -1), np.zeros(part.shape)
    if room.single(columns):
        column = columns[0]
        start = np.clip(x[:, [column]], room.low[column], room.high[column])
        near = np.concatenate([start, grid[order, 0][:, :-1]], axis=1)
        before = np.abs(near - x[:, [column]]) / room.scale[column]
    else:
        before = np.take_along_axis(part, order, axis=1)
    ask = np.take_along_axis(side, order, axis=1) & (before < under[:, None])
    for first in range(0, len(grid), _VALUES_AT_ONCE):
        these = slice(first, first + _VALUES_AT_ONCE)
        who, place = np.nonzero(ask[:, these] & (hit < 0)[:, None])
        if not len(who):
            continue
        z = x[who]
        z[:, columns] = grid[order[who, first + place]]
        turned = np.zeros((len(x), _VALUES_AT_ONCE), dtype=bool)
        turned[who, place] = decided(z)
        found = turned.any(axis=1)
        hit[found] = first + turned[found].argmax(axis=1)
    rows = np.flatnonzero(hit >= 0)
    z = x[rows]
    z[:, columns] = grid[order[rows, hit[rows]]]
    return rows, z, near[rows, hit[rows]]


_VALUES_AT_ONCE = 8
"""Values that are asked for in one call, the nearest first: fewer calls for a few more queries."""


def _paired(
    decided: Decided,
    x: Numbers,
    values: Sequence[Tried],
    *,
    under: Numbers,
    room: Room,
    how: Search,
) -> Numbers:
    """Return the cheapest turn by two features on coarse grids, NaN without, (n, 1, columns)."""
    best, price = np.full(x.shape, np.nan), under.copy()
    pairs = [*itertools.combinations(range(len(room.members)), 2)]
    each = math.isqrt(how.pairs // max(len(pairs), 1))
    for pair in pairs if each > 1 else []:
        left, right = (coarse(values[one].grid, each) for one in pair)
        columns = [place for one in pair for place in room.members[one]]
        # Of a range that nobody lies in there is none to put in.
        grid = np.array([[*a, *b] for a in left for b in right]).reshape(-1, len(columns))
        side = (x[:, None, columns] != grid).any(axis=2)
        rows, z, _ = _nearest(decided, x, side, columns, grid, under=price, room=room)
        best[rows], price[rows] = z, room.price(x[rows], z)
    return best[:, None]


def _closer(
    decided: Decided,
    z: Numbers,
    near: Numbers,
    features: Places,
    values: Sequence[Tried],
    *,
    room: Room,
    how: Search,
) -> Numbers:
    """Return turns whose one number each is brought nearer to ``near`` while they stay turned.

    First to values that are seen between both, of many some that are spread out by rank; then by
    halves, each of which is checked.
    """
    if not len(z):
        return z
    z, rows = z.copy(), np.arange(len(z))
    column = np.array([some[0] for some in room.members])[features]
    far = z[rows, column]

    def asked(at: Numbers, ask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        turned = np.zeros(ask.shape, dtype=bool)
        who = np.nonzero(ask)[0]
        if len(who):
            changed = z[who]
            changed[np.arange(len(who)), column[who]] = at[ask]
            turned[ask] = decided(changed)
        return turned

    seen = np.empty((len(z), how.between))
    for one in np.unique(features):
        its = features == one
        seen[its] = between(values[one].seen, near[its], far[its], how.between)
    edges = np.concatenate([near[:, None], seen, far[:, None]], axis=1)
    turned = asked(seen, (np.diff(edges[:, :-1], axis=1) != 0) & (seen != far[:, None]))
    first = np.where(turned.any(axis=1), turned.argmax(axis=1), how.between)
    near, far = edges[rows, first], edges[rows, first + 1]
    for _ in range(how.halvings):
        middle = (near + far) / 2
        # Away from the example, so that no step is taken for none.
        away = np.where(far > near, np.ceil(middle), np.floor(middle))
        middle = np.where(room.whole[column], away, middle)
        ask = (middle != far) & (middle != near)
        turns = asked(middle, ask)
        far, near = np.where(turns, middle, far), np.where(ask & ~turns, middle, near)
    z[rows, column] = far
    return z


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


def _taken_back(
    decided: Decided,
    x: Numbers,
    z: Numbers,
    values: Sequence[Tried],
    *,
    room: Room,
    how: Search,
) -> Numbers:
    """Return turns with whatever is not needed taken back, the costliest first."""
    z, rows = z.copy(), np.arange(len(x))
    parts = [room.part(x[:, [*some]], z[:, [*some]], [*some]) for some in room.members]
    order = np.argsort(-np.stack(parts, axis=1), axis=1, kind="stable")
    belongs = np.zeros((len(room.members), x.shape[1]), dtype=bool)
    for feature, some in enumerate(room.members):
        belongs[feature, [*some]] = True
    for features in order.T:
        back = np.where(belongs[features], x, z)
        ask = (back != z).any(axis=1)
        if ask.any():
            taken = rows[ask][decided(back[ask])]
            z[taken] = back[taken]
    single = np.array([room.single(some) for some in room.members])
    column = np.array([some[0] for some in room.members])
    for features in order.T:
        at = column[features]
        moved = rows[single[features] & (z[rows, at] != x[rows, at])]
        at = at[moved]
        # Of an example outside of the range the way begins where it enters.
        near = np.clip(x[moved, at], room.low[at], room.high[at])
        z[moved] = _closer(decided, z[moved], near, features[moved], values, room=room, how=how)
    return z
