"""Measures, foldered by what they read; one file per measure, found by discovery.

The public names for writing one are `measure`, `Sums` and `Keyed`.
"""

from evenhand.measures.figure import Figure, Share
from evenhand.measures.histogram import Effect, Histogram
from evenhand.measures.measure import Keyed, Measure, RoleColumns, Sums, TermSums, measure

__all__ = [
    "Effect",
    "Figure",
    "Histogram",
    "Keyed",
    "Measure",
    "RoleColumns",
    "Share",
    "Sums",
    "TermSums",
    "measure",
]
