"""Measures of ranked lists: numbers of whole requests, or of their rows, of which sums are made.

A measure of requests says what a figure is for one request (`PerRequest`); one of rows gives each
row numbers (`Ranking` with ``view = "rows"``), so that what is grouped by items keeps the items'
dependence. Both see a `Lists`: arrays of whole requests. What follows, sums by unit and group,
intervals, contrasts, is that of every other measure (docs/design/rankings.md).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar, Literal

import narwhals as nw
import numpy as np

from evenhand.measures.browsing import Browsing, browsing_from
from evenhand.measures.figure import REAL, Figure, SmoothFunction
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import RoleColumns, Sums, TermSums
from evenhand.measures.policy import LOGGED, Policy, policy_from
from evenhand.measures.target import Target, target_from
from evenhand.notation import Value

View = Literal["requests", "queries", "rows", "items"]


@dataclass(frozen=True)
class Condition:
    """What must hold for a request, or a row, to count.

    Attributes:
        name: A short name, the same for the same condition.
        reason: What is said of those that are left out.
        holds: Where it holds, from the lists.
        unobserved: Whether those it does not hold for would count, had all been observed: then
            there is no figure, instead of one without them.

    """

    name: str
    reason: str
    holds: Callable[[Lists], Flags]
    unobserved: bool = False


def worth(lists: Lists) -> Flags:
    """Return which requests have an item of any worth, or one shown that may be."""

    def find() -> Flags:
        found = lists.total(lists.judged()) > 0
        if lists.relevance is None:
            return found
        found |= lists.total(lists.shown & np.isnan(lists.relevance)) > 0
        return found

    return lists.known("some worth", find)


WORTH = Condition("worth", "no relevant item", worth)
"""A request has an item of relevance above 0."""

SHOWN = Condition("shown", "nothing was shown", lambda lists: lists.total(lists.shown) > 0)
"""A request has an item that was shown."""


def unknown(lists: Lists) -> Flags:
    """Return which rows have an item of unknown relevance."""
    if lists.relevance is None:
        return np.zeros(lists.rows, np.bool_)
    relevance = lists.relevance
    return lists.known("unknown relevance", lambda: np.isnan(relevance))


def all_judged(*, shown: bool) -> Condition:
    """Return that the relevance of all items is known: of those shown, or of the others."""

    def holds(lists: Lists) -> Flags:
        those = lists.shown if shown else ~lists.shown
        found: Flags = lists.total(those & unknown(lists)) == 0
        return found

    if shown:
        return Condition("all known", "relevance of a shown item", holds, unobserved=True)
    what = "relevance of an item that was not shown"
    return Condition("others known", what, holds, unobserved=True)


def of_rows(condition: Condition) -> Condition:
    """Return a condition of requests as one of their rows."""
    return Condition(
        f"{condition.name}, rows",
        condition.reason,
        lambda lists: condition.holds(lists)[lists.request],
        condition.unobserved,
    )


def judged(k: int | None) -> Condition:
    """Return that the relevance of all items shown up to slot k is known."""

    def holds(lists: Lists) -> Flags:
        if lists.relevance is None:
            return np.ones(lists.requests, np.bool_)
        unknown = lists.within(k) & np.isnan(lists.relevance)
        known: Flags = lists.total(unknown) == 0
        return known

    name = "judged" if k is None else f"judged to {k}"
    return Condition(name, "relevance of a shown item", holds, unobserved=True)


class Ranking(Sums):
    """A measure of ranked lists.

    Attributes:
        view: What its numbers are of: requests, queries (of which requests may be samples), rows,
            or rows that are summed by item.
        landmarks: Figures beside which its own are read, such as that of chance, and how each is
            found.

    """

    view: ClassVar[View] = "requests"
    landmarks: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What must hold for a request or row to count; they are asked by name."""
        return ()

    @property
    @abstractmethod
    def counted(self) -> tuple[str, ...]:
        """Names of the numbers; equal names are equal numbers, whichever measure makes them."""

    @abstractmethod
    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        """Return the numbers by name, one for each request or row.

        Where a condition does not hold they may be anything.
        """

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of items that are read."""
        of = getattr(self, "of", None)
        return (of,) if isinstance(of, str) and of else ()

    @property
    def models(self) -> tuple[Browsing, ...]:
        """The browsing models that are used."""
        written: Value | None = getattr(self, "browsing", None)
        found = None if written is None else browsing_from(written)
        return (found,) if isinstance(found, Browsing) else ()

    @property
    def model(self) -> Browsing:
        """The browsing model."""
        return self.models[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of numbers that are read for every row."""
        of_models = (column for model in self.models for column in model.columns)
        return (*of_models, *self.shown_by.columns)

    @property
    def shown_by(self) -> Policy:
        """The policy whose lists the figure is of."""
        written: Value | None = getattr(self, "policy", None)
        found = None if written is None else policy_from(written)
        return found if isinstance(found, Policy) else Policy(LOGGED)

    @property
    def aim(self) -> Target | None:
        """The target; None for a measure without one."""
        written: Value | None = getattr(self, "target", None)
        found = None if written is None else target_from(written)
        return found if isinstance(found, Target) else None

    @property
    def shared(self) -> str | None:
        """The number of which groups of items have shares; None where shares mean nothing."""
        return None

    @property
    def parts(self) -> str | None:
        """The number that counts items, or the parts of them that belong to a group."""
        return None

    @property
    def every_condition(self) -> tuple[Condition, ...]:
        """The conditions, with that relevance is known where a target or browsing reads it."""
        reads = any("relevance" in model.needs for model in self.models)
        if not reads and (self.aim is None or not self.aim.reads_relevance):
            return self.conditions
        known = all_judged(shown=True)
        if self.view in {"rows", "items"}:
            known = of_rows(known)
        elif self.view == "queries":
            return self.conditions
        names = {condition.name for condition in self.conditions}
        return self.conditions if known.name in names else (*self.conditions, known)

    def roles(self) -> tuple[str, ...]:
        """Return all roles that are needed: by the measure, its browsing model and its target."""
        more = [role for model in self.models for role in model.needs]
        if self.aim is not None and self.aim.reads_relevance:
            more.append("relevance")
        more += self.shown_by.needs
        return tuple(dict.fromkeys((*self.needs, *more)))

    def problem(self) -> str:
        readers = (("browsing", browsing_from), ("target", target_from), ("policy", policy_from))
        for field, read in readers:
            written = getattr(self, field, None)
            if written is not None and isinstance(found := read(written), str):
                return found
        of = getattr(self, "of", None)
        return "" if of is None or isinstance(of, str) else "of= names one attribute of items."

    def conventions(self) -> Mapping[str, str]:
        """Return how the figure is defined where the field has several ways, by topic."""
        found: dict[str, str] = {}
        for model in self.models:
            found["browsing"] = f"{model}: {model.says}"
        if self.aim is not None:
            found["target"] = str(self.aim)
        if not self.shown_by.logged:
            found["policy"] = self.shown_by.says
        if hasattr(self, "k"):
            cutoff: int | None = self.k
            found["truncation"] = "whole list" if cutoff is None else f"slots 1 to {cutoff}"
        return found

    def terms(self, log: RoleColumns) -> dict[str, nw.Expr | int]:  # noqa: ARG002 - every row
        return {self.view: 1}

    def amounts(self, log: RoleColumns) -> dict[str, nw.Expr]:  # noqa: ARG002 - ours by name
        return {name: nw.col(name) for name in self.counted}

    @property
    def empty(self) -> str:
        """Why the figure is undefined where nothing counts."""
        if not self.conditions:
            return f"no {self.view}"
        return f"no {self.view} without '{self.conditions[-1].reason}'"


