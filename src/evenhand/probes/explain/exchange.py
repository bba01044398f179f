"""A cheaper change in place of one that turns a decision: one feature goes back, others go on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.probes.explain.recourse import Decided, Numbers, Room
from evenhand.probes.explain.tried import Tried, between

Places = NDArray[np.int64]

Shorter = Callable[[Numbers, Numbers], Numbers]
"""Takes back whatever a change that turns does not need: of examples and what they become."""


@dataclass(frozen=True)
class Exchange:
    """How far a cheaper change is looked for in place of one that turns.

    Attributes:
        rounds: How often, each time from the cheapest that was found.
        dearest: Features of a change that go back, one at a time, the costliest first.
        shares: Of its way, at which a number among them stands still.
        passed: Values of its grid on its way, at which it stands still too.
        asked: Changes that are asked for in a round, for each feature that may be changed.
        texts: The most frequent values of another feature that is no number.
        aim: The cost that others are let go to, as a share of what the change costs.

    """

    rounds: int = 2
    dearest: int = 2
    shares: tuple[float, ...] = (0.5, 0.8, 0.95)
    passed: int = 16
    asked: int = 24
    texts: int = 8
    aim: float = 0.97

    def most(self, size: int) -> int:
        """Return the queries that an example costs at most, of so many features."""
        return self.rounds * (self.asked * size + 2 * self.passed * min(self.dearest, size))


def exchanged(
    decided: Decided,
    x: Numbers,
    z: Numbers,
    values: Sequence[Tried],
    *,
    room: Room,
    how: Exchange,
    shorter: Shorter,
) -> Numbers:
    """Return changes that turn the decision and cost no more, most of them the same.

    One feature of a change goes back, to its own value or a part of its way, and another number
    goes on, or two, as far as the price lets them: in one direction and the other, since no
    decision is taken to be monotone. Where the feature stands at a value that is seen, others are
    asked for one by one only where all at once turn the decision, up or down, whatever that costs;
    so a narrow window of values is met at a price of two queries. Whatever is cheaper and turns is
    made shorter, and is where the next round begins. A pair may become three.

    Args:
        decided: Tells what is favourable.
        x: Examples that are not, shape (n, columns).
        z: What they become, which turns the decision, shape (n, columns).
        values: What is put in, for each feature of the room.
        room: What may be changed.
        how: How far it goes.
        shorter: Makes a change that turns cheaper and leaves it turned.

    """
    z, rows = z.copy(), np.arange(len(x))
    for _ in range(how.rounds if len(room.members) > 1 else 0):
        found = _cheaper(decided, x[rows], z[rows], values, room=room, how=how)
        turned = ~np.isnan(found).any(axis=1)
        rows = rows[turned]
        if not len(rows):
            break
        z[rows] = shorter(x[rows], found[turned])
    return z


@dataclass(frozen=True)
class _Held:
    """Changes of which one feature each stands still somewhere on its way.

    Attributes:
        x: Examples, shape (n, columns).
        z: What they become, NaN where the feature does not stand there, shape (n, columns).
        feature: Which one stands still, shape (n,).
        limit: What all changes of an example may cost, shape (n,).
        sure: Whether others are asked for one by one without asking for all at once.

    """

    x: Numbers
    z: Numbers
    feature: Places
    limit: Numbers
    sure: bool

    def take(self, rows: Places) -> _Held:
        """Return those of some examples."""
        return _Held(self.x[rows], self.z[rows], self.feature[rows], self.limit[rows], self.sure)


def _cheaper(
    decided: Decided,
    x: Numbers,
    z: Numbers,
    values: Sequence[Tried],
    *,
    room: Room,
    how: Exchange,
) -> Numbers:
    """Return for each example a change that turns it and is cheaper than z, NaN without."""
    best, price = np.full(x.shape, np.nan), room.price(x, z)
    left = np.full(len(x), how.asked * len(room.members))
    for turn, held in enumerate(_held(x, z, values, room, how)):
        stands = ~np.isnan(held.z).any(axis=1) & (room.price(x, held.z) < held.limit)
        rows = np.flatnonzero(stands & np.isnan(best).any(axis=1))
        if not held.sure:
            rows = rows[_all_at_once(decided, held.take(rows), room)]
        if not len(rows):
            continue
        tried = _others(held.take(rows), values, room, how, turn=turn)
        cost = room.price(x[rows, None], tried)
        ask = ~np.isnan(tried).any(axis=2) & (cost < price[rows, None])
        ask &= ask.cumsum(axis=1) <= left[rows, None]
        left[rows] -= ask.sum(axis=1)
        turned = np.zeros(ask.shape, dtype=bool)
        if ask.any():
            turned[ask] = decided(tried[ask])
        hit = turned.any(axis=1)
        first = np.where(turned, cost, np.inf)[hit].argmin(axis=1)
        best[rows[hit]] = tried[hit, first]
    return best


def _held(
    x: Numbers, z: Numbers, values: Sequence[Tried], room: Room, how: Exchange
) -> Iterator[_Held]:
    """Yield changes of which one feature stands still on its way, the dearest features first."""
    rows, limit = np.arange(len(x)), how.aim * room.price(x, z)
    parts = _parts(x, z, room)
    single = np.array([room.single(some) for some in room.members])
    column = np.array([some[0] for some in room.members])
    belongs = np.zeros((len(room.members), x.shape[1]), dtype=bool)
    for place, some in enumerate(room.members):
        belongs[place, [*some]] = True
    for features in np.argsort(-parts, axis=1, kind="stable").T[: how.dearest]:
        at, moved = column[features], parts[rows, features] > 0
        number = moved & single[features]
        whole = np.where(belongs[features], x, z)
        yield _Held(x, np.where(moved[:, None], whole, np.nan), features, limit, sure=True)
        own, now = x[rows, at], z[rows, at]
        start = np.clip(own, room.low[at], room.high[at])
        for share in how.shares:
            there = start + share * (now - start)
            near = np.where(now > start, np.floor(there), np.ceil(there))
            there = np.where(room.whole[at], near, there)
            yield _Held(x, _put(z, at, there, number & (there != now)), features, limit, sure=True)
        passed = np.repeat(own[:, None], how.passed, axis=1)
        for one in np.unique(features[number]):
            its = features == one
            passed[its] = between(values[one].grid[:, 0], own[its], now[its], how.passed)
        new = np.diff(passed, axis=1, prepend=own[:, None]) != 0
        for there, first in zip(passed.T, new.T, strict=True):
            yield _Held(x, _put(z, at, there, number & first), features, limit, sure=False)


def _put(z: Numbers, column: Places, there: Numbers, where: NDArray[np.bool_]) -> Numbers:
    """Return changes with one column each put to a value, NaN elsewhere."""
    put = np.where(where[:, None], z, np.nan)
    rows = np.flatnonzero(where)
    put[rows, column[rows]] = there[rows]
    return put


def _parts(x: Numbers, z: Numbers, room: Room) -> Numbers:
    """Return what each feature's change costs alone, shape (n, features)."""
    parts = [room.part(x[:, [*some]], z[:, [*some]], [*some]) for some in room.members]
    return np.stack(parts, axis=1)


