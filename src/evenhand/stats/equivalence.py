"""Equivalence: whether a difference is surely small, surely not, or not yet known.

That a difference is not significant says nothing about its size; an interval inside a stated
margin does.
"""

from __future__ import annotations

from typing import Literal

Verdict = Literal["equivalent", "different", "undecided"]


def equivalence(low: float, high: float, margin: float) -> Verdict:
    """Return what an interval of a signed difference says about a margin.

    With the two-sided interval at ``1 - 2 * alpha``, each limit is one-sided at ``alpha``: that is
    how often, at most, groups that differ by ``margin`` or more are called equivalent, and groups
    that differ by less are called different.

    Args:
        low: Lower limit of the difference.
        high: Upper limit of the difference.
        margin: Largest absolute difference that does not matter, > 0.

    Source: Schuirmann 1987 (two one-sided tests).

    >>> equivalence(-0.01, 0.03, margin=0.05)
    'equivalent'
    >>> equivalence(0.06, 0.11, margin=0.05)
    'different'
    >>> equivalence(0.01, 0.06, margin=0.05)
    'undecided'
    """
    if -margin < low and high < margin:
        return "equivalent"
    if low > margin or high < -margin:
        return "different"
    return "undecided"
