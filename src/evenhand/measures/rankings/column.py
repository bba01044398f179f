"""Columns of numbers that measures of lists read: where they must be known, and in what range."""

from __future__ import annotations

import numpy as np

from evenhand.errors import Problem, ValueInLogError
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.ranking import Condition


def known_to(column: str, k: int | None) -> Condition:
    """Return that a column is known for all items of a request that are shown up to slot k."""

    def holds(lists: Lists) -> Flags:
        lacks = lists.within(k) & ~np.isfinite(lists.columns[column])
        found: Flags = lists.total(lacks) == 0
        return found

    return Condition(f"{column} to {k}", f"'{column}' of a shown item", holds, unobserved=True)


def some_to(k: int | None) -> Condition:
    """Return that a request shows an item up to slot k."""

    def holds(lists: Lists) -> Flags:
        found: Flags = lists.total(lists.within(k)) > 0
        return found

    what = "nothing was shown" if k is None else f"nothing was shown up to slot {k}"
    return Condition(f"shown to {k}", what, holds)


def not_negative(lists: Lists, column: str, measure: str) -> Floats:
    """Return a column, 0 where it is not known.

    Raises:
        ValueInLogError: A number is below 0.

    """
    values = np.nan_to_num(lists.columns[column], nan=0.0, posinf=0.0, neginf=0.0)
    if values.min(initial=0.0) < 0:
        what = f"{measure} takes numbers from 0, here down to {values.min():g}."
        raise ValueInLogError([Problem(f"column '{column}'", what)])
    return values
