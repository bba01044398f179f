"""Browsing models: how much attention the item at a slot gets.

Written in notation as ``browsing=log2``, ``rbp(p=0.8)``, ``observed(watch_share)``. Figures of
exposure differ by the model, so every finding names its own.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evenhand.errors import Problem, ValueInLogError
from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import is_number
from evenhand.notation import Term, Value


class Browsing(ABC):
    """How much attention each shown item gets.

    Attributes:
        name: Its name in notation.
        says: The model in words and formula, for readers of a finding.

    """

    name: ClassVar[str]
    says: ClassVar[str]

    @abstractmethod
    def attention(self, lists: Lists) -> Floats:
        """Return the weight of each row's slot, shape (rows,); of rows not shown anything."""

    def slots(self, longest: int) -> Floats | None:  # noqa: ARG002 - for models of slots alone
        """Return the weight of slots from 1 to the longest; None where slots do not tell it."""
        return None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the log that are read."""
        return ()

    @property
    def averaged(self) -> tuple[str, ...]:
        """Columns of which the mean at each slot is read."""
        return ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Roles that are read, besides the rank."""
        return ()

    def problem(self) -> str:
        """Return what is wrong with the parameters; empty when nothing is."""
        return ""

    def weights(self, lists: Lists, k: int | None) -> Floats:
        """Return the attention of each row, 0 where it was not shown or stands below slot k."""

        def find() -> Floats:
            inside = lists.within(k)
            return np.where(inside, self.attention(lists), 0.0)

        return lists.known(("attention", self, k), find)

    def value(self) -> Value:
        """Return the model as a parameter in notation."""
        fields = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        if not fields:
            return self.name
        if fields == ["column"]:
            return Term(self.name, (Term(str(getattr(self, "column"))),))  # noqa: B009 - see fields
        return Term(self.name, params=tuple((name, getattr(self, name)) for name in fields))

    def __str__(self) -> str:
        return str(self.value())


class _OfSlots(Browsing):
    """A model in which the slot alone tells the weight."""

    def slots(self, longest: int) -> Floats:
        return self.at(np.arange(1, longest + 1, dtype=float))

    @abstractmethod
    def at(self, slot: Floats) -> Floats:
        """Return the weight of slots."""

    def attention(self, lists: Lists) -> Floats:
        longest = int(lists.slot.max(initial=0))
        if longest > _LONGEST:
            return self.at(np.maximum(lists.slot, 1).astype(float))
        return self.at(np.maximum(np.arange(longest + 1.0), 1.0))[lists.slot]


_LONGEST = 2**20
"""Slots beyond this are too many for a table of their weights."""


@dataclass(frozen=True)
class Log2(_OfSlots):
    """Weight 1/log2(1 + i) at slot i.

    Source: Järvelin and Kekäläinen 2002, as exposure in Singh and Joachims 2018.
    """

    name = "log2"
    says = "1 / log2(1 + slot)"

    def at(self, slot: Floats) -> Floats:
        found: Floats = 1 / np.log2(1 + slot)
        return found


@dataclass(frozen=True)
class Log2Clipped(_OfSlots):
    """Weight 1/log2(max(i, 2)) at slot i: the first two slots weigh alike.

    Source: TREC Fair Ranking 2021 and 2022.
    """

    name = "log2_clipped"
    says = "1 / log2(max(slot, 2))"

    def at(self, slot: Floats) -> Floats:
        found: Floats = 1 / np.log2(np.maximum(slot, 2))
        return found


@dataclass(frozen=True)
class Rbp(_OfSlots):
    """Weight (1 - p) p^(i - 1) at slot i: who looks goes on to the next with probability p.

    Source: Moffat and Zobel 2008.
    """

    p: float = 0.8
    name = "rbp"
    says = "(1 - p) p^(slot - 1)"

    def problem(self) -> str:
        return "" if _is_share(self.p) else "rbp needs p between 0 and 1."

    def at(self, slot: Floats) -> Floats:
        found: Floats = (1 - self.p) * self.p ** (slot - 1)
        return found


@dataclass(frozen=True)
class Geometric(_OfSlots):
    """Weight p^(i - 1) at slot i, 1 at the first.

    Source: Diaz et al. 2020.
    """

    p: float = 0.5
    name = "geometric"
    says = "p^(slot - 1)"

    def problem(self) -> str:
        return "" if _is_share(self.p) else "geometric needs p between 0 and 1."

    def at(self, slot: Floats) -> Floats:
        found: Floats = self.p ** (slot - 1)
        return found


