"""Completion and skips: what becomes of the items that are shown."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evenhand.errors import Problem, ValueInLogError
from evenhand.measures.figure import Figure
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import TermSums, is_number, measure
from evenhand.measures.ranking import Condition, Ranking

_ITEMS = "parts of items"
"""1 for every item, or where it belongs to several groups the part of it that is in this one."""


@dataclass(frozen=True, repr=False)
class _Outcome(Ranking):
    """The share of shown items of which something is true.

    Attributes:
        column: The column that tells it.
        reached: The column that says whether an item was reached; empty where all shown are.
        k: The last slot that counts.

    """

    column: str
    reached: str = ""
    k: int | None = None
    view = "rows"

    @abstractmethod
    def holds(self, values: Floats) -> Flags:
        """Return of which rows it is true."""

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, self.reached) if self.reached else (self.column,)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        k, cut = self.k, "" if self.k is None else f" up to slot {self.k}"
        shown = Condition(f"row to {k}", f"not shown{cut}", lambda lists: lists.within(k))
        known = Condition(
            f"row {self.column} if {self.reached} to {k}",
            f"'{self.column}' of a shown item",
            lambda lists: ~self._among(lists) | np.isfinite(lists.columns[self.column]),
            unobserved=True,
        )
        if not self.reached:
            return (shown, known)
        # Of items not shown nothing is said here, so that each is left out for one reason.
        got_to = Condition(
            f"row {self.reached} to {k}",
            "not reached",
            lambda lists: ~lists.within(k) | self._reached(lists),
        )
        seen = Condition(
            f"row known {self.reached} to {k}",
            f"'{self.reached}' of a shown item",
            lambda lists: ~lists.within(k) | np.isfinite(lists.columns[self.reached]),
            unobserved=True,
        )
        return (shown, got_to, seen, known)

    def _reached(self, lists: Lists) -> Flags:
        """Return which shown rows are reached, or may have been."""
        found: Flags = lists.columns[self.reached] != 0
        return found

    def _among(self, lists: Lists) -> Flags:
        """Return which rows are of items that count."""
        within = lists.within(self.k)
        return within & self._reached(lists) if self.reached else within

    @property
    def empty(self) -> str:
        return "no item was reached" if self.reached else "no item was shown"

    @property
    def counted(self) -> tuple[str, ...]:
        return (str(self), _ITEMS)

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        values = lists.columns[self.column]
        among = self._among(lists) & np.isfinite(values)
        found = np.zeros(lists.rows)
        found[among] = self.holds(values[among])
        return {str(self): found, _ITEMS: np.ones(lists.rows)}

    def conventions(self) -> Mapping[str, str]:
        among = f"items shown of which '{self.reached}' is not 0" if self.reached else "items shown"
        return {**super().conventions(), "among": among}

    def finalise(self, s: TermSums) -> Figure:
        return s.function(
            lambda t: t[str(self)] / t[_ITEMS],
            among="rows",
            empty=self.empty,
            within=(0.0, 1.0),
        )


@measure(
    needs=("rank",),
    better="higher",
    tags=("fairness",),
    cites="Gomez-Uribe and Hunt 2015",
)
class CompletionRate(_Outcome):
    """Share of shown items that were completed: whose column is ``least`` or more; in [0, 1].

    Over items, not lists, so that groups of items can be compared too. 0 when nothing is watched to
    its end, 1 when everything is. With ``reached=COLUMN`` only items that were reached count. There
    is no figure where the column is missing for an item that counts.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 1], "slot": [1, 2, 3], "part": [1.0, 0.5, 0.0],
    ...                      "reached": [True, True, False]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot")
    >>> eh.estimate("completion_rate(column=part, reached=reached)", log).value
    0.5
    >>> eh.estimate("completion_rate(column=part, reached=reached, least=0.4)", log).value
    1.0
    """

    least: float = 1

    def problem(self) -> str:
        return "" if is_number(self.least) else "least is the number from which on is complete."

    def conventions(self) -> Mapping[str, str]:
        complete = f"'{self.column}' of {self.least:g} or more"
        return {**super().conventions(), "completed": complete}

    def holds(self, values: Floats) -> Flags:
        return values >= self.least


@measure(
    needs=("rank",),
    better="lower",
    tags=("fairness",),
    cites="Gomez-Uribe and Hunt 2015",
)
class SkipRate(_Outcome):
    """Share of shown items that were skipped, as a column of 0 and 1 says; in [0, 1].

    With ``below=0.1`` an item is skipped where the column, such as the share watched, is less. Over
    items, not lists. 0 when nothing is skipped. With ``reached=COLUMN`` only items that were
    reached count: what nobody got to is not skipped. There is no figure where the column is missing
    for an item that counts.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 1], "slot": [1, 2, 3], "skipped": [0, 1, 0]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot")
    >>> eh.estimate("skip_rate(column=skipped)@2", log).value
    0.5
    """

    below: float | None = None

    def problem(self) -> str:
        fits = self.below is None or is_number(self.below)
        return "" if fits else "below is the number below which an item is skipped."

    def conventions(self) -> Mapping[str, str]:
        skipped = "is 1" if self.below is None else f"below {self.below:g}"
        return {**super().conventions(), "skipped": f"'{self.column}' {skipped}"}

    def holds(self, values: Floats) -> Flags:
        if self.below is not None:
            return values < self.below
        strange = values[(values != 0) & (values != 1)]
        if strange.size:
            what = f"skip_rate takes 0 or 1, here {strange[0]:g}."
            hint = "For a share watched say below which it is a skip: below=0.1."
            raise ValueInLogError([Problem(f"column '{self.column}'", what, hint)])
        found: Flags = values == 1
        return found
