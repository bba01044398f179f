"""Measures of how something is spread over items: sums by item, of which one figure is made.

Every item of the catalogue counts, also one that was never shown. Sums are kept by bucket of units
and item, so that a figure's variance is that between units, given this catalogue.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.lists import Floats, Indices
from evenhand.measures.measure import TermSums
from evenhand.measures.ranking import Ranking
from evenhand.stats.bucket import Dependence
from evenhand.stats.delta import Influences
from evenhand.stats.figure import Figures


@dataclass(frozen=True)
class Effect:
    """A figure over items, and how it would move without each bucket of units.

    Attributes:
        value: The figure; nan where there is none.
        buckets: The influence of each bucket; they add up to 0, shape (buckets,).

    """

    value: float
    buckets: Floats


NOTHING = Effect(float("nan"), np.zeros(1))
"""There is no figure."""


@dataclass(frozen=True)
class ItemSums:
    """Sums by bucket of units, group and item.

    Attributes:
        names: The items (or their groups) that have any row.
        known: Which of the names are in the catalogue; all where none is named.
        size: The number of items of the catalogue and of the log together.
        bucket: The bucket of each entry.
        group: The group of each entry.
        item: The place of its item among the names.
        values: For each sum, the value of each entry.
        buckets: The number of buckets.
        groups: The number of groups.

    """

    names: tuple[str, ...]
    known: np.ndarray
    size: int
    bucket: Indices
    group: Indices
    item: Indices
    values: Mapping[str, Floats]
    buckets: int
    groups: int

    @property
    def everything(self) -> int:
        """The number of items of the catalogue and of the log together."""
        return self.size + int((~self.known).sum())

    def of_catalogue(self) -> ItemSums:
        """Return the sums of the items of the catalogue alone."""
        kept, place = self.known[self.item], np.cumsum(self.known) - 1
        return replace(
            self,
            names=tuple(np.array(self.names, object)[self.known]),
            known=self.known[self.known],
            bucket=self.bucket[kept],
            group=self.group[kept],
            item=place[self.item[kept]],
            values={name: values[kept] for name, values in self.values.items()},
        )

    def of(self, inside: np.ndarray) -> dict[str, Floats]:
        """Return the sums of some groups by bucket and item, shape (buckets, items)."""
        kept = np.flatnonzero(inside[self.group])
        items = len(self.names)
        cell = self.bucket[kept] * items + self.item[kept]
        return {
            name: np.bincount(cell, values[kept], self.buckets * items)
            .astype(float)
            .reshape(self.buckets, items)
            for name, values in self.values.items()
        }


class PerItem(Ranking):
    """A measure of how sums are spread over items, or over their groups.

    Attributes:
        within: The smallest and the largest value.
        of_catalogue: Whether it is about items of the catalogue alone; else items that were shown
            and are not in it count too.

    """

    view = "items"
    of_catalogue: ClassVar[bool] = False
    within: ClassVar[tuple[float, float]] = (0.0, 1.0)
    empty_items: ClassVar[str] = "nothing was shown"

    @property
    def over(self) -> str | None:
        """The attribute over whose groups sums are spread; None for items themselves."""
        of = getattr(self, "of", None)
        return of if isinstance(of, str) else None

    @property
    def attributes(self) -> tuple[str, ...]:
        return () if self.over is None else (self.over,)

    def problem(self) -> str:
        return super().problem() if self.over is not None else _without_of(self)

    @abstractmethod
    def effect(self, sums: Mapping[str, Floats], size: int) -> Effect:
        """Return the figure of sums by bucket of units and item.

        Args:
            sums: Each sum, shape (buckets, items); items without any row are not among them.
            size: The number of items of the catalogue and of the log together.

        """

    def beside(self, sums: Mapping[str, Floats], size: int) -> Mapping[str, str]:  # noqa: ARG002 - for some
        """Return what helps to read the figure of all groups together, by topic.

        Args:
            sums: Each sum by item, shape (items,).
            size: The number of items of the catalogue and of the log together.

        """
        return {}

    def spread(self, items: ItemSums, rows: Floats) -> Figure:
        """Return the figure of sums by item, beside the rows by bucket and group."""
        beyond = items.everything - items.size
        if self.of_catalogue:
            items = items.of_catalogue()
        everything = {
            name: sums.sum(axis=0)
            for name, sums in items.of(np.ones(items.groups, np.bool_)).items()
        }
        what = "items" if self.over is None else f"groups of {self.over}"
        about = {"catalogue": f"{items.size:,} {what}"}
        if beyond:
            counted = "do not count" if self.of_catalogue else "count too"
            about["catalogue"] += f"; {beyond:,} of the log are not in it and {counted}"
        about |= self.beside(everything, items.everything)
        return OverItems(
            "rows", self.empty, items, self.effect, rows, self.within, self.empty_items, about
        )

    def finalise(self, s: TermSums) -> Figure:
        # Which rows count, and their units; the figure itself is made of sums by item.
        return s.share("items", among="items", empty=self.empty)


def _without_of(measure: PerItem) -> str:
    return "" if getattr(measure, "of", None) is None else "of= names one attribute of items."


@dataclass(frozen=True)
class OverItems(Figure):
    """A function of sums by item.

    Attributes:
        items: The sums.
        effect: The figure of sums by item and the size of the catalogue.
        counted: Rows by bucket and group.
        within: The smallest and the largest value.
        otherwise: Why the figure is undefined where there are rows and it is nan.
        about: What qualifies the figure, by topic.

    """

    among: str
    empty: str
    items: ItemSums
    effect: Callable[[Mapping[str, Floats], int], Effect]
    counted: Floats
    within: tuple[float, float]
    otherwise: str
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> Floats:
        return self.counted

    def notes(self) -> Mapping[str, str]:
        return self.about

    def undefined(self) -> list[str | None]:
        trials = self.counted.sum(axis=0)
        reasons: list[str | None] = []
        for group in range(self.items.groups):
            value = self._found(np.arange(self.items.groups) == group)[0]
            known = np.isfinite(value)
            reasons.append(None if known else self.otherwise if trials[group] else self.empty)
        return reasons

    def _found(self, inside: np.ndarray) -> tuple[float, Floats]:
        """Return the figure of some groups, and the influence of each bucket of units."""
        effect = self.effect(self.items.of(inside), self.items.everything)
        return effect.value, np.broadcast_to(effect.buckets, (self.items.buckets,))

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:  # noqa: ARG002 - see below
        found = [self._found(column > 0) for column in members.T]
        buckets = np.array([influence for _, influence in found]).T
        value = np.array([value for value, _ in found])
        trials = (self.counted @ members).sum(axis=0)
        seen = np.array(
            [
                np.bincount(
                    self.items.bucket[(column > 0)[self.items.group]],
                    minlength=self.items.buckets,
                )
                for column in members.T
            ],
            dtype=float,
        ).T
        # Units are those of a request, whatever other unit rows have: items share what they get.
        return Influences(
            value=value,
            rows=trials,
            variance=np.zeros(len(value)),
            df=np.full(len(value), np.inf),
            correlation=np.eye(len(value)),
            buckets=buckets,
            occupied=seen,
            within=self.within,
            dependent="buckets",
        ).figures()
