"""Targets: the shares that groups of items should have of a list's exposure.

Written in notation as ``target=catalogue``, ``candidates``, ``relevant``, ``equal``,
``shares('small', 0.5, 'large', 0.5)`` or ``mean(catalogue, relevant)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evenhand.errors import Problem, ValueInLogError, listed
from evenhand.measures.lists import UNKNOWN, Floats, Lists
from evenhand.notation import Term, Value


class Target(ABC):
    """What share of a list's exposure each group of items should have."""

    from_catalogue = False
    needs_catalogue = False
    reads_relevance = False

    @abstractmethod
    def groups(self, lists: Lists, of: str) -> tuple[str, ...]:
        """Return the groups that the target names."""

    @abstractmethod
    def shares(self, lists: Lists, of: str, names: Sequence[str]) -> Floats:
        """Return the share of each group, shape (requests or 1, names); nan where there is none."""


@dataclass(frozen=True)
class Catalogue(Target):
    """The groups' shares of what could be shown."""

    from_catalogue = True
    needs_catalogue = True

    def groups(self, lists: Lists, of: str) -> tuple[str, ...]:
        return tuple(lists.catalogue[of])

    def shares(self, lists: Lists, of: str, names: Sequence[str]) -> Floats:
        found = lists.catalogue[of]
        return normal(np.array([[found.get(name, 0.0) for name in names]]))

    def __str__(self) -> str:
        return "catalogue"


@dataclass(frozen=True)
class Candidates(Target):
    """The groups' shares of the items in the request, shown or not."""

    def groups(self, lists: Lists, of: str) -> tuple[str, ...]:
        return lists.items[of].names

    def shares(self, lists: Lists, of: str, names: Sequence[str]) -> Floats:
        return normal(_by_group(lists, np.ones(lists.rows), of, names))

    def __str__(self) -> str:
        return "candidates"


@dataclass(frozen=True)
class Relevant(Target):
    """The groups' shares of the relevance in the request."""

    reads_relevance = True

    def groups(self, lists: Lists, of: str) -> tuple[str, ...]:
        return lists.items[of].names

    def shares(self, lists: Lists, of: str, names: Sequence[str]) -> Floats:
        return normal(_by_group(lists, lists.judged(), of, names))

    def __str__(self) -> str:
        return "relevant"


@dataclass(frozen=True)
class Equal(Target):
    """The same share for every group that the catalogue has, or where none is named the log."""

    from_catalogue = True

    def groups(self, lists: Lists, of: str) -> tuple[str, ...]:
        return tuple(lists.catalogue[of])

    def shares(self, lists: Lists, of: str, names: Sequence[str]) -> Floats:
        inside = [float(lists.catalogue[of].get(name, 0.0) > 0) for name in names]
        return normal(np.array([inside]))

    def __str__(self) -> str:
        return "equal"


@dataclass(frozen=True)
class Shares(Target):
    """Shares as they are written.

    Attributes:
        of_groups: Each group's name and share; they add up to 1.

    """

    of_groups: tuple[tuple[str, float], ...]

    def groups(self, lists: Lists, of: str) -> tuple[str, ...]:  # noqa: ARG002 - as written
        return tuple(name for name, _ in self.of_groups)

    def shares(self, lists: Lists, of: str, names: Sequence[str]) -> Floats:
        strange = {*lists.items[of].names} - {*self.groups(lists, of), UNKNOWN}
        if strange:
            what = f"the target names no share for {listed(sorted(strange))}."
            hint = f"It names {listed(self.groups(lists, of))}; give every group its share, or 0."
            raise ValueInLogError([Problem(f"target of {of}", what, hint)])
        found = dict(self.of_groups)
        return np.array([[found.get(name, 0.0) for name in names]])

    def __str__(self) -> str:
        return ", ".join(f"{name} {share:g}" for name, share in self.of_groups)


@dataclass(frozen=True)
class Mean(Target):
    """The mean of several targets, as in TREC Fair Ranking 2022: the world's and the relevant."""

    parts: tuple[Target, ...]

    @property
    def from_catalogue(self) -> bool:  # type: ignore[override]
        return any(part.from_catalogue for part in self.parts)

    @property
    def needs_catalogue(self) -> bool:  # type: ignore[override]
        return any(part.needs_catalogue for part in self.parts)

    @property
    def reads_relevance(self) -> bool:  # type: ignore[override]
        return any(part.reads_relevance for part in self.parts)

    def groups(self, lists: Lists, of: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(n for part in self.parts for n in part.groups(lists, of)))

    def shares(self, lists: Lists, of: str, names: Sequence[str]) -> Floats:
        parts = [part.shares(lists, of, names) for part in self.parts]
        return np.asarray(sum(parts) / len(parts))

    def __str__(self) -> str:
        return f"mean of {' and '.join(map(str, self.parts))}"


def normal(weights: Floats) -> Floats:
    """Return rows as shares that add up to 1; nan where a row adds up to 0."""
    total = weights.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(weights, total, out=np.full_like(weights, np.nan), where=total > 0)
    return shares


def _by_group(lists: Lists, weights: Floats, of: str, names: Sequence[str]) -> Floats:
    have, sums = lists.shares(weights, of)
    return aligned(have, sums, names)


def aligned(have: Sequence[str], sums: Floats, names: Sequence[str]) -> Floats:
    """Return columns of sums by group in another order of groups, 0 where there are none."""
    found = np.zeros((len(sums), len(names)))
    place = {name: index for index, name in enumerate(have)}
    for index, name in enumerate(names):
        if name in place:
            found[:, index] = sums[:, place[name]]
    return found


_SIMPLE: Mapping[str, Target] = {
    "catalogue": Catalogue(),
    "candidates": Candidates(),
    "relevant": Relevant(),
    "equal": Equal(),
}
_SUM = 1e-9


def target_from(value: Value) -> Target | str:
    """Return the target that a parameter writes, or what is wrong with it."""
    known = f"Targets: {', '.join(_SIMPLE)}, shares('small', 0.5, 'large', 0.5), mean(...)."
    term = Term(value) if isinstance(value, str) else value
    if not isinstance(term, Term) or term.params or term.cutoff is not None:
        return f"'{value}' is no target. {known}"
    if term.name in _SIMPLE and not term.args:
        return _SIMPLE[term.name]
    if term.name == "mean" and len(term.args) > 1:
        parts = [target_from(arg) for arg in term.args]
        wrong = next((part for part in parts if isinstance(part, str)), None)
        return wrong or Mean(tuple(part for part in parts if isinstance(part, Target)))
    if term.name == "shares" and len(term.args) > 1 and len(term.args) % 2 == 0:
        return _shares(term)
    return f"'{value}' is no target. {known}"


def _shares(term: Term) -> Target | str:
    names = [arg.name if isinstance(arg, Term) else arg for arg in term.args[::2]]
    shares = term.args[1::2]
    numbers = [s for s in shares if isinstance(s, int | float) and not isinstance(s, bool)]
    if len(numbers) < len(shares) or not all(isinstance(name, str) for name in names):
        return "shares are written shares('small', 0.5, 'large', 0.5)."
    if len({*names}) < len(names):
        return "a target names every group once."
    if min(numbers) < 0:
        return f"a share is at least 0, not {min(numbers):g}."
    if abs(sum(numbers) - 1) > _SUM:
        return f"the shares of a target add up to 1, here to {sum(numbers):.10g}."
    return Shares(tuple((str(name), float(share)) for name, share in zip(names, numbers)))  # noqa: B905
