"""Measures, foldered by what they read; one file per measure, found by discovery.

The public names for writing one are `measure` and `Sums`.
"""

from evenhand.measures.measure import RoleColumns, Share, Sums, TermSums, measure

__all__ = ["RoleColumns", "Share", "Sums", "TermSums", "measure"]
