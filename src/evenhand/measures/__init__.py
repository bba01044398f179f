"""Measures, foldered by what they read; one file per measure, found by discovery.

The public names for writing one are `measure`, `Sums` and `Keyed`, and for ranked lists
`PerRequest`, `Ranking` and `PerItem`.
"""

from evenhand.measures.figure import Figure, Share
from evenhand.measures.histogram import Effect, Histogram
from evenhand.measures.items import PerItem
from evenhand.measures.lists import Lists
from evenhand.measures.measure import Keyed, Measure, RoleColumns, Sums, TermSums, measure
from evenhand.measures.ranking import Condition, PerRequest, Ranking

__all__ = [
    "Condition",
    "Effect",
    "Figure",
    "Histogram",
    "Keyed",
    "Lists",
    "Measure",
    "PerItem",
    "PerRequest",
    "Ranking",
    "RoleColumns",
    "Share",
    "Sums",
    "TermSums",
    "measure",
]
