"""The change of a gap between groups, also where another group is ahead afterwards.

`change.gap_change` follows each pair that may be the widest through both audits, so that a gap
that nearly closed, after which either group may be ahead, has an interval that reaches as far up as
down. Here a pair that may be widest in one audit alone is held against those that may be widest in
the other: their difference is the change of the gap itself.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from evenhand.stats.bucket import Dependence
from evenhand.stats.change import Change, Version, gap_change, pair_change
from evenhand.stats.interval import Limits

_Pair: TypeAlias = tuple[int, int]

_SELECTION = 0.1
"""Share of the error that is spent on which pairs may be the widest, half of it on each audit."""

_MOST = 4096
"""Pairs of pairs that are tried; beyond, all are followed, which is never too narrow."""


def gap_moved(
    before: Version, after: Version, level: float, dependent: Dependence | None
) -> Change:
    """Return the change of the largest difference between two groups.

    Let p be the pair that is truly widest before, q after, and D the signed difference. The change
    of the gap is ``D_q after - D_p before``; it is at least the change of D_p and at most that of
    D_q. p and q are not known. Where a pair may be the widest in both audits its own change is
    taken, which varies least, and else its difference with all that may be the widest in the other.
    No correction is due for their number, since only the limits of the true two have to hold.

    Args:
        before: The figures of at least two groups in the first audit.
        after: Those of the same groups in the second.
        level: Coverage.
        dependent: What a bucket of deviations is; None for audits of other units.

    Source: Berger and Boos 1994, for what is chosen by the data.
    """
    was, now = (_widest(one, level) for one in (before, after))
    down = [(p, q) for p in was for q in ([p] if p in now else now)]
    up = [(p, q) for q in now for p in ([q] if q in was else was)]
    if max(len(down), len(up)) > _MOST:
        return gap_change(before, after, level, dependent)
    left = 1 - (1 - level) * (1 - _SELECTION)
    low, high = (_limits(before, after, pairs, left, dependent) for pairs in (down, up))
    value = float(np.ptp(after.value) - np.ptp(before.value))
    return Change(value, float(low.low.min()), float(high.high.max()))


def _widest(version: Version, level: float) -> dict[_Pair, None]:
    """Return the ordered pairs of groups of which each may be the one that is furthest apart."""
    error = (1 - level) * _SELECTION / 2
    low, high = version.at(1 - error / len(version.value))
    top, bottom = np.flatnonzero(high >= low.max()), np.flatnonzero(low <= high.min())
    return {(a, b): None for a in top.tolist() for b in bottom.tolist() if a != b}


def _limits(
    before: Version,
    after: Version,
    pairs: list[tuple[_Pair, _Pair]],
    level: float,
    dependent: Dependence | None,
) -> Limits:
    """Return limits of each difference ``D_q after - D_p before``."""
    was, now = (np.array(side).T for side in zip(*pairs, strict=True))
    places = np.arange(len(pairs))
    # The groups of p and of q at the same places, so that they are compared as one pair is.
    one, other = before.take(was.ravel()), after.take(now.ravel())
    return pair_change(one, other, (places, len(pairs) + places), level, dependent)
