"""Candidates of many requests side by side, so that re-rankers work on all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Problem, RoleError

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]

Label: TypeAlias = str | int | float | bool

UNKNOWN = -1
"""In place of a group: the candidate has none, or there is no candidate."""

NOBODY = -1
"""In place of a candidate: the slot is empty, because the request has no more."""


@dataclass(frozen=True)
class Candidates:
    """The candidates of n requests, at most m of each.

    Attributes:
        scores: How good each is, more is better, shape (n, m), float64; NaN where there is none,
            which is after all others of the request.
        groups: The place of each one's group in `names`, shape (n, m), int64; `UNKNOWN` for none.
        names: The groups.

    """

    scores: Floats
    groups: Places
    names: tuple[Label, ...]

    def __post_init__(self) -> None:
        """Refuse what is no table of candidates."""
        there = ~np.isnan(self.scores)
        problems = []
        if self.scores.ndim != 2 or self.scores.shape != self.groups.shape:  # noqa: PLR2004
            what = f"scores of shape {self.scores.shape} and groups of {self.groups.shape}."
            problems.append(Problem("candidates", what, "Give both as (requests, candidates)."))
        else:
            if infinite := int(np.isinf(self.scores).sum()):
                what = f"{infinite:,} of {int(there.sum()):,} are infinite."
                hint = "Leave such candidates out, or score them."
                problems.append(Problem("candidates, score", what, hint))
            if (there[:, 1:] & ~there[:, :-1]).any():
                what = "a request has a gap before some of its candidates."
                problems.append(Problem("candidates, score", what, "Put the missing ones last."))
            if ((self.groups < UNKNOWN) | (self.groups >= len(self.names))).any():
                problems.append(Problem("candidates, group", "a code names no group."))
        if problems:
            raise RoleError(problems)

    @property
    def requests(self) -> int:
        """Number of requests, n."""
        return len(self.scores)

    @property
    def sizes(self) -> Places:
        """Number of candidates of each request, shape (n,)."""
        found: Places = (~np.isnan(self.scores)).sum(axis=1)
        return found

    @property
    def unknown(self) -> int:
        """Number of candidates without a group, of all requests."""
        return int((~np.isnan(self.scores) & (self.groups == UNKNOWN)).sum())

    def best(self, k: int) -> Places:
        """Return the order by score alone, shape (n, k); ties as they stand, `NOBODY` last."""
        worst_last = np.where(np.isnan(self.scores), -np.inf, self.scores)
        order = np.argsort(-worst_last, axis=1, kind="stable")
        return self.cut(order, k)

    def cut(self, order: Places, k: int) -> Places:
        """Return the first k places of full orders, shape (n, k); `NOBODY` after the candidates."""
        width = order.shape[1]
        found = np.full((self.requests, k), NOBODY, np.int64)
        found[:, : min(k, width)] = order[:, :k]
        found[np.arange(k) >= self.sizes[:, None]] = NOBODY
        return found

    def groups_at(self, order: Places) -> Places:
        """Return the groups of an order's slots, shape (n, k); `UNKNOWN` where a slot is empty."""
        return np.where(order == NOBODY, UNKNOWN, _at(self.groups, order))

    def scores_at(self, order: Places) -> Floats:
        """Return the scores of an order's slots, shape (n, k); 0 where a slot is empty."""
        return np.where(order == NOBODY, 0.0, _at(self.scores, order))


def _at(values: NDArray[Any], order: Places) -> NDArray[Any]:
    """Return the values at the places of an order; anything where a slot is empty."""
    if not values.shape[1]:
        return np.zeros(order.shape, values.dtype)
    return np.take_along_axis(values, np.maximum(order, 0), axis=1)


def candidates_of(
    scores: Sequence[Sequence[float]] | NDArray[Any],
    groups: Sequence[Sequence[Label | None]] | NDArray[Any],
    names: Iterable[Label] | None = None,
) -> Candidates:
    """Return candidates from a list of scores and a list of groups for each request.

    Args:
        scores: For each request the scores of its candidates; lengths may differ.
        groups: For each request the groups of its candidates; None for none.
        names: The groups there are; by default those that occur, sorted.

    Raises:
        RoleError: Lengths differ, or a score is missing or infinite.

    >>> made = candidates_of([[0.9, 0.5], [0.7]], [["a", "b"], ["b"]])
    >>> made.groups.tolist(), made.sizes.tolist()
    ([[0, 1], [1, -1]], [2, 1])
    """
    lengths = [len(one) for one in scores]
    if lengths != [len(one) for one in groups]:
        what = "there are as many scores as groups in every request, and here they differ."
        raise RoleError(Problem("candidates", what))
    seen = {name for one in groups for name in one if name is not None}
    known = tuple(sorted(seen, key=str)) if names is None else tuple(names)
    code = {name: place for place, name in enumerate(known)}
    unnamed = sorted(map(str, seen - {*known}))
    if unnamed:
        what = f"there are candidates of {unnamed}, and no such groups."
        raise RoleError(Problem("candidates, group", what))
    shape = (len(lengths), max(lengths, default=0))
    table, codes = np.full(shape, np.nan), np.full(shape, UNKNOWN, np.int64)
    for place, (values, labels) in enumerate(zip(scores, groups, strict=True)):
        table[place, : len(values)] = values
        codes[place, : len(labels)] = [UNKNOWN if name is None else code[name] for name in labels]
        if np.isnan(table[place, : len(values)]).any():
            what = f"a candidate of request {place} has no score."
            raise RoleError(Problem("candidates, score", what, "Leave it out, or score it."))
    return Candidates(table, codes, known)


def check_slots(k: object) -> None:
    """Check that something is a number of slots.

    Raises:
        RoleError: It is no integer from 1 on.

    """
    whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
    if not whole or int(k) < 1:  # type: ignore[call-overload]
        problem = Problem("k", f"{k!r} is no number of slots.", "Give an integer from 1 on.")
        raise RoleError(problem)


def shares_of(target: Mapping[Label, float], names: Sequence[Label]) -> Floats:
    """Return the target share of each group, in order.

    Raises:
        RoleError: They do not add up to 1, one is no share, or a group has none.

    """
    problems = []
    lacking = [name for name in names if name not in target]
    unknown = [name for name in target if name not in names]
    wrong = [name for name, value in target.items() if not _is_share(value)]
    if lacking:
        problems.append(Problem("target", f"there is none for {lacking}.", "Say 0 for none."))
    if unknown:
        problems.append(Problem("target", f"there are no candidates of {unknown}."))
    if wrong:
        problems.append(Problem("target", f"those of {wrong} are no shares from 0 to 1."))
    total = 1.0 if wrong else sum(target.values())
    if abs(total - 1) > _ROUNDING:
        problems.append(Problem("target", f"shares add up to {total:g}.", "They must add up to 1."))
    if problems:
        raise RoleError(problems)
    return np.array([float(target[name]) for name in names])


def _is_share(value: object) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and 0 <= float(value) <= 1  # type: ignore[arg-type]


_ROUNDING = 1e-9