class PerRequest(Ranking):
    """The mean over requests of a figure of one request.

    Attributes:
        within: The smallest and the largest value.

    """

    within: ClassVar[tuple[float, float]] = REAL

    @property
    def counted(self) -> tuple[str, ...]:
        landmarks = [f"{topic} of {self}" for topic in self.landmarks]
        return (str(self), *landmarks, *([SAMPLED] if landmarks else []))

    @abstractmethod
    def per_request(self, lists: Lists) -> Floats:
        """Return the figure of each request, shape (requests,)."""

    def beside(self, lists: Lists, own: Floats) -> Mapping[str, Floats]:  # noqa: ARG002 - few have
        """Return the landmarks of each request by topic, finite where the conditions hold.

        Args:
            lists: The requests.
            own: Their figures.

        """
        return {}

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        own = self.per_request(lists)
        found = {str(self): own}
        if not self.landmarks:
            return found
        inside = lists.sampled
        if inside.all():
            beside = self.beside(lists, own)
        else:
            some = lists.known("sample", lambda: lists.only(inside))
            beside = {}
            for topic, values in self.beside(some, own[inside]).items():
                beside[topic] = np.zeros(lists.requests)
                beside[topic][inside] = values
        found |= {f"{topic} of {self}": beside[topic] for topic in self.landmarks}
        return {**found, SAMPLED: inside.astype(float)}

    def finalise(self, s: TermSums) -> Figure:
        found = s.mean(str(self), among="requests", empty=self.empty, within=self.within)
        return self.with_landmarks(found, s)

    def with_landmarks(self, figure: SmoothFunction, s: TermSums) -> SmoothFunction:
        """Return a figure whose notes tell the landmarks' means over all its requests."""
        if not self.landmarks or not (requests := float(s.amounts[SAMPLED].sum())):
            return figure
        about = dict(figure.about)
        for topic, how in self.landmarks.items():
            name = f"{topic} of {self}"
            mean = float(s.amounts[name].sum()) / requests
            square = float(s.products[name, name].sum()) / requests - mean**2
            error = (max(square, 0.0) / requests) ** 0.5
            exactly = "" if error < _EXACT else f" (standard error {error:.4f})"
            about[topic] = f"{mean:.4f}{exactly}: {how}"
        return replace(figure, about=about)


SAMPLED = "requests in random and best order"
"""The number of requests of which landmarks are made: some, where there are many."""

_EXACT = 5e-5
"""A standard error that four digits do not show is not told."""