@dataclass(frozen=True)
class Cascade(Browsing):
    """Weight p^(i - 1) times the product of 1 - stop * relevance over the items shown above.

    Relevance is a probability here. Items above slot i count, the item at it does not.

    Source: Craswell et al. 2008; as exposure in Diaz et al. 2020.
    """

    p: float = 0.85
    stop: float = 1.0
    name = "cascade"
    says = "p^(slot - 1) prod over items above of (1 - stop relevance)"

    @property
    def needs(self) -> tuple[str, ...]:
        return ("relevance",)

    def problem(self) -> str:
        certain = is_number(self.p) and self.p == 1
        fits = (_is_share(self.p) or certain) and is_number(self.stop) and 0 <= self.stop <= 1
        return "" if fits else "cascade needs p in (0, 1] and stop in [0, 1]."

    def attention(self, lists: Lists) -> Floats:
        relevance = lists.judged()
        if relevance.max(initial=0.0) > 1:
            most = f"{relevance.max():g}"
            what = f"the cascade model takes relevance as a probability, here up to {most}."
            hint = "Divide grades by the largest: --relevance 'grade / 4'."
            raise ValueInLogError([Problem("role 'relevance'", what, hint)])
        stays = 1 - self.stop * np.where(lists.shown, relevance, 0.0)
        # Logarithms would lose a certain stop, so products are taken slot by slot.
        survival, sizes = np.ones(lists.rows), np.diff(lists.starts)
        for step in range(1, int(sizes.max(initial=0))):
            rows = lists.starts[:-1][sizes > step] + step
            survival[rows] = survival[rows - 1] * stays[rows - 1]
        found: Floats = self.p ** (np.maximum(lists.slot, 1) - 1.0) * survival
        return found


@dataclass(frozen=True)
class Observed(Browsing):
    """The attention that was observed: a column such as the share of a video that was watched."""

    column: str
    name = "observed"
    says = "the column itself"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def attention(self, lists: Lists) -> Floats:
        seen = lists.columns[self.column]
        lacks = lists.shown & ~np.isfinite(seen)
        if lacks.any():
            what = f"'{self.column}' is missing for {int(lacks.sum()):,} items that were shown."
            hint = "What was not watched has 0; use empirical(...) where some were not observed."
            raise ValueInLogError([Problem(f"browsing={self}", what, hint)])
        if (seen[lists.shown] < 0).any():
            what = f"'{self.column}' is below 0 for an item that was shown."
            hint = "Attention is 0 or more, such as the share of a video that was watched."
            raise ValueInLogError([Problem(f"browsing={self}", what, hint)])
        return np.where(lists.shown, seen, 0.0)


@dataclass(frozen=True)
class Empirical(Browsing):
    """The mean of an observed column at each slot of the log: reach times dwell.

    In a feed of one video a screen, an impression that is not reached has 0, so the mean share
    watched is P(reached) E[share watched | reached].
    """

    column: str
    name = "empirical"
    says = "the column's mean at the slot, over the log"

    @property
    def averaged(self) -> tuple[str, ...]:
        return (self.column,)

    def attention(self, lists: Lists) -> Floats:
        means = np.concatenate([[0.0], lists.by_slot[self.column]])
        if lists.slot.max(initial=0) >= len(means):
            what = (
                f"there are slots beyond {len(means) - 1:,}, too many for a table of their means."
            )
            raise ValueInLogError([Problem(f"browsing={self}", what, "Leave such rows out.")])
        return means[lists.slot]


def _is_share(value: object) -> bool:
    return is_number(value) and 0 < value < 1  # type: ignore[operator]


MODELS: Mapping[str, type[Browsing]] = {
    model.name: model for model in (Log2, Log2Clipped, Rbp, Geometric, Cascade, Observed, Empirical)
}


def browsing_from(value: Value) -> Browsing | str:
    """Return the model that a parameter writes, or what is wrong with it."""
    term = Term(value) if isinstance(value, str) else value
    known = f"Browsing models: {', '.join(MODELS)}."
    if not isinstance(term, Term) or term.name not in MODELS or term.cutoff is not None:
        return f"'{value}' is no browsing model. {known}"
    cls = MODELS[term.name]
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    given = dict(term.params)
    if names == ["column"]:
        (given["column"],) = term.args if len(term.args) == 1 else (given.get("column", ""),)
        column = given["column"]
        given["column"] = column.name if isinstance(column, Term) else column
        if not isinstance(given["column"], str) or not given["column"] or {*given} > {"column"}:
            return f"{term.name} takes one column: {term.name}(watch_share)."
    elif term.args or not {*given} <= {*names}:
        return f"{term.name} takes {' and '.join(names) or 'no parameters'}."
    model = cls(**given)
    return model.problem() or model