def _singles(room: Room) -> list[int]:
    """Return the features that are one number."""
    return [one for one, its in enumerate(room.members) if room.single(its)]


def _reach(held: _Held, room: Room, pair: Sequence[int] = ()) -> Numbers:
    """Return how far numbers may go for the limit: each alone, or two, each for half of it.

    Args:
        held: What stands still.
        room: What may be changed.
        pair: Features that go together; none for every number alone.

    Returns:
        Values up and down, NaN where there are none, shape (n, numbers, 2).

    """
    some = [*pair] or _singles(room)
    power = 2 if room.cost == "l2" else 1
    parts = _parts(held.x, held.z, room) ** power
    going = parts[:, some].sum(axis=1, keepdims=True) if pair else parts[:, some]
    spare = held.limit[:, None] ** power - (parts.sum(axis=1, keepdims=True) - going)
    each = np.maximum(spare / max(len(pair), 1), 0) ** (1 / power)
    column = np.array([room.members[one][0] for one in some], dtype=int)
    own, side = held.x[:, column, None], np.array([1.0, -1.0])
    far = own + side * (each * room.scale[column])[:, :, None]
    far = np.clip(far, room.low[column, None], room.high[column, None])
    near = np.where(far > own, np.floor(far), np.ceil(far))
    far = np.where(room.whole[column, None], near, far)
    goes = ((far - own) * side > 0) & (held.feature[:, None] != np.array(some))[:, :, None]
    return np.asarray(np.where(goes, far, np.nan), np.float64)


def _all_at_once(decided: Decided, held: _Held, room: Room) -> NDArray[np.bool_]:
    """Return where all numbers at once turn the decision, each as far as it may go alone."""
    column = [room.members[one][0] for one in _singles(room)]
    reach, found = _reach(held, room), np.zeros(len(held.x), dtype=bool)
    for side in range(2):
        far = held.z.copy()
        far[:, column] = np.where(np.isnan(reach[..., side]), far[:, column], reach[..., side])
        ask = ~found & (far != held.z).any(axis=1)
        if ask.any():
            found[ask] = decided(far[ask])
    return found


def _others(held: _Held, values: Sequence[Tried], room: Room, how: Exchange, turn: int) -> Numbers:
    """Return what others become beside the feature that stands still, NaN without.

    Each number alone, up and down; other features to their most frequent values; each of two
    numbers for half of what is left. Of many pairs a share, another one at every turn.

    Returns:
        Shape (n, changes, columns).

    """
    singles, alone = _singles(room), _reach(held, room)
    found = [
        _with(held.z, room.members[one], alone[:, [place], side])
        for place, one in enumerate(singles)
        for side in range(2)
    ]
    for one, its in enumerate(room.members):
        for value in [] if room.single(its) else values[one].grid[: how.texts]:
            same = (held.z[:, [*its]] == value).all(axis=1) | (held.feature == one)
            found.append(_with(held.z, its, np.where(same[:, None], np.nan, value)))
    pairs = [*itertools.combinations(singles, 2)]
    apart = max(1, math.ceil(len(pairs) / len(room.members)))
    for pair in pairs[turn % apart :: apart]:
        both = _reach(held, room, pair)
        column = [room.members[one][0] for one in pair]
        found += [
            _with(held.z, column, both[:, [0, 1], sides])
            for sides in itertools.product(range(2), repeat=2)
        ]
    return np.stack(found, axis=1)


def _with(base: Numbers, columns: Sequence[int], there: Numbers) -> Numbers:
    """Return changes with some columns put to values, NaN where one has none."""
    z = base.copy()
    z[:, [*columns]] = there
    z[np.isnan(there).any(axis=1)] = np.nan
    return z
