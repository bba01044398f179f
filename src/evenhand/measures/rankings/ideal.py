"""What the best list could be made of: all that is relevant, or only what was shown.

A log of shown items alone does not tell what was missed. Then an ideal is that of the items shown,
and every finding says so; what divides by all that is relevant has no figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evenhand.measures.figure import Figure, SmoothFunction
from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import TermSums

NOT_SHOWN = "items not shown"
"""The number of candidates of a request that were not shown."""

IDEAL = "ideal"


def with_ideal(numbers: Mapping[str, Floats], lists: Lists) -> Mapping[str, Floats]:
    """Return a request's numbers with that of the items not shown."""
    return {**numbers, NOT_SHOWN: lists.known(NOT_SHOWN, lambda: lists.total(~lists.shown))}


def of_ideal(figure: Figure, s: TermSums, topic: str) -> Figure:
    """Return a figure that says what its ideal is made of."""
    if not isinstance(figure, SmoothFunction):
        raise TypeError("only means of requests have an ideal")
    everything = bool(s.amounts[NOT_SHOWN].sum() > 0)
    known = "all items of the request whose relevance is known, shown or not"
    says = known if everything else "shown"
    return replace(figure, about={**figure.about, topic: says})
