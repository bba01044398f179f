"""Targets: the share that each group is to have, alike for all requests or of each by itself."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, Self, TypeAlias

import numpy as np

from evenhand.errors import Problem
from evenhand.mitigations.candidates import UNKNOWN, Candidates, Floats, Label, Places
from evenhand.mitigations.minimum import NEAR, ceilings, floors

REQUEST: Final = "request"
"""As a target: each group's share of a request's own candidates, those without a group aside."""

OWN_SHARES: Final = "the group's share of the request's own candidates"
"""What guarantees call that."""

Targets: TypeAlias = Mapping[Label, float] | Literal["request"]

Turn: TypeAlias = Literal["any", "due", "prefix"]
"""Which of the groups that may come next comes first: any of them; the one whose maximum of now
is its minimum at the smallest size, a number with a fraction; or at the smallest whole prefix."""


@dataclass(frozen=True)
class Bounds:
    """How many of each group one prefix may hold, shape (G, 1) or, by request, (G, n).

    Attributes:
        least: The fewest.
        most: The most.
        turn: A number for each group that is below its most, from 0 to G - 1; the least goes first.

    """

    least: Places
    most: Places
    turn: Places


class Quota(Protocol):
    """What targets ask of the prefixes of n requests."""

    def bounds(self, k: int, turn: Turn) -> Iterable[Bounds]:
        """Return the bounds of the prefixes i = 1..k."""

    def due(self, groups: Places, nth: Places) -> Places:
        """Return the first prefix that asks for the nth of a group, shape (n, m).

        Args:
            groups: Of candidates, shape (n, m); `UNKNOWN` for none.
            nth: Which of its group each is, from 1, shape (n, m).

        """


NEVER: Final = 1 << 40
"""In place of a prefix: none asks for that candidate."""


@dataclass(frozen=True)
class Alike:
    """Shares that are the same for all requests.

    Attributes:
        shares: Shape (G,).

    """

    shares: Floats

    def bounds(self, k: int, turn: Turn) -> Iterable[Bounds]:
        """Return the bounds of the prefixes i = 1..k."""
        return _bounds(tuple(self.shares.tolist()), k, turn)

    def due(self, groups: Places, nth: Places) -> Places:
        """Return the first prefix that asks for the nth of a group: ceil(nth / p)."""
        each = np.arange(1, groups.shape[1] + 1)[:, None]
        with np.errstate(divide="ignore", over="ignore"):
            turns = np.ceil((each - NEAR) / self.shares)
        # A group whose share is 0, or as good as 0, is never due; nor is the last column, of none.
        table = np.where((self.shares > NEAR) & (turns < NEVER), turns, NEVER).astype(np.int64)
        table = np.concatenate([table, np.full((len(table), 1), NEVER)], axis=1)
        found: Places = table[np.maximum(nth, 1) - 1, groups]
        return found


@functools.lru_cache(maxsize=64)
def _bounds(shares: tuple[float, ...], k: int, turn: Turn) -> tuple[Bounds, ...]:
    each = np.array(shares)
    least, most = floors(each, k), ceilings(each, k)
    with np.errstate(divide="ignore", invalid="ignore"):
        due = np.where(most > 0, most / each, np.inf)
    if turn == "prefix":
        due = np.ceil(due - NEAR)
    places = np.zeros_like(most) if turn == "any" else _places_of(due, NEAR)
    tables = (table[:, :, None] for table in (least, most, places))
    return tuple(Bounds(*rows) for rows in zip(*tables, strict=True))


@dataclass(frozen=True)
class Own:
    """Shares of each request's own candidates, as exact fractions c / n.

    No group runs out before its request does: floor(c i / n) is c at i = n.

    Attributes:
        parts: How many candidates of each group there are, shape (G, n).
        whole: How many of any group, shape (n,); 1 where there are none.

    """

    parts: Places
    whole: Places

    @classmethod
    def of(cls, groups: Places, count: int) -> Self:
        """Return the shares among candidates of so many groups, shape (n, m)."""
        parts = np.array([(groups == group).sum(axis=1) for group in range(count)])
        return cls(parts, np.maximum(parts.sum(axis=0), 1))

    def bounds(self, k: int, turn: Turn) -> Iterable[Bounds]:
        """Return the bounds of the prefixes i = 1..k, each when it is asked for."""
        for prefix in range(1, k + 1):
            times = self.parts * prefix
            most = -(-times // self.whole)
            yield Bounds(times // self.whole, most, self._turn(most, turn))

    def _turn(self, most: Places, turn: Turn) -> Places:
        if turn == "any":
            return np.zeros((len(most), 1), np.int64)
        parts = np.maximum(self.parts, 1)
        # A quotient of integers is rounded once: equal fractions are equal, others apart.
        due = most / parts if turn == "due" else -(-most * self.whole // parts)
        return _places_of(np.where(self.parts > 0, due, np.inf).T, 0.0).T

    def due(self, groups: Places, nth: Places) -> Places:
        """Return the first prefix that asks for the nth of a group: ceil(nth n / c)."""
        parts = np.concatenate([self.parts.T, np.zeros((len(self.whole), 1), np.int64)], axis=1)
        own = np.take_along_axis(parts, groups % parts.shape[1], axis=1)
        turn = -(-nth * self.whole[:, None] // np.maximum(own, 1))
        return np.where(own > 0, turn, NEVER)

    @property
    def shares(self) -> Floats:
        """The share of each group, shape (n, G); all 0 where no candidate has a group."""
        found: Floats = (self.parts / self.whole).T
        return found

    def minima(self, k: int) -> Places:
        """Return floor(c i / n) for the prefixes i = 1..k, shape (n, k, G)."""
        times = np.arange(1, k + 1)[:, None] * self.parts.T[:, None, :]
        found: Places = times // self.whole[:, None, None]
        return found


def own_of(candidates: Candidates) -> Own:
    """Return the shares of each request's own candidates."""
    groups = np.where(np.isnan(candidates.scores), UNKNOWN, candidates.groups)
    return Own.of(groups, len(candidates.names))


def problems_of(where: str, targets: object) -> list[Problem]:
    """Return what is wrong with targets that are neither shares by group nor ``request``."""
    if isinstance(targets, Mapping) or targets == REQUEST:
        return []
    hint = (
        "Give the share of each group, or 'request': those of a request's own candidates. On a "
        "command line --target says it."
    )
    return [Problem(f"{where}, targets", f"{targets!r} is none.", hint)]


def _places_of(due: Floats, near: float) -> Places:
    """Return the place of each value in its row, from 0; those no further apart are one."""
    order = np.argsort(due, axis=1, kind="stable")
    inorder = np.take_along_axis(due, order, axis=1)
    with np.errstate(invalid="ignore"):
        apart = np.diff(inorder, axis=1, prepend=inorder[:, :1]) > near * np.maximum(inorder, 1)
    found = np.empty_like(order)
    np.put_along_axis(found, order, np.cumsum(apart, axis=1), axis=1)
    return found
